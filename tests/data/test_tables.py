from __future__ import annotations

import csv

import pandas as pd
import pytest

from emoprefer_bench.data.tables import Row, read_rows, read_subtitles

HEADER = ("name", "a1", "a2", "preference")
NAMED = (*HEADER, "model1", "model2")
ROWS = [("c1", "sad", "glad", "a1"), ("c1", "calm", "tense", "same"), ("c2", "sad", "glad", "a2")]
REVERSED = [("c1", "glad", "sad", "a2"), ("c1", "tense", "calm", "same"), ("c2", "glad", "sad", "a1")]
WITH_NAMES = [(*row, f"m{number}", "human") for number, row in enumerate(ROWS)]


@pytest.fixture
def write(tmp_path):
    """Give a function that writes a CSV file."""

    def write(rows, name="p.csv", header=HEADER, **options):
        path = tmp_path / name
        with path.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file, **options).writerows([header, *rows])
        return path

    return write


def faults_of(path):
    """Give the faults without the folder they lie in."""
    faults = []
    read_rows(path, faults)
    return [fault.removeprefix(f"{path.parent}/") for fault in faults]


def test_rows_as_they_stand(write):
    """Each row keeps its number in the spreadsheet, its cells and its label."""
    faults = []

    rows = read_rows(write(ROWS), faults)

    assert faults == []
    assert rows == [
        Row(2, "c1", "sad", "glad", "a1"),
        Row(3, "c1", "calm", "tense", "same"),
        Row(4, "c2", "sad", "glad", "a2"),
    ]


def test_texts_are_kept_to_the_byte(write):
    """Quotes, commas, newlines of every kind, tabs, outer blanks, other scripts and words for nothing all survive."""
    texts = [
        'he says: "no, ""never"""',
        "one\r\ntwo\nthree\rfour",
        "\ttabs\t and  runs  ",
        "微笑 é 🙂 \u2028 \ufeff",
        "NA",
        "nan",
        "None",
        "0001",
        "=1+1",
        "{a1} %s \\n",
        "x" * 200_000,
    ]
    rows = [(f"00{n}", text, text[::-1], "a1") for n, text in enumerate(texts)]
    faults = []

    read = read_rows(write(rows), faults)

    assert faults == []
    assert [(row.name, row.a1, row.a2) for row in read] == [row[:3] for row in rows]


@pytest.mark.parametrize("terminator", ["\n", "\r\n"])
def test_line_ends_and_byte_order_mark(write, terminator):
    """Files as Windows and Unix write them, with and without a byte order mark, are the same."""
    path = write(ROWS, lineterminator=terminator)
    plain = read_rows(path, [])
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())

    assert read_rows(path, []) == plain
    assert len(plain) == 3


def test_columns_may_stand_in_any_order(write):
    """Columns are found by name."""
    path = write([("a1", "glad", "c1", "sad")], header=("preference", "a2", "name", "a1"))

    assert read_rows(path, []) == [Row(2, "c1", "sad", "glad", "a1")]


def test_blank_lines_are_no_rows_but_count(write):
    """A blank line, also the last one, is no fault, and row numbers stay those of the spreadsheet."""
    path = write(ROWS)
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], "", lines[1], lines[2], "", "", lines[3], "", ""]))
    faults = []

    rows = read_rows(path, faults)

    assert faults == []
    assert [row.number for row in rows] == [3, 4, 7]


@pytest.mark.parametrize(
    ("header", "faults"),
    [
        (("name", "a1", "preference"), ["p.csv, row 1: the column a2 is missing"]),
        (("Name", "a1", "a2"), ["p.csv, row 1: the column name is missing", "'Name' means nothing here"]),
        ((*HEADER, "note"), ["p.csv, row 1: the column 'note' means nothing here: remove it"]),
        (("", *HEADER), ["p.csv, row 1: the column '' means nothing here"]),
        ((*HEADER, "model1"), ["p.csv, row 1: the column model2 is missing"]),
        ((*HEADER, "a1"), ["p.csv, row 1: the column 'a1' is there twice"]),
    ],
)
def test_columns_at_fault(write, header, faults):
    """Missing, unknown and repeated columns are named."""
    found = faults_of(write([("x",) * len(header)], header=header))

    assert all(any(fault in one for one in found) for fault in faults)
    assert all("row 1:" in one or "the label" in one for one in found)


