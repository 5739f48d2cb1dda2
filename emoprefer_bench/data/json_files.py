"""Tables in JSON: a list of objects, or an object a line, as data sets of the hub are often kept."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from emoprefer_bench.data.csv_files import Notes, Record, Table

if TYPE_CHECKING:
    from pathlib import Path

ENDINGS = (".json", ".jsonl")


def read_table(path: Path, notes: Notes) -> Table | None:
    """Read a file; None, with all faults, where it can't be understood. In a `.json`, `line` is a row's number.

    Text stays as it is, null is an empty cell, and numbers are as JSON writes them; what is nested is JSON again.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        notes.faults.append(f"{path}: can't be read: {error.strerror}")
        return None
    except UnicodeDecodeError as error:
        notes.faults.append(f"{path}: is not UTF-8 (byte {error.start}): save it as UTF-8")
        return None
    faults = len(notes.faults)
    rows = _lines(path, text, notes) if path.suffix.lower() == ".jsonl" else _list(path, text, notes)
    if len(notes.faults) > faults:
        return None
    cells = [(line, {name: _cell(value) for name, value in row.items()}) for line, row in rows]
    if not cells:
        notes.faults.append(f"{path}: has no rows")
    columns = list(dict.fromkeys(name for _, row in cells for name in row))
    records = [
        Record(
            number,
            line,
            {name: row.get(name, "") for name in columns},
            tuple(name for name in columns if name not in row),
        )
        for number, (line, row) in enumerate(cells, 1)
    ]
    return Table(path, 1, columns, records)


def _lines(path: Path, text: str, notes: Notes) -> list[tuple[int, dict[str, Any]]]:
    """The objects of a `.jsonl`, with their lines."""
    rows = []
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                rows.append((number, _object(_parsed(line))))
            except ValueError as error:
                notes.faults.append(f"{path}, line {number}: {error}")
    return rows


def _list(path: Path, text: str, notes: Notes) -> list[tuple[int, dict[str, Any]]]:
    """The objects of a `.json`, with their numbers."""
    try:
        found = _parsed(text)
    except ValueError as error:
        notes.faults.append(f"{path}: {error}")
        return []
    if not isinstance(found, list):
        notes.faults.append(f"{path}: should be a list of objects in JSON; one a line belongs in a .jsonl")
        return []
    rows = []
    for number, value in enumerate(found, 1):
        try:
            rows.append((number, _object(value)))
        except ValueError as error:
            notes.faults.append(f"{path}, row {number}: {error}")
    return rows


def _parsed(text: str) -> Any:  # noqa: ANN401  # whatever JSON holds
    """What a text holds. Raises ValueError, with a sentence, for one that is no JSON or names a column twice."""
    try:
        return json.loads(text, object_pairs_hook=_once, parse_constant=_number)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, " if "\n" in text.strip() else ""
        raise ValueError(f"is no JSON ({where}column {error.colno}: {error.msg})") from None
    except RecursionError:
        raise ValueError("is nested too deep for a row of a table") from None


def _number(word: str) -> float:
    """NaN and the infinities, which Python writes where a cell is missing: as text, a judge would read them."""
    raise ValueError(f"holds {word}, which JSON doesn't know: write null where there is nothing")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object, in which the last of two values of one name would hide the other."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"has {twice!r} twice")
    return found


def _object(value: Any) -> dict[str, Any]:  # noqa: ANN401  # likewise
    if not isinstance(value, dict):
        raise ValueError("should be an object, with a name for each cell")  # noqa: TRY004  # a fault of the file
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        half = ascii(error.object[error.start])
        raise ValueError(f"holds {half}, half of a character, which is no text: write the whole one") from None
    return value


def _cell(value: Any) -> str:  # noqa: ANN401  # whatever JSON holds
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
