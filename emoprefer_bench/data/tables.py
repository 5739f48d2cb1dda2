"""The tables of a data set: preferences, the same rows exchanged or with their writers, and subtitles.

Cells are kept to the byte. Faults and warnings are sentences that are collected, not raised.
"""

from __future__ import annotations

import difflib
import re
import sys
from collections import defaultdict, deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from emoprefer_bench.data import formats, json_files
from emoprefer_bench.data.csv_files import Notes, Record, Table, read_table
from emoprefer_bench.pairs import EXCHANGED, LABELS, Label

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

COLUMNS = ("name", "a1", "a2")
WRITERS = ("model1", "model2")
PREFERENCE, ANNOTATOR, SUBSET, REFERENCE = "preference", "annotator", "subset", "reference"
QUESTION, CRITERION = "prompt", "criteria"
KNOWN = (*COLUMNS, PREFERENCE, *WRITERS, ANNOTATOR, REFERENCE, QUESTION, CRITERION)
NOBODY_ASKED = "tie"
SHOWN = 8  # columns of a header
CLOSE = 0.75  # of difflib's ratio: "model_1" is close to "model1", "a" is not to "a1"
SUBTITLE_COLUMNS = ("subtitle", "english", "chinese")


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a preference file, and where it stands: its `number` from 1, without the header, and its first `line`.

    `label` is None where nobody was asked. `fields` are the cells of all columns that have no meaning of their own.
    """

    number: int
    line: int
    name: str
    a1: str
    a2: str
    label: Label | None = None
    model1: str | None = None
    model2: str | None = None
    annotator: str | None = None
    subset: str | None = None
    reference: str | None = None
    question: str | None = None
    criterion: str | None = None
    fields: dict[str, str] = field(default_factory=dict)

    @property
    def content(self) -> tuple[str, str, str]:
        """The pair that the row is about; several rows may be about it."""
        return self.name, self.a1, self.a2

    @property
    def asked(self) -> tuple[str | None, str | None]:
        """By what the pair is judged, where not by the clip alone: rows that differ in it are no repetition."""
        return self.question, self.criterion

    @property
    def place(self) -> str:
        """Where the row stands in its file."""
        return f"row {self.number} (line {self.line})"


def read_rows(path: Path, notes: Notes, subset: str | None = None) -> list[Row]:
    """Read a preference file, and check what lies beside it: `<stem>_reverse.csv`, `<stem>_with_modelnames.csv`.

    Columns are name, a1, a2, and any of preference, model1 with model2, annotator, and reference. A label may be
    missing; the word `tie` in every row means that all are. `subset` names the column of the rows' subsets, or else it
    is `subset`. Rows about the same pair are rows of their own.
    """
    rows = _read_preferences(path, notes, subset)
    reverse, named = (path.with_name(f"{path.stem}{suffix}.csv") for suffix in ("_reverse", "_with_modelnames"))
    beside = Notes(notes.faults)  # a warning about the file itself says enough
    if reverse.is_file():
        _check_reverse(rows, _read_preferences(reverse, beside), path, reverse, notes)
    if named.is_file() and not any(row.model1 for row in rows):
        rows = _with_writers(rows, _read_preferences(named, beside), path, named, notes)
    notes.warnings += _repeated(rows, path)
    return rows


def subtitle_files(folder: Path) -> list[Path]:
    """The file of subtitles in a folder: `subtitles.csv`, or else each `subtitle*.csv`; there should be one."""
    named = folder / "subtitles.csv"
    return [named] if named.is_file() else sorted(folder.glob("subtitle*.csv"))


def read_subtitles(folder: Path, wanted: Mapping[str, str], notes: Notes) -> dict[str, str]:
    """Read what is said in the clips `wanted` (names, with the place of a row that wants them), by name.

    The clip's name is in the column `name`, or else in the first; the text in `subtitle`, or else `english`, or else
    `chinese`. An empty text means that nobody speaks.
    """
    files = subtitle_files(folder)
    if len(files) != 1:
        have = " and ".join(file.name for file in files) or "none"
        notes.faults.append(
            f"{folder}: subtitles are asked for, and should lie in one file subtitles.csv; there is {have}"
        )
        return {}
    table = read_table(files[0], ("name", *SUBTITLE_COLUMNS), notes)
    if table is None:
        return {}
    text = next((column for column in SUBTITLE_COLUMNS if column in table.columns), None)
    if text is None:
        notes.faults.append(
            f"{table.path}, line {table.line}: no column is called subtitle{_meant('subtitle', table.columns)}"
        )
        return {}
    name = "name" if "name" in table.columns else table.columns[0]
    said: dict[str, str] = {}
    for record in table.records:
        clip, words = record.cells[name], record.cells[text]
        if clip not in wanted:
            continue
        if text in record.missing:
            notes.faults.append(f"{table.path}, {record.place}: has no cell for the {text} of clip {clip}")
        if said.setdefault(clip, words) != words:
            notes.faults.append(f"{table.path}, {record.place}: another subtitle of clip {clip} stands above")
    notes.faults += [
        f"{table.path}: no subtitle of clip {clip}, which {place} wants"
        for clip, place in wanted.items()
        if clip not in said
    ]
    return said


def _read_preferences(path: Path, notes: Notes, subset: str | None = None) -> list[Row]:
    in_json = path.suffix.lower() in json_files.ENDINGS
    table = json_files.read_table(path, notes) if in_json else read_table(path, (*KNOWN, *formats.COLUMNS), notes)
    if table is None:
        return []
    notes.faults += formats.clashes(table)
    read = formats.read_columns(table)
    table = formats.with_grades(formats.translated(table), PREFERENCE)
    missing = [column for column in COLUMNS if column not in table.columns]
    if len(set(WRITERS) & set(table.columns)) == 1:
        missing += [column for column in WRITERS if column not in table.columns]
    if missing:
        unknown = [column for column in table.columns if column not in KNOWN]
        *others, last = [column + _meant(column, unknown) for column in missing]
        are = f"columns {', '.join(others)} and {last} are" if others else f"column {last} is"
        have = ", ".join(map(repr, table.columns[:SHOWN])) + (", ..." if len(table.columns) > SHOWN else "")
        notes.faults.append(f"{path}, line {table.line}: the {are} missing; the header has {have}")
        return []
    notes.warnings += [*_unknown(table, subset, read), *_short(table), *_fused(table)]
    return list(_checked(table, notes, subset or SUBSET))


def _meant(column: str, unknown: list[str]) -> str:
    """Ask whether another column is the one that is missing, where there is one that looks like it."""
    by_form = {name.strip().casefold(): name for name in unknown}
    close = difflib.get_close_matches(column, by_form, 1, CLOSE)
    return f" (is it {by_form[close[0]]!r}?)" if close else ""


def _unknown(table: Table, subset: str | None, read: frozenset[str]) -> Iterator[str]:
    """Name the columns that mean nothing here, nor were `read` in another format; and a lacking column of subsets."""
    absent = [column for column in (*KNOWN, SUBSET) if column not in table.columns]
    known = {*KNOWN, SUBSET, *read, *([subset] if subset else [])}
    unknown = [column for column in table.columns if column not in known]
    if unknown:
        mentions = []
        for column in unknown:
            close = difflib.get_close_matches(column.strip().casefold(), absent, 1, CLOSE)
            mentions.append(f"{column!r} (did you mean {close[0]}?)" if close else repr(column))
        kept = "columns that mean nothing here are kept with their rows"
        yield f"{table.path.name}: {kept}: {', '.join(mentions)}"
    if subset and subset not in table.columns:
        meant = _meant(subset, table.columns)
        yield f"{table.path.name}: no column is called {subset!r}{meant}, so its rows are in no subset"


def _short(table: Table) -> Iterator[str]:
    """Count the rows that end early; one that lacks a name or a text is a fault besides."""
    short = [record for record in table.records if record.missing and not set(record.missing) & set(COLUMNS)]
    if short:
        many = "1 row ends" if len(short) == 1 else f"{len(short)} rows end"
        cells = "before the header does; the cells that they lack count as empty"
        yield f"{table.path.name}: {many} {cells} (first: {short[0].place})"


def _fused(table: Table) -> Iterator[str]:
    """Point at rows that look like several, which a quotation mark that was not closed can make of them."""
    if PREFERENCE not in table.columns:
        return
    label = table.columns.index(PREFERENCE)
    for record in table.records:
        lines = re.split(r"\r\n|\r|\n", ",".join(record.cells.values()))
        cells = [line.split(",") for line in lines]
        if len(lines) > 1 and all(len(row) == len(table.columns) and row[label] in LABELS for row in cells):
            yield (
                f"{table.path.name}, {record.place}: looks like {len(lines)} rows that quotation marks hold together; "
                "if it is one, nothing is wrong"
            )


def _checked(table: Table, notes: Notes, subset: str) -> Iterator[Row]:
    """Give the rows that are whole; of the others, give the faults."""
    said = {record.cells.get(PREFERENCE, "") for record in table.records}
    nobody_asked = said == {NOBODY_ASKED}
    for record in table.records:
        row = _row(record, subset)
        where = f"{table.path}, {record.place}"
        word = record.cells.get(PREFERENCE, "")
        if absent := [column for column in COLUMNS if column in record.missing]:
            notes.faults.append(f"{where}: ends before {absent[0]}; a text with a line break needs quotation marks")
        notes.faults += [
            f"{where}: {column} is empty"
            for column in COLUMNS
            if column not in absent and not record.cells[column].strip()
        ]
        if word and row.label is None and not nobody_asked:
            notes.faults.append(
                f"{where}: the label is {word!r}; it should be a1, a2 or same, or empty where nobody was asked"
            )
        yield row


def _row(record: Record, subset: str) -> Row:
    cells = record.cells
    name, a1, a2 = (cells[column] for column in COLUMNS)
    label = next((label for label in LABELS if label == cells.get(PREFERENCE)), None)
    shared = (*WRITERS, ANNOTATOR, subset)
    model1, model2, annotator, part = (_said(cells, column) for column in shared)
    fields = {column: cell for column, cell in cells.items() if column not in KNOWN}
    reference, question, criterion = (_said(cells, column) for column in (REFERENCE, QUESTION, CRITERION))
    own = (model1, model2, annotator, part, reference, question, criterion)
    return Row(record.number, record.line, name, a1, a2, label, *own, fields)


def _said(cells: Mapping[str, str], column: str) -> str | None:
    """What a cell says; None for an empty one."""
    cell = cells.get(column, "")
    return sys.intern(cell) if cell.strip() else None


def _repeated(rows: list[Row], path: Path) -> Iterator[str]:
    """Count the rows that say what another says, and don't say that somebody else says it."""
    first: dict[tuple[object, ...], Row] = {}
    again = [
        (row, above)
        for row in rows
        if (above := first.setdefault((*row.content, row.question, row.criterion, row.label, row.annotator), row))
        is not row
    ]
    if again:
        row, above = again[0]
        many = "1 row repeats" if len(again) == 1 else f"{len(again)} rows repeat"
        yield (
            f"{path.name}: {many} an earlier one, with its clip, texts, label and annotator "
            f"(first: {row.place}, as {above.place}); each is counted"
        )


