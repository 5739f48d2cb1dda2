"""Gates: whether a case's result holds against limits and a baseline. Nothing here knows of pytest.

A drop fails a case only where it is beyond what is tolerated *and* these rows confirm it, so that noise raises no
alarm. A drop that they can't confirm is said to be just that, and not passed over in silence.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast

from emoprefer_bench.gates.baselines import Baseline, hears, ran_on, settings
from emoprefer_bench.gates.limits import Limit
from emoprefer_bench.pairs import shown_row
from emoprefer_bench.scoring.comparisons import HEADLINE, Rows, rounds_of
from emoprefer_bench.scoring.metrics import case_metrics
from emoprefer_bench.scoring.slices import rows_of
from emoprefer_bench.scoring.statistics import drop_test, share_of_level

if TYPE_CHECKING:
    from emoprefer_bench.document.types import (
        Dataset,
        Decision,
        DecisionKind,
        DecisionOutcome,
        FlippedRow,
        ScoredResult,
    )
    from emoprefer_bench.gates.baselines import KeptCase
    from emoprefer_bench.prompts import PackName
    from emoprefer_bench.scoring.statistics import DropTest
    from emoprefer_bench.verdicts import Verdicts


P = 0.01
FLIPS_KEPT = 20
FLIPS_SHOWN = 8
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Policy:
    """What a case is held to: `limits`, on the first `limit` rows (None: all).

    `p` is the run's level: the chance that any of its `tests` confirms a drop where there is none.
    """

    limits: Sequence[Limit] = ()
    limit: int | None = None
    p: float = P
    tests: int = 1

    @property
    def share(self) -> float:
        """The one-sided p that confirms a drop: a test's share of the level."""
        return share_of_level(self.p, self.tests)


def decide(
    case: ScoredResult, dataset: Dataset, policy: Policy, baseline: Baseline | None, prompts: PackName
) -> list[Decision]:
    """Hold a complete case against its limits and its baseline: a decision for each thing that was looked at.

    `case` and `dataset` are as they stand in a report. A decision has `metric` (or None), `kind`, `outcome` (`pass`,
    `fail`, `inconclusive`, `warn`), a `message` for people, and the numbers that it stands on.
    """
    decisions = [_floor(case, dataset, limit) for limit in policy.limits if limit.kind == "floor"]
    if baseline is None:
        return decisions
    if case["id"] not in baseline.cases:
        about = f"is not in the baseline {baseline.name}, so nothing holds it (--emoprefer-update adds it)"
        return [*decisions, _decision(case, "new", "warn", about)]
    if changed := baseline.changed(dataset, policy.limit, subtitles=hears(case["modality"])):
        about = (
            f"data set {dataset['name']} is not the one of the baseline {baseline.name}: {changed}; nothing is compared"
        )
        return [*decisions, _decision(case, "dataset", "fail", about)]
    decisions += _different(case, baseline, prompts)
    rows = Rows.of(dataset)
    before, now = baseline.rounds(case["id"], len(rows.keys)), rounds_of(case, len(rows.keys))
    decisions += _other_rounds(case, baseline, len(before), len(now))
    for limit in policy.limits:
        if limit.kind == "drop" and limit.subset is not None and not _subset(dataset, limit.subset):
            decisions.append(_absent(case, dataset, limit, "drop"))
        elif limit.kind == "drop":
            decisions += _under_noise(case, limit)
            decisions.append(_drop(case, limit, *_of_subset(dataset, limit, rows, before, now), policy, baseline.name))
    return decisions


def _subset(dataset: Dataset, name: str) -> list[int]:
    """The numbers of the rows of a subset."""
    return [row for row, subset in enumerate(dataset.get("subsets") or ()) if subset == name]


def _of_subset(
    dataset: Dataset, limit: Limit, rows: Rows, before: list[Verdicts], now: list[Verdicts]
) -> tuple[Rows, list[Verdicts], list[Verdicts]]:
    """The rows that a limit is about, and the verdicts on them."""
    if limit.subset is None:
        return rows, before, now
    held = _subset(dataset, limit.subset)
    return rows.part(held), rows_of(before, held), rows_of(now, held)


def _absent(case: ScoredResult, dataset: Dataset, limit: Limit, kind: DecisionKind) -> Decision:
    names = dict.fromkeys(subset for subset in dataset.get("subsets") or () if subset)
    have = f"its subsets are {', '.join(names)}" if names else "it has none (--emoprefer-subset names their column)"
    about = f"{limit.name} can't be held: data set {dataset['name']} has no subset {limit.subset!r}; {have}"
    return _decision(case, kind, "inconclusive", about, limit.name)


