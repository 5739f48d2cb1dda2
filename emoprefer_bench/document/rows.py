"""The rows of a report: which two reports share, and the verdicts of a case on them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emoprefer_bench.verdicts import Verdicts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from emoprefer_bench.document.types import Dataset, RanCase, UnscoredCase


def shared_rows(before: Dataset, after: Dataset) -> list[tuple[int, int]]:
    """Pairs of row numbers, before and after, of the rows that have the same key, clip, texts and label in both."""
    places = {identity: row for row, identity in enumerate(zip(before["keys"], before["row_digests"], strict=True))}
    rows = enumerate(zip(after["keys"], after["row_digests"], strict=True))
    return [(places[identity], row) for row, identity in rows if identity in places]


def in_subset(dataset: Dataset, subset: str | None) -> list[bool]:
    """Whether each row of a data set is in a subset; all are where none is named."""
    if subset is None:
        return [True] * dataset["rows"]
    return [named == subset for named in dataset.get("subsets") or [None] * dataset["rows"]]


def verdicts(case: RanCase | UnscoredCase, rows: Sequence[int]) -> list[Verdicts]:
    """The case's verdicts on some rows, a `Verdicts` for each round."""
    return [
        Verdicts(
            forward=[of_round["forward"][row] for row in rows],
            exchanged=[of_round["exchanged"][row] for row in rows],
            forward_reference=[of_round["forward_reference"][row] for row in rows],
            exchanged_reference=[of_round["exchanged_reference"][row] for row in rows],
        )
        for of_round in case["verdicts"]
    ]


def has_verdicts(case: RanCase, row: int) -> bool:
    """Whether the row was answered in both orders and every round."""
    return all(
        of_round["forward_provenance"][row] is not None and of_round["exchanged_provenance"][row] is not None
        for of_round in case["verdicts"]
    )


def clip_of(key: str) -> str:
    """The clip in a pair's key; where it is unknown, the key itself, so that every row is a clip of its own."""
    return key.partition(":")[2] or key
