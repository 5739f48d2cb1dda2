"""Drawing clips: the bootstrap and the randomisation test on tables of counts, and intervals from draws."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from emoprefer_bench.scoring.counts import Floats

    Interval = tuple[float, float] | None

_CELLS_AT_ONCE = 500_000  # of an array of draws by clips: some 4 MB
_FEWEST_CLIPS = 2  # one clip says nothing about how clips differ


def resampled(by_clip: Floats, draws: int, seed: int) -> Floats:
    """Add up the tables (clips, ...) of as many clips as there are, drawn with replacement: shape (draws, ...).

    Clips with the same tables are interchangeable, so their multiplicities are counted together; that makes the sum a
    small matrix product.
    """
    rng = np.random.default_rng(seed)
    clips, shape = len(by_clip), by_clip.shape[1:]
    kinds, count = _kinds(by_clip.reshape(clips, -1))
    kind_of_clip = np.repeat(np.arange(len(kinds)), count)
    totals = np.empty((draws, kinds.shape[1]))
    at_once = max(1, _CELLS_AT_ONCE // clips)
    for start in range(0, draws, at_once):
        size = min(at_once, draws - start)
        drawn = kind_of_clip[rng.integers(clips, size=(size, clips), dtype=np.int32)]
        drawn += np.arange(size)[:, None] * len(kinds)
        times = np.bincount(drawn.ravel(), minlength=size * len(kinds)).reshape(size, -1)
        totals[start : start + size] = times.astype(np.float32) @ kinds
    return totals.reshape(draws, *shape)


def exchanged(by_clip: Floats, draws: int, seed: int) -> Floats:
    """Exchange the two judges of tables (clips, 2 judges, ...) on each clip by a coin, and add up: (draws, 2, ...)."""
    rng = np.random.default_rng(seed)
    shape, change = by_clip.shape[1:], (by_clip[:, 1] - by_clip[:, 0]).reshape(len(by_clip), -1)
    kinds, count = _kinds(change[change.any(-1)])
    moved = np.empty((draws, change.shape[1]))
    at_once = max(1, _CELLS_AT_ONCE // max(1, len(kinds)))
    for start in range(0, draws, at_once):
        size = min(at_once, draws - start)
        moved[start : start + size] = rng.binomial(count, 0.5, (size, len(kinds))).astype(np.float32) @ kinds
    first, second = by_clip.sum(0)
    return np.stack([first + moved.reshape(draws, *shape[1:]), second - moved.reshape(draws, *shape[1:])], axis=1)


def interval(values: Floats, clips: int, confidence: float) -> Interval:
    """Take the expanded percentile interval of a metric's draws; None with fewer than two clips or no defined draw.

    The bounds are quantiles of the draws, a little further out than the confidence asks for, which makes up for the
    narrowness of the percentile interval with few clips (Hesterberg, The American Statistician 69, 2015). Simulated
    with 30 clips it covers 93-96%, where the plain percentile covers 92-95%; from 100 clips on the two, and BCa, are
    alike.
    """
    known = values[~np.isnan(values)]
    if clips < _FEWEST_CLIPS or not len(known):
        return None
    tail = _expanded_tail(clips, confidence)
    low, high = np.quantile(known, [tail, 1 - tail])
    return float(low), float(high)


def _kinds(rows: Floats) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
    """Find the distinct rows and how often each occurs. They are compared as bytes, which is faster than as numbers."""
    exact = np.ascontiguousarray(rows, dtype=np.float32)
    if not exact.size:  # no rows, or no rounds
        return exact[:1], np.full(len(exact[:1]), len(exact))
    as_bytes = exact.view(np.dtype((np.void, exact.itemsize * exact.shape[1]))).ravel()
    _, where, count = np.unique(as_bytes, return_index=True, return_counts=True)
    return exact[where], count


def _expanded_tail(clips: int, confidence: float) -> float:
    """Place the lower quantile where Student's t, widened for the variance's n/(n-1), lies on the normal scale.

    Student's t by its expansion in 1/(n-1) (Abramowitz and Stegun 26.7.5), good to 0.001 from 7 clips on.
    """
    normal, freedom = NormalDist(), clips - 1
    z = normal.inv_cdf((1 + confidence) / 2)
    t = z + (z**3 + z) / (4 * freedom) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
    return normal.cdf(-t * math.sqrt(clips / freedom))
