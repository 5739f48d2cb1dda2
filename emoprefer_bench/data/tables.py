"""The CSV files of a data set: preferences, the same rows exchanged or with their writers, and subtitles.

Cells are kept to the byte. Row 1 is the header, as a spreadsheet shows it, and blank lines count. Faults are sentences
that are collected, not raised.
"""

from __future__ import annotations

import itertools
import sys
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pandas as pd

from emoprefer_bench.pairs import EXCHANGED, LABELS, Label

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

COLUMNS = ("name", "a1", "a2")
WRITERS = ("model1", "model2")
PLACEHOLDERS = {"", "tie"}
SPARE = 32
"""Cells that a row may have too many of; pandas gives up on a file with a longer row, instead of naming the row."""
ROWS_AT_ONCE = 1024  # of a frame, which takes several times the room of its texts
SUBTITLE_COLUMNS = ("subtitle", "english", "chinese")

Cells = dict[str, str]


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a preference file, `number` as a spreadsheet shows it. `label` is None where the file has no labels."""

    number: int
    name: str
    a1: str
    a2: str
    label: Label | None = None
    model1: str | None = None
    model2: str | None = None

    @property
    def content(self) -> tuple[str, str, str]:
        """What makes the row another than the others."""
        return self.name, self.a1, self.a2


@dataclass(frozen=True, slots=True)
class Table:
    """A CSV file: its columns, and the cells of each row by the row's number."""

    path: Path
    columns: list[str]
    rows: dict[int, Cells]


def read_rows(path: Path, faults: list[str]) -> list[Row]:
    """Read a preference file, and check what lies beside it: `<stem>_reverse.csv`, `<stem>_with_modelnames.csv`.

    Columns are name, a1, a2, and any of preference, model1 with model2. A file without labels has no column
    preference, or holds in every row of it nothing, or in every row the word `tie`.
    """
    rows = _read_preferences(path, faults)
    reverse, named = (path.with_name(f"{path.stem}{suffix}.csv") for suffix in ("_reverse", "_with_modelnames"))
    if reverse.is_file():
        _check_reverse(rows, _read_preferences(reverse, faults), path, reverse, faults)
    if named.is_file() and not any(row.model1 for row in rows):
        rows = _with_writers(rows, _read_preferences(named, faults), path, named, faults)
    return rows


def read_subtitles(folder: Path, wanted: Mapping[str, int], faults: list[str]) -> dict[str, str]:
    """Read what is said in the clips `wanted` (names, with the row that wants them), by name.

    The file is `subtitles.csv`, or else the only `subtitle*.csv`. The clip's name is in the column `name`, or else in
    the first; the text in `subtitle`, or else `english`, or else `chinese`. An empty text means that nobody speaks.
    """
    files = [folder / "subtitles.csv"] if (folder / "subtitles.csv").is_file() else sorted(folder.glob("subtitle*.csv"))
    if len(files) != 1:
        have = " and ".join(file.name for file in files) or "none"
        faults.append(f"{folder}: subtitles are asked for, and should lie in one file subtitles.csv; there is {have}")
        return {}
    table = _read_table(files[0], faults)
    if table is None:
        return {}
    text = next((column for column in SUBTITLE_COLUMNS if column in table.columns), None)
    if text is None:
        faults.append(f"{table.path}, row 1: no column is called subtitle")
        return {}
    name = "name" if "name" in table.columns else table.columns[0]
    said: dict[str, str] = {}
    for number, cells in table.rows.items():
        if cells[name] in wanted and said.setdefault(cells[name], cells[text]) != cells[text]:
            faults.append(f"{table.path}, row {number}: another subtitle of clip {cells[name]} stands above")
    faults += [
        f"{table.path}: no subtitle of clip {name}, which row {wanted[name]} wants" for name in wanted - said.keys()
    ]
    return said


def _read_preferences(path: Path, faults: list[str]) -> list[Row]:
    table = _read_table(path, faults)
    if table is None:
        return []
    missing = [column for column in COLUMNS if column not in table.columns]
    if len(set(WRITERS) & set(table.columns)) == 1:
        missing += [column for column in WRITERS if column not in table.columns]
    extra = [column for column in table.columns if column not in (*COLUMNS, "preference", *WRITERS)]
    faults += [f"{path}, row 1: the column {column} is missing" for column in missing]
    faults += [f"{path}, row 1: the column {column!r} means nothing here: remove it" for column in extra]
    if missing:
        return []
    labelled = _labelled(table)
    return list(_checked(table, faults, labelled=labelled))


