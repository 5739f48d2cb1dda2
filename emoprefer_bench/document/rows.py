"""The rows of a document: which two reports share, and the verdicts of a case on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from emoprefer_bench.scoring.counts import Verdicts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from emoprefer_bench.reports.cells import Case

Dataset = dict[str, Any]


def shared_rows(old: Dataset, new: Dataset) -> list[tuple[int, int]]:
    """Pairs of row numbers, old and new, of the rows that have the same key, clip, texts and label in both."""
    before = {both: row for row, both in enumerate(zip(old["keys"], old["row_digests"], strict=True))}
    after = enumerate(zip(new["keys"], new["row_digests"], strict=True))
    return [(before[both], row) for row, both in after if both in before]


def verdicts(case: Case, rows: Sequence[int]) -> list[Verdicts]:
    """The case's verdicts on some rows, a `Verdicts` for each round."""
    names = ("forward", "exchanged", "forward_reference", "exchanged_reference")
    return [Verdicts(**{name: [one[name][row] for row in rows] for name in names}) for one in case["verdicts"]]


def has_verdicts(case: Case, row: int) -> bool:
    """Whether the row was answered in both orders and every round."""
    orders = ("forward_provenance", "exchanged_provenance")
    return all(one[order][row] is not None for one in case["verdicts"] for order in orders)


def clip_of(key: str) -> str:
    """The clip in a pair's key; where it is unknown, the key itself, so that every row is a clip of its own."""
    return key.partition(":")[2] or key
