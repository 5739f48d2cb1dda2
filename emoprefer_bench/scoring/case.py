"""From the verdicts of a case to its scores, as they stand in the report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from emoprefer_bench.document.cases import LABEL_SCORES
from emoprefer_bench.pairs import EXCHANGED
from emoprefer_bench.scoring import bias, ceiling, comparisons, controls, metrics, pulls, slices, statistics
from emoprefer_bench.verdicts import Reading, Round, Verdicts

if TYPE_CHECKING:
    from emoprefer_bench.document.types import Bound, Measured, Score, Scored, TreatedScores
    from emoprefer_bench.pairs import Label, Pair

TIES: tuple[Literal["a1", "half", "wrong", "dropped"], ...] = ("a1", "half", "wrong", "dropped")
UNREAD: tuple[Literal["same", "wrong", "dropped"], ...] = ("same", "wrong", "dropped")


ONE_ORDER: Score = {"mean": None, "sd": None, "rounds": [], "interval": None}
BOTH_ORDERS = ("swap", "strict_swap", "first_slot")  # the scores that need the exchanged pairs


def scored(pairs: list[Pair], rounds: list[Round], *, control: bool = False, widened: float = 1.0) -> Scored:
    """Score the rows that have a verdict in both orders and every round (all of them, unless a run was interrupted).

    A `control` is not compared with the controls, and its intervals are `widened` where it was fitted. Where no
    exchanged pair has a verdict, as in a recording of one order alone, the others are scored by themselves, and what
    needs both orders is undefined.
    """
    exchanged = any(reading for of_round in rounds for reading in of_round.exchanged)
    if not exchanged and any(reading for of_round in rounds for reading in of_round.forward):
        return _one_order(pairs, rounds, control=control)
    rows = [
        row
        for row in range(len(pairs))
        if all(of_round.forward[row] and of_round.exchanged[row] for of_round in rounds)
    ]
    answered = [pairs[row] for row in rows]
    verdicts = [_verdicts(of_round, rows) for of_round in rounds]
    readings = [reading for of_round in rounds for reading in (*of_round.forward, *of_round.exchanged) if reading]
    labels, clips = [pair.label for pair in answered], [pair.clip.name for pair in answered]
    said = controls.verdicts(answered)
    beside = slices.beside_shortcuts(answered, verdicts, {name: control.forward for name, control in said.items()})
    return {
        **measured(labels, clips, verdicts, fixed=control, widened=widened),
        "provenance": dict(Counter[str](reading.provenance for reading in readings)),
        "slices": {**bias.slices(answered, verdicts[0].forward), "shortcuts": beside if said else []},
        "pulls": pulls.pulls(labels, clips, verdicts, said),
        "of_ceiling": ceiling.of_ceiling(answered, verdicts),
        "comparisons": [] if control else comparisons.with_controls(answered, verdicts, said),
        "subsets": slices.subset_scores(
            [pair.subset for pair in answered],
            labels,
            clips,
            verdicts,
            longer=said["longer"].forward if said else None,
            fixed=control,
            widened=widened,
        ),
    }


def _one_order(pairs: list[Pair], rounds: list[Round], *, control: bool) -> Scored:
    mirrored = [Round(of_round.forward, [_mirrored(reading) for reading in of_round.forward]) for of_round in rounds]
    measures = scored(pairs, mirrored, control=control)
    readings = [reading.provenance for of_round in rounds for reading in of_round.forward if reading]
    for part in (measures, *measures["subsets"].values()):
        part["scores"] |= dict.fromkeys(BOTH_ORDERS, ONE_ORDER)
    return {
        **measures,
        "bias": {},
        "pulls": {},
        "provenance": dict(Counter[str](readings)),
        "comparisons": [
            comparison for comparison in measures["comparisons"] if comparison["metric"] not in BOTH_ORDERS
        ],
    }


def _mirrored(reading: Reading | None) -> Reading | None:
    if reading is None:
        return None
    label = EXCHANGED[reading.label] if reading.label else None
    return Reading(label, reading.provenance, EXCHANGED[reading.reference])


def measured(
    labels: Sequence[Label | None],
    clips: Sequence[str],
    rounds: Sequence[Verdicts],
    *,
    fixed: bool = False,
    widened: float = 1.0,
) -> Measured:
    """All that verdicts, labels and clips alone give: scores with intervals, policies, bounds and position bias.

    `fixed` is a judge that goes by slots and texts alone; `widened` is for one that was fitted to the labels
    (`emoprefer_bench.scoring.statistics.cluster_intervals`).
    """
    spreads = metrics.case_metrics(labels, rounds)
    intervals = statistics.cluster_intervals(labels, rounds, clips, fixed=fixed, widened=widened)
    return {
        "rows": len(labels),
        "labelled": sum(label is not None for label in labels),
        "scores": {name: {**spread, "interval": _list(intervals[name])} for name, spread in spreads.items()},
        "policies": _policies(labels, rounds),
        "bounds": {
            "reference": _bounds(labels, rounds, metrics.REFERENCE),
            "strict": _bounds(labels, rounds, metrics.STRICT),
        },
        "bias": bias.position_bias(rounds, clips, fixed=fixed),
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


def _verdicts(of_round: Round, rows: list[int]) -> Verdicts:
    forward, exchanged = _of(of_round.forward, rows), _of(of_round.exchanged, rows)
    return Verdicts(
        forward=[reading.label for reading in forward],
        exchanged=[reading.label for reading in exchanged],
        forward_reference=[reading.reference for reading in forward],
        exchanged_reference=[reading.reference for reading in exchanged],
    )


def _of(readings: list[Reading | None], rows: list[int]) -> list[Reading]:
    return [reading for row in rows if (reading := readings[row])]
