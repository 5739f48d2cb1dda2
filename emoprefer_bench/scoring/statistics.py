"""How sure a score is, and whether two judges (or two runs of one) differ, going by clips rather than rows.

Rows that share a clip also share its description and its difficulty, so they are no independent evidence. Everything
here is seeded, does not depend on the order of the rows, and returns plain floats, with None for what is undefined.
"""

from __future__ import annotations

import itertools
import math
from statistics import NormalDist
from typing import TYPE_CHECKING, Literal, TypedDict

import numpy as np

from emoprefer_bench.document.cases import LABEL_SCORES, METRICS
from emoprefer_bench.scoring.counts import group_numbers, plain, ratio, table, tables
from emoprefer_bench.scoring.intervals import (
    NO_LABELS,
    difference_interval,
    first_minus_second,
    over_rounds,
    score_interval,
    wilson_bounds,
)
from emoprefer_bench.scoring.metrics import metric_from_tables
from emoprefer_bench.scoring.resampling import exchanged

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from emoprefer_bench.pairs import Label
    from emoprefer_bench.scoring.counts import Floats
    from emoprefer_bench.scoring.intervals import Interval
    from emoprefer_bench.verdicts import Verdicts

DRAWS = 10_000
MOST_DRAWS = 1_000_000
_DRAWS_UNDER_ALPHA = 50
_ROUNDING = 1e-9
_ROWS_AT_ONCE = 1024


class McNemar(TypedDict):
    """Rows that only one of two judges has right, and the exact p; one-sided is for the first being better."""

    first_only: int
    second_only: int
    p_two_sided: float
    p_one_sided: float


class Difference(TypedDict):
    """One metric of two judges on the same rows, `score` minus `other`; one-sided p is for the first being better."""

    score: float | None
    other: float | None
    difference: float | None
    interval: Interval
    p_two_sided: float | None
    p_one_sided: float | None
    mcnemar: McNemar | None


class DropTest(TypedDict):
    """Whether a run is worse than its baseline, or by `p_rise` better. Fractions; `drop` is before minus after."""

    metric: str
    before: float | None
    after: float | None
    drop: float | None
    interval: Interval
    p: float | None
    p_rise: float | None
    tolerance: float
    alpha: float
    rows: int
    smallest_visible_drop: float | None
    outcome: Literal["pass", "fail", "inconclusive"]


def wilson(successes: float, n: int, confidence: float = 0.95) -> Interval:
    """Wilson's score interval of a share of independent trials; None without any (Wilson, JASA 22, 1927)."""
    if n == 0:
        return None
    return wilson_bounds(successes / n, n, NormalDist().inv_cdf((1 + confidence) / 2))


def cohen_kappa(first: Sequence[Label | None], second: Sequence[Label | None]) -> float | None:
    """Agreement beyond chance, (p_o - p_e) / (1 - p_e), over rows where both are read (Cohen, 1960).

    None without such rows, and where both always give the one same verdict, so that chance alone agrees fully.
    """
    counts = table(first, second)[:-1, :-1]
    rows = counts.sum()
    expected = ratio(counts.sum(0) @ counts.sum(1), rows * rows)
    return plain(ratio(ratio(np.trace(counts), rows) - expected, 1 - expected))


def mcnemar_exact(
    first_only: int, second_only: int, alternative: Literal["two-sided", "greater"] = "two-sided"
) -> float:
    """McNemar's exact p from the rows that only the first, or only the second, has right: a binomial test with 1/2.

    `greater` asks whether the first is better. Without such rows p is 1. (McNemar, Psychometrika 12, 1947)
    """
    n = first_only + second_only
    if alternative == "greater":
        return _upper_half_binomial(first_only, n)
    return min(1.0, 2 * _upper_half_binomial(max(first_only, second_only), n))


