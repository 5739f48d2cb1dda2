from __future__ import annotations

import csv

import pandas as pd
import pytest

from emoprefer_bench.data.csv_files import Notes
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
    notes = Notes()
    read_rows(path, notes)
    return [fault.removeprefix(f"{path.parent}/") for fault in notes.faults]


def read_well(path, **options):
    """Read a file in which nothing may be wrong."""
    notes = Notes()
    rows = read_rows(path, notes, **options)
    assert notes == Notes([], [])
    return rows


def warnings_of(path, **options):
    """Read a file that has no fault, and give its warnings."""
    notes = Notes()
    read_rows(path, notes, **options)
    assert notes.faults == []
    return notes.warnings


def test_rows_as_they_stand(write):
    """Each row has its number, as people count, the line it stands in, its cells and its label."""
    assert read_well(write(ROWS)) == [
        Row(1, 2, "c1", "sad", "glad", "a1"),
        Row(2, 3, "c1", "calm", "tense", "same"),
        Row(3, 4, "c2", "sad", "glad", "a2"),
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

    read = read_well(write(rows))

    assert [(row.name, row.a1, row.a2) for row in read] == [row[:3] for row in rows]


@pytest.mark.parametrize("terminator", ["\n", "\r\n", "\r"])
def test_line_ends_and_byte_order_mark(write, terminator):
    """Files as Windows, Unix and old Macs write them, with and without a byte order mark, are the same."""
    path = write(ROWS, lineterminator=terminator)
    plain = read_well(path)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())

    assert read_well(path) == plain
    assert len(plain) == 3


def test_columns_may_stand_in_any_order(write):
    """Columns are found by name."""
    path = write([("a1", "glad", "c1", "sad")], header=("preference", "a2", "name", "a1"))

    assert read_well(path) == [Row(1, 2, "c1", "sad", "glad", "a1")]


def test_blank_lines_are_no_rows(write):
    """A blank line, or one of empty cells, is no fault and no row: numbers go on as a person counts the pairs."""
    path = write(ROWS)
    lines = path.read_text().splitlines()
    path.write_text("\n".join(["", lines[0], "", lines[1], lines[2], ",,,", "  ", lines[3], "", ""]))

    rows = read_well(path)

    assert [(row.number, row.line) for row in rows] == [(1, 4), (2, 5), (3, 8)]


@pytest.mark.parametrize(
    ("header", "fault"),
    [
        (("name", "a1", "preference"), "the column a2 is missing; the header has 'name', 'a1', 'preference'"),
        (("Name", "a1", "x"), "the columns name (is it 'Name'?) and a2 are missing; the header has 'Name', 'a1', 'x'"),
        (
            (*HEADER, "model1"),
            "the column model2 is missing; the header has 'name', 'a1', 'a2', 'preference', 'model1'",
        ),
        ((*HEADER, "a1"), "the column 'a1' is there twice"),
        (
            tuple("abcdefghi"),
            "the columns name, a1 and a2 are missing; the header has 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', ...",
        ),
    ],
)
def test_columns_at_fault(write, header, fault):
    """What is missing is told in one sentence, with what may be meant instead; so is a column that is there twice."""
    assert faults_of(write([("x",) * len(header)], header=header)) == [f"p.csv, line 1: {fault}"]


def test_a_header_below_blank_lines_is_found(tmp_path):
    """Its line is told as it is."""
    (tmp_path / "p.csv").write_text("\n\nname,a1\nc,x\n")

    assert faults_of(tmp_path / "p.csv") == ["p.csv, line 3: the column a2 is missing; the header has 'name', 'a1'"]


def test_rows_at_fault_are_told_all_at_once(write):
    """Every fault of every row is told with its row and line: label, empty cells, number of cells."""
    rows = [
        ("c1", "sad", "glad\nand more", "a1"),
        ("c1", "sad", "tense", "A1"),
        ("", " \n", "glad", "a2"),
        ("c2", "sad"),
        ("c3", "one, two", "glad", "a1", "more"),
        ("c4", "sad", "glad", " "),
    ]

    assert sorted(faults_of(write(rows))) == [
        "p.csv, row 2 (line 4): the label is 'A1'; it should be a1, a2 or same, or empty where nobody was asked",
        "p.csv, row 3 (line 5): a1 is empty",
        "p.csv, row 3 (line 5): name is empty",
        "p.csv, row 4 (line 7): ends before a2; a text with a line break needs quotation marks",
        (
            "p.csv, row 5 (line 8): has 5 cells, and the header 4; a cell with a comma in it stands between quotation "
            "marks, without a blank before them"
        ),
        "p.csv, row 6 (line 9): the label is ' '; it should be a1, a2 or same, or empty where nobody was asked",
    ]