def _labelled(table: Table) -> bool:
    words = {cells.get("preference", "") for cells in table.rows.values()}
    return not (len(words) == 1 and words <= PLACEHOLDERS)


def _checked(table: Table, faults: list[str], *, labelled: bool) -> Iterator[Row]:
    """Give the rows that are whole; of the others, give the faults."""
    seen: dict[tuple[str, str, str], int] = {}
    for number, cells in table.rows.items():
        where = f"{table.path}, row {number}"
        said = cells.get("preference", "")
        label = next((label for label in LABELS if label == said), None) if labelled else None
        writers = (sys.intern(cells.get(column, "")) or None for column in WRITERS)
        row = Row(number, cells["name"], cells["a1"], cells["a2"], label, *writers)
        faults += [f"{where}: {column} is empty" for column in COLUMNS if not cells[column].strip()]
        if labelled and label is None:
            faults.append(f"{where}: the label is {said!r}; it should be a1, a2 or same, or empty in every row")
        above = seen.setdefault(row.content, number)
        if above != number:
            faults.append(f"{where}: the same clip and texts as row {above}: remove one of them")
        yield row


def _check_reverse(rows: list[Row], reverse: list[Row], path: Path, other: Path, faults: list[str]) -> None:
    """Check that the other file has the same rows in the same order, with texts and labels exchanged."""
    if len(rows) != len(reverse):
        faults.append(f"{other}: has {len(reverse)} rows, but {path.name} has {len(rows)}")
    for row, exchanged in zip(rows, reverse, strict=False):
        label = EXCHANGED[row.label] if row.label else None
        if (row.name, row.a2, row.a1, label) != (*exchanged.content, exchanged.label):
            faults.append(
                f"{other}, row {exchanged.number}: is not row {row.number} of {path.name} with a1 and a2 exchanged"
            )


def _with_writers(rows: list[Row], named: list[Row], path: Path, other: Path, faults: list[str]) -> list[Row]:
    """Take the writers from the other file, which should have the same rows; their order there doesn't matter."""
    by_content = {row.content: row for row in named}
    found: list[Row] = []
    for row in rows:
        twin = by_content.pop(row.content, None)
        if twin is None or twin.label != row.label:
            faults.append(f"{path}, row {row.number}: {other.name} has no such row")
        else:
            found.append(replace(row, model1=twin.model1, model2=twin.model2))
    faults += [f"{other}, row {row.number}: {path.name} has no such row" for row in by_content.values()]
    return found


def _read_table(path: Path, faults: list[str]) -> Table | None:
    """Read a CSV file in UTF-8, with or without a byte order mark; None where it is none. A missing cell is empty."""
    rows: dict[int, Cells] = {}
    try:
        columns = next(_read_csv(path, rows=1))[1]
        for number, cells in itertools.islice(_read_csv(path, names=range(len(columns) + SPARE)), 1, None):
            if any(cells[len(columns) :]):
                faults.append(f"{path}, row {number}: has more cells than the header: a text with commas needs quotes")
            elif any(cells):
                rows[number] = dict(zip(columns, cells, strict=False))
    except (OSError, UnicodeError, pd.errors.EmptyDataError, pd.errors.ParserError) as error:
        faults.append(f"{path}: is no CSV file in UTF-8 that can be read: {error}")
        return None
    twice = [column for column, times in Counter(columns).items() if times > 1]
    if twice:
        faults.append(f"{path}, row 1: the column {twice[0]!r} is there twice")
        return None
    if not rows:
        faults.append(f"{path}: has no rows")
    return Table(path, columns, rows)


def _read_csv(path: Path, names: range | None = None, rows: int | None = None) -> Iterator[tuple[int, list[str]]]:
    """Read every cell as the text it is, row by row with its number; the header is a row, and so is a blank line."""
    frames = pd.read_csv(
        path,
        header=None,
        names=names,
        nrows=rows,
        dtype=str,
        na_filter=False,
        skip_blank_lines=False,
        encoding="utf-8-sig",
        chunksize=ROWS_AT_ONCE,
    )
    with frames:
        for frame in frames:
            for index, *cells in frame.itertuples(name=None):
                yield index + 1, cells
