from __future__ import annotations

import csv
import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
from support.media_files import make_clip, make_wav

from emoprefer_bench.data.datasets import DatasetError, Source, built_in, read, row_digest
from emoprefer_bench.pairs import Question, Sampling, longer_text

HEADER = ("name", "a1", "a2", "preference")
ROWS = [("c1", "sad", "glad", "a1"), ("c2", "calm", "tense", "same"), ("c1", "worried", "glad", "a2")]
REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def data(tmp_path):
    """Make a folder with two clips, and a function that writes the CSV beside and gives its source."""
    make_clip(tmp_path / "video/c1.mp4", frames=10, sound=0.5)
    make_clip(tmp_path / "video/c2.mp4", frames=10, sound=0.5)

    def write(rows=ROWS, header=HEADER):
        with (tmp_path / "p.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([header, *rows])
        return Source("mine", tmp_path / "p.csv")

    return write


def everything(source, **options):
    """Read with picture and sound asked for."""
    return read(source, **{"sound": True, "picture": True, "subtitles": False} | options)


def faults_of(source, **options):
    """Give the faults without the folder."""
    with pytest.raises(DatasetError) as caught:
        everything(source, **options)
    return [fault.removeprefix(f"{source.csv.parent}/") for fault in caught.value.faults]


def test_pairs_in_the_order_of_the_rows(data):
    """Each row is a pair whose key is its place and its clip; rows of one clip share one clip object."""
    dataset = everything(data())

    assert dataset.name == "mine"
    assert [pair.key for pair in dataset.pairs] == ["00000:c1", "00001:c2", "00002:c1"]
    assert [(pair.clip.name, pair.a1, pair.a2, pair.label) for pair in dataset.pairs] == ROWS
    assert dataset.pairs[0].clip is dataset.pairs[2].clip
    assert dataset.pairs[0].clip.has_sound
    assert dataset.labelled == 3


def test_a_limit_takes_the_first_rows_with_their_keys(data, tmp_path):
    """The first rows keep the keys they have in the whole, and only their clips are wanted."""
    whole = everything(data())
    (tmp_path / "video/c2.mp4").unlink()

    limited = everything(data(), limit=1)

    assert limited.pairs == whole.pairs[:1]
    assert limited.digest != whole.digest


def test_all_faults_at_once_with_file_and_row(data, tmp_path):
    """Faults of the table, of its neighbours and of the media come in one error, each with the place."""
    make_clip(tmp_path / "video/silent.mp4", frames=5, sound=None)
    make_wav(tmp_path / "audio/blind.wav")
    (tmp_path / "video/broken.mp4").write_bytes(b"broken")
    (tmp_path / "p_reverse.csv").write_text("name,a1,a2,preference\nc1,x,y,a1\n")
    names = ("c1", "silent", "blind", "broken", "gone", "../c1", "gone")
    rows = [(name, f"text {n}", "other", "a1") for n, name in enumerate(names)]

    faults = faults_of(data([*rows, ("c2", "", "x", "b1")]))

    places = [fault.partition(": ")[0] for fault in faults]
    assert sorted(places) == [
        "p.csv, row 2 (line 3)",
        "p.csv, row 3 (line 4)",
        "p.csv, row 4 (line 5)",
        "p.csv, row 5 (line 6)",
        "p.csv, row 6 (line 7)",
        "p.csv, row 8 (line 9)",
        "p.csv, row 8 (line 9)",
        "p_reverse.csv",
        "p_reverse.csv, row 1 (line 2)",
    ]
    said = dict(zip(places, faults, strict=True))
    assert "clip silent has no sound track: add audio/silent.wav" in said["p.csv, row 2 (line 3)"]
    assert "clip blind has no picture" in said["p.csv, row 3 (line 4)"]
    assert "broken.mp4: is damaged" in said["p.csv, row 4 (line 5)"]
    assert "there is no clip gone: neither video/gone.mp4 nor audio/gone.wav" in said["p.csv, row 5 (line 6)"]
    assert "can't lead out of" in said["p.csv, row 6 (line 7)"]


def test_the_message_shows_twenty_faults_and_counts_the_rest(data):
    """Thousands of missing clips don't flood the terminal, and none is lost from the error itself."""
    source = data([(f"gone{n}", "x", "y", "a1") for n in range(50)])

    with pytest.raises(DatasetError) as caught:
        everything(source)

    lines = str(caught.value).splitlines()
    assert len(caught.value.faults) == 50
    assert lines[0] == "data set mine: 50 faults"
    assert len(lines) == 22
    assert lines[-1].strip() == "and 30 more"


@pytest.mark.parametrize(
    ("asked", "faulty"),
    [
        ({"sound": True, "picture": True}, {"silent", "blind", "gone"}),
        ({"sound": True, "picture": False}, {"silent", "gone"}),
        ({"sound": False, "picture": True}, {"blind", "gone"}),
        ({"sound": False, "picture": False}, set()),
    ],
)
def test_only_what_is_asked_for_must_be_there(data, tmp_path, asked, faulty):
    """A silent clip is fine for a judge that only looks, and no clip at all for one that only reads."""
    make_clip(tmp_path / "video/silent.mp4", frames=5, sound=None)
    make_wav(tmp_path / "audio/blind.wav")
    names = ("c1", "silent", "blind", "gone")
    source = data([(name, "x", "y", "a1") for name in names])

    try:
        dataset = everything(source, **asked)
        found = set()
        assert [pair.clip.name for pair in dataset.pairs] == list(names)
    except DatasetError as error:
        found = {
            name for name in names for fault in error.faults if f"clip {name} " in fault or f"clip {name}:" in fault
        }

    assert found == faulty


def test_subtitles_where_they_are_asked_for(data, tmp_path):
    """Subtitles reach the clip when asked for; then a missing one is a fault, and else not."""
    (tmp_path / "subtitles.csv").write_text('name,subtitle\nc1,"I said, ""no""."\n')

    assert {pair.clip.subtitle for pair in everything(data()).pairs} == {None}
    assert faults_of(data(), subtitles=True) == ["subtitles.csv: no subtitle of clip c2, which row 2 (line 3) wants"]
    (tmp_path / "subtitles.csv").write_text('name,subtitle\nc1,"I said, ""no""."\nc2,\n')
    assert [pair.clip.subtitle for pair in everything(data(), subtitles=True).pairs] == [
        'I said, "no".',
        "",
        'I said, "no".',
    ]


def test_writers_and_unlabelled_rows(data):
    """Writers reach the pairs, and a file without labels gives pairs without."""
    rows = [(*row[:3], "model A", "human") for row in ROWS]

    dataset = everything(data(rows, ("name", "a1", "a2", "model1", "model2")))

    assert dataset.labelled == 0
    assert {(pair.label, pair.model1, pair.model2) for pair in dataset.pairs} == {(None, "model A", "human")}


def test_annotators_subsets_and_other_columns_reach_the_pairs(data):
    """They are no part of digests, nor of keys, which say what was asked about."""
    rows = [(*row, who, part, part.upper()) for row, who, part in zip(ROWS, "xyx", "sst", strict=True)]
    header = (*HEADER, "annotator", "subset", "part")

    plain, dataset = everything(data()), everything(data(rows, header))

    assert [(pair.annotator, pair.subset) for pair in dataset.pairs] == [("x", "s"), ("y", "s"), ("x", "t")]
    assert dataset.pairs[2].fields == {"subset": "t", "part": "T"}
    assert dataset.pairs[2].swapped().fields == dataset.pairs[2].fields
    assert dataset.subsets == dataset.described()["subsets"] == ["s", "s", "t"]
    assert everything(data(rows, header), subset="part").subsets == ["S", "S", "T"]
    assert plain.subsets is plain.described()["subsets"] is None
    assert "longer" not in plain.described()
    assert dataset.described()["longer"] == [longer_text(pair.a1, pair.a2) for pair in dataset.pairs]
    assert dataset.digest == plain.digest
    assert dataset.described()["keys"] == plain.described()["keys"]


def test_a_pair_that_stands_there_twice_is_two_pairs(data):
    """Each with its label and its key."""
    dataset = everything(data([ROWS[0], (*ROWS[0][:3], "same"), ROWS[0]]))

    assert [(pair.key, pair.label) for pair in dataset.pairs] == [
        ("00000:c1", "a1"),
        ("00001:c1", "same"),
        ("00002:c1", "a1"),
    ]


def test_a_data_set_may_be_labelled_in_part(data):
    """The rows that have a label are counted."""
    dataset = everything(data([ROWS[0], (*ROWS[1][:3], ""), ROWS[2]]))

    assert [pair.label for pair in dataset.pairs] == ["a1", None, "a2"]
    assert dataset.labelled == 2


def test_warnings_are_kept_whether_or_not_there_are_faults(data):
    """In the description too, for whoever shows it."""
    rows, header = [(*row, "x") for row in ROWS], (*HEADER, "modle1")
    warning = "p.csv: columns that mean nothing here are kept with their rows: 'modle1' (did you mean model1?)"

    assert everything(data(rows, header)).described()["warnings"] == [warning]
    with pytest.raises(DatasetError) as caught:
        everything(data([*rows, ("gone", "x", "y", "a1", "")], header))
    assert caught.value.warnings == (warning,)
    assert everything(data()).described()["warnings"] == []


@pytest.mark.parametrize(
    ("names", "faulty"),
    [
        (["silent"], set()),
        (["blind"], set()),
        (["c1", "silent"], {"silent"}),
        (["c1", "blind"], {"blind"}),
        (["silent", "blind"], {"silent", "blind"}),
        (["silent", "gone"], {"gone"}),
        (["gone"], {"gone"}),
    ],
)
def test_sound_or_picture_may_be_asked_for_where_any_clip_has_it(data, tmp_path, names, faulty):
    """A data set of pictures alone is whole; one in which a single clip lacks its sound is not."""
    make_clip(tmp_path / "video/silent.mp4", frames=5, sound=None)
    make_wav(tmp_path / "audio/blind.wav")
    source = data([(name, "x", "y", "a1") for name in names])

    try:
        everything(source, sound=None, picture=None)
        found = set()
    except DatasetError as error:
        found = {name for name in names for fault in error.faults if f"clip {name}" in fault}

    assert found == faulty


def test_the_demo_is_what_it_was():
    """Saved baselines know its rows by these digests, and stored answers its questions by these keys."""
    dataset = read(built_in(REPOSITORY / "dataset")["demo"], sound=True, picture=True, subtitles=True)

    questions = [
        Question(
            {"name": "judge"}, None, "audio+subtitle", Sampling(), pair.clip, (pair.a1, pair.a2), pair.clip.subtitle
        )
        for pair in dataset.pairs
    ]

    keys = "".join(question.key for question in questions)
    assert dataset.digest == "5a9662d523fced2e96f583d53a4cda5426beaec9206ca22db043bc0bf001510c"
    assert dataset.pairs[0].key == "00000:demo_18"
    assert hashlib.sha256(keys.encode()).hexdigest() == (
        "67d94fccaf279700326c85c83c23e942417ca197c1e1ac3e295646c7a4dd15af"
    )


def test_digests_are_of_the_content_alone(data, tmp_path):
    """The same rows and bytes have the same digests wherever they lie; any change of text, label or clip shows."""
    before = everything(data())
    first = before.pairs[0]
    clip = hashlib.sha256((tmp_path / "video/c1.mp4").read_bytes()).hexdigest()

    moved = everything(data([ROWS[2], ROWS[0]]))
    relabelled = everything(data([(*ROWS[0][:3], "same"), *ROWS[1:]]))
    make_clip(tmp_path / "video/c1.mp4", frames=12, sound=0.5)
    recut = everything(data())

    canonical = json.dumps(["c1", clip, "sad", "glad", "a1"])
    assert row_digest(first) == hashlib.sha256(canonical.encode()).hexdigest()
    assert row_digest(moved.pairs[1]) == row_digest(first)
    assert row_digest(relabelled.pairs[0]) != row_digest(first)
    assert row_digest(recut.pairs[0]) != row_digest(first)
    assert len({before.digest, moved.digest, relabelled.digest, recut.digest}) == 4
    assert everything(data()).digest == recut.digest


def test_the_description_is_plain_json_without_texts(data):
    """What a report says of a data set survives JSON, keeps the row order and gives away no text."""
    dataset = everything(data())

    described = dataset.described()

    assert json.loads(json.dumps(described)) == described
    assert (described["rows"], described["clips"], described["labelled"]) == (3, 2, 3)
    assert described["labels"] == ["a1", "same", "a2"]
    assert described["row_digests"] == [row_digest(pair) for pair in dataset.pairs]
    assert "worried" not in json.dumps(described)


def test_cache_and_progress_are_passed_on(data, tmp_path):
    """The clips found are kept in the cache folder, and progress counts clips, not rows."""
    told = []

    everything(data(), cache=tmp_path / "out", progress=lambda done, total: told.append((done, total)))

    assert told == [(1, 2), (2, 2)]
    assert (tmp_path / "out/clips.jsonl").is_file()


def test_what_is_missing_is_one_sentence(tmp_path):
    """A built-in set that isn't there says so and how to get it: first the CSV, then the clips, then nothing."""
    sources = built_in(tmp_path)
    assert list(sources) == ["demo", "emoprefer", "emopreferv2"]
    gated = sources["emoprefer"]

    assert "python -m emoprefer_bench.demo" in sources["demo"].missing()
    assert f"there is no file {tmp_path}/preference_emoprefer.csv" in gated.missing()
    assert "MERChallenge/MER2025" in gated.missing()
    assert "dataset/README.md" in gated.missing()
    gated.csv.write_text("")
    assert f"there is no folder {tmp_path}/video" in gated.missing()
    assert gated.missing(media=False) is None
    (tmp_path / "audio").mkdir()
    assert gated.missing() is None


def test_a_users_own_file_that_is_missing_names_the_path(tmp_path):
    """A source without a way to get it says what should lie where."""
    sentence = Source("mine", tmp_path / "mine.csv").missing()

    assert str(tmp_path / "mine.csv") in sentence
    assert "put a CSV file there" in sentence


def test_asking_what_is_missing_loads_nothing_heavy(tmp_path):
    """Hundreds of cases ask; none of them pays for numpy or PyAV."""
    code = (
        "import sys, pathlib; from emoprefer_bench.data.datasets import built_in\n"
        f"[source.missing() for source in built_in(pathlib.Path({str(tmp_path)!r})).values()]\n"
        "print([m for m in ('av', 'numpy', 'pandas') if m in sys.modules])"
    )

    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


def test_the_demo_has_no_fault():
    """The data set in the repository reads with everything asked for."""
    dataset = read(built_in(REPOSITORY / "dataset")["demo"], sound=True, picture=True, subtitles=True)

    assert dataset.labelled == len(dataset.pairs) > 0
    assert all(pair.clip.subtitle and pair.model1 and pair.model2 for pair in dataset.pairs)
