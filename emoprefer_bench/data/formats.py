"""Preference files of others, as they are published: their columns and labels become ours, and nothing is guessed.

A file is told by its header. What a label may be is written down here; any other word is left, and is a fault then.
Rows keep their numbers and lines, and their own columns.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from emoprefer_bench.data.csv_files import Cells, Record, Table

OURS = {"name", "a1", "a2"}
GRADE = "grade"  # the column that keeps a graded label as it was
OMNI_LABELS = {"response1": "a1", "response2": "a2", "tie": "same"}
_PATHS = ("audio_path", "video_path", "video", "audio")
_ASKED = ("question",)
_GRADED = re.compile(r"(a1|a2)\s*(>{1,3}|<{1,3}|=)\s*(a1|a2)")


@dataclass(frozen=True, slots=True)
class Format:
    """The columns by which a file is told, and what makes our cells of a record's."""

    name: str
    columns: frozenset[str]
    ours: Callable[[Cells], Cells]


def translated(table: Table) -> Table:
    """The table with our columns, of a file in a format that is known; any other as it is."""
    known = _format(table)
    if known is None:
        return table
    records = [replace(record, cells={**record.cells, **known.ours(record.cells)}) for record in table.records]
    added = dict.fromkeys(name for record in records for name in record.cells if name not in table.columns)
    return replace(table, columns=[*table.columns, *added], records=records)


def read_columns(table: Table) -> frozenset[str]:
    """The columns of a known format that ours are made of; none for any other file."""
    known = _format(table)
    return known.columns.union(_PATHS, _ASKED) if known else frozenset()


def clashes(table: Table) -> Iterator[str]:
    """Tell of clips in two folders that have one name here, by which the file of one would be taken for the other's."""
    first: dict[str, PurePosixPath] = {}
    for record in table.records if _format(table) else ():
        path = PurePosixPath(_path(record.cells))
        above = first.setdefault(path.stem, path)
        if above.parent != path.parent:
            said = f"clip {path.stem!r} is {str(path)!r} here and {str(above)!r} above"
            yield f"{table.path}, {record.place}: {said}; clips go by the name of their file: rename one"


def _format(table: Table) -> Format | None:
    """The format of a table; none where it has the columns of ours, whatever else it keeps."""
    if OURS.issubset(table.columns):
        return None
    return next((form for form in FORMATS if form.columns <= set(table.columns)), None)


def folded(word: str) -> str:
    """A graded label as ours: `a1>>a2` prefers a1, however much; `a1=a2` is `same`; any other word is left as it is."""
    graded = _GRADED.fullmatch(word.strip())
    if not graded or graded[1] == graded[3]:
        return word
    left, sign, right = graded.groups()
    return "same" if sign == "=" else left if sign[0] == ">" else right


def with_grades(table: Table, column: str) -> Table:
    """The table with its labels folded, and the grades in a column of their own, where any label is a grade."""
    if GRADE in table.columns or all(_kept(record, column) for record in table.records):
        return table
    records = [
        replace(record, cells={**record.cells, column: folded(record.cells[column]), GRADE: record.cells[column]})
        for record in table.records
    ]
    return replace(table, columns=[*table.columns, GRADE], records=records)


def _kept(record: Record, column: str) -> bool:
    return folded(record.cells.get(column, "")) == record.cells.get(column, "")


def _clip(cells: Cells) -> str:
    """The clip's name: that of its file, without folder and ending, or else as the column of names has it."""
    return PurePosixPath(_path(cells)).stem or cells.get("name", "")


def _path(cells: Cells) -> str:
    return next((cells[column] for column in _PATHS if cells.get(column)), "")


def _omni(cells: Cells) -> Cells:
    label = cells["criteria_preference"].strip()
    return {
        "name": _clip(cells),
        "a1": cells["response1"],
        "a2": cells["response2"],
        "preference": OMNI_LABELS.get(label, label),
    }


def _chosen(cells: Cells) -> Cells:
    """Which text stands first is the last bit of a digest of both and the clip: a coin that falls the same way ever."""
    chosen, rejected = cells["chosen"], cells["rejected"]
    said = "\0".join((_clip(cells), *sorted((chosen, rejected))))
    first = hashlib.sha256(said.encode(errors="surrogatepass")).digest()[0] % 2 == (chosen < rejected)
    texts = (chosen, rejected) if first else (rejected, chosen)
    asked = cells.get("prompt") or cells.get("question", "")
    return {
        "name": _clip(cells),
        "a1": texts[0],
        "a2": texts[1],
        "preference": "a1" if first else "a2",
        "prompt": asked,
    }


FORMATS = (
    Format("OmniRewardBench", frozenset({"response1", "response2", "criteria_preference"}), _omni),
    Format("chosen and rejected", frozenset({"chosen", "rejected"}), _chosen),
)
COLUMNS = tuple(sorted({column for form in FORMATS for column in form.columns}))