def test_a_text_with_an_unquoted_line_break_is_a_fault(tmp_path):
    """Its row is cut in two, wherever the break is, and both ends are never taken for rows in silence."""
    for line in ("c1,sad\rly,glad,a1", "c1,sad,gl\nad,a1", "c1,sad\r\n,glad,a1"):
        (tmp_path / "p.csv").write_text(f"name,a1,a2,preference\n{line}\nc2,x,y,a2\n", newline="")
        assert any("line break" in fault for fault in faults_of(tmp_path / "p.csv")), line


def test_rows_that_end_early_are_told_once(write):
    """A program may leave out cells at the end that would be empty; what they lack is no label and no writer."""
    path = write([(*ROWS[0], "m", "n"), ROWS[1], ROWS[2][:3]], header=NAMED)

    assert warnings_of(path) == [
        "p.csv: 2 rows end before the header does; the cells that they lack count as empty (first: row 2 (line 3))"
    ]
    assert [(row.label, row.model1) for row in read_rows(path, Notes())] == [("a1", "m"), ("same", None), (None, None)]


def test_rows_that_quotation_marks_may_have_fused_are_pointed_at(tmp_path):
    """A mark before one text and one after a text further down make one row of two, by the letter of RFC 4180."""
    path = tmp_path / "p.csv"
    path.write_text('name,a1,a2,preference\nc1,happy,"sad,a1\nc2,calm,angry",a2\nc3,x,"y, z\nso, so",a1\n')

    assert warnings_of(path) == [
        "p.csv, row 1 (line 2): looks like 2 rows that quotation marks hold together; if it is one, nothing is wrong"
    ]
    assert [row.name for row in read_rows(path, Notes())] == ["c1", "c3"]


def test_unknown_columns_are_kept_and_named_once(write):
    """With the known one that is missing and looks like it; a column without a name is called after its place."""
    rows = [("7", *row, "x", "", f"n{place}") for place, row in enumerate(ROWS)]
    path = write(rows, header=("", "name", "a1", "a2", "Preferences", "annotatr", "model_2", "is_swapped"))

    assert warnings_of(path) == [
        (
            "p.csv: columns that mean nothing here are kept with their rows: 'column 1', 'Preferences' (did you mean "
            "preference?), 'annotatr' (did you mean annotator?), 'model_2' (did you mean model2?), 'is_swapped'"
        )
    ]
    read = read_rows(path, Notes())
    assert read[1].fields == {
        "column 1": "7",
        "Preferences": "same",
        "annotatr": "x",
        "model_2": "",
        "is_swapped": "n1",
    }
    assert {(row.label, row.annotator, row.model1) for row in read} == {(None, None, None)}


def test_annotators_and_subsets_have_columns_of_their_own(write):
    """Neither is unknown; an empty cell, or one of blanks, is nobody, and no subset."""
    rows = [(*ROWS[0], "ann", "angry"), (*ROWS[1], "", " "), (*ROWS[2], " ", "")]

    read = read_well(write(rows, header=(*HEADER, "annotator", "subset")))

    assert [(row.annotator, row.subset) for row in read] == [("ann", "angry"), (None, None), (None, None)]
    assert read[0].fields == {"subset": "angry"}


def test_another_column_may_name_the_subsets(write):
    """It is then no unknown one; a file without it says so, and what may be meant."""
    path = write([(*row, part) for row, part in zip(ROWS, "xyx", strict=True)], header=(*HEADER, "emotion"))

    assert [row.subset for row in read_well(path, subset="emotion")] == ["x", "y", "x"]
    assert warnings_of(path, subset="emotoin") == [
        "p.csv: columns that mean nothing here are kept with their rows: 'emotion'",
        "p.csv: no column is called 'emotoin' (is it 'emotion'?), so its rows are in no subset",
    ]
    assert [row.subset for row in read_rows(path, Notes(), "annotator")] == [None] * 3


def test_pairs_may_stand_there_several_times(write):
    """Several people were asked about them: each row is one of its own, also where nothing says who they were."""
    once, other = ROWS[0], (*ROWS[0][:3], "a2")

    read = read_well(write([once, other, ROWS[1]]))
    assert [(row.number, row.label) for row in read] == [(1, "a1"), (2, "a2"), (3, "same")]

    who = [(*once, "ann"), (*once, "ben"), (*other, "ann")]
    read = read_well(write(who, header=(*HEADER, "annotator")))
    assert [(row.label, row.annotator) for row in read] == [("a1", "ann"), ("a1", "ben"), ("a2", "ann")]


