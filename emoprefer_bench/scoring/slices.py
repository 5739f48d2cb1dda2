"""Scores of a part of the rows: the subsets of a data set, and the rows on which a shortcut is of no use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from emoprefer_bench.document.cases import METRICS
from emoprefer_bench.scoring.metrics import case_metrics
from emoprefer_bench.scoring.shortcuts import longer_by
from emoprefer_bench.scoring.statistics import cluster_intervals
from emoprefer_bench.verdicts import Verdicts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from emoprefer_bench.document.types import Dataset, Part
    from emoprefer_bench.pairs import Label, Pair
    from emoprefer_bench.scoring.comparisons import Rows

MATCHED = 0.15  # of the longer text's words: how far two texts of matched length are apart at most
FOLLOWED = ("longer", "writer_prior", "word_overlap")  # the shortcuts that a label can contradict
_TWO = ("a1", "a2")
_RIGHT = "strict_acc2"


def rows_of(rounds: Sequence[Verdicts], rows: Sequence[int]) -> list[Verdicts]:
    """The verdicts of some rows, in their order."""
    orders = ("forward", "exchanged", "forward_reference", "exchanged_reference")
    return [Verdicts(*([getattr(of_round, order)[row] for row in rows] for order in orders)) for of_round in rounds]


def subset_scores(
    subsets: Sequence[str | None],
    labels: Sequence[Label | None],
    clips: Sequence[str],
    rounds: Sequence[Verdicts],
    *,
    longer: Sequence[Label | None] | None = None,
    fixed: bool = False,
    widened: float = 1.0,
) -> dict[str, Part]:
    """Score each subset by itself, in the order in which subsets appear; empty where no row is in any.

    What is `fixed` or `widened` is said in `emoprefer_bench.scoring.statistics.cluster_intervals`.
    """
    # `longer` is the longer text of each row, where the texts are known
    members: dict[str, list[int]] = {}
    for row, subset in enumerate(subsets):
        if subset is not None:
            members.setdefault(subset, []).append(row)

    def part(rows: list[int]) -> Part:
        of_rows = [labels[row] for row in rows], rows_of(rounds, rows), [clips[row] for row in rows]
        part = _part(*of_rows, cluster_intervals(*of_rows, fixed=fixed, widened=widened))
        if longer is not None:
            chosen = _share("longer", [row for row in rows if longer[row] in _TWO], clips, rounds, longer)
            part |= {"longer": chosen["longer"], "longer_interval": chosen["interval"]}
        return part

    return {name: part(rows) for name, rows in members.items()}


def of_dataset(dataset: Dataset, rows: Rows, rounds: Sequence[Verdicts]) -> dict[str, Part]:
    """Score each subset of a data set in a report, which holds no texts, but which of two is the longer one."""
    subsets, longer = dataset.get("subsets") or [], dataset.get("longer")
    return subset_scores(subsets, rows.labels, rows.clips, rounds, longer=longer)


def _part(
    labels: Sequence[Label | None],
    rounds: Sequence[Verdicts],
    clips: Sequence[str],
    intervals: Mapping[str, tuple[float, float] | None],
) -> Part:
    spreads = case_metrics(labels, rounds)
    bounds = {name: list(interval) if interval else None for name, interval in intervals.items()}
    return {
        "rows": len(labels),
        "labelled": sum(label is not None for label in labels),
        "clips": len(set(clips)),
        "scores": {name: {**spreads[name], "interval": bounds[name]} for name in METRICS},
    }


def beside_shortcuts(
    pairs: Sequence[Pair], rounds: Sequence[Verdicts], shortcuts: Mapping[str, Sequence[Label | None]]
) -> list[dict[str, Any]]:
    """Split the strict two-class accuracy by whether a shortcut could have given the answer.

    Slices are `matched length` (the texts differ by no more than 15% of the longer one's words), and for each of
    `shortcuts` (what it says of each row) the rows where the label is `with` and where it is `against` what it says.
    Each has `slice`, `rows` and `clips` (of rows labelled a1 or a2), `acc2` and its `interval` over clips, means over
    rounds; those against a shortcut also `followed`: the share of verdicts that are the shortcut's, with
    `followed_interval`.
    """
    clips = [pair.clip.name for pair in pairs]
    decided = [row for row, pair in enumerate(pairs) if pair.label in _TWO]
    matched = [row for row in decided if _matched(pairs[row])]
    slices = [{"slice": "matched length", **_share("acc2", matched, clips, rounds, [p.label for p in pairs])}]
    for name in FOLLOWED:
        if name not in shortcuts:
            continue
        said = shortcuts[name]
        for relation in ("with", "against"):
            rows = [row for row in decided if said[row] in _TWO]
            rows = [row for row in rows if (said[row] == pairs[row].label) == (relation == "with")]
            part = _share("acc2", rows, clips, rounds, [pair.label for pair in pairs])
            if relation == "against":
                followed = _share("followed", rows, clips, rounds, said)
                part |= {"followed": followed["followed"], "followed_interval": followed["interval"]}
            slices.append({"slice": f"{relation} {name}", **part})
    return slices


def _matched(pair: Pair) -> bool:
    longest = max(len(pair.a1.split()), len(pair.a2.split()))
    return abs(longer_by(pair)) <= MATCHED * longest


def _share(
    name: str,
    rows: Sequence[int],
    clip_names: Sequence[str],
    rounds: Sequence[Verdicts],
    wanted: Sequence[Label | None],
) -> dict[str, Any]:
    """How often the verdicts of some rows are the wanted ones."""
    labels, clips = [wanted[row] for row in rows], [clip_names[row] for row in rows]
    verdicts = rows_of(rounds, rows)
    interval = cluster_intervals(labels, verdicts, clips, metrics=[_RIGHT])[_RIGHT]
    return {
        "rows": len(rows),
        "clips": len(set(clips)),
        name: case_metrics(labels, verdicts)[_RIGHT]["mean"],
        "interval": list(interval) if interval else None,
    }
