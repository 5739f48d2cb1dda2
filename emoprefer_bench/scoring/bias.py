"""What a score hides: a preference for a slot, and accuracy that comes from length or from who wrote the text.

Everything here counts the strict readings (an unread verdict is no verdict) and returns plain JSON types.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from emoprefer_bench.pairs import EXCHANGED, LABELS
from emoprefer_bench.scoring import shortcuts
from emoprefer_bench.scoring.counts import FIRST, NONE, SAME, SECOND, plain, ratio, table
from emoprefer_bench.scoring.metrics import case_metrics
from emoprefer_bench.scoring.statistics import cluster_intervals, cohen_kappa, wilson

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Sequence

    from emoprefer_bench.pairs import Label, Pair
    from emoprefer_bench.verdicts import Verdicts

    Slice = dict[str, Any]

LENGTH_BINS = (0, 10, 25, 50)  # lower bounds of the bins of |difference|, in words


def position_bias(rounds: Sequence[Verdicts], clips: Sequence[Hashable], *, fixed: bool = False) -> dict[str, Any]:
    """Measure how much a judge goes by the slot in which a text stands.

    - `first_slot`: the `share` of a1 among the a1 and a2 of both orders (0.5: no preference), with its `interval` over
      clips, that of `emoprefer_bench.scoring.statistics.cluster_intervals` (which says what is `fixed`).
    - `flips`: `flips[forward][exchanged]` counts the rows read in both orders; `unread` are the others.
    - `consistency`: the share of read rows whose exchanged verdict is the exchange of the forward one, and
      `consistency_without_ties` the same of the rows where both verdicts name a text.
    - `kappa`: that agreement beyond chance (Cohen), with the exchanged verdict turned back.
    - `primacy`, `recency`: the share of read rows where both orders name the first, or the second, slot.
      (Zheng et al., "Judging LLM-as-a-Judge", 2023; Shi et al., "Judging the Judges", 2024)

    Rounds are pooled, but for `first_slot`, which is their mean.
    """
    forward = [verdict for of_round in rounds for verdict in of_round.forward]
    exchanged = [verdict for of_round in rounds for verdict in of_round.exchanged]
    turned_back = [EXCHANGED[verdict] if verdict else None for verdict in exchanged]
    flips = table(forward, exchanged)[:NONE, :NONE]
    read, named = flips.sum(), flips[:SAME, :SAME].sum()
    agreed = flips[FIRST, SECOND] + flips[SECOND, FIRST]
    unlabelled = [None] * len(clips)
    bounds = cluster_intervals(unlabelled, rounds, clips, metrics=["first_slot"], fixed=fixed)["first_slot"]
    return {
        "first_slot": {
            "share": case_metrics(unlabelled, rounds)["first_slot"]["mean"],
            "interval": list(bounds) if bounds else None,
        },
        "flips": {
            row: {column: int(count) for column, count in zip(LABELS, counts, strict=True)}
            for row, counts in zip(LABELS, flips, strict=True)
        },
        "unread": len(forward) - int(read),
        "consistency": plain(ratio(agreed + flips[SAME, SAME], read)),
        "consistency_without_ties": plain(ratio(agreed, named)),
        "kappa": cohen_kappa(forward, turned_back),
        "primacy": plain(ratio(flips[FIRST, FIRST], read)),
        "recency": plain(ratio(flips[SECOND, SECOND], read)),
    }


def slices(pairs: Sequence[Pair], verdicts: Sequence[Label | None]) -> dict[str, Any]:
    """Split the two-class accuracy of one round's forward verdicts by what a judge could have gone by instead.

    Every slice is a dictionary: `slice` (its name), `rows` (labelled a1 or a2), `correct`, `acc2` and its Wilson
    `interval`. Raises ValueError where pairs and verdicts differ in number.

    - `preferred_length`: rows where people preferred the `longer` text, the `shorter`, or both are `equal` in words.
    - `length_difference`: rows by the difference in words, whichever is longer.
    - `prefers_longer`: how often people, and the judge, chose the longer text, of those rows where one is longer.
    - `writers`: rows by who wrote the two texts, in either order, where that is known.
    - `writer_prior`: rows where the label `agrees` with what the writers alone predict, or `disagrees`, or it is
      `unknown` (`emoprefer_bench.scoring.shortcuts`).
    """
    rows = [(pair, verdict) for pair, verdict in zip(pairs, verdicts, strict=True) if pair.label in ("a1", "a2")]
    right = [verdict == pair.label for pair, verdict in rows]
    judged = [pair for pair, _ in rows]
    differences = [abs(shortcuts.longer_by(pair)) for pair in judged]
    design = shortcuts.design_of(judged)
    priors = shortcuts.verdicts(shortcuts.writer_margins(design, shortcuts.signs([pair.label for pair in judged])))
    return {
        "preferred_length": _sliced(
            [_preferred_length(pair) for pair in judged], right, ("longer", "shorter", "equal")
        ),
        "length_difference": _sliced([_bin(words) for words in differences], right, map(_bin, LENGTH_BINS)),
        "prefers_longer": {
            "people": _share_longer([(pair, pair.label) for pair in judged]),
            "judge": _share_longer(rows),
        },
        "writers": _sliced([_writers(pair) for pair in judged], right),
        "writer_prior": _sliced(
            [_agreement(pair, prior) for pair, prior in zip(judged, priors, strict=True)],
            right,
            ("agrees", "disagrees", "unknown"),
        ),
    }


def _sliced(names: Sequence[str | None], right: Sequence[bool], order: Iterable[str] | None = None) -> list[Slice]:
    """Count rows and right ones by name, in a fixed order (empty slices too) or by falling number of rows."""
    rows = Counter(name for name in names if name is not None)
    correct = Counter(name for name, was_right in zip(names, right, strict=True) if was_right)
    listed = list(order) if order is not None else sorted(rows, key=lambda name: (-rows[name], name))
    return [_slice(name, rows[name], correct[name]) for name in listed]


def _slice(name: str, rows: int, correct: int) -> Slice:
    bounds = wilson(correct, rows)
    return {
        "slice": name,
        "rows": rows,
        "correct": correct,
        "acc2": correct / rows if rows else None,
        "interval": list(bounds) if bounds else None,
    }


def _preferred_length(pair: Pair) -> str:
    difference = shortcuts.longer_by(pair)
    if difference == 0:
        return "equal"
    return "longer" if (difference > 0) == (pair.label == "a1") else "shorter"


def _bin(words: int) -> str:
    """Name the bin of a difference in words: `0-9`, ..., `50+`."""
    number = sum(words >= lower for lower in LENGTH_BINS) - 1
    if number == len(LENGTH_BINS) - 1:
        return f"{LENGTH_BINS[number]}+"
    return f"{LENGTH_BINS[number]}-{LENGTH_BINS[number + 1] - 1}"


def _share_longer(chosen: Iterable[tuple[Pair, Label | None]]) -> float | None:
    """Count how often the longer text was chosen, of the choices between texts of different length."""
    longer = [
        (shortcuts.longer_by(pair) > 0) == (choice == "a1")
        for pair, choice in chosen
        if choice in ("a1", "a2") and shortcuts.longer_by(pair)
    ]
    return sum(longer) / len(longer) if longer else None


def _writers(pair: Pair) -> str | None:
    return " vs ".join(sorted((pair.model1, pair.model2))) if pair.model1 and pair.model2 else None


def _agreement(pair: Pair, prior: Label) -> str:
    if prior == "same":
        return "unknown"
    return "agrees" if prior == pair.label else "disagrees"
