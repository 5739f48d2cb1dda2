"""What a test gets as `case`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from emoprefer_bench.cases import Case

if TYPE_CHECKING:
    from emoprefer_bench.document.types import ScoredResult


@dataclass(frozen=True)
class BoundCase:
    """A case inside its test: `run` it, once. It fails the test where a gate does."""

    case: Case
    run: Callable[[], ScoredResult]

    def __repr__(self) -> str:
        """As pytest shows it where a test of it fails: the case's id, and nothing else."""
        return self.case.id