def failing(decisions: Iterable[Decision], *, strict: bool = False, adding: bool = False) -> list[Decision]:
    """The decisions that fail a case.

    `strict` counts among them what is inconclusive, and that nothing was compared, unless the baseline is `adding` it.
    """
    outcomes = ("fail", "inconclusive") if strict else ("fail",)
    kinds = ("new",) if strict and not adding else ()
    return [decision for decision in decisions if decision["outcome"] in outcomes or decision["kind"] in kinds]


def why_not_raised(case: ScoredResult, baseline: str) -> str | None:
    """Say why a case that passed may not take its place in the baseline that it was compared with, or None.

    It may where no gated score fell, and one rose beyond its tolerance, or none changed at all: a baseline that took
    every fall that is tolerated would slide, and one that took every rise would climb to its luckiest run. Where no
    drop is held, the gated scores are those of the table, and nothing is tolerated.
    """
    decisions = case.get("gate") or []
    if unsure := [decision for decision in decisions if decision["outcome"] == "inconclusive"]:
        return f"{unsure[0]['metric']} is inconclusive"
    if any(decision["kind"] == "new" for decision in decisions):
        return None
    held = [decision for decision in decisions if decision["kind"] in ("drop", "improvement")]
    drops = [(decision["metric"], decision["drop"] or 0.0, decision["tolerance"]) for decision in held]
    drops = drops or [
        (compared["metric"], -(compared["difference"] or 0.0), 0.0)
        for compared in case["comparisons"]
        if compared["kind"] == "baseline" and compared["against"] == baseline and compared["metric"] in HEADLINE
    ]
    fell = [f"{metric} fell by {pp(drop)}" for metric, drop, _ in drops if drop > _ROUNDING]
    if fell:
        return ", ".join(fell)
    rose = any(-drop > tolerance + _ROUNDING for _, drop, tolerance in drops)
    changed = any(abs(drop) > _ROUNDING for _, drop, _ in drops)
    return "no score rose beyond its tolerance" if changed and not rose else None


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


def _floor(case: ScoredResult, dataset: Dataset, floor: Limit) -> Decision:
    if floor.subset is not None and not _subset(dataset, floor.subset):
        return _absent(case, dataset, floor, "floor")
    scores = case["scores"] if floor.subset is None else case["subsets"][floor.subset]["scores"]
    metric, score = floor.name, scores[floor.metric]["mean"]
    if score is None:
        about = f"{metric} is undefined, so it can't be held against its floor of {percent(floor.amount)}"
        return _decision(case, "floor", "inconclusive", about, metric, score=None, floor=floor.amount)
    missed = score < floor.amount
    relation = "is under" if missed else "holds"
    about = f"{metric} of {percent(score)} {relation} its floor of {percent(floor.amount)}"
    return _decision(case, "floor", "fail" if missed else "pass", about, metric, score=score, floor=floor.amount)


def _different(case: ScoredResult, baseline: Baseline, prompts: PackName) -> list[Decision]:
    """Warn of whatever else changed since the baseline. What either run doesn't know is no difference."""
    kept = baseline.cases[case["id"]]
    before, now = kept["ran_on"], ran_on(case, prompts)
    changes = {name: [before[name], now[name]] for name in before.keys() & now.keys() if before[name] != now[name]}
    for role, known in settings(case).items():
        if f"{role}'s settings" in changes and (named := _settings_changed(kept, role, known)):
            del changes[f"{role}'s settings"]
            changes |= named
    if not changes:
        return []
    differences = "; ".join(f"{name} {was} -> {is_now}" for name, (was, is_now) in sorted(changes.items()))
    if any(name.endswith("'s settings") for name in changes):
        differences += " (which of them is not in this baseline; one that is saved now has them)"
    about = f"did not run as in the baseline {baseline.name}: {differences}"
    return [_decision(case, "environment", "warn", about, changes=changes)]


def _settings_changed(kept: KeptCase, role: str, now: dict[str, str]) -> dict[str, list[str]]:
    """Which settings of the judge or text LLM changed, before and after; empty where the baseline doesn't know them."""
    before = kept.get("settings", {}).get(role, {})
    names = sorted(before.keys() | now.keys()) if before else []
    values = {f"{role}'s {name}": [before.get(name, "nothing"), now.get(name, "nothing")] for name in names}
    return {name: [was, is_now] for name, (was, is_now) in values.items() if was != is_now}


def _other_rounds(case: ScoredResult, baseline: Baseline, before: int, now: int) -> list[Decision]:
    """Warn of rounds that have nothing to be compared with."""
    if before == now:
        return []
    shared = min(before, now)
    first = "the first alone is" if shared == 1 else f"the first {shared} are"
    about = f"has {_count(now, 'round')}, and {before} in the baseline {baseline.name}: {first} compared"
    return [_decision(case, "rounds", "warn", about)]


