"""CSV files, read strictly by RFC 4180: what a lenient reader would guess at is a fault that says where it stands.

Cells are kept to the byte. A row's number is as a person counts: from 1, without the header and without blank lines.
A line's number is an editor's; a cell may span several lines.
"""

from __future__ import annotations

import codecs
import contextlib
import csv
import sys
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SEPARATORS = {";": "';'", "\t": "tabs", "|": "'|'"}
UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
SAVE = "save it as UTF-8 (in Excel: CSV UTF-8)"
NEVER_CLOSED = "unexpected end of data"  # csv's words

Cells = dict[str, str]


@dataclass(slots=True)
class Notes:
    """What was noticed in files: `faults` forbid their use, `warnings` don't. Each is a sentence with its place."""

    faults: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Record:
    """A row of a file, which begins in `line`. A missing cell is empty; `missing` are the columns of these."""

    number: int
    line: int
    cells: Cells
    missing: tuple[str, ...] = ()

    @property
    def place(self) -> str:
        """Where the row stands in its file."""
        return f"row {self.number} (line {self.line})"


@dataclass(frozen=True, slots=True)
class Table:
    """A CSV file: the columns that have a name or hold something, and its rows, without those that are empty.

    `line` is that of the header.
    """

    path: Path
    line: int
    columns: list[str]
    records: list[Record]


class _Row(NamedTuple):
    """The cells of a record, or what is wrong with it; and the line in which it begins."""

    line: int
    cells: list[str]
    fault: str | None = None


def read_table(path: Path, known: tuple[str, ...], notes: Notes) -> Table | None:
    """Read a CSV file in UTF-8 with a header, with or without a byte order mark; None where it can't be understood.

    `known` are names of columns, one of which a header should have: by them, other separators are recognised.
    """
    rows = _rows(path, known, notes)
    if rows is None:
        return None
    faults = [f"{path}, {_place(number, row)}: {row.fault}" for number, row in enumerate(rows) if row.fault]
    notes.faults += faults
    return None if faults else _table(path, rows[0], rows[1:], notes)


def header(path: Path) -> list[str]:
    """The columns that a file names, as far as its first line tells; none where it can't be read, which `read` says."""
    notes = Notes()
    lines = _lines(path, notes) if path.is_file() else None
    row = next((row for row in _parsed(lines or []) if row.fault or "".join(row.cells).strip()), None)
    return row.cells if row else []


def _rows(path: Path, known: tuple[str, ...], notes: Notes) -> list[_Row] | None:
    """The header and the rows of a file; None, with a fault, where it has none."""
    lines = _lines(path, notes)
    if lines is None:
        return None
    with _long_cells():
        separator = _separator(lines, known)
        rows = [row for row in _parsed(lines) if row.fault or "".join(row.cells).strip()]
    if separator:
        notes.faults.append(f"{path}: the columns are separated by {separator}; save the file with commas between them")
    elif not rows:
        notes.faults.append(f"{path}: is empty; its first line should name the columns")
    return rows if rows and not separator else None


def _table(path: Path, header: _Row, rows: list[_Row], notes: Notes) -> Table | None:
    twice = [column for column, times in Counter(header.cells).items() if column and times > 1]
    if twice:
        notes.faults.append(f"{path}, line {header.line}: the column {twice[0]!r} is there twice")
        return None
    columns = _columns(header.cells, rows, path, notes)
    records = list(_records(columns, rows, path, notes))
    if not rows:
        notes.faults.append(f"{path}: has no rows")
    return Table(path, header.line, [column for column in columns if column], records)


def _place(number: int, row: _Row) -> str:
    return f"row {number} (line {row.line})" if number else f"the header (line {row.line})"


def _lines(path: Path, notes: Notes) -> list[str] | None:
    """The lines of the file, with their ends as they are; None, with a fault, where they are no text in UTF-8."""
    try:
        content = path.read_bytes().removeprefix(codecs.BOM_UTF8)
    except OSError as error:
        notes.faults.append(f"{path}: can't be read: {error.strerror}")
        return None
    if content.startswith(UTF16):
        notes.faults.append(f"{path}: is in UTF-16; {SAVE}")
        return None
    lines: list[str] = []
    for number, line in enumerate(content.splitlines(keepends=True), 1):
        try:
            lines.append(line.decode())
            fault = "holds a NUL character, as a file in UTF-16 does" if b"\0" in line else None
        except UnicodeDecodeError as error:
            fault = f"is not UTF-8 (byte 0x{line[error.start]:02x})"
        if fault:
            notes.faults.append(f"{path}, line {number}: {fault}; {SAVE}")
            return None
    return lines


@contextlib.contextmanager
def _long_cells() -> Iterator[None]:
    """Let a cell be as long as it is; csv's limit belongs to the whole process, so it is put back."""
    before = csv.field_size_limit(sys.maxsize)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _parsed(lines: list[str]) -> Iterator[_Row]:
    """Give the records. After one that can't be read, go on in the line after its first: others are told too."""
    start = 0
    while start < len(lines):
        reader = csv.reader((lines[number] for number in range(start, len(lines))), strict=True)
        first = start
        try:
            for cells in reader:
                yield _Row(first + 1, cells)
                first = start + reader.line_num
        except csv.Error as error:
            yield _Row(first + 1, [], _quoting(str(error), first + 1, start + reader.line_num))
            start = first + 1
        else:
            return


def _quoting(error: str, first: int, last: int) -> str:
    if error == NEVER_CLOSED:
        return "a cell begins with a quotation mark that nothing closes"
    where = f" in line {last}" if last > first else ""
    return (
        f"a cell begins with a quotation mark, and more follows the mark that closes it{where}; between the marks "
        'around a cell, each mark of its text is doubled: "he said ""no"""'
    )


def _separator(lines: list[str], known: tuple[str, ...]) -> str | None:
    """Name what separates the columns of the header, if that isn't the comma."""
    header = next((line for line in lines if line.strip()), "")
    if _cells(header, ",") & set(known):
        return None
    return next((name for separator, name in SEPARATORS.items() if _cells(header, separator) & set(known)), None)


def _cells(line: str, separator: str) -> set[str]:
    return set(next(csv.reader([line.strip()], delimiter=separator)))


def _columns(header: list[str], rows: list[_Row], path: Path, notes: Notes) -> list[str]:
    """Name the columns: one without a name after its place, or "" where it holds nothing."""
    columns = [
        name or (f"column {place + 1}" if any(_cell(row, place) for row in rows) else "")
        for place, name in enumerate(header)
    ]
    if empty := columns.count(""):
        which = "an empty column" if empty == 1 else f"{empty} empty columns"
        notes.warnings.append(f"{path.name}: {which} without a name, as trailing commas make them, left out")
    return columns


def _cell(row: _Row, place: int) -> str:
    return row.cells[place] if place < len(row.cells) else ""


def _records(columns: list[str], rows: list[_Row], path: Path, notes: Notes) -> Iterator[Record]:
    for number, row in enumerate(rows, 1):
        cells = {name: _cell(row, place) for place, name in enumerate(columns) if name}
        record = Record(number, row.line, cells, tuple(name for name in columns[len(row.cells) :] if name))
        if any(row.cells[len(columns) :]):
            notes.faults.append(
                f"{path}, {record.place}: has {len(row.cells)} cells, and the header {len(columns)}; a cell with a "
                "comma in it stands between quotation marks, without a blank before them"
            )
        else:
            yield record
