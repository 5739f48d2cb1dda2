from __future__ import annotations

import csv
import random
from pathlib import Path

import pandas as pd
import pytest

from emoprefer_bench.data.csv_files import Notes, read_table

KNOWN = ("name", "a1", "a2", "preference")
ROOT = Path(__file__).parents[2]
FILES = ("dataset/demo/preference_demo.csv", "dataset/demo/subtitles.csv", "tests/golden/report.csv")
QUOTED = '"he said ""no"""'
BEGINS = "a cell begins with a quotation mark"
MORE = f"; between the marks around a cell, each mark of its text is doubled: {QUOTED}"


@pytest.fixture
def read(tmp_path):
    """Give a function that reads a file of some bytes or text, without a final fault."""

    def read(content):
        path = tmp_path / "p.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        notes = Notes()
        table = read_table(path, KNOWN, notes)
        return table, [fault.removeprefix(f"{tmp_path}/") for fault in notes.faults], notes.warnings

    return read


def as_pandas(path):
    """The cells as pandas reads them, header first: every cell the text it is, blank lines left out."""
    frame = pd.read_csv(path, header=None, dtype=str, na_filter=False, encoding="utf-8-sig")
    return [list(row) for row in frame.itertuples(index=False, name=None)]


def cells_of(table):
    """All cells, header first."""
    return [table.columns, *(list(record.cells.values()) for record in table.records)]


@pytest.mark.parametrize("file", FILES)
def test_files_are_read_as_pandas_reads_them(file):
    """Cell by cell, to the byte."""
    expected = as_pandas(ROOT / file)
    notes = Notes()
    table = read_table(ROOT / file, tuple(expected[0]), notes)
    assert notes == Notes([], [])
    assert cells_of(table) == expected
    assert len(expected) > 20