def test_rows_at_fault_are_told_all_at_once(write):
    """Every fault of every row is told with its row: label, empty cells, repetition, number of cells."""
    rows = [
        ("c1", "sad", "glad", "a1"),
        ("c1", "sad", "tense", "A1"),
        ("c1", "sad", "glad", "a2"),
        ("", " \n", "glad", "a2"),
        ("c2", "sad"),
        ("c3", "one, two", "glad", "a1", "more"),
        ("c4", "sad", "glad", ""),
    ]

    found = faults_of(write(rows))

    assert sorted(found) == [
        "p.csv, row 3: the label is 'A1'; it should be a1, a2 or same, or empty in every row",
        "p.csv, row 4: the same clip and texts as row 2: remove one of them",
        "p.csv, row 5: a1 is empty",
        "p.csv, row 5: name is empty",
        "p.csv, row 6: a2 is empty",
        "p.csv, row 6: the label is ''; it should be a1, a2 or same, or empty in every row",
        "p.csv, row 7: has more cells than the header: a text with commas needs quotes",
        "p.csv, row 8: the label is ''; it should be a1, a2 or same, or empty in every row",
    ]


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "is no CSV file in UTF-8 that can be read: No columns"),
        (b"name,a1,a2\nc,caf\xe9,x\n", "is no CSV file in UTF-8 that can be read: 'utf-8' codec can't decode"),
        (b'name,a1,a2\nc,"open,x\n', "is no CSV file in UTF-8 that can be read"),
        (b'name,a1,a2\nc,x,y\nd,"open,x\nmore,x,y\n', "is no CSV file in UTF-8 that can be read"),
        (b"name,a1,a2\nc,x,y" + b"," * 100 + b"\n", "Expected 35 fields in line 2, saw 103"),
        (b"name,a1,a2\n", "has no rows"),
        (b"name,a1,a2\n\n\n", "has no rows"),
        (b"name;a1;a2\nc;x;y\n", "the column name is missing"),
    ],
    ids=[
        "empty",
        "latin-1",
        "open quote",
        "open quote later",
        "endless row",
        "header alone",
        "blank lines",
        "semicolons",
    ],
)
def test_files_at_fault(tmp_path, content, fault):
    """A file that can't be understood is one sentence, not a traceback."""
    path = tmp_path / "p.csv"
    path.write_bytes(content)

    found = faults_of(path)

    assert found
    assert found[0].startswith("p.csv")
    assert any(fault in one for one in found)


def test_a_missing_file_is_a_fault(tmp_path):
    """A path without a file is told as such."""
    assert "No such file" in faults_of(tmp_path / "p.csv")[0]


@pytest.mark.parametrize("word", ["", "tie"])
def test_the_same_placeholder_in_every_row_means_no_labels(write, word):
    """A candidate file with a placeholder in place of labels is read as if the column weren't there."""
    placeholders = read_rows(write([(*row[:3], word) for row in ROWS]), [])
    without = read_rows(write([row[:3] for row in ROWS], header=HEADER[:3]), [])

    assert placeholders == without
    assert {row.label for row in without} == {None}


def test_a_placeholder_beside_labels_is_a_fault(write):
    """A `tie` among labels is neither taken for `same` nor dropped."""
    found = faults_of(write([*ROWS, ("c3", "x", "y", "tie")]))

    assert found == ["p.csv, row 5: the label is 'tie'; it should be a1, a2 or same, or empty in every row"]


def test_any_other_word_in_every_row_is_a_fault(write):
    """A misspelt label in every row is no unlabelled file."""
    assert len(faults_of(write([(*row[:3], "A1") for row in ROWS]))) == 3


def test_writers_from_columns_of_the_file(write):
    """model1 and model2 name the writers; an empty cell is an unknown one."""
    rows = read_rows(write([*WITH_NAMES, ("c3", "x", "y", "a1", "", "human")], header=NAMED), [])

    assert [(row.model1, row.model2) for row in rows] == [
        ("m0", "human"),
        ("m1", "human"),
        ("m2", "human"),
        (None, "human"),
    ]


def test_writers_from_the_file_beside(write):
    """The file with model names gives the writers, in whatever order it has the rows."""
    path = write(ROWS)
    write(reversed(WITH_NAMES), "p_with_modelnames.csv", NAMED)
    faults = []

    rows = read_rows(path, faults)

    assert faults == []
    assert [row.model1 for row in rows] == ["m0", "m1", "m2"]


def test_a_file_with_model_names_of_other_rows_is_a_fault(write):
    """Rows that only one of the two files has, or that have another label, are named on both sides."""
    path = write(ROWS)
    other = [WITH_NAMES[0], ("c1", "calm", "tense", "a1", "m", "n"), ("c2", "sad", "glad!", "a2", "m", "n")]
    write(other, "p_with_modelnames.csv", NAMED)

    assert faults_of(path) == [
        "p.csv, row 3: p_with_modelnames.csv has no such row",
        "p.csv, row 4: p_with_modelnames.csv has no such row",
        "p_with_modelnames.csv, row 4: p.csv has no such row",
    ]


