"""Files in the formats of others, and what of them reaches judges: columns, labels, questions, wordings."""

from __future__ import annotations

import json

import pytest

from emoprefer_bench import prompts
from emoprefer_bench.data.csv_files import Notes
from emoprefer_bench.data.datasets import DatasetError, Source, read
from emoprefer_bench.data.formats import folded
from emoprefer_bench.data.tables import read_rows
from emoprefer_bench.scoring.ceiling import votes_of

OMNI = [
    {
        "prompt": "What does the speaker feel?",
        "response1": "She is glad.",
        "response2": "She is sad,\nand tired.",
        "model1": "one",
        "model2": "two",
        "criteria": criterion,
        "criteria_preference": label,
        "id": f"ta2t_{number}",
        "audio_path": f"media_data/audio/clip {number // 2}.wav",
    }
    for number, (criterion, label) in enumerate(
        [("Brevity.", "response1"), ("Detail.", "response2"), ("Truth.", "tie"), (None, "response1")]
    )
]


def rows_of(path):
    """The rows of a file in which nothing may be wrong."""
    notes = Notes()
    rows = read_rows(path, notes)
    assert notes.faults == []
    return rows


@pytest.mark.parametrize("ending", ["json", "jsonl"])
def test_audio_rows_of_omnirewardbench(tmp_path, ending):
    """Clips are named by their files; questions, criteria and writers stay, and a tie is `same`."""
    path = tmp_path / f"omni.{ending}"
    path.write_text(json.dumps(OMNI) if ending == "json" else "\n".join(map(json.dumps, OMNI)))
    rows = rows_of(path)
    assert [row.name for row in rows] == ["clip 0", "clip 0", "clip 1", "clip 1"]
    assert [row.label for row in rows] == ["a1", "a2", "same", "a1"]
    assert {(row.a1, row.a2) for row in rows} == {("She is glad.", "She is sad,\nand tired.")}
    assert [row.criterion for row in rows] == ["Brevity.", "Detail.", "Truth.", None]
    assert {(row.question, row.model1, row.model2) for row in rows} == {("What does the speaker feel?", "one", "two")}
    assert rows[2].fields["id"] == "ta2t_2"


def test_video_rows_of_omnirewardbench(tmp_path):
    """Its evaluation code finds the clip in `video` (`text_video_to_text` in evaluation_experiments/run_exp.py)."""
    path = tmp_path / "text_video_to_text_preferences.json"
    record = {
        "prompt": "What happens at the end?",
        "response1": "He smiles.",
        "response2": "He leaves.",
        "criteria": "Being true to the video.",
        "criteria_preference": "response2",
        "video": "video/v 1.mp4",
    }
    path.write_text(json.dumps([record, {**record, "criteria_preference": "tie"}], indent=4))
    first, second = rows_of(path)
    assert (first.name, first.a1, first.a2, first.label) == ("v 1", "He smiles.", "He leaves.", "a2")
    assert (first.question, first.criterion) == (record["prompt"], record["criteria"])
    assert second.label == "same"


def test_what_is_read_is_not_said_to_mean_nothing(tmp_path):
    """Columns of a known format are no unknown ones; others of its rows are named."""
    path, notes = tmp_path / "omni.json", Notes()
    path.write_text(json.dumps(OMNI[:1]))
    read_rows(path, notes)
    assert all(name not in warning for warning in notes.warnings for name in ("response1", "audio_path", "criteria"))
    assert any("'id'" in warning for warning in notes.warnings)


def test_a_label_that_is_none_of_a_format_is_a_fault(tmp_path):
    """Nothing is guessed."""
    path = tmp_path / "omni.json"
    path.write_text(json.dumps([{**OMNI[0], "criteria_preference": "both"}]))
    notes = Notes()
    read_rows(path, notes)
    (fault,) = notes.faults
    assert "the label is 'both'" in fault


def test_chosen_and_rejected_stand_in_either_place(tmp_path):
    """Whichever stands first is told by a coin that falls the same way in every run, and that no judge can know."""
    path = tmp_path / "video.jsonl"
    numbers = range(200)
    rows = [
        {"video": f"videos/v{n}.mp4", "question": "Why?", "chosen": f"right {n}", "rejected": f"wrong {n}"}
        for n in numbers
    ]
    path.write_text("\n".join(map(json.dumps, rows)))
    read_now, read_again = rows_of(path), rows_of(path)
    assert read_now == read_again
    assert all((row.a1 if row.label == "a1" else row.a2) == f"right {row.number - 1}" for row in read_now)
    assert 75 < sum(row.label == "a1" for row in read_now) < 125
    assert {row.question for row in read_now} == {"Why?"}
    other = [{**row, "chosen": row["rejected"], "rejected": row["chosen"]} for row in rows]
    path.write_text("\n".join(map(json.dumps, other)))
    assert [(row.a1, row.a2) for row in rows_of(path)] == [(row.a1, row.a2) for row in read_now]


