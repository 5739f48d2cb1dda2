"""How far a margin can be believed: P(a1) = sigmoid(margin / T), with a temperature T > 0 and no intercept.

Exchanging the texts negates a margin, so an intercept would be a preference for a slot, which weighing has taken out.
As T is positive, the probability of the text with the greater margin is never under one half: a calibration can say
how sure a verdict is, and never changes it. The temperature of a clip's rows is fitted on other clips (cross-fitting),
so that no row is judged by its own label.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from emoprefer_bench.scoring.counts import group_numbers
from emoprefer_bench.scoring.folds import folds, mean_interval, share_interval
from emoprefer_bench.scoring.intervals import student
from emoprefer_bench.scoring.statistics import wilson

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from emoprefer_bench.document.types import Answered, Bin, Calibration, CalibrationError, Estimate, Judged
    from emoprefer_bench.pairs import Label
    from emoprefer_bench.scoring.counts import Floats

    Mask = NDArray[np.bool_]

FEWEST = 50
"""So many labelled pairs are needed for more than a Brier score: with fewer, calibration error is mostly chance."""

BINS = 5
SHARES = tuple(tenth / 10 for tenth in range(1, 11))
_DRAWS = 2000
_STEPS = 100
_CLOSE = 1e-13
_EVEN = 0.5


class Fitted(NamedTuple):
    """`inverse` is 1 / T, in 1 / nats, 0 where nothing speaks for a finite temperature.

    `evident` says whether these labels tell 1 / T from 0 at all: a test of the score at 0, over clips, at 95%.
    """

    inverse: float
    evident: bool


def sigmoid(values: Floats) -> Floats:
    """1 / (1 + exp(-x)), without an overflow."""
    return np.asarray(np.exp(-np.logaddexp(0.0, -values)), dtype=np.float64)


def fit(margins: Floats, first: Mask, clips: Sequence[str]) -> Fitted:
    """Fit 1 / T to margins (nats) and to whether people preferred the `first` text, by penalised likelihood.

    The penalty, a quarter of the square of 1 / T in units of the margins' root mean square, is what a standard normal
    prior comes to when both orders of each pair are observations. It keeps 1 / T finite where a judge is always right.
    """
    scale = math.sqrt(float((margins**2).mean())) if len(margins) else 0.0
    if not scale:
        return Fitted(0.0, evident=False)
    scaled, target = margins / scale, first.astype(np.float64)
    at_zero = np.bincount(group_numbers(clips), (target - _EVEN) * scaled)
    spread = math.sqrt(float((at_zero**2).sum()))
    needed = student(0.975, len(at_zero) - 1) * spread if len(at_zero) > 1 else math.inf
    return Fitted(_steepest(scaled, target) / scale, evident=float(at_zero.sum()) > needed)


def _steepest(scaled: Floats, target: Floats) -> float:
    """Where the penalised likelihood is greatest, at 0 or above: Newton's steps, halving where one leads astray."""
    low, high, inverse = 0.0, 2 * float(np.abs(scaled).sum()), 0.0
    for _ in range(_STEPS):
        chances = sigmoid(inverse * scaled)
        slope = float((target - chances) @ scaled) - inverse / 2  # which falls
        if slope <= 0 and not inverse:
            return 0.0
        low, high = (inverse, high) if slope > 0 else (low, inverse)
        step = slope / (float((chances * (1 - chances)) @ scaled**2) + 1 / 2)
        moved = inverse + step if low <= inverse + step <= high else (low + high) / 2
        if abs(moved - inverse) <= _CLOSE * high:
            break
        inverse = moved
    return inverse


def cross_fitted(margins: Floats, labels: Sequence[Label | None], clips: Sequence[str]) -> Floats | None:
    """The log odds of a1, margin / T, of every row, labelled or not, with the temperature of the other folds' labels.

    None where the labelled rows lie on one clip, so that nothing can be fitted for it on others.
    """
    labelled = _preferred(labels)
    if len({clip for clip, known in zip(clips, labelled, strict=True) if known}) < 2:  # noqa: PLR2004  # one, and others
        return None
    of_row = _folds(clips, labelled)
    first = np.array([label == "a1" for label in labels])
    odds = np.zeros(len(margins))
    for number in np.unique(of_row):
        train, test = labelled & (of_row != number), of_row == number
        inverse = fit(margins[train], first[train], _at(clips, train)).inverse
        odds[test] = margins[test] * inverse
    return odds


def calibration(margins: Floats, labels: Sequence[Label | None], clips: Sequence[str]) -> Calibration | None:
    """All that a report says of how far margins can be believed; None without labelled rows on two clips."""
    odds = cross_fitted(margins, labels, clips)
    if odds is None:
        return None
    labelled = _preferred(labels)
    first, of_clips = np.array([label == "a1" for label in labels])[labelled], _at(clips, labelled)
    fitted = fit(margins[labelled], first, of_clips)
    return {
        "temperature": 1 / fitted.inverse if fitted.inverse else None,
        "evident": fitted.evident,
        **judged(odds[labelled], margins[labelled], first, of_clips),
        "brier_as_is": brier(margins[labelled], first, of_clips),
        "log_loss_as_is": log_loss(margins[labelled], first, of_clips) if len(of_clips) >= FEWEST else None,
    }