def cluster_intervals(
    labels: Sequence[Label | None],
    rounds: Sequence[Verdicts],
    clips: Sequence[Hashable],
    *,
    metrics: Sequence[str] = METRICS,
    confidence: float = 0.95,
    fixed: bool = False,
    widened: float = 1.0,
) -> dict[str, Interval]:
    """Find the interval of every metric (its mean over rounds), taking clips and not rows for the evidence.

    How the bounds are placed, and why: `emoprefer_bench.scoring.intervals`. None with fewer than two clips or where the
    metric is undefined. `fixed` says that the judge goes by the slots and the texts alone, as the controls do: a metric
    that asks for no label is then what it is on all clips, and has no bounds but itself. What asks for labels is
    `widened` where the judge was fitted to them (`emoprefer_bench.scoring.shortcuts.widening`).
    """
    counted = tables(labels, rounds, group_numbers(clips))
    return {
        name: score_interval(counted, name, confidence, fixed=fixed)
        if name in NO_LABELS
        else score_interval(counted, name, confidence, widened=widened)
        for name in metrics
    }


def paired_difference(
    labels: Sequence[Label | None],
    clips: Sequence[Hashable],
    judge: Sequence[Verdicts],
    other: Sequence[Verdicts],
    *,
    metrics: Sequence[str] = METRICS,
    draws: int = DRAWS,
    seed: int = 0,
    confidence: float = 0.95,
) -> dict[str, Difference]:
    """Compare two judges, or two runs, on the same rows: for each metric the difference, judge minus other.

    The interval is `emoprefer_bench.scoring.intervals.difference_interval`. p is from a randomisation test: if there
    were nothing between the two, it would not matter who gave which verdicts on a clip, so the difference is compared
    with those after exchanging the verdicts of each clip by a coin (Noreen, Computer-Intensive Methods, 1989; Yeh,
    COLING 2000). It holds its level with few changed rows, which a p read off a bootstrap does not quite, and for
    accuracy with one row a clip it is McNemar's exact test. That one is given beside, for accuracies of single rounds,
    and takes every row for independent. Only the rounds that both have are compared, in their order.
    """
    compared = _Comparison(labels, clips, judge, other, draws=draws, seed=seed)
    return {name: compared.difference(name, confidence) for name in metrics}


def drop_test(
    labels: Sequence[Label | None],
    clips: Sequence[Hashable],
    before: Sequence[Verdicts],
    after: Sequence[Verdicts],
    *,
    metric: str,
    tolerance: float,
    alpha: float = 0.01,
    draws: int = DRAWS,
    seed: int = 0,
) -> DropTest:
    """Decide whether a metric dropped, from two runs on the same rows.

    `fail`: the drop is beyond the tolerance, and its one-sided p, against there being no change at all, is under
    `alpha`. `inconclusive`: it is beyond the tolerance, but these rows can't tell it from noise, or the metric is
    undefined in a run. `pass`: it is not beyond.

    p is that of `paired_difference`. But a metric of labels, which counts the forward order alone, may also be
    confirmed by both: what got worse mostly got worse in either order, and their noise is not the same. Each draw
    exchanges both orders of a clip by one coin. Of the drop in the forward order and that in the mean of both, each in
    units of its standard deviation over the draws, the greater counts, in the runs as in every draw (the maximum of
    studentised statistics: Westfall and Young, Resampling-Based Multiple Testing, 1993).

    A drop beyond the tolerance is tested by as many draws as its `alpha` asks for, so that one that is far smaller than
    1 / `draws` can be reached, too. How many these are is known before any is made, so that p stays exact.

    The test is not against "a drop within the tolerance": with 574 rows of which 5% differ anyhow, that would let half
    of all true drops of 5 points pass at a tolerance of 2. Mind that verdicts flipped at random, whatever they were, do
    lower a judge that is better than chance: 5% of them cost one at 0.67 about 1.7 points, which is a true drop.
    """
    compared = _Comparison(labels, clips, before, after, draws=draws, seed=seed)
    difference = compared.difference(metric, 0.95)
    drop = difference["difference"]
    beyond = drop is not None and drop > tolerance + _ROUNDING
    needed = draws_for(alpha, draws) if beyond else draws
    null = compared.null(metric, needed)
    p = None if drop is None else _share_as_extreme(null, drop)
    if drop is not None and metric.removeprefix("strict_") in LABEL_SCORES:
        p = _p_by_either_look(labels, clips, before, after, metric, draws=needed, seed=seed)
    rows = compared.rows(metric)
    outcome: Literal["pass", "fail", "inconclusive"] = "pass"
    if drop is None or p is None:
        outcome = "inconclusive"
    elif beyond:
        outcome = "fail" if p < alpha else "inconclusive"
    return {
        "metric": metric,
        "before": difference["score"],
        "after": difference["other"],
        "drop": drop,
        "interval": difference["interval"],
        "p": p,
        "p_rise": None if drop is None else _share_as_extreme(-null, -drop),
        "tolerance": tolerance,
        "alpha": alpha,
        "rows": rows,
        "smallest_visible_drop": smallest_visible_drop(null, rows, alpha),
        "outcome": outcome,
    }


