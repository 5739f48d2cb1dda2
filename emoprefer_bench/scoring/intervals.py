"""How sure a score is: Wilson's interval on as many independent rows as the clips are worth.

Rows that share a clip are no independent evidence. How much evidence they are is read off the score itself, leaving
out one clip at a time. Nothing is drawn, so the same rows give the same bounds, in whatever order. How often the bounds
hold the truth, and what else was tried, is in docs/statistics.md.
"""

from __future__ import annotations

import functools
import math
from statistics import NormalDist
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from emoprefer_bench.scoring.counts import plain, ratio
from emoprefer_bench.scoring.metrics import metric_from_tables
from emoprefer_bench.scoring.resampling import kinds_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from emoprefer_bench.scoring.counts import Codes, Floats

    Interval = tuple[float, float] | None

NO_LABELS = frozenset({"swap", "strict_swap", "answered", "ties", "first_slot"})
"""The metrics that ask for no label: those of a control are fixed by what it does, whatever the data."""

_FEWEST_CLIPS = 2  # one clip says nothing about how clips differ
_NOTHING = 1e-15  # a variance under this is a rounding error
_HALVINGS = 40


class _Left(NamedTuple):
    """A value, the same without each of the clips that count for it, and how many these are."""

    value: float
    clips: int
    deviations: Floats
    times: Floats

    @property
    def variance(self) -> float:
        """The jackknife's: what leaving out a clip changes, squared, added up (Tukey, 1958)."""
        variance = (self.clips - 1) / self.clips * float(self.times @ self.deviations**2)
        return variance if variance > _NOTHING else 0.0

    @property
    def moved(self) -> float:
        """How many clips the variance rests on: as many as there are, if all change the value by as much."""
        squares = self.deviations**2
        return float((self.times @ squares) ** 2 / (self.times @ squares**2)) if self.variance else 0.0


def score_interval(
    by_clip: Floats, name: str, confidence: float = 0.95, *, fixed: bool = False, widened: float = 1.0
) -> Interval:
    """Find the interval of a metric (its mean over rounds) from tables (clips, rounds, 2, 2, 4, 4).

    It is Wilson's of n = s (1 - s) / v rows, where v is the variance of the score s over clips, with Student's t in
    place of the normal quantile. Where all clips agree, v is what a single clip against them would make of it: twenty
    clips that are all right give [82, 100]. With `fixed` it is a point then: the score can't be another. `widened`
    is by how much the score varies more than over clips that know nothing of each other.

    None with fewer than two clips that count for the metric, or where it is undefined.
    """
    left = _leave_out(by_clip, name, over_rounds)
    if left is None:
        return None
    if fixed and not left.variance:
        return left.value, left.value
    variance = left.variance or (max(left.value, 1 - left.value) / left.clips) ** 2
    return _bounds(left.value, variance * widened**2, left.clips, confidence)


def difference_interval(by_clip: Floats, name: str, confidence: float = 0.95) -> Interval:
    """Find the interval of a metric's difference, first minus second, from tables (clips, 2 judges, rounds, ...).

    It is that of a score, (1 + difference) / 2. Where few clips tell the two apart, the variance of these few is too
    small: so two more are added that differ as much as those do, one for the better and one for the worse (for single
    rows: Bonett and Price, Journal of Educational and Behavioral Statistics 37, 2012). Where no clip does, the two
    differ altogether.
    """
    left = _leave_out(by_clip, name, first_minus_second)
    return None if left is None else _of_difference(left, confidence)


def gain_interval(differences: Floats, clips: Codes, confidence: float = 0.95) -> Interval:
    """Find the interval of a mean difference in [-1, 1] of rows on these clips, as that of two judges.

    None with fewer than two clips.
    """
    sums, rows = np.bincount(clips, differences), np.bincount(clips)
    count = len(sums)
    if count < _FEWEST_CLIPS:
        return None
    without = (sums.sum() - sums) / (rows.sum() - rows)
    left = _Left(float(differences.mean()), count, without - without.mean(), np.ones(count))
    return _of_difference(left, confidence)


def ratio_interval(parts: Floats, wholes: Floats, clips: Codes, confidence: float = 0.95) -> Interval:
    """Find the interval of a share, the sum of `parts` by the sum of `wholes`, of rows on these clips.

    It is that of a score. None with fewer than two clips.
    """
    part, whole = (np.bincount(clips, values) for values in (parts, wholes))
    if len(part) < _FEWEST_CLIPS:
        return None
    share, count = float(part.sum() / whole.sum()), len(part)
    without = (part.sum() - part) / (whole.sum() - whole)
    variance = (count - 1) / count * float(((without - without.mean()) ** 2).sum())
    variance = variance if variance > _NOTHING else (max(share, 1 - share) / count) ** 2
    return _bounds(share, variance, count, confidence)


