"""What margins say beyond verdicts: how far they can be believed, and what else they follow.

A judge that weighs has the same margin, negated, on the exchanged pair. So what is said here is said of pairs, each
counted once, and doesn't depend on which text stands first in the data set.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from emoprefer_bench.scoring import calibration
from emoprefer_bench.scoring.folds import cosine_interval, mean_interval, share_interval
from emoprefer_bench.scoring.shortcuts import longer_by

if TYPE_CHECKING:
    from collections.abc import Sequence

    from emoprefer_bench.document.types import Estimate, Weighing
    from emoprefer_bench.pairs import Pair
    from emoprefer_bench.scoring.counts import Floats
    from emoprefer_bench.scoring.intervals import Interval
    from emoprefer_bench.verdicts import Reading, Round

WORDS = 3  # a1, a2 and same: what P1 weighs


def weighing(pairs: Sequence[Pair], of_round: Round) -> Weighing | None:
    """All of it, of the rows that were weighed in both orders; None where none was.

    A weighing question has no rounds, so one round is as good as all of them.
    """
    rows = [row for row, both in enumerate(zip(of_round.forward, of_round.exchanged, strict=True)) if _weighed(*both)]
    if not rows:
        return None
    judged = [pairs[row] for row in rows]
    clips = [pair.clip.name for pair in judged]
    forward, exchanged = ([side[row] for row in rows] for side in (of_round.forward, of_round.exchanged))
    margins = np.array([reading.margin for reading in forward if reading], dtype=np.float64)
    said: Weighing = {
        "length": _length(judged, margins, clips),
        "calibration": calibration.calibration(margins, [pair.label for pair in judged], clips),
    }
    if _are_words(forward):
        _add_words(said, forward, exchanged, clips)
    return said


def confidences(pairs: Sequence[Pair], of_round: Round) -> list[float | None]:
    """How probable it is that people prefer the text with the greater weight, for each row; None where that is unknown.

    By a temperature that was fitted on other clips, so that what people said of a row is no part of it.
    """
    known = [
        (row, reading.margin)
        for row, reading in enumerate(of_round.forward)
        if reading is not None and reading.margin is not None
    ]
    found: list[float | None] = [None] * len(pairs)
    if known:
        rows = [row for row, _ in known]
        margins = np.array([margin for _, margin in known])
        odds = calibration.cross_fitted(
            margins, [pairs[row].label for row in rows], [pairs[row].clip.name for row in rows]
        )
        for row, confidence in zip(rows, [] if odds is None else calibration.sigmoid(np.abs(odds)), strict=False):
            found[row] = float(confidence)
    return found


def _weighed(*readings: Reading | None) -> bool:
    return all(reading is not None and reading.margin is not None for reading in readings)


def _are_words(readings: Sequence[Reading | None]) -> bool:
    return all(reading is not None and len(reading.weights) == WORDS for reading in readings)


def _length(pairs: Sequence[Pair], margins: Floats, clips: Sequence[str]) -> Estimate | None:
    """The correlation of margins with differences in words, over both orders of each pair: their means are 0 then."""
    words = np.array([longer_by(pair) for pair in pairs], dtype=np.float64)
    norm = float(np.sqrt((margins**2).sum() * (words**2).sum()))
    if not norm:
        return None
    return _estimate(float(margins @ words) / norm, cosine_interval(margins, words, clips))


def _add_words(
    said: Weighing, forward: Sequence[Reading | None], exchanged: Sequence[Reading | None], clips: Sequence[str]
) -> None:
    """Add what P1 alone says, of how likely the three words are in each order."""
    first, second = (
        np.array([reading.weights for reading in side if reading], dtype=np.float64) for side in (forward, exchanged)
    )
    odds = first[:, 0] - first[:, 1], second[:, 0] - second[:, 1]
    bias, agreed = (odds[0] + odds[1]) / 2, (np.sign(odds[0]) == -np.sign(odds[1])).astype(np.float64)
    mass = np.minimum(1.0, (np.exp(first).sum(1) + np.exp(second).sum(1)) / 2)
    said["slot_bias"] = _estimate(float(bias.mean()), mean_interval(bias, clips))
    said["swap_before"] = _estimate(float(agreed.mean()), share_interval(agreed, clips))
    said["mass"] = _estimate(float(mass.mean()), share_interval(mass, clips))


def _estimate(value: float, interval: Interval) -> Estimate:
    return {"value": value, "interval": list(interval) if interval else None}