def _p_by_either_look(
    labels: Sequence[Label | None],
    clips: Sequence[Hashable],
    before: Sequence[Verdicts],
    after: Sequence[Verdicts],
    metric: str,
    *,
    draws: int,
    seed: int,
) -> float:
    """Find the one-sided p of a drop in the forward order, or in the mean of both: `drop_test` says how."""
    rounds = min(len(before), len(after))
    runs = ([*run[:rounds], *(of_round.turned() for of_round in run[:rounds])] for run in (before, after))
    both = _Comparison(labels, clips, *runs, draws=draws, seed=seed)

    def looks(counted: Floats) -> Floats:
        forward = counted[..., :rounds, :, :, :, :]
        return np.stack([first_minus_second(part, metric) for part in (forward, counted)], axis=-1)

    observed, null = looks(both.observed), both.drawn(looks, draws)
    scale = np.nanstd(np.vstack([null, observed]), axis=0)
    known = scale > _ROUNDING

    def greater(drops: Floats) -> Floats:
        return np.asarray((drops[..., known] / scale[known]).max(-1, initial=-np.inf))

    return _share_as_extreme(greater(null), float(greater(observed)))


def draws_for(alpha: float, fewest: int = DRAWS) -> int:
    """How many draws tell whether p is under `alpha`: 50 would reach it by chance, so that it is known to a seventh.

    No more than a million: enough for a p of 0.00005.
    """
    return max(fewest, min(MOST_DRAWS, math.ceil(_DRAWS_UNDER_ALPHA / alpha)))


def share_of_level(level: float, tests: int) -> float:
    """Give each of so many tests its share of a level for all of them: 1 - (1 - level) ^ (1 / tests) (Sidak, 1967).

    Where the tests know nothing of each other, one of them or more is under its share in `level` of all runs without
    any change. Where they do, as two metrics of one case, it is no more than that.
    """
    return -math.expm1(math.log1p(-level) / max(1, tests))


def smallest_visible_drop(null: Floats, rows: int, alpha: float = 0.01) -> float | None:
    """Find the smallest drop that would be significant at `alpha` with this much noise in this many rows.

    `null` are the differences that exchanging verdicts at random gives. Where so few clips changed that not even all
    of them for the worse would be significant, it is the drop of the fewest rows that could be: each on a clip of its
    own and each for the worse (7 at 0.01). None where that is more than all rows.
    """
    descending = np.sort(null[~np.isnan(null)])[::-1]
    allowed = math.ceil(alpha * (len(descending) + 1)) - 2
    if 0 <= allowed < len(descending):
        visible = descending[descending > descending[allowed] + _ROUNDING]
        if len(visible):
            return float(visible[-1])
    fewest = math.floor(-math.log2(alpha)) + 1
    return fewest / rows if fewest <= rows else None


