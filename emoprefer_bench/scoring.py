"""From the verdicts of a case to its scores, as they stand in the report."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from emoprefer_bench import metrics, statistics
from emoprefer_bench.counts import Verdicts

if TYPE_CHECKING:
    from emoprefer_bench.cases import Round
    from emoprefer_bench.pairs import Pair
    from emoprefer_bench.verdicts import Reading


def scored(pairs: list[Pair], rounds: list[Round]) -> dict[str, Any]:
    """Score the rows that have a verdict in both orders and every round (all of them, unless a run was interrupted)."""
    rows = [row for row in range(len(pairs)) if all(one.forward[row] and one.exchanged[row] for one in rounds)]
    labels = [pairs[row].label for row in rows]
    verdicts = [_verdicts(one, rows) for one in rounds]
    spreads = metrics.case_metrics(labels, verdicts)
    intervals = statistics.cluster_bootstrap(labels, verdicts, [pairs[row].clip.name for row in rows])
    readings = [reading for one in rounds for reading in (*one.forward, *one.exchanged) if reading]
    return {
        "rows": len(rows),
        "labelled": sum(label is not None for label in labels),
        "scores": {name: {**spread, "interval": _list(intervals[name])} for name, spread in spreads.items()},
        "provenance": dict(Counter(reading.provenance for reading in readings)),
    }


def _list(interval: tuple[float, float] | None) -> list[float] | None:
    return list(interval) if interval else None


def _verdicts(one: Round, rows: list[int]) -> Verdicts:
    forward, exchanged = _of(one.forward, rows), _of(one.exchanged, rows)
    return Verdicts(
        forward=[reading.label for reading in forward],
        exchanged=[reading.label for reading in exchanged],
        forward_reference=[reading.reference for reading in forward],
        exchanged_reference=[reading.reference for reading in exchanged],
    )


def _of(readings: list[Reading | None], rows: list[int]) -> list[Reading]:
    return [reading for row in rows if (reading := readings[row])]