def wilson_bounds(share: float, rows: float, quantile: float) -> tuple[float, float]:
    """Wilson's score interval of a share of so many rows (Wilson, JASA 22, 1927)."""
    spread = quantile**2 / rows
    centre = (share + spread / 2) / (1 + spread)
    half = math.sqrt(spread * (share * (1 - share) + spread / 4)) / (1 + spread)
    return 0.0 if share == 0 else max(0.0, centre - half), 1.0 if share == 1 else min(1.0, centre + half)


def over_rounds(counted: Floats, name: str) -> Floats:
    """Average a metric over rounds, from tables (..., rounds, 2, 2, 4, 4); NaN if one is undefined or none is there."""
    values = metric_from_tables(counted, name)
    return ratio(values.sum(-1), values.shape[-1])


def first_minus_second(counted: Floats, name: str) -> Floats:
    """Subtract the metrics of two judges, from tables (..., 2 judges, rounds, 2, 2, 4, 4)."""
    values = over_rounds(counted, name)
    return np.asarray(values[..., 0] - values[..., 1])


@functools.cache
def student(probability: float, freedom: int) -> float:
    """Student's t: its quantile at a probability over 1/2 (Hill, Communications of the ACM 13, algorithm 396, 1970)."""
    tails = 2 * (1 - probability)
    if freedom == 1:
        return 1 / math.tan(tails * math.pi / 2)
    if freedom == 2:  # noqa: PLR2004  # the two that have a closed form
        return math.sqrt(2 / (tails * (2 - tails)) - 2)
    a = 1 / (freedom - 0.5)
    b = 48 / a**2
    c = ((20700 * a / b - 98) * a - 16) * a + 96.36
    d = ((94.5 / (b + c) - 3) / b + 1) * math.sqrt(a * math.pi / 2) * freedom
    y = (d * tails) ** (2 / freedom)
    if y > 0.05 + a:
        x = NormalDist().inv_cdf(tails / 2)
        c += 0.3 * (freedom - 4.5) * (x + 0.6) if freedom < 5 else 0  # noqa: PLR2004  # the algorithm's own
        c += (((0.05 * d * x - 5) * x - 7) * x - 2) * x + b
        y = (((((0.4 * x**2 + 6.3) * x**2 + 36) * x**2 + 94.5) / c - x**2 - 3) / b + 1) * x
        return math.sqrt(freedom * math.expm1(a * y**2))
    e = 1 / (((freedom + 6) / (freedom * y) - 0.089 * d - 0.822) * (freedom + 2) * 3)
    return math.sqrt(freedom * (((e + 0.5 / (freedom + 4)) * y - 1) * (freedom + 1) / (freedom + 2) + 1 / y))


def tail(quantile: float, freedom: int) -> float:
    """Student's t: the chance to be above a quantile, by halving the interval that it lies in."""
    if quantile < 0:
        return 1 - tail(-quantile, freedom)
    low, high = 0.0, 0.5
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if middle and student(1 - middle, freedom) > quantile:
            low = middle
        else:
            high = middle
    return high


def _of_difference(left: _Left, confidence: float) -> tuple[float, float]:
    """The interval of a difference, as `difference_interval` says."""
    moved = left.moved
    variance = left.variance * (moved + 2) / moved if moved else 2 / left.clips**2
    bounds = _bounds((1 + left.value) / 2, variance / 4, left.clips, confidence)
    return 2 * bounds[0] - 1, 2 * bounds[1] - 1


def _bounds(share: float, variance: float, clips: int, confidence: float) -> tuple[float, float]:
    rows = share * (1 - share) / variance if 0 < share < 1 else clips
    return wilson_bounds(share, rows, student((1 + confidence) / 2, clips - 1))


def _leave_out(by_clip: Floats, name: str, value: Callable[[Floats, str], Floats]) -> _Left | None:
    """Leave out each clip that has rows of the metric; None with too few of these, or where the value is undefined.

    Clips with the same tables change it alike, so each kind is left out once and counted as often as it occurs.
    """
    kinds, count = kinds_of(by_clip)
    alone = (~np.isnan(metric_from_tables(kinds, name))).reshape(len(kinds), -1).any(-1)
    total = (kinds * count.reshape(-1, *[1] * (kinds.ndim - 1))).sum(0)
    estimate, clips = plain(value(total, name)), int(count[alone].sum())
    if estimate is None or clips < _FEWEST_CLIPS:
        return None
    without, times = value(total - kinds[alone], name), count[alone].astype(np.float64)
    if np.isnan(without).any():
        return None
    return _Left(estimate, clips, without - times @ without / clips, times)