@pytest.mark.parametrize(
    ("word", "label"),
    [
        *(("a1>a2", "a1"), ("a1>>a2", "a1"), ("a1 >>> a2", "a1"), ("a2>a1", "a2"), ("a1<<a2", "a2"), ("a1=a2", "same")),
        *(("a1", "a1"), ("same", "same"), ("", ""), ("a1>a1", "a1>a1"), ("a1>>>>a2", "a1>>>>a2"), ("4", "4")),
    ],
)
def test_grades_are_folded_by_which_text_is_preferred(word, label):
    """However much; what is no grade is left, and a fault if it is no label."""
    assert folded(word) == label


def test_pairs_of_controlled_errors_are_parted_by_their_kind(tmp_path):
    """As EAPO-EmoPrefer's file has them (docs/reading.md); what else it says stays with the rows."""
    path, notes = tmp_path / "pairs.csv", Notes()
    path.write_text(
        "name,a1,a2,preference,wrong_type,source_name,is_swapped\n"
        'sample_1,"He is glad, and says so.",He is sad.,a1,flip,sample_1,False\n'
        'sample_1_swap,He is glad.,"He is glad, and smiles.",a2,omission,sample_1,True\n'
    )
    rows = read_rows(path, notes, "wrong_type")
    assert notes.faults == []
    assert [(row.name, row.label, row.subset) for row in rows] == [
        ("sample_1", "a1", "flip"),
        ("sample_1_swap", "a2", "omission"),
    ]
    assert [row.fields["is_swapped"] for row in rows] == ["False", "True"]
    assert "'source_name'" in notes.warnings[0]
    assert "wrong_type" not in notes.warnings[0]


def test_a_grade_is_kept_with_its_row(tmp_path):
    """So that scores can be parted by it."""
    path = tmp_path / "p.csv"
    path.write_text("name,a1,a2,preference\nc,x,y,a1>>a2\nc,x,z,a1\nd,x,y,a2=a1\n")
    notes = Notes()
    rows = read_rows(path, notes, "grade")
    assert [(row.label, row.subset) for row in rows] == [("a1", "a1>>a2"), ("a1", "a1"), ("same", "a2=a1")]
    assert notes.faults == notes.warnings == []


GOOD = '{"name": "c", "a1": "x", "a2": "y", "preference": "a1"}'


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"name": "c", "a1', "is no JSON (column 15: Unterminated string starting at)"),
        ("[1, 2]", "should be an object, with a name for each cell"),
        ("null", "should be an object, with a name for each cell"),
        ('{"name": "c", "a1": "x", "a1": "z", "a2": "y"}', "has 'a1' twice"),
        (
            '{"name": "c", "a1": "x", "a2": NaN}',
            "holds NaN, which JSON doesn't know: write null where there is nothing",
        ),
        (
            r'{"name": "c", "a1": "x \ud83d", "a2": "y"}',
            r"holds '\ud83d', half of a character, which is no text: write the whole one",
        ),
        ("[" * 100_000, "is nested too deep for a row of a table"),
    ],
)
def test_a_broken_line_of_json_is_named_and_fuses_nothing(tmp_path, line, said):
    """Each with its line, and no row is read past it."""
    path, notes = tmp_path / "p.jsonl", Notes()
    path.write_text(f"{GOOD}\n\n{line}\n{GOOD}\n{line}\n")
    assert read_rows(path, notes) == []
    assert notes.faults == [f"{path}, line 3: {said}", f"{path}, line 5: {said}"]


def test_json_is_told_by_its_ending_in_any_letter_case(tmp_path):
    """As clips are."""
    path = tmp_path / "P.JSONL"
    path.write_text(f"{GOOD}\n{GOOD}\n")
    assert len(rows_of(path)) == 2


def test_a_file_with_our_columns_is_read_by_them(tmp_path):
    """Columns of another format beside them, as a file that was made from such has them, change nothing."""
    path = tmp_path / "p.csv"
    path.write_text("name,a1,a2,preference,video,chosen,rejected\nc,x,y,a2,d.mp4,p,q\n")
    (row,) = rows_of(path)
    assert (*row.content, row.label) == ("c", "x", "y", "a2")


def test_clips_of_others_may_be_named_in_a_column(tmp_path):
    """Where there is no path."""
    path, notes = tmp_path / "p.csv", Notes()
    path.write_text("name,chosen,rejected\nc,x,y\n")
    (row,) = read_rows(path, notes)
    assert (row.name, {row.a1, row.a2}) == ("c", {"x", "y"})
    assert (notes.faults, notes.warnings) == ([], [])