@pytest.mark.parametrize("quoted", ['",\r\n', ""], ids=["where needed", "always"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("seed", range(5))
def test_whatever_rfc_4180_allows_is_read_as_pandas_reads_it(read, tmp_path, quoted, end, seed):
    """Quotes, commas, line ends of all kinds, tabs, blanks and other scripts, anywhere in a cell."""
    draw = random.Random(seed)  # noqa: S311  # no secret
    letters = ['"', ",", "\n", "\r\n", "\r", "\t", " ", ";", "'", ":", "x", "é", "微", "🙂", "\u2028", "\x0b", "\\"]
    rows = [["".join(draw.choices(letters, k=draw.randint(0, 9))) for _ in KNOWN] for _ in range(200)]
    rows = [list(KNOWN), *([*row[:3], "a1"] for row in rows)]

    def written(cell):
        plain = quoted and not set(cell) & set(quoted)
        return cell if plain else '"' + cell.replace('"', '""') + '"'

    table, faults, warnings = read("".join(",".join(map(written, row)) + end for row in rows))
    assert (faults, warnings) == ([], [])
    assert cells_of(table) == as_pandas(tmp_path / "p.csv") == rows


def test_a_quotation_mark_inside_a_cell_without_them_is_text(read):
    """Nothing is ambiguous about it."""
    table, faults, _ = read('name,a1,a2\nc1,he said "no" at 5\'11",x ""y""\n')
    assert faults == []
    assert cells_of(table)[1] == ["c1", 'he said "no" at 5\'11"', 'x ""y""']


def test_a_cell_may_be_of_any_length(read):
    """Also longer than csv allows by default, whose limit stays as it was for everybody else."""
    before = csv.field_size_limit()
    table, faults, _ = read(f'name,a1,a2\nc1,"{"long, " * 200_000}",x\n')
    assert faults == []
    assert len(table.records[0].cells["a1"]) == 1_200_000
    assert csv.field_size_limit() == before == 131_072


@pytest.mark.parametrize(
    ("rows", "faults"),
    [
        (
            'c1,happy,"sad and low,a1\nc2,calm,angry,a2\nc3,glad,"mad",a1\nc5,x,y,a2\n',
            [f"row 1 (line 2): {BEGINS}, and more follows the mark that closes it in line 4{MORE}"],
        ),
        (
            'c1,"sad" and low,x,a1\n',
            [f"row 1 (line 2): a cell begins with a quotation mark, and more follows the mark that closes it{MORE}"],
        ),
        ('c1,x,y,a1\nc2,"sad,x,a1\n', ["row 2 (line 3): a cell begins with a quotation mark that nothing closes"]),
    ],
    ids=["fused rows", "more after the mark", "never closed"],
)
def test_bad_quoting_is_a_fault_and_fuses_no_rows(read, rows, faults):
    """It says where the row begins, also where the trouble shows only lines later."""
    table, found, _ = read(f"name,a1,a2,preference\n{rows}")
    assert table is None
    assert found == [f"p.csv, {fault}" for fault in faults]


def test_every_row_with_bad_quoting_is_told(read):
    """Whoever mends one needn't run again to hear of the next; a header may have it too."""
    _, found, _ = read('name,a1,a2\nc1,"a" b,x\nc2,"a ""b""",x\nc3,x,"a" b\nc4,"open\n')
    assert [fault.partition(": ")[0] for fault in found] == [
        "p.csv, row 1 (line 2)",
        "p.csv, row 3 (line 4)",
        "p.csv, row 4 (line 5)",
    ]
    assert read('name,"a1"x,a2\nc1,x,y\n')[1][0].startswith("p.csv, the header (line 1): a cell begins with")


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"name,a1,a2\nc,x,y\nc,caf\xe9,x\n", ", line 3: is not UTF-8 (byte 0xe9); save it as UTF-8"),
        ("name,a1,a2\r\nc,平静,你好\r\n".encode("gbk"), ", line 2: is not UTF-8 (byte 0xbe); save it as UTF-8"),
        (b"\xef\xbb\xbfname,a1,a2\rc,caf\xe9,x\r", ", line 2: is not UTF-8 (byte 0xe9); save it as UTF-8"),
        ("name,a1,a2\nc,x,y\n".encode("utf-16"), ": is in UTF-16; save it as UTF-8"),
        ("name,a1,a2\nc,x,y\n".encode("utf-16-be"), ", line 1: holds a NUL character, as a file in UTF-16 does"),
        (b"name,a1,a2\nc,x\0z,y\n", ", line 2: holds a NUL character, as a file in UTF-16 does; save it as UTF-8"),
        (b"name;a1;a2\nc;x, z;y\n", ": the columns are separated by ';'; save the file with commas between them"),
        (b'"name";"a1"\n"c";"x, z"\n', ": the columns are separated by ';'; save the file with commas between them"),
        (b"\xef\xbb\xbfname\ta1\ta2\r\nc\tx\ty\r\n", ": the columns are separated by tabs; save the file"),
        (b"name|a1|a2\nc|x|y\n", ": the columns are separated by '|'; save the file with commas between them"),
        (b"", ": is empty; its first line should name the columns"),
        (b"\r\n\n", ": is empty; its first line should name the columns"),
        (b"name,a1,a2\n", ": has no rows"),
        (b"\nname,a1,a1\nx,y,z\n", ", line 2: the column 'a1' is there twice"),
        (b"name,a1\nc,x" + b"," * 100 + b"z\n", ", row 1 (line 2): has 102 cells, and the header 2; a cell"),
        (b'name,a1,a2\nc, "x, z",y\n', ", row 1 (line 2): has 4 cells, and the header 3; a cell with a comma"),
    ],
)
def test_files_that_can_not_be_understood(read, content, fault):
    """Each is one sentence, with the line where there is one."""
    _, found, warnings = read(content)
    assert (len(found), warnings) == (1, [])
    assert found[0].startswith(f"p.csv{fault}")


def test_empty_columns_at_the_end_are_left_out(read):
    """Excel writes them for columns that were used once."""
    table, faults, warnings = read("name,a1,a2,,\nc,x,y,,\nd,x,y,,\n")
    assert faults == []
    assert cells_of(table) == [["name", "a1", "a2"], ["c", "x", "y"], ["d", "x", "y"]]
    assert warnings == ["p.csv: 2 empty columns without a name, as trailing commas make them, left out"]


def test_a_column_without_a_name_is_called_after_its_place(read):
    """Pandas writes its index so."""
    table, faults, warnings = read(",name,a1\n0,c,x\n1,d,y\n")
    assert (faults, warnings) == ([], [])
    assert table.records[1].cells == {"column 1": "1", "name": "d", "a1": "y"}


def test_rows_and_lines_are_counted_apart(read):
    """A row begins in a line; blank lines, lone carriage returns and cells of several lines are lines of an editor."""
    table, _, _ = read('name,a1\n\nc,"x\ny\r\nz"\r,,\rd,x,\ne\n')
    assert [(record.number, record.line, record.missing) for record in table.records] == [
        (1, 3, ()),
        (2, 7, ()),
        (3, 8, ("a1",)),
    ]
    assert table.records[1].place == "row 2 (line 7)"


def test_a_file_that_is_not_there_is_a_fault(tmp_path):
    """And so is a folder."""
    notes = Notes()
    assert read_table(tmp_path / "gone.csv", KNOWN, notes) is None
    assert read_table(tmp_path, KNOWN, notes) is None
    assert notes.faults == [
        f"{tmp_path}/gone.csv: can't be read: No such file or directory",
        f"{tmp_path}: can't be read: Is a directory",
    ]
