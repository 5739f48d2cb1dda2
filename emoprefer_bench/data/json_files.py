"""Tables in JSON: a list of objects, or an object a line, as data sets of the hub are often kept."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from emoprefer_bench.data.csv_files import Notes, Record, Table

if TYPE_CHECKING:
    from pathlib import Path

ENDINGS = (".json", ".jsonl")


def read_table(path: Path, notes: Notes) -> Table | None:
    """Read a file; None, with a fault, where it can't be understood. A row's `line` is its number in a `.json`.

    Text stays as it is, null is an empty cell, and numbers are as JSON writes them; what is nested is JSON again.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        lines = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
        rows = (
            [(number, json.loads(line)) for number, line in lines]
            if path.suffix == ".jsonl"
            else list(enumerate(json.loads(text), 1))
        )
        cells = [(line, {str(name): _cell(value) for name, value in row.items()}) for line, row in rows]
    except OSError as error:
        notes.faults.append(f"{path}: can't be read: {error.strerror}")
        return None
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        notes.faults.append(f"{path}: should be objects in JSON, a list of them or one a line ({error})")
        return None
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


def _cell(value: Any) -> str:  # noqa: ANN401  # whatever JSON holds
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
