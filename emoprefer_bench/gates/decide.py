"""Gates: whether a case's result holds against limits and a baseline. Nothing here knows of pytest.

A drop fails a case only where it is beyond what is tolerated *and* these rows confirm it, so that noise raises no
alarm. A drop that they can't confirm is said to be just that, and not passed over in silence.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast

from emoprefer_bench.gates.baselines import Baseline, ran_on
from emoprefer_bench.gates.limits import Limit
from emoprefer_bench.pairs import shown_row
from emoprefer_bench.scoring.comparisons import Rows, rounds_of
from emoprefer_bench.scoring.metrics import case_metrics
from emoprefer_bench.scoring.statistics import drop_test

if TYPE_CHECKING:
    from emoprefer_bench.document.types import (
        Dataset,
        Decision,
        DecisionKind,
        DecisionOutcome,
        FlippedRow,
        ScoredResult,
    )
    from emoprefer_bench.prompts import PackName
    from emoprefer_bench.scoring.statistics import DropTest
    from emoprefer_bench.verdicts import Verdicts


P = 0.01
FLIPS_KEPT = 20
FLIPS_SHOWN = 8


@dataclass(frozen=True, slots=True)
class Policy:
    """What a case is held to: `limits`, on the first `limit` rows (None: all), confirmed at the one-sided `p`."""

    limits: Sequence[Limit] = ()
    limit: int | None = None
    p: float = P


def decide(
    case: ScoredResult, dataset: Dataset, policy: Policy, baseline: Baseline | None, prompts: PackName
) -> list[Decision]:
    """Hold a complete case against its limits and its baseline: a decision for each thing that was looked at.

    `case` and `dataset` are as they stand in a report. A decision has `metric` (or None), `kind`, `outcome` (`pass`,
    `fail`, `inconclusive`, `warn`), a `message` for people, and the numbers that it stands on.
    """
    decisions = [_floor(case, one) for one in policy.limits if one.kind == "floor"]
    if baseline is None:
        return decisions
    if case["id"] not in baseline.cases:
        about = f"is not in the baseline {baseline.name}, so nothing holds it (--emoprefer-update adds it)"
        return [*decisions, _decision(case, "new", "warn", about)]
    if changed := baseline.changed(dataset, policy.limit):
        about = (
            f"data set {dataset['name']} is not the one of the baseline {baseline.name}: {changed}; nothing is compared"
        )
        return [*decisions, _decision(case, "dataset", "fail", about)]
    decisions += _different(case, baseline, prompts)
    rows = Rows.of(dataset)
    before, now = baseline.rounds(case["id"], len(rows.keys)), rounds_of(case, len(rows.keys))
    for one in policy.limits:
        if one.kind == "drop":
            decisions += _under_noise(case, one)
            decisions.append(_drop(case, one, rows, before, now, policy.p))
    return decisions


def failing(decisions: Iterable[Decision], *, strict: bool = False) -> list[Decision]:
    """The decisions that fail a case; `strict` counts what is inconclusive among them."""
    outcomes = ("fail", "inconclusive") if strict else ("fail",)
    return [decision for decision in decisions if decision["outcome"] in outcomes]


def _decision(
    case: ScoredResult,
    kind: DecisionKind,
    outcome: DecisionOutcome,
    about: str,
    metric: str | None = None,
    **numbers: Any,  # noqa: ANN401  # whatever a report may hold
) -> Decision:
    said = {"metric": metric, "kind": kind, "outcome": outcome, "message": f"{case['id']}: {about}", **numbers}
    return cast("Decision", said)


def _floor(case: ScoredResult, floor: Limit) -> Decision:
    metric, score = floor.metric, case["scores"][floor.metric]["mean"]
    if score is None:
        about = f"{metric} is undefined, so it can't be held against its floor of {percent(floor.amount)}"
        return _decision(case, "floor", "inconclusive", about, metric, score=None, floor=floor.amount)
    missed = score < floor.amount
    relation = "is under" if missed else "holds"
    about = f"{metric} of {percent(score)} {relation} its floor of {percent(floor.amount)}"
    return _decision(case, "floor", "fail" if missed else "pass", about, metric, score=score, floor=floor.amount)


def _different(case: ScoredResult, baseline: Baseline, prompts: PackName) -> list[Decision]:
    """Warn of whatever else changed since the baseline. What either run doesn't know is no difference."""
    before, now = baseline.cases[case["id"]]["ran_on"], ran_on(case, prompts)
    changes = {name: [before[name], now[name]] for name in before.keys() & now.keys() if before[name] != now[name]}
    if not changes:
        return []
    told = "; ".join(f"{name} {was} -> {is_now}" for name, (was, is_now) in sorted(changes.items()))
    about = f"did not run as in the baseline {baseline.name}: {told}"
    return [_decision(case, "environment", "warn", about, changes=changes)]


