"""From the verdicts of a case to its scores, as they stand in the report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from emoprefer_bench.document.cases import LABEL_SCORES
from emoprefer_bench.scoring import bias, comparisons, metrics, statistics
from emoprefer_bench.verdicts import Verdicts

if TYPE_CHECKING:
    from emoprefer_bench.document.types import Bound, Measured, Scored, TreatedScores
    from emoprefer_bench.pairs import Label, Pair
    from emoprefer_bench.verdicts import Reading, Round

TIES: tuple[Literal["a1", "half", "wrong", "dropped"], ...] = ("a1", "half", "wrong", "dropped")
UNREAD: tuple[Literal["same", "wrong", "dropped"], ...] = ("same", "wrong", "dropped")


def scored(pairs: list[Pair], rounds: list[Round], *, control: bool = False) -> Scored:
    """Score the rows that have a verdict in both orders and every round (all of them, unless a run was interrupted).

    A `control` is not compared with the controls.
    """
    rows = [row for row in range(len(pairs)) if all(one.forward[row] and one.exchanged[row] for one in rounds)]
    answered = [pairs[row] for row in rows]
    verdicts = [_verdicts(one, rows) for one in rounds]
    readings = [reading for one in rounds for reading in (*one.forward, *one.exchanged) if reading]
    return {
        **measured([pair.label for pair in answered], [pair.clip.name for pair in answered], verdicts),
        "provenance": dict(Counter[str](reading.provenance for reading in readings)),
        "slices": bias.slices(answered, verdicts[0].forward),
        "comparisons": [] if control else comparisons.with_controls(answered, verdicts),
    }


def measured(labels: Sequence[Label | None], clips: Sequence[str], rounds: Sequence[Verdicts]) -> Measured:
    """All that verdicts, labels and clips alone give: scores with intervals, policies, bounds and position bias."""
    spreads = metrics.case_metrics(labels, rounds)
    intervals = statistics.cluster_bootstrap(labels, rounds, clips)
    return {
        "rows": len(labels),
        "labelled": sum(label is not None for label in labels),
        "scores": {name: {**spread, "interval": _list(intervals[name])} for name, spread in spreads.items()},
        "policies": _policies(labels, rounds),
        "bounds": {
            "reference": _bounds(labels, rounds, metrics.REFERENCE),
            "strict": _bounds(labels, rounds, metrics.STRICT),
        },
        "bias": bias.position_bias(rounds, clips),
    }


def _policies(labels: Sequence[Label | None], rounds: Sequence[Verdicts]) -> list[TreatedScores]:
    """The four scores of the forward verdicts, means over rounds, under every treatment of ties and unread answers."""
    treated: list[TreatedScores] = []
    for ties in TIES:
        for unread in UNREAD:
            treatment = metrics.Treatment(ties, unread)
            rounds_scores = [metrics.scores(labels, of_round.forward, treatment) for of_round in rounds]
            waf2, acc2, waf3, acc3 = (_mean([scores[name] for scores in rounds_scores]) for name in LABEL_SCORES)
            treated.append({"ties": ties, "unread": unread, "waf2": waf2, "acc2": acc2, "waf3": waf3, "acc3": acc3})
    return treated


def _bounds(
    labels: Sequence[Label | None], rounds: Sequence[Verdicts], treatment: metrics.Treatment
) -> dict[str, Bound]:
    """How low and how high each of the four scores could be, whatever the unread verdicts meant; means over rounds."""
    bounds = [metrics.score_bounds(labels, of_round.forward, treatment) for of_round in rounds]
    return {
        name: {
            "worst": _mean([of_round[name]["worst"] for of_round in bounds]),
            "best": _mean([of_round[name]["best"] for of_round in bounds]),
        }
        for name in LABEL_SCORES
    }


def _mean(rounds: list[float | None]) -> float | None:
    return metrics.spread(rounds)["mean"]


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