def test_files_of_one_name_in_two_folders_are_a_fault(tmp_path):
    """One of them would be shown for the other; the same file in many rows, or with two endings, is fine."""
    path, notes = tmp_path / "p.csv", Notes()
    path.write_text("video,chosen,rejected\na/c.mp4,x,y\na/c.mp4,x,z\na/c.mov,p,q\nb/c.mp4,x,y\n")
    read_rows(path, notes)
    (fault,) = notes.faults
    assert fault.startswith(f"{path}, row 4 (line 5): clip 'c' is 'b/c.mp4' here and 'a/c.mp4' above; ")


def test_a_broken_list_of_json_is_named(tmp_path):
    """By its line as an editor counts, or by the row."""
    path = tmp_path / "p.json"
    for text, said in (
        (f"[{GOOD},\n{GOOD},\n{{]", "p.json: is no JSON (line 3, column 2:"),
        (f"[{GOOD}, 7]", "p.json, row 2: should be an object"),
        (GOOD, "p.json: should be a list of objects in JSON; one a line belongs in a .jsonl"),
    ):
        path.write_text(text)
        notes = Notes()
        assert read_rows(path, notes) == []
        assert len(notes.faults) == 1
        assert said in notes.faults[0]
    path.write_bytes(GOOD.encode("utf-16"))
    read_rows(path, notes := Notes())
    assert "is not UTF-8" in notes.faults[0]


@pytest.mark.parametrize("text", ["{", "[1, 2]", '{"name": "c"}', "[]"])
def test_json_that_is_no_table_is_a_fault(tmp_path, text):
    """One sentence with the file."""
    path = tmp_path / "p.json"
    path.write_text(text)
    notes = Notes()
    read_rows(path, notes)
    assert str(path) in notes.faults[0]


def test_a_data_set_names_its_own_wording(tmp_path):
    """`<stem>_prompts.toml` beside it; one that can't be used is a fault of the data set."""
    path, own = tmp_path / "p.csv", tmp_path / "p_prompts.toml"
    path.write_text("name,a1,a2,preference,prompt\nc,x,y,a1,Why?\n")
    source = Source("toy", path)

    def dataset():
        return read(source, sound=False, picture=False, subtitles=False)

    assert dataset().pack is None
    assert dataset().asks
    own.write_text(prompts.DEFAULT.read_text().replace('name = "default"', 'name = "mine"'))
    assert dataset().described()["prompts"]["name"] == "mine"
    own.write_text("name = 'broken'")
    with pytest.raises(DatasetError, match=r"p_prompts\.toml: the prompt pack has no 'compare'"):
        dataset()


def test_a_question_is_part_of_what_a_row_is(tmp_path):
    """Rows about the same texts by two criteria are two things: other digests, no repetition, no two labels of one."""
    path = tmp_path / "p.csv"
    path.write_text("name,a1,a2,preference,prompt,criteria\nc,x,y,a1,Why?,one\nc,x,y,a1,Why?,two\n")
    dataset = read(Source("toy", path), sound=False, picture=False, subtitles=False)
    first, second = dataset.described()["row_digests"]
    assert first != second
    assert dataset.warnings == ()
    assert votes_of(dataset.pairs) == []


CONFTEST = """
import pathlib, emoprefer_bench

HERE = pathlib.Path(__file__).parent

def say(question):
    with (HERE / "prompts.txt").open("a") as file:
        file.write(question.prompt + chr(10) * 3)
    return "a1"

@emoprefer_bench.model(gpus=0, modality="text", prompts=("S1", "S2", "S3"), llm="judge")
def judge(gpus):
    return emoprefer_bench.function(say, name="judge")
"""


def test_a_run_asks_what_rows_ask(bench):
    """Every question has the row's own and its criterion; data sets without any are asked as ever, in the same run."""
    bench.pytester.makeconftest(CONFTEST)
    rows = "name,a1,a2,preference,prompt,criteria\nc,x,y,a1,Why {a1}?,By truth.\nd,x,y,a2,How?,\n"
    (bench.data / "asking.csv").write_text(rows)
    more = ("--emoprefer-data", f"asking={bench.data / 'asking.csv'}")
    bench.run(*more, "-k", "judge and (asking or toy)").assert_outcomes(passed=6)
    said = (bench.pytester.path / "prompts.txt").read_text()
    assert said.count("Why {a1}?") >= 3 * 2  # and what stands in braces there stays
    assert "criterion: By truth." in said
    assert "criterion: which answer is better on the whole" in said
    datasets = bench.report()["datasets"]
    assert datasets["asking"]["prompts"]["name"] == "question"
    assert "prompts" not in datasets["toy"]
    assert bench.report()["manifest"]["prompts"]["name"] == "default"