def judged(odds: Floats, margins: Floats, first: Mask, clips: Sequence[str]) -> Judged:
    """What the out-of-fold log `odds` of a1 are worth on labelled rows, of which people preferred the `first` text."""
    enough = len(odds) >= FEWEST
    return {
        "pairs": len(odds),
        "clips": len(set(clips)),
        "brier": brier(odds, first, clips),
        "log_loss": log_loss(odds, first, clips) if enough else None,
        "error": calibration_error(odds, first) if enough else None,
        "bins": reliability(odds, first) if enough else None,
        "answered": accuracy_by_share(margins, first) if enough else None,
    }


def brier(odds: Floats, first: Mask, clips: Sequence[str]) -> Estimate:
    """The mean square of what was wrong with P(a1): 0 is perfect, and 0.25 is what a coin gets (Brier, 1950)."""
    losses = (sigmoid(odds) - first) ** 2
    return {"value": float(losses.mean()), "interval": _list(share_interval(losses, clips))}


def log_loss(odds: Floats, first: Mask, clips: Sequence[str]) -> Estimate:
    """The mean of -log P(what people preferred), in nats: 0 is perfect, and log 2 = 0.693 is what a coin gets."""
    losses = np.logaddexp(0.0, np.where(first, -odds, odds))
    interval = mean_interval(losses, clips)
    bounds = [max(0.0, interval[0]), interval[1]] if interval else None
    return {"value": float(losses.mean()), "interval": bounds}


def reliability(odds: Floats, first: Mask, bins: int = BINS) -> list[Bin]:
    """Confidence beside accuracy, in bins of equal mass by rising confidence, with Wilson's intervals.

    Confidence is the probability of the text that is more probable; where both are equally so, half a row is right.
    Wilson's interval takes the rows of a bin for independent.
    """
    confidence, right = _by_confidence(odds, first)
    return [
        {
            "rows": len(rows),
            "confidence": float(confidence[rows].mean()),
            "accuracy": float(right[rows].mean()),
            "interval": _list(wilson(float(right[rows].sum()), len(rows))),
        }
        for rows in np.array_split(np.arange(len(confidence)), bins)
    ]


def calibration_error(odds: Floats, first: Mask, bins: int = BINS) -> CalibrationError:
    """The expected calibration error, and what a judge whose probabilities are true would show at this size.

    That judge has the same probabilities, and labels drawn by them: `perfect` is its mean, `perfect_most` what it stays
    under in 95% of draws. An error under that is no evidence of any. Seeded.
    """
    confidence, right = _by_confidence(odds, first)
    drawn = np.random.default_rng(0).random((_DRAWS, len(confidence))) < confidence
    errors = _error(confidence, np.where(confidence == _EVEN, _EVEN, drawn), bins)
    return {
        "value": float(_error(confidence, right, bins)),
        "perfect": float(errors.mean()),
        "perfect_most": float(np.quantile(errors, 0.95)),
    }


def accuracy_by_share(margins: Floats, first: Mask) -> list[Answered]:
    """How often a judge is right if it may keep silent where it is least sure: accuracy against the share answered.

    Rows are answered from the greatest margin, in either direction, down, equal ones together.
    """
    right, sure = _right(margins, first), np.abs(margins)
    falling = np.sort(sure)[::-1]
    kept = [sure >= falling[math.ceil(share * len(sure)) - 1] for share in SHARES]
    counts = dict.fromkeys((int(rows.sum()), float(right[rows].sum())) for rows in kept)
    return [
        {"share": rows / len(sure), "accuracy": correct / rows, "interval": _list(wilson(correct, rows))}
        for rows, correct in counts
    ]


def _error(confidence: Floats, right: Floats, bins: int) -> Floats:
    """The mean gap between confidence (n,) and accuracy (..., n) over bins of equal mass: shape (...)."""
    parts = np.array_split(np.arange(len(confidence)), bins)
    gaps = [len(rows) * np.abs(confidence[rows].mean() - right[..., rows].mean(-1)) for rows in parts]
    return np.asarray(sum(gaps) / len(confidence))


def _by_confidence(odds: Floats, first: Mask) -> tuple[Floats, Floats]:
    """Confidence and whether it was right, by rising confidence: the same in whatever order the rows stand."""
    confidence, right = sigmoid(np.abs(odds)), _right(odds, first)
    order = np.lexsort((right, confidence))
    return confidence[order], right[order]


def _right(margins: Floats, first: Mask) -> Floats:
    return np.where(margins == 0, _EVEN, (margins > 0) == first)


def _folds(clips: Sequence[str], labelled: Mask) -> NDArray[np.intp]:
    """Folds that deal the clips with labels evenly; the others are dealt by themselves."""
    of_row = np.zeros(len(clips), dtype=np.intp)
    for part in (labelled_clips := np.isin(clips, _at(clips, labelled)), ~labelled_clips):
        if part.any():
            of_row[part] = folds(_at(clips, part))
    return of_row


def _preferred(labels: Sequence[Label | None]) -> Mask:
    return np.array([label in ("a1", "a2") for label in labels], dtype=bool)


def _at(clips: Sequence[str], rows: Mask) -> list[str]:
    return [clip for clip, kept in zip(clips, rows, strict=True) if kept]


def _list(interval: tuple[float, float] | None) -> list[float] | None:
    return list(interval) if interval else None