def _under_noise(case: ScoredResult, drop: Limit) -> list[Decision]:
    """Warn of a tolerance that the engine's own noise (`--emoprefer-noise`) reaches. No tolerance is widened by it."""
    noise, score = case.get("noise"), case["scores"][drop.metric]["mean"]
    tolerance = drop.amount * (score or 0.0) if drop.relative else drop.amount
    if not noise or noise["rate"] is None or tolerance >= noise["rate"]:
        return []
    about = (
        f"the tolerance of {pp(tolerance)} on {drop.name} lies under the engine's own noise: "
        f"{noise['flips']} of {noise['verdicts']} verdicts flipped when asked again ({percent(noise['rate'])}%)"
    )
    return [_decision(case, "noise", "warn", about, drop.name, tolerance=tolerance, flip_rate=noise["rate"])]


def _drop(
    case: ScoredResult,
    drop: Limit,
    rows: Rows,
    before: list[Verdicts],
    now: list[Verdicts],
    policy: Policy,
    baseline: str,
) -> Decision:
    shared = min(len(before), len(now))
    name = drop.name
    score = case_metrics(rows.labels, before[:shared])[drop.metric]["mean"]
    tolerance = drop.amount * (score or 0.0) if drop.relative else drop.amount
    tested = drop_test(
        rows.labels, rows.clips, before, now, metric=drop.metric, tolerance=tolerance, alpha=policy.share
    )
    flips = flipped(drop.metric, rows, before, now)
    improved = tested["drop"] is not None and -tested["drop"] > tolerance + _ROUNDING
    numbers = {
        **{name: value for name, value in tested.items() if name not in ("metric", "outcome")},
        "level": policy.p,
        "tests": policy.tests,
        "interval": list(tested["interval"]) if tested["interval"] else None,
        "flipped": len(flips),
        "flipped_rows": flips[:FLIPS_KEPT],
    }
    if improved:
        return _decision(case, "improvement", "warn", _told_rise(name, tested, baseline), name, **numbers)
    return _decision(case, "drop", tested["outcome"], _told(name, tested, flips, policy), name, **numbers)


def _told_rise(name: str, tested: DropTest, baseline: str) -> str:
    """The whole story of a score beyond its baseline, and how to keep it."""
    rise = f"{name} rose to {percent(tested['after'])}, baseline {percent(tested['before'])}"
    keep = f"--emoprefer-compare {baseline} --emoprefer-update puts it into the baseline"
    return f"{rise}: {_difference(tested)}, one-sided p = {_small(tested['p_rise'])}. {keep}"


def _difference(tested: DropTest) -> str:
    """After minus before, in points, with its interval."""
    change = pp(-(tested["drop"] or 0.0), sign=True)
    if tested["interval"] is None:
        return change
    low, high = tested["interval"]
    return f"{change}, 95% interval [{pp(-high, sign=True)}, {pp(-low, sign=True)}]"


def _told(name: str, tested: DropTest, flips: list[FlippedRow], policy: Policy) -> str:
    """The whole story of a drop (or none) in a few sentences."""
    if tested["drop"] is None:
        return f"{name} is undefined in this run or in the baseline, so that a drop can't be told"
    story = f"{name} {percent(tested['after'])}, baseline {percent(tested['before'])}: {_difference(tested)}"
    story += f", one-sided p = {_small(tested['p'])} at a level of {_level(policy)}"
    story += f"; tolerated are {pp(tested['tolerance'])}. "
    if tested["outcome"] == "inconclusive":
        seen = tested["smallest_visible_drop"]
        story += f"{_count(tested['rows'], 'row')} can't confirm it at p < {_small(policy.share)}"
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
    flips: dict[str, FlippedRow] = {}
    for was_round, now_round in zip(before, now, strict=False):
        for order in orders:
            verdicts = (getattr(of_round, order + reading) for of_round in (was_round, now_round))
            for key, label, was, is_now in zip(rows.keys, rows.labels, *verdicts, strict=True):
                if was != is_now and key not in flips:
                    right = order == "forward" and was == label
                    flips[key] = {"key": key, "order": order, "was": was, "now": is_now, "was_right": right}
    return sorted(flips.values(), key=lambda flip: not flip["was_right"])


def _level(policy: Policy) -> str:
    if policy.tests <= 1:
        return _small(policy.p)
    return f"{_small(policy.share)} ({_small(policy.p)} for the {policy.tests} tests of this run)"


def _small(p: float | None) -> str:
    """A p, or a level: two digits, however small, and no more than four decimals where these suffice."""
    return "-" if p is None else f"{p:.4f}".rstrip("0") if p >= 0.001 else f"{p:.2g}"  # noqa: PLR2004  # as it says


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def percent(share: float | None) -> str:
    """A share in percent, as messages say it."""
    return "-" if share is None else f"{100 * share:.2f}"


def pp(difference: float, *, sign: bool = False) -> str:
    """A difference in percentage points, as messages say it."""
    return f"{100 * difference:{'+' if sign else ''}.2f} pp"
