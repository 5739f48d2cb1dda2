"""Folds of clips, and how sure a mean over rows is where clips, and not rows, are the evidence."""

from __future__ import annotations

import hashlib
import math
from typing import TYPE_CHECKING

import numpy as np

from emoprefer_bench.scoring.counts import group_numbers
from emoprefer_bench.scoring.intervals import student, wilson_bounds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from emoprefer_bench.scoring.counts import Codes, Floats
    from emoprefer_bench.scoring.intervals import Interval

FOLDS = 5
_NOTHING = 1e-15  # a variance under this is a rounding error


def folds(clips: Sequence[str], count: int = FOLDS) -> Codes:
    """Deal clips into folds: the number of each row's fold, from 0.

    The distinct clips are dealt in turn in the order of the SHA-256 of their names, so that folds are of equal size and
    the same in whatever order the rows stand. Rows of one clip are never in two folds.
    """
    dealt = {clip: place % count for place, clip in enumerate(sorted(set(clips), key=_digest))}
    return np.array([dealt[clip] for clip in clips], dtype=np.intp)


def _digest(clip: str) -> str:
    return hashlib.sha256(clip.encode(errors="surrogatepass")).hexdigest()


def share_interval(values: Floats, clips: Sequence[str], confidence: float = 0.95) -> Interval:
    """The interval of the mean of values in [0, 1], a row each: Wilson's, on as many rows as the clips are worth.

    As `emoprefer_bench.scoring.intervals.score_interval`, also where all clips agree. None with fewer than two clips.
    """
    left = _leave_out(values, np.ones_like(values), clips)
    if left is None:
        return None
    value, count, variance = left
    variance = variance or (max(value, 1 - value) / count) ** 2
    rows = value * (1 - value) / variance if 0 < value < 1 else count
    return wilson_bounds(value, rows, student((1 + confidence) / 2, count - 1))


def mean_interval(values: Floats, clips: Sequence[str], confidence: float = 0.95) -> Interval:
    """The interval of the mean of any values, a row each: the jackknife over clips, with Student's t.

    None with fewer than two clips.
    """
    left = _leave_out(values, np.ones_like(values), clips)
    if left is None:
        return None
    value, count, variance = left
    half = student((1 + confidence) / 2, count - 1) * math.sqrt(variance)
    return value - half, value + half


def cosine_interval(first: Floats, second: Floats, clips: Sequence[str], confidence: float = 0.95) -> Interval:
    """The interval of a correlation without means, sum(xy) / sqrt(sum(xx) sum(yy)), over clips.

    The jackknife on the arc hyperbolic tangent (Fisher's z), with Student's t. None with fewer than three clips, or
    where it is undefined or 1 without one of them.
    """
    group = group_numbers(clips)
    count = int(group.max(initial=-1)) + 1
    sums = np.array([np.bincount(group, part, count) for part in (first * second, first**2, second**2)])
    without = sums.sum(1, keepdims=True) - sums
    with np.errstate(divide="ignore", invalid="ignore"):
        all_rows, left = (np.arctanh(part[0] / np.sqrt(part[1] * part[2])) for part in (sums.sum(1), without))
    if count < 3 or not (np.isfinite(all_rows) and np.isfinite(left).all()):  # noqa: PLR2004  # two are a line
        return None
    deviation = math.sqrt((count - 1) / count * float(((left - left.mean()) ** 2).sum()))
    half = student((1 + confidence) / 2, count - 1) * deviation
    return math.tanh(float(all_rows) - half), math.tanh(float(all_rows) + half)


def _leave_out(parts: Floats, wholes: Floats, clips: Sequence[str]) -> tuple[float, int, float] | None:
    """The ratio of two sums, the number of clips, and the ratio's variance over them (jackknife)."""
    group = group_numbers(clips)
    count = int(group.max(initial=-1)) + 1
    if count < 2:  # noqa: PLR2004  # one clip says nothing about how clips differ
        return None
    part, whole = np.bincount(group, parts, count), np.bincount(group, wholes, count)
    without = (part.sum() - part) / (whole.sum() - whole)
    variance = (count - 1) / count * float(((without - without.mean()) ** 2).sum())
    return float(part.sum() / whole.sum()), count, variance if variance > _NOTHING else 0.0
