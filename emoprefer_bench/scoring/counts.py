"""From verdicts to counts, of which every score is a function.

*Tables* are a float64 array of shape (..., rounds, 2, 2, 4, 4): for each round and each of two readings of the answers
(`REFERENCE_READING`, `STRICT_READING`) two tables, `CONFUSION` (label by forward verdict) and `FLIPS` (forward verdict
by verdict on the exchanged pair). Both axes of a table run over a1, a2, same, none. The tables of groups of rows add
up, which makes leaving out a clip a subtraction, and a randomisation test a matrix product.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from numpy.typing import ArrayLike, NDArray

    from emoprefer_bench.pairs import Label
    from emoprefer_bench.verdicts import Verdicts

    Floats = NDArray[np.float64]
    Codes = NDArray[np.intp]

FIRST, SECOND, SAME, NONE = range(4)
REFERENCE_READING, STRICT_READING = range(2)
CONFUSION, FLIPS = range(2)

_CODES: dict[str | None, int] = {"a1": FIRST, "a2": SECOND, "same": SAME, None: NONE}


def codes(verdicts: Sequence[Label | None]) -> Codes:
    """Numbers for labels or verdicts: a1 0, a2 1, same 2, None 3. Raises ValueError for anything else."""
    try:
        return np.array([_CODES[verdict] for verdict in verdicts], dtype=np.intp)
    except KeyError as unknown:
        raise ValueError(f"a label or verdict is 'a1', 'a2', 'same' or None, not {unknown.args[0]!r}") from None


def table(rows: Sequence[Label | None], columns: Sequence[Label | None]) -> Floats:
    """Count how often each value meets each other, row by row: shape (4, 4). Raises ValueError as `tables` does."""
    row, column = codes(rows), codes(columns)
    return _cells(np.zeros_like(row), 1, row, column).reshape(4, 4)


def tables(labels: Sequence[Label | None], rounds: Sequence[Verdicts], groups: Codes | None = None) -> Floats:
    """Count the rows of each group: shape (groups, rounds, 2, 2, 4, 4), see the module's docstring.

    `groups` numbers the group of each row from 0, without gaps (`group_numbers`); without it all rows are one group.
    Raises ValueError where the sequences differ in length or hold anything but a1, a2, same and None.
    """
    label = codes(labels)
    group = np.zeros_like(label) if groups is None else groups
    size = int(group.max(initial=0)) + 1
    counted = np.zeros((size, len(rounds), 2, 2, 16))
    for number, of_round in enumerate(rounds):
        for reading, forward, exchanged in (
            (REFERENCE_READING, _read_on(of_round.forward_reference), _read_on(of_round.exchanged_reference)),
            (STRICT_READING, codes(of_round.forward), codes(of_round.exchanged)),
        ):
            counted[:, number, reading, CONFUSION] = _cells(group, size, label, forward)
            counted[:, number, reading, FLIPS] = _cells(group, size, forward, exchanged)
    return counted.reshape(size, len(rounds), 2, 2, 4, 4)


def group_numbers(names: Sequence[Hashable]) -> Codes:
    """Give every row the number of its group (the rows that share a clip, say), counted from 0 as the names appear."""
    seen: dict[Hashable, int] = {}
    return np.array([seen.setdefault(name, len(seen)) for name in names], dtype=np.intp)


def ratio(part: ArrayLike, whole: ArrayLike) -> Floats:
    """Divide elementwise; NaN, without a warning, where `whole` is 0."""
    part, whole = np.broadcast_arrays(np.asarray(part, dtype=np.float64), np.asarray(whole, dtype=np.float64))
    quotient = np.full(part.shape, np.nan)
    np.divide(part, whole, out=quotient, where=whole != 0)
    return quotient


def plain(value: ArrayLike) -> float | None:
    """One number as JSON knows it: a float, or None for NaN."""
    number = float(np.asarray(value))
    return None if np.isnan(number) else number


def _read_on(verdicts: Sequence[Label | None]) -> Codes:
    """Give the numbers of the reference's readings: where there is nothing to read, it says `same`."""
    return np.minimum(codes(verdicts), SAME)


def _cells(group: Codes, size: int, row: Codes, column: Codes) -> Floats:
    """Count each group's cells of a 4 by 4 table: shape (size, 16)."""
    if not len(group) == len(row) == len(column):
        raise ValueError(
            f"{len(row)} labels or forward verdicts, {len(column)} verdicts and {len(group)} clips do not match: "
            "give one of each a row, in the same order"
        )
    cells: Floats = np.bincount(group * 16 + row * 4 + column, minlength=size * 16).astype(np.float64)
    return cells.reshape(size, 16)