@pytest.mark.parametrize("annotator", [(), ("ann",)])
def test_the_same_row_again_is_a_warning(write, annotator):
    """With the same label, and by the same annotator or by nobody in particular: that may be a slip."""
    rows = [(*row, *annotator) for row in (ROWS[0], ROWS[1], ROWS[0], ROWS[0])]
    path = write(rows, header=(*HEADER, "annotator")[: len(rows[0])])

    assert warnings_of(path) == [
        (
            "p.csv: 2 rows repeat an earlier one, with its clip, texts, label and annotator "
            "(first: row 3 (line 4), as row 1 (line 2)); each is counted"
        )
    ]
    assert len(read_rows(path, Notes())) == 4


def test_files_beside_may_have_repeated_pairs(write):
    """The exchanged file has them in the same order; in that of the writers, the order doesn't matter."""
    rows = [ROWS[0], (*ROWS[0][:3], "a2"), ROWS[1], ROWS[0]]
    path = write(rows)
    write([REVERSED[0], (*REVERSED[0][:3], "a1"), REVERSED[1], REVERSED[0]], "p_reverse.csv")
    named = [(*row, f"m{place}", "human") for place, row in enumerate(rows)]
    write([named[2], named[1], named[0], named[3]], "p_with_modelnames.csv", NAMED)
    notes = Notes()

    read = read_rows(path, notes)

    assert notes.faults == []
    assert [(row.label, row.model1) for row in read] == [("a1", "m0"), ("a2", "m1"), ("same", "m2"), ("a1", "m3")]
    write(named[:3], "p_with_modelnames.csv", NAMED)
    assert faults_of(path) == ["p.csv, row 4 (line 5): p_with_modelnames.csv has no such row"]


def test_some_rows_may_have_no_label(write):
    """Nobody was asked about them."""
    read = read_well(write([*ROWS, ("c3", "x", "y", "")]))

    assert [row.label for row in read] == ["a1", "same", "a2", None]


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", ": is empty; its first line should name the columns"),
        (b"name,a1,a2\n", ": has no rows"),
        (b"name,a1,a2\n\n\n", ": has no rows"),
        (b"name;a1;a2\nc;x;y\n", ": the columns are separated by ';'; save the file with commas between them"),
    ],
    ids=["empty", "header alone", "blank lines", "semicolons"],
)
def test_files_at_fault(tmp_path, content, fault):
    """A file that is no table is one sentence; tests of csv_files.py have more of them."""
    path = tmp_path / "p.csv"
    path.write_bytes(content)

    assert faults_of(path) == [f"p.csv{fault}"]


def test_a_missing_file_is_a_fault(tmp_path):
    """A path without a file is told as such."""
    assert "No such file" in faults_of(tmp_path / "p.csv")[0]


@pytest.mark.parametrize("word", ["", "tie"])
def test_the_same_placeholder_in_every_row_means_no_labels(write, word):
    """A candidate file with a placeholder in place of labels is read as if the column weren't there."""
    placeholders = read_well(write([(*row[:3], word) for row in ROWS]))
    without = read_well(write([row[:3] for row in ROWS], header=HEADER[:3]))

    assert placeholders == without
    assert {row.label for row in without} == {None}


def test_a_placeholder_beside_labels_is_a_fault(write):
    """A `tie` among labels is neither taken for `same` nor dropped."""
    found = faults_of(write([*ROWS, ("c3", "x", "y", "tie")]))

    assert found == [
        "p.csv, row 4 (line 5): the label is 'tie'; it should be a1, a2 or same, or empty where nobody was asked"
    ]


def test_any_other_word_in_every_row_is_a_fault(write):
    """A misspelt label in every row is no unlabelled file."""
    assert len(faults_of(write([(*row[:3], "A1") for row in ROWS]))) == 3


def test_writers_from_columns_of_the_file(write):
    """model1 and model2 name the writers; an empty cell is an unknown one."""
    rows = read_well(write([*WITH_NAMES, ("c3", "x", "y", "a1", "", "human")], header=NAMED))

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

    rows = read_well(path)

    assert [row.model1 for row in rows] == ["m0", "m1", "m2"]


def test_a_file_with_model_names_of_other_rows_is_a_fault(write):
    """Rows that only one of the two files has, or that have another label, are named on both sides."""
    path = write(ROWS)
    other = [WITH_NAMES[0], ("c1", "calm", "tense", "a1", "m", "n"), ("c2", "sad", "glad!", "a2", "m", "n")]
    write(other, "p_with_modelnames.csv", NAMED)

    assert faults_of(path) == [
        "p.csv, row 2 (line 3): p_with_modelnames.csv has no such row",
        "p.csv, row 3 (line 4): p_with_modelnames.csv has no such row",
        "p_with_modelnames.csv, row 2 (line 3): p.csv has no such row",
        "p_with_modelnames.csv, row 3 (line 4): p.csv has no such row",
    ]