class _Comparison:
    """Two judges on the same rows, counted once for all metrics: observed, and exchanged by clip."""

    def __init__(
        self,
        labels: Sequence[Label | None],
        clips: Sequence[Hashable],
        first: Sequence[Verdicts],
        second: Sequence[Verdicts],
        *,
        draws: int,
        seed: int,
    ) -> None:
        shared = min(len(first), len(second))
        groups = group_numbers(clips)
        self.labels = labels
        self.judges = first[:shared], second[:shared]
        self.by_clip = np.stack([tables(labels, judge, groups) for judge in self.judges], axis=1)
        self.observed = self.by_clip.sum(0)
        self.blocks = exchanged(self.by_clip, seed, draws)
        self.exchanged = next(self.blocks)

    def rows(self, name: str) -> int:
        """Count the rows that the metric is about."""
        return int((~np.isnan(self._by_row(self.judges[0], name))).any(-1).sum())

    def null(self, name: str, draws: int = 0) -> Floats:
        """Return the differences that exchanging verdicts at random gives, one a draw; at least so many, once."""
        return self.drawn(lambda counted: first_minus_second(counted, name), draws)

    def drawn(self, value: Callable[[Floats], Floats], draws: int = 0) -> Floats:
        """Return a value of the tables of both judges for each of so many draws or more, once."""
        values = [value(self.exchanged)]
        blocks = -(-draws // len(self.exchanged)) - 1
        values += [value(block) for block in itertools.islice(self.blocks, max(0, blocks))]
        return np.concatenate(values)

    def difference(self, name: str, confidence: float) -> Difference:
        score, other = (plain(over_rounds(judge, name)) for judge in self.observed)
        difference = plain(first_minus_second(self.observed, name))
        p_two_sided = p_one_sided = None
        if difference is not None:
            null = self.null(name)
            p_two_sided = _share_as_extreme(np.abs(null), abs(difference))
            p_one_sided = _share_as_extreme(null, difference)
        return {
            "score": score,
            "other": other,
            "difference": difference,
            "interval": difference_interval(self.by_clip, name, confidence),
            "p_two_sided": p_two_sided,
            "p_one_sided": p_one_sided,
            "mcnemar": self._mcnemar(name),
        }

    def _mcnemar(self, name: str) -> McNemar | None:
        if "acc" not in name or len(self.judges[0]) != 1:
            return None
        first, second = (self._by_row(judge, name) for judge in self.judges)
        first_only, second_only = int((first > second).sum()), int((second > first).sum())
        return {
            "first_only": first_only,
            "second_only": second_only,
            "p_two_sided": mcnemar_exact(first_only, second_only),
            "p_one_sided": mcnemar_exact(first_only, second_only, "greater"),
        }

    def _by_row(self, judge: Sequence[Verdicts], name: str) -> Floats:
        """Give the metric of each row alone, shape (rows, rounds); in pieces, since tables take much room."""
        pieces = [slice(first, first + _ROWS_AT_ONCE) for first in range(0, len(self.labels), _ROWS_AT_ONCE)]
        values = [np.empty((0, len(judge)))]
        for rows in pieces:
            labels = self.labels[rows]
            by_row = tables(labels, [of_round.part(rows) for of_round in judge], np.arange(len(labels)))
            values.append(metric_from_tables(by_row, name))
        return np.concatenate(values)


def _share_as_extreme(null: Floats, observed: float) -> float:
    """Count the draws that reach the observed value, itself among them; an undefined draw counts as reaching it."""
    return (1 + int((~(null < observed - _ROUNDING)).sum())) / (1 + len(null))


def _upper_half_binomial(successes: int, n: int) -> float:
    """Give P(X >= successes) of a binomial with probability 1/2, from exact integers."""
    ways = term = math.comb(n, successes)
    for k in range(successes, n):
        term = term * (n - k) // (k + 1)
        ways += term
    return float(ways / 2**n)
