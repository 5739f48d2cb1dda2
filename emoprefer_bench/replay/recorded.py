"""What a recording of any kind can do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from emoprefer_bench.cases import Case
    from emoprefer_bench.data.datasets import Dataset
    from emoprefer_bench.document.types import Dataset as Described
    from emoprefer_bench.document.types import ScoredResult


class Recorded(Protocol):
    """A case that was inferred already (reference.py, ours.py)."""

    @property
    def id(self) -> str:
        """The id of its test item."""

    @property
    def case(self) -> Case:
        """What was inferred."""

    def load(self, dataset: Dataset | None = None) -> tuple[ScoredResult, Described]:
        """The case and its data set, as both stand in a document. Raises ReplayError."""