def test_a_reverse_file_that_is_the_exchanged_rows_is_fine(write):
    """The exchanged file is checked and leaves no trace in the rows."""
    path = write(ROWS)
    alone = read_rows(path, [])
    write(REVERSED, "p_reverse.csv")
    faults = []

    assert read_rows(path, faults) == alone
    assert faults == []


@pytest.mark.parametrize(
    ("reverse", "faults"),
    [
        (ROWS, [2, 3, 4]),
        ([REVERSED[0], (*REVERSED[1][:3], "a1"), REVERSED[2]], [3]),
        ([REVERSED[0], REVERSED[2], REVERSED[1]], [3, 4]),
        ([*REVERSED[:2], ("c9", *REVERSED[2][1:])], [4]),
    ],
    ids=["not exchanged", "label", "order", "name"],
)
def test_a_reverse_file_of_other_rows_is_a_fault(write, reverse, faults):
    """Texts, labels, names and order of the exchanged file are all compared."""
    path = write(ROWS)
    write(reverse, "p_reverse.csv")

    assert faults_of(path) == [
        f"p_reverse.csv, row {row}: is not row {row} of p.csv with a1 and a2 exchanged" for row in faults
    ]


def test_a_shorter_reverse_file_is_a_fault(write):
    """Rows that are missing at the end don't go unnoticed."""
    path = write(ROWS)
    write(REVERSED[:2], "p_reverse.csv")

    assert faults_of(path) == ["p_reverse.csv: has 2 rows, but p.csv has 3"]


@pytest.mark.parametrize(
    ("file", "header", "column"),
    [
        ("subtitles.csv", ("name", "subtitle"), 1),
        ("subtitle_chieng.csv", ("name", "chinese", "english"), 2),
        ("subtitle_chieng.csv", ("", "chinese"), 1),
        ("subtitles.csv", ("english", "name", "subtitle"), 2),
    ],
)
def test_subtitles(write, tmp_path, file, header, column):
    """Subtitles come from the column of that name, or else from English, or else from Chinese."""
    names = header.index("name") if "name" in header else 0
    rows = [tuple(f"n{row}" if cell == names else f"{row}:{cell}" for cell in range(len(header))) for row in range(3)]
    write(rows, file, header)
    faults = []

    said = read_subtitles(tmp_path, {"n0": 2, "n2": 3}, faults)

    assert faults == []
    assert said == {"n0": f"0:{column}", "n2": f"2:{column}"}


def test_subtitles_at_fault(write, tmp_path):
    """A clip without subtitle and a clip with two are named; an empty one means that nobody speaks."""
    write(
        [("n0", "Hello."), ("n1", ""), ("n0", "Hello."), ("n0", "Bye."), ("n9", "x")],
        "subtitles.csv",
        ("name", "subtitle"),
    )
    faults = []

    said = read_subtitles(tmp_path, {"n0": 2, "n1": 3, "n5": 4}, faults)

    assert said["n1"] == ""
    assert [fault.removeprefix(f"{tmp_path}/") for fault in faults] == [
        "subtitles.csv, row 5: another subtitle of clip n0 stands above",
        "subtitles.csv: no subtitle of clip n5, which row 4 wants",
    ]


def test_no_file_of_subtitles_or_several_is_a_fault(write, tmp_path):
    """Which file is meant is never guessed, but `subtitles.csv` is it where it exists."""
    none, several, named = [], [], []
    read_subtitles(tmp_path, {"n": 2}, none)
    for language in ("en", "zh"):
        write([("n", language)], f"subtitle_{language}.csv", ("name", "subtitle"))
    read_subtitles(tmp_path, {"n": 2}, several)
    write([("n", "mine")], "subtitles.csv", ("name", "subtitle"))

    assert read_subtitles(tmp_path, {"n": 2}, named) == {"n": "mine"}
    assert named == []
    assert "there is none" in none[0]
    assert "there is subtitle_en.csv and subtitle_zh.csv" in several[0]


def test_subtitles_without_such_a_column_are_a_fault(write, tmp_path):
    """A file without any known column of text is told."""
    write([("n", "x")], "subtitles.csv", ("name", "text"))
    faults = []

    assert read_subtitles(tmp_path, {"n": 2}, faults) == {}
    assert faults == [f"{tmp_path}/subtitles.csv, row 1: no column is called subtitle"]


def test_what_pandas_writes_is_read_back(tmp_path):
    """A frame saved without its index is the same texts again."""
    frame = pd.DataFrame([("c", 'a "quoted"\ntext', "plain", "a2")], columns=list(HEADER))
    frame.to_csv(tmp_path / "p.csv", index=False)

    assert read_rows(tmp_path / "p.csv", []) == [Row(2, "c", 'a "quoted"\ntext', "plain", "a2")]
