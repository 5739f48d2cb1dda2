"""Tables of the terminal: as narrow as what stands in them, and where there is no room, without what matters least."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tabulate import tabulate

if TYPE_CHECKING:
    from collections.abc import Sequence

WIDTH = 80
GAP = 2  # spaces between columns


def grid(heads: Sequence[str], rows: Sequence[Sequence[str]], *, left: int, rule: int = 0) -> str:
    """A table whose first `left` columns stand to the left, all others to the right.

    With a `rule`, a line stands below that many rows, too.
    """
    line = ["-" * width for width in _widths(heads, rows)]
    body = [heads, line, *rows[:rule], *([line] if 0 < rule < len(rows) else []), *rows[rule:]]
    sides = ["left"] * left + ["right"] * (len(heads) - left)
    table: str = tabulate(body, tablefmt="plain", disable_numparse=True, colalign=sides)
    return table


def width(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> int:
    """How wide the table is, in columns of the terminal."""
    return sum(_widths(heads, rows)) + GAP * (len(heads) - 1)


def _widths(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[int]:
    return [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
