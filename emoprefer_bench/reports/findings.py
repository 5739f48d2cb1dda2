"""What a run found beyond its scores, in plain sentences: against the controls, a baseline, and its limits."""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import TYPE_CHECKING

from emoprefer_bench.cases import BLIND, MISMATCHED, OTHER_BASE, PICTURE_ALONE, SOUND_ALONE, SUBTITLE, UNQUOTED
from emoprefer_bench.document.cases import best_control, is_control, is_scored
from emoprefer_bench.reports.doubts import pull
from emoprefer_bench.reports.grids import grid
from emoprefer_bench.reports.numbers import interval, p, p_is, percent, points, points_interval

if TYPE_CHECKING:
    from emoprefer_bench.document.types import Comparison, ComparisonKind, Dataset, Decision, ReportedCase

SURE = 0.05
BEATS = "beats"
NOTHING = "these rows show no loss"
PEOPLE = "people"
WORDS = ("failed", "inconclusive", "warning", "improved")


def against_controls(cases: Sequence[ReportedCase], metric: str = "waf2") -> list[str]:
    """For each judge one line: whether it beats the best control on the same rows, by how much, and how surely.

    All controls count. One that no table shows is called a control.
    """
    shown = {case["model"] for case in cases if is_scored(case) and is_control(case)}
    lines = []
    for case in cases:
        if best := best_control(case, metric):
            named = best["against"] if best["against"] in shown else f"the control {best['against']}"
            lines.append(f"{case['id']} {_verdict(best)} {named}: {_difference(best)}")
    return lines


def ceiling(dataset: Dataset) -> list[str]:
    """How far people agree, and how good a judge of their single labels can be, where several labelled a pair."""
    human = dataset.get("ceiling")
    if human is None:
        return []
    alpha = "undefined" if human["alpha"] is None else f"{human['alpha']:z.2f}"
    bounds = f" [{', '.join(f'{bound:z.2f}' for bound in human['alpha_interval'])}]" if human["alpha_interval"] else ""
    best, surely = human["best"], human["best_interval"]
    agreement = f"two agree in {percent(human['agreement'])}% {interval(human['agreement_interval'])}"
    within = f"between {percent(best[0])} and {percent(best[1])}"
    wider = f" (by that interval {percent(surely[0])} and {percent(surely[1])})" if surely else ""
    return [
        f"people: of several labels of {human['pairs']} pairs, {agreement}; Krippendorff's alpha {alpha}{bounds}",
        f"so the best judge of single labels has an acc2 {within}{wider}",
    ]


def pulled(cases: Sequence[ReportedCase]) -> list[str]:
    """For each judge a line on the shortcuts that it follows, and one where it doesn't follow the people's labels.

    Of people themselves the latter is not said: how far they agree is said elsewhere.
    """
    lines = []
    for case in cases:
        weights = (case.get("pulls") or {}) if is_scored(case) and not is_control(case) else {}
        followed = [
            f"{name} {pull(weight).replace('*', '')}"
            for name, weight in weights.items()
            if name != PEOPLE and weight["found"]
        ]
        if followed:
            pulled = ", ".join(followed)
            lines.append(f"{case['id']} is pulled by {pulled}, beyond what labels explain (1.00: all verdicts)")
        if PEOPLE in weights and not weights[PEOPLE]["found"] and case.get("variant") != PEOPLE:
            lines.append(f"{case['id']}: its verdicts can't be told to go with people's labels")
    return lines


def against_variants(cases: Sequence[ReportedCase], metric: str = "waf2") -> list[str]:
    """For each audited judge a line for each of its variants: how much of the score needs what was taken away."""
    return [
        f"{case['id']} {_verdict(variant)} {variant['against']} ({_taken(variant['against'], case)}): "
        f"{_difference(variant)}"
        for case in cases
        for variant in _comparisons(case, "variant", metric)
        if variant["difference"] is not None
    ]


def audit(cases: Sequence[ReportedCase], metric: str = "waf2") -> list[str]:
    """All that the audit says of each judge: what it goes by, and its score beside each of its variants'."""
    return [line for case in cases for line in (*senses([case], metric), *against_variants([case], metric))]


def senses(cases: Sequence[ReportedCase], metric: str = "waf2") -> list[str]:
    """For each judge that was audited with one medium at a time a line: what its score goes by, as far as is shown."""
    lines = []
    for case in cases:
        verdicts = {variant["against"]: _verdict(variant) for variant in _comparisons(case, "variant", metric)}
        if SOUND_ALONE in verdicts and PICTURE_ALONE in verdicts:
            lines.append(f"{case['id']} {_goes_by(verdicts)}")
    return lines


def _goes_by(verdicts: dict[str, str]) -> str:
    """What a judge goes by, from how it compares with each of its variants."""
    if verdicts.get(BLIND, BEATS) != BEATS:
        return f"goes by the texts: without the clip {NOTHING}"
    if verdicts.get(MISMATCHED, BEATS) != BEATS:
        return f"goes by having a clip, and not by which: with another one {NOTHING}"
    sound, picture = (verdicts[variant] != BEATS for variant in (SOUND_ALONE, PICTURE_ALONE))
    if sound and picture:
        return f"goes by what it hears and what it sees: with either alone {NOTHING}"
    if sound:
        return f"goes by what it hears: without the picture {NOTHING}"
    if picture:
        return f"goes by what it sees: without the sound {NOTHING}"
    return "goes by what it hears and what it sees: it needs both"


def against_judges(cases: Sequence[ReportedCase], metric: str = "waf2") -> list[str]:
    """For each case of fused judges one line: whether it beats the best of them, which these very rows chose."""
    return [
        f"{case['id']} {_verdict(judge)} {judge['against']}, the best of its judges: {_difference(judge)}"
        for case in cases
        for judge in _comparisons(case, "judge", metric)
        if judge["difference"] is not None
    ]