def test_a_reverse_file_that_is_the_exchanged_rows_is_fine(write):
    """The exchanged file is checked and leaves no trace in the rows."""
    path = write(ROWS)
    alone = read_well(path)
    write(REVERSED, "p_reverse.csv")

    assert read_well(path) == alone


@pytest.mark.parametrize(
    ("reverse", "faults"),
    [
        (ROWS, [1, 2, 3]),
        ([REVERSED[0], (*REVERSED[1][:3], "a1"), REVERSED[2]], [2]),
        ([REVERSED[0], REVERSED[2], REVERSED[1]], [2, 3]),
        ([*REVERSED[:2], ("c9", *REVERSED[2][1:])], [3]),
    ],
    ids=["not exchanged", "label", "order", "name"],
)
def test_a_reverse_file_of_other_rows_is_a_fault(write, reverse, faults):
    """Texts, labels, names and order of the exchanged file are all compared."""
    path = write(ROWS)
    write(reverse, "p_reverse.csv")

    assert faults_of(path) == [
        f"p_reverse.csv, row {row} (line {row + 1}): is not row {row} of p.csv with a1 and a2 exchanged"
        for row in faults
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
    notes = Notes()

    said = read_subtitles(tmp_path, {"n0": "row 1", "n2": "row 2"}, notes)

    assert notes == Notes([], [])
    assert said == {"n0": f"0:{column}", "n2": f"2:{column}"}


def test_subtitles_at_fault(write, tmp_path):
    """A clip without subtitle and a clip with two are named; an empty one means that nobody speaks."""
    write(
        [("n0", "Hello."), ("n1", ""), ("n0", "Hello."), ("n0", "Bye."), ("n9", "x")],
        "subtitles.csv",
        ("name", "subtitle"),
    )
    notes = Notes()

    said = read_subtitles(tmp_path, {"n0": "row 1", "n1": "row 2", "n5": "row 3 (line 4)"}, notes)

    assert said["n1"] == ""
    assert [fault.removeprefix(f"{tmp_path}/") for fault in notes.faults] == [
        "subtitles.csv, row 4 (line 5): another subtitle of clip n0 stands above",
        "subtitles.csv: no subtitle of clip n5, which row 3 (line 4) wants",
    ]


def test_a_subtitle_that_ends_early_is_a_fault_where_it_is_wanted(tmp_path):
    """A line break that no quotation marks hold would cut what is said."""
    (tmp_path / "subtitles.csv").write_text("no,name,subtitle\n1,c1,Hello.\n2,c2\n3,c9\n")
    notes = Notes()

    read_subtitles(tmp_path, {"c1": "row 1", "c2": "row 2"}, notes)

    assert notes.faults == [f"{tmp_path}/subtitles.csv, row 2 (line 3): has no cell for the subtitle of clip c2"]


def test_no_file_of_subtitles_or_several_is_a_fault(write, tmp_path):
    """Which file is meant is never guessed, but `subtitles.csv` is it where it exists."""
    none, several, named = Notes(), Notes(), Notes()
    read_subtitles(tmp_path, {"n": "row 1"}, none)
    for language in ("en", "zh"):
        write([("n", language)], f"subtitle_{language}.csv", ("name", "subtitle"))
    read_subtitles(tmp_path, {"n": "row 1"}, several)
    write([("n", "mine")], "subtitles.csv", ("name", "subtitle"))

    assert read_subtitles(tmp_path, {"n": "row 1"}, named) == {"n": "mine"}
    assert named.faults == []
    assert "there is none" in none.faults[0]
    assert "there is subtitle_en.csv and subtitle_zh.csv" in several.faults[0]


def test_subtitles_without_such_a_column_are_a_fault(write, tmp_path):
    """A file without any known column of text is told."""
    write([("n", "x")], "subtitles.csv", ("name", "Subtitles"))
    notes = Notes()

    assert read_subtitles(tmp_path, {"n": "row 1"}, notes) == {}
    assert notes.faults == [f"{tmp_path}/subtitles.csv, line 1: no column is called subtitle (is it 'Subtitles'?)"]


def test_what_pandas_writes_is_read_back(tmp_path):
    """A frame saved without its index is the same texts again."""
    frame = pd.DataFrame([("c", 'a "quoted"\ntext', "plain", "a2")], columns=list(HEADER))
    frame.to_csv(tmp_path / "p.csv", index=False)

    assert read_well(tmp_path / "p.csv") == [Row(1, 2, "c", 'a "quoted"\ntext', "plain", "a2")]
