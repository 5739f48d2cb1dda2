from __future__ import annotations

import csv
import zipfile

import pytest
from support.documents import case, toy_pairs

from emoprefer_bench.cases import Case
from emoprefer_bench.pairs import Clip, Pair
from emoprefer_bench.reports.predictions import Prediction, PredictionsError, predictions, write

M = Case("m", "S1", "toy", "audio")


def predicted(*rounds):
    """The preferences of a case without labels."""
    pairs = toy_pairs([None] * len(rounds[0]))
    return [row.preference for row in predictions(case(M, pairs, *rounds), pairs)]


def test_every_row_has_the_verdict_in_row_order():
    """With its clip and its texts as they stood."""
    pairs = toy_pairs([None] * 3)
    rows = predictions(case(M, pairs, ["a2", "same", "a1"]), pairs)
    assert rows == [
        Prediction("clip0", "text 0", "other, 0", "a2"),
        Prediction("clip0", "text 1", "other, 1", "same"),
        Prediction("clip1", "text 2", "other, 2", "a1"),
    ]


def test_an_unread_answer_is_read_as_the_reference_would():
    """A challenge takes no empty cell; here the reference reads a1."""
    assert predicted(["?", "a2"]) == ["a1", "a2"]


def test_rounds_vote_and_a_draw_goes_to_the_earliest():
    """Two against one, one against one, and three that differ."""
    assert predicted(["a1", "a2", "same"], ["a2", "a1", "a1"], ["a2", "a2", "a2"]) == ["a2", "a2", "same"]
    assert predicted(["a2", "same"], ["a1", "a1"]) == ["a2", "same"]


def test_a_row_without_an_answer_is_an_error():
    """An incomplete file would be refused by a challenge, or scored in the wrong rows."""
    with pytest.raises(PredictionsError, match=r"m-S1-toy: row 2 \(clip0\) was not answered"):
        predicted(["a1", None, "a2"])


def test_of_a_data_set_that_is_labelled_in_part_the_other_rows_are_predicted():
    """In row order; those that people labelled need no answer either."""
    pairs = toy_pairs([None, "a1", None, "same"])
    rows = predictions(case(M, pairs, ["a2", None, "same", "a1"]), pairs)
    assert [(row.a1, row.preference) for row in rows] == [("text 0", "a2"), ("text 2", "same")]


def test_of_a_data_set_that_is_labelled_every_row_is_predicted():
    """As the judge would have it."""
    pairs = toy_pairs(["a1", "same"])
    assert [row.preference for row in predictions(case(M, pairs, ["a2", "a2"]), pairs)] == ["a2", "a2"]


def test_the_file_is_read_back_as_it_was(tmp_path):
    """Quotes, commas, newlines and other scripts in the texts, CRLF too."""
    texts = ['She says "no"', "line\nbreak", "tab\t, \N{CJK UNIFIED IDEOGRAPH-6EFF}", "return\r\nhere", "and\rhere"]
    rows = [Prediction(f"clip{n}", text, "b", "a1") for n, text in enumerate(texts)]
    write(tmp_path / "new" / "out.csv", rows)
    with (tmp_path / "new" / "out.csv").open(encoding="utf-8", newline="") as file:
        header, *read = csv.reader(file)
    assert header == ["name", "a1", "a2", "preference"]
    assert read == [list(row) for row in rows]


def test_the_zip_holds_the_file_and_is_the_same_every_time(tmp_path):
    """One member, the file's bytes; written twice, equal to the byte."""
    rows = [Prediction("c", "x", "y", "same")]
    first = write(tmp_path / "out.csv", rows)
    content = first.read_bytes()
    assert write(tmp_path / "out.csv", rows).read_bytes() == content
    with zipfile.ZipFile(first) as archive:
        assert archive.namelist() == ["out.csv"]
        assert archive.read("out.csv") == (tmp_path / "out.csv").read_bytes()


def test_rows_that_share_a_clip_keep_their_own_verdicts():
    """Nothing is keyed by clip name."""
    clip = Clip("c")
    pairs = [Pair(f"{n:05}:c", clip, f"x{n}", "y") for n in range(3)]
    rows = predictions(case(M, pairs, ["a1", "a2", "same"]), pairs)
    assert [(row.name, row.a1, row.preference) for row in rows] == [
        ("c", "x0", "a1"),
        ("c", "x1", "a2"),
        ("c", "x2", "same"),
    ]


@pytest.mark.parametrize("name", ["mine", "mine.csv", "mine.zip"])
def test_judges_and_votes_each_have_a_file_and_a_zip(bench, name):
    """So that a fusion can be submitted; audits, coins and controls have none. A name without an ending gets one."""
    rows = (bench.data / "toy.csv").read_text().splitlines()
    (bench.data / "toy.csv").write_text("\n".join(row.rpartition(",")[0] for row in rows) + "\n")
    options = ("--emoprefer-predictions", f"out/{name}", "--emoprefer-vote", "--emoprefer-audit")
    bench.run("-k", "toy and (judge and (S1 or S2) or longer)", *options, "--emoprefer-rounds", "2")
    written = {path.name for path in (bench.pytester.path / "out").iterdir()}
    votes = {case["id"] for case in bench.report()["cases"] if (case["variant"] or "").endswith("rounds-vote")}
    assert len(votes) == 2
    wanted = {"judge-S1-toy", "judge-S2-toy", *votes}
    assert written == {f"mine-{case}.{ending}" for case in wanted for ending in ("csv", "zip")}
    (vote, *_) = votes
    table = list(csv.reader((bench.pytester.path / "out" / f"mine-{vote}.csv").read_text().splitlines()))
    assert table[0] == ["name", "a1", "a2", "preference"]
    assert len(table) == 4
    assert {row[3] for row in table[1:]} <= {"a1", "a2", "same"}
