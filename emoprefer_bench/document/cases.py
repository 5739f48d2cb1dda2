"""The cases of a report: how each is put together, which have scores, and in which order they stand."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from emoprefer_bench.cases import FUSED, WEIGHS, is_crossed

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TypeGuard

    from emoprefer_bench.cases import NamedCase
    from emoprefer_bench.document.types import (
        Comparison,
        Costs,
        Document,
        Engines,
        Outcome,
        ReportedCase,
        RoundVerdicts,
        Scored,
        ScoredCase,
        ScoredResult,
        UnscoredCase,
        UnscoredResult,
    )

LABEL_SCORES = ("waf2", "acc2", "waf3", "acc3")
METRICS = (
    *(*LABEL_SCORES, "swap"),
    *(f"strict_{name}" for name in (*LABEL_SCORES, "swap")),
    *("answered", "ties", "first_slot"),
)
"""The scores that a case has, if it has any."""

FITTED = "fitted"
"""The engine of a control that is made of a data set's labels or subtitles, and that no test runs."""

SCORES = ("scores", "policies", "bias", "slices", "pulls", "subsets", "of_ceiling", "comparisons", "noise", "weighing")
"""What a case without scores lacks."""

NO_COSTS: Costs = {
    "questions": {"asked": 0, "stored": 0},
    "tokens": {},
    "seconds": {},
    "pace": {"questions": None, "output_tokens": None, "cached": None, "bottleneck": None},
    "media": {},
    "faults": {},
}


def result(
    named: NamedCase,
    scores: Scored,
    verdicts: Sequence[RoundVerdicts],
    engine: Engines,
    *,
    complete: bool,
    transcript: str | None = None,
    costs: Costs = NO_COSTS,
) -> ScoredResult:
    """A case with scores, whoever made its verdicts: a trial, a recording, or a vote."""
    parts = {
        **named,
        "complete": complete,
        "transcript": transcript,
        "engine": engine,
        **scores,
        "verdicts": list(verdicts),
        **costs,
    }
    return cast("ScoredResult", parts)


def withheld(result: ScoredResult) -> UnscoredResult:
    """The case without its scores and all that is made of them; what its unread answers leave open stays."""
    return cast("UnscoredResult", {**{part: result[part] for part in result if part not in SCORES}, "complete": False})  # type: ignore[literal-required]


def ended(result: ScoredResult | UnscoredResult, outcome: Outcome, reason: str | None = None) -> ReportedCase:
    """A case that was asked, and what became of its test."""
    return cast("ReportedCase", {**result, "outcome": outcome, "reason": reason})


def unscored(named: NamedCase, outcome: Outcome, reason: str | None, needs: Sequence[str] = ()) -> UnscoredCase:
    """A case that has no scores, and why; one that was skipped `needs` what the words name."""
    parts = {**named, "complete": False, "outcome": outcome, "reason": reason}
    return cast("UnscoredCase", {**parts, "needs": list(needs)} if needs else parts)


def is_scored(case: ReportedCase) -> TypeGuard[ScoredCase]:
    """Whether the case has scores."""
    return "scores" in case


def has_failed(case: ReportedCase) -> bool:
    """Whether the case was asked and has no scores for all that."""
    return not is_scored(case) and case["outcome"] not in ("skipped", "missing")


def is_control(case: NamedCase) -> bool:
    """Whether the case's judge looks at nothing but the two texts."""
    return case["modality"] is None


def is_fitted(case: ReportedCase) -> bool:
    """Whether the case is a control that no test runs."""
    engine = case.get("engine")
    return engine is not None and engine["judge"]["engine"] == FITTED


def best_control(case: ReportedCase, metric: str = "waf2") -> Comparison | None:
    """A judge's comparison with the best control on its rows, its headline; None where there is none."""
    known = [
        comparison
        for comparison in (case["comparisons"] if is_scored(case) else ())
        if comparison["kind"] == "control" and comparison["metric"] == metric and comparison["difference"] is not None
    ]
    return max(known, key=lambda comparison: comparison["other"] or 0.0) if known else None


def is_weighed(case: NamedCase) -> bool:
    """Whether the case's verdicts are margins: the same, negated, on the exchanged pair, whatever the judge."""
    return case["prompt"] in WEIGHS or case.get("variant") == FUSED


def is_drawn(case: ReportedCase) -> bool:
    """Whether the case is a vote of which a coin drew most verdicts: no judge's, and ranked among none."""
    vote = case.get("vote")
    return vote is not None and 2 * vote["drawn"] > vote["verdicts"]


def tabled(document: Document, dataset: str) -> list[ReportedCase]:
    """The data set's cases that a table shows, in its order: controls, votes by coin, cases that failed, judges.

    Each kind stands by rising two-class WAF. Judges that were given others' descriptions have a table of their own.
    """
    cases = [
        case
        for case in document["cases"]
        if case["dataset"] == dataset and (is_scored(case) or has_failed(case)) and not is_crossed(case)
    ]
    return sorted(cases, key=_place)


def scored(document: Document, dataset: str) -> list[ScoredCase]:
    """Those of them that have scores."""
    return [case for case in tabled(document, dataset) if is_scored(case)]


def _place(case: ReportedCase) -> tuple[int, float]:
    kind = 0 if is_control(case) else 1 if is_drawn(case) else 2 if not is_scored(case) else 3
    return kind, waf2(case) if is_scored(case) else 0.0


def waf2(case: ScoredResult) -> float:
    """What cases are ordered by: two-class WAF, below all others where there is none."""
    mean = case["scores"]["waf2"]["mean"]
    return -1.0 if mean is None else mean