def _under_noise(case: ScoredResult, drop: Limit) -> list[Decision]:
    """Warn of a tolerance that the engine's own noise (`--emoprefer-noise`) reaches. No tolerance is widened by it."""
    noise, score = case.get("noise"), case["scores"][drop.metric]["mean"]
    tolerance = drop.amount * (score or 0.0) if drop.relative else drop.amount
    if not noise or noise["rate"] is None or tolerance >= noise["rate"]:
        return []
    about = (
        f"the tolerance of {pp(tolerance)} on {drop.metric} lies under the engine's own noise: "
        f"{noise['flips']} of {noise['verdicts']} verdicts flipped when asked again ({percent(noise['rate'])}%)"
    )
    return [_decision(case, "noise", "warn", about, drop.metric, tolerance=tolerance, flip_rate=noise["rate"])]


def _drop(
    case: ScoredResult, drop: Limit, rows: Rows, before: list[Verdicts], now: list[Verdicts], p: float
) -> Decision:
    baseline = case_metrics(rows.labels, before)[drop.metric]["mean"]
    tolerance = drop.amount * (baseline or 0.0) if drop.relative else drop.amount
    tested = drop_test(rows.labels, rows.clips, before, now, metric=drop.metric, tolerance=tolerance, alpha=p)
    flips = flipped(drop.metric, rows, before, now)
    improved = tested["drop"] is not None and -tested["drop"] > tolerance
    numbers = {
        **{name: value for name, value in tested.items() if name not in ("metric", "outcome")},
        "interval": list(tested["interval"]) if tested["interval"] else None,
        "flipped": len(flips),
        "flipped_rows": flips[:FLIPS_KEPT],
    }
    if improved:
        return _decision(case, "improvement", "warn", _told(tested, flips), drop.metric, **numbers)
    return _decision(case, "drop", tested["outcome"], _told(tested, flips), drop.metric, **numbers)


def _told(tested: DropTest, flips: list[FlippedRow]) -> str:
    """The whole story of a drop (or none) in a few sentences."""
    metric, drop = tested["metric"], tested["drop"]
    if drop is None:
        return f"{metric} is undefined in this run or in the baseline, so that a drop can't be told"
    story = f"{metric} {percent(tested['after'])}, baseline {percent(tested['before'])}: {pp(-drop, sign=True)}"
    if tested["interval"]:
        low, high = tested["interval"]
        story += f", 95% interval [{pp(-high, sign=True)}, {pp(-low, sign=True)}]"
    story += f", one-sided p = {tested['p']:.4f}; tolerated are {pp(tested['tolerance'])}. "
    if tested["outcome"] == "inconclusive":
        seen = tested["smallest_visible_drop"]
        story += f"{tested['rows']} rows can't confirm it at p < {tested['alpha']:g}"
        story += f"; the smallest drop that they would show is {pp(seen)}. " if seen else "; they would show none. "
    if flips:
        shown = ", ".join(
            f"{shown_row(flip['key'])} {flip['was'] or '?'} -> {flip['now'] or '?'}" for flip in flips[:FLIPS_SHOWN]
        )
        more = f" and {len(flips) - FLIPS_SHOWN} more" if len(flips) > FLIPS_SHOWN else ""
        story += f"Flipped: {shown}{more}"
    return story.strip()


def flipped(metric: str, rows: Rows, before: Sequence[Verdicts], now: Sequence[Verdicts]) -> list[FlippedRow]:
    """The rows whose verdicts, as the metric counts them, changed since the baseline: those first that were right.

    A row's verdicts are those of the first round in which they changed; scores of labels count the forward order alone.
    """
    orders: list[Literal["forward", "exchanged"]] = ["forward", "exchanged"]
    if metric.removeprefix("strict_")[:3] in ("waf", "acc"):
        orders = ["forward"]
    reading = "" if metric.startswith("strict_") or metric == "answered" else "_reference"
    found: dict[str, FlippedRow] = {}
    for was_round, now_round in zip(before, now, strict=False):
        for order in orders:
            both = (getattr(one, order + reading) for one in (was_round, now_round))
            for key, label, was, is_now in zip(rows.keys, rows.labels, *both, strict=True):
                if was != is_now and key not in found:
                    right = order == "forward" and was == label
                    found[key] = {"key": key, "order": order, "was": was, "now": is_now, "was_right": right}
    return sorted(found.values(), key=lambda flip: not flip["was_right"])


def percent(share: float | None) -> str:
    """A share in percent, as messages say it."""
    return "-" if share is None else f"{100 * share:.2f}"


def pp(difference: float, *, sign: bool = False) -> str:
    """A difference in percentage points, as messages say it."""
    return f"{100 * difference:{'+' if sign else ''}.2f} pp"
