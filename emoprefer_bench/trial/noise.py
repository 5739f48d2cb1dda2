"""The engine's own noise: how often a verdict changes when the very same question is asked again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emoprefer_bench.trial.tally import Tally

if TYPE_CHECKING:
    from emoprefer_bench.document.types import Noise


def tally_again(tally: Tally, rows: int) -> Tally:
    """An empty tally for asking a case's first round again, about so many rows, evenly spread over its data set."""
    pairs = tally.pairs
    rows = min(rows, len(pairs))
    again = Tally.empty(tally.case, [pairs[number * len(pairs) // rows] for number in range(rows)], 1)
    again.again = True
    return again


def flip_rate(tally: Tally, again: Tally) -> Noise | None:
    """The share of verdicts, both orders together, that changed (read strictly), with its Wilson interval.

    A question that failed is not counted. None where a verdict is still to be had.
    """
    from emoprefer_bench.scoring.statistics import wilson  # noqa: PLC0415  # numpy, when there is something to count

    if not (tally.complete and again.complete):
        return None
    row_of = {pair.key: row for row, pair in enumerate(tally.pairs)}
    rows = [row_of[pair.key] for pair in again.pairs]
    first, second = tally.rounds[0], again.rounds[0]
    readings = [
        (before[row], after)
        for before, afters in ((first.forward, second.forward), (first.exchanged, second.exchanged))
        for row, after in zip(rows, afters, strict=True)
    ]
    asked = [
        (reading, other)
        for reading, other in readings
        if reading and other and "error" not in (reading.provenance, other.provenance)
    ]
    flips = sum(reading.label != other.label for reading, other in asked)
    bounds = wilson(flips, len(asked))
    return {
        "rows": len(rows),
        "verdicts": len(asked),
        "flips": flips,
        "rate": flips / len(asked) if asked else None,
        "interval": list(bounds) if bounds else None,
    }