def _taken(variant: str, case: ReportedCase) -> str:
    """What a variant's judge does not get of its own row."""
    subtitle = " and subtitle" if (case["modality"] or "").endswith(SUBTITLE) else ""
    without = {SOUND_ALONE: "without picture", PICTURE_ALONE: "without sound"}
    if variant == MISMATCHED:
        return f"with another row's clip{subtitle}"
    without |= {
        OTHER_BASE: f"against another row's clip{subtitle}, not against none",
        UNQUOTED: "with nothing in quotation marks",
    }
    return without.get(variant) or f"without clip{subtitle}"


def noise(cases: Sequence[ReportedCase]) -> list[str]:
    """For each case of which rows were asked again, how often the engine did not repeat itself."""
    return [
        f"{case['id']}: {again['flips']} of {again['verdicts']} verdicts flipped when {again['rows']} rows were asked "
        f"again ({percent(again['rate'])}%)"
        for case in cases
        if (again := case.get("noise"))
    ]


def votes(cases: Sequence[ReportedCase]) -> list[str]:
    """For each vote that a coin had a hand in, how many of its verdicts were drawn."""
    return [
        f"{case['id']}: {vote['drawn']} of {vote['verdicts']} verdicts had no majority and were drawn by lot; read "
        "strictly they are none"
        for case in cases
        if (vote := case.get("vote")) and vote["drawn"]
    ]


def restarts(cases: Sequence[ReportedCase]) -> list[str]:
    """For each model whose engine died on the way, how often: such a run is slow, and its log says why."""
    times: dict[str, int] = {}
    for case in cases:
        times[case["model"]] = max(times.get(case["model"], 0), case.get("restarts", 0))
    return [
        f"{model}: its engine died {'once' if count == 1 else f'{count} times'} and was started again; "
        "the run's folder of logs says why"
        for model, count in times.items()
        if count
    ]


def deltas(cases: Sequence[ReportedCase], metrics: tuple[str, ...] = ("waf2", "acc2", "swap")) -> str:
    """A table of what judges' scores were in the baseline; empty where nothing was compared. Controls can't change."""
    compared = [
        (case, comparison)
        for case in cases
        if is_scored(case) and not is_control(case)
        for metric in metrics
        for comparison in _comparisons(case, "baseline", metric)
    ]
    if not compared:
        return ""
    rows = [
        [
            f"{case['id']} {comparison['metric']}",
            percent(comparison["other"]),
            percent(comparison["score"]),
            points(comparison["difference"]),
            points_interval(comparison["interval"]),
            p(comparison["p_two_sided"]),
        ]
        for case, comparison in compared
    ]
    heads = ["", "before", "after", "change", "95% interval", "p"]
    return f"compared with the baseline {compared[0][1]['against']}\n{grid(heads, rows, left=1)}"


def gates(cases: Sequence[ReportedCase], *, above: bool = False) -> str:
    """How many decisions passed, and a line for each that did not; empty where nothing was decided.

    What failed a test stands in the failure of that test already: with `above` it is counted and not said again.
    """
    words = [_word(decision) for case in cases for decision in case.get("gate") or ()]
    if not words:
        return ""
    counts = [f"{words.count(word)} {word}" for word in ("passed", *WORDS) if word in words]
    lines = gate_lines(cases, but=_failures(cases) if above else ())
    head = "gates: " + ", ".join(counts) + (" (above)" if above and len(lines) < len(gate_lines(cases)) else "")
    return "\n".join([head, *(f"  {line}" for line in lines)])


def gate_lines(cases: Sequence[ReportedCase], but: Container[str] = ()) -> list[str]:
    """A line for each decision that is no pass, the failed ones first; without the messages that stand elsewhere."""
    decisions = [decision for case in cases for decision in case.get("gate") or ()]
    return [
        f"{word}: {decision['message']}"
        for word in WORDS
        for decision in decisions
        if _word(decision) == word and decision["message"] not in but
    ]


def _word(decision: Decision) -> str:
    """What became of a decision, in a word."""
    if decision["kind"] == "improvement":
        return "improved"
    return {"pass": "passed", "fail": "failed", "warn": "warning"}.get(decision["outcome"], decision["outcome"])


def _failures(cases: Sequence[ReportedCase]) -> set[str]:
    """The messages that tests failed with."""
    failed = [case for case in cases if case["outcome"] == "failed"]
    return {
        decision["message"]
        for case in failed
        for decision in case.get("gate") or ()
        if decision["message"] in (case["reason"] or "")
    }


def _comparisons(case: ReportedCase, kind: ComparisonKind, metric: str) -> list[Comparison]:
    comparisons = case["comparisons"] if is_scored(case) else []
    return [comparison for comparison in comparisons if comparison["kind"] == kind and comparison["metric"] == metric]


def _verdict(comparison: Comparison) -> str:
    """Whether the judge beats the other: no more than p and the interval allow, which on few clips differ."""
    p, difference = comparison["p_two_sided"], comparison["difference"]
    low, high = comparison["interval"] or (0.0, 0.0)
    if p is None or difference is None or p >= SURE or low <= 0 <= high:
        return "can't be told from"
    return BEATS if difference > 0 else "is beaten by"


def _difference(comparison: Comparison) -> str:
    return (
        f"{comparison['metric']} {percent(comparison['score'])} against {percent(comparison['other'])}, "
        f"{points(comparison['difference'])} points {points_interval(comparison['interval'])}, "
        f"{p_is(comparison['p_two_sided'])}"
    )