def _check_reverse(rows: list[Row], reverse: list[Row], path: Path, other: Path, notes: Notes) -> None:
    """Check that the other file has the same rows in the same order, with texts and labels exchanged."""
    if len(rows) != len(reverse):
        notes.faults.append(f"{other}: has {len(reverse)} rows, but {path.name} has {len(rows)}")
    for row, exchanged in zip(rows, reverse, strict=False):
        label = EXCHANGED[row.label] if row.label else None
        if (row.name, row.a2, row.a1, label) != (*exchanged.content, exchanged.label):
            notes.faults.append(
                f"{other}, {exchanged.place}: is not row {row.number} of {path.name} with a1 and a2 exchanged"
            )


def _with_writers(rows: list[Row], named: list[Row], path: Path, other: Path, notes: Notes) -> list[Row]:
    """Take the writers from the other file, which should have the same rows; their order there doesn't matter.

    Rows about one pair, with one label, are taken in the order of that file.
    """
    twins: defaultdict[tuple[object, ...], deque[Row]] = defaultdict(deque)
    for row in named:
        twins[*row.content, row.label].append(row)
    whole: list[Row] = []
    for row in rows:
        if same := twins[*row.content, row.label]:
            twin = same.popleft()
            whole.append(replace(row, model1=twin.model1, model2=twin.model2))
        else:
            notes.faults.append(f"{path}, {row.place}: {other.name} has no such row")
    left = sorted((row for same in twins.values() for row in same), key=lambda row: row.number)
    notes.faults += [f"{other}, {row.place}: {path.name} has no such row" for row in left]
    return whole
