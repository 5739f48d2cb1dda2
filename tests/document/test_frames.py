"""A report as people look at it in a notebook."""

from __future__ import annotations

import json
import subprocess
import sys

import pandas as pd
import pytest
from support.documents import GOLDEN, golden

import emoprefer_bench
from emoprefer_bench import EmopreferError
from emoprefer_bench.document.cases import best_control


@pytest.fixture(scope="module")
def report():
    """The golden report."""
    return emoprefer_bench.load(GOLDEN / "report.json")


def test_a_row_a_case_with_each_score_and_its_interval(report):
    """Cases are found by id; scores are the document's, as numbers; a case without scores has empty cells."""
    frame = report.cases()
    assert list(frame.index) == [case["id"] for case in report.document["cases"]]
    for case in report.document["cases"]:
        row = frame.loc[case["id"]]
        assert (row["model"], row["outcome"], row["complete"]) == (case["model"], case["outcome"], case["complete"])
        if "scores" not in case:
            assert pd.isna(row["waf2"])
            continue
        assert row["waf2"] == case["scores"]["waf2"]["mean"]
        if interval := case["scores"]["waf2"]["interval"]:
            assert [row["waf2_low"], row["waf2_high"]] == interval
        assert row["rows"] == case["rows"]
    assert frame["waf2"].dtype == float
    assert frame["rows"].dtype == "Int64"
    assert frame["complete"].dtype == bool


def test_a_judge_has_its_headline(report):
    """Its gain over the best control, with the control's name; what is compared with none has empty cells."""
    frame = report.cases()
    compared = [case for case in report.document["cases"] if best_control(case)]
    for case in compared:
        best, row = best_control(case), frame.loc[case["id"]]
        assert (row["gain"], row["gain_against"]) == (best["difference"], best["against"])
        assert row["gain_p"] == best["p_two_sided"]
        if best["interval"]:
            assert [row["gain_low"], row["gain_high"]] == best["interval"]
    assert 0 < len(compared) == frame["gain"].notna().sum() < len(frame)


def test_a_row_a_verdict_with_both_orders_and_provenance(report):
    """Every verdict of every case and round stands in it, with its pair's key and what people said."""
    frame = report.verdicts()
    scored = [case for case in report.document["cases"] if case.get("verdicts")]
    assert len(frame) == sum(len(verdicts["forward"]) for case in scored for verdicts in case["verdicts"])
    case = scored[0]
    dataset = report.document["datasets"][case["dataset"]]
    rows = frame[(frame["case"] == case["id"]) & (frame["round"] == 0)]
    assert rows["pair"].tolist() == dataset["keys"]
    assert rows["row"].tolist() == list(range(1, len(rows) + 1))
    for column, values in {"label": dataset["labels"], **case["verdicts"][0]}.items():
        assert [None if pd.isna(value) else value for value in rows[column]] == values, column


def test_unread_verdicts_and_unlabelled_rows_are_empty_cells(tmp_path):
    """`isna` finds them; no word stands for nothing."""
    document = golden()
    case = next(case for case in document["cases"] if case.get("verdicts"))
    document["datasets"]["toy"]["labels"][0] = None
    case["verdicts"][0]["forward"][1] = None
    (tmp_path / "report.json").write_text(json.dumps(document))
    rows = emoprefer_bench.load(tmp_path).verdicts()
    rows = rows[(rows["case"] == case["id"]) & (rows["round"] == 0)]
    assert rows["label"].isna().tolist()[0]
    assert rows["forward"].isna().tolist()[1]


def test_a_report_without_cases_has_empty_frames_with_columns(tmp_path):
    """What a notebook does with the columns works on them, too."""
    (tmp_path / "report.json").write_text(json.dumps(golden() | {"cases": []}))
    report = emoprefer_bench.load(tmp_path)
    assert report.cases()["outcome"].tolist() == []
    assert report.verdicts()["label"].tolist() == []


def _without(*path):
    def change(document):
        for step in path[:-1]:
            document = document[step]
        del document[path[-1]]

    return change


BROKEN = {
    "a case that is no object": (lambda d: d.update(cases=[1]), "cases[0]"),
    "a case without modality": (_without("cases", 0, "modality"), "modality"),
    "a case without id": (_without("cases", 0, "id"), "`id`"),
    "a modality that is none": (lambda d: d["cases"][0].update(modality="smell"), "smell"),
    "a score as a word": (lambda d: d["cases"][0]["scores"]["waf2"].update(mean="0.5"), "scores"),
    "a score that is no number": (lambda d: d["cases"][0]["scores"]["waf2"].update(mean=float("nan")), "NaN"),
    "seconds that are no number": (lambda d: d["cases"][0]["seconds"].update(model=float("inf")), "Infinity"),
    "a score beyond one": (lambda d: d["cases"][0]["scores"]["waf2"].update(mean=67.2), "cases[0]"),
    "no list of cases": (lambda d: d.update(cases={}), "cases"),
    "no manifest": (_without("manifest"), "not a report"),
    "a manifest that is a number": (lambda d: d.update(manifest=3), "manifest"),
    "a data set without labels": (_without("datasets", "toy", "labels"), "labels"),
    "a data set that is gone": (lambda d: d.update(datasets={}), "toy"),
    "a verdict too few": (lambda d: d["cases"][0]["verdicts"][0]["forward"].pop(), "forward"),
    "another version": (lambda d: d.update(schema=7), "schema 7"),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_report_is_one_line_that_says_what_and_where(tmp_path, fault):
    """The message starts with the file and names the part, for notebooks as for the command line."""
    change, part = BROKEN[fault]
    document = golden()
    change(document)
    path = tmp_path / "report.json"
    path.write_text(json.dumps(document))
    with pytest.raises(EmopreferError) as raised:
        emoprefer_bench.load(path)
    message = str(raised.value)
    assert message.startswith(f"{path}: ")
    assert part in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("content", "part"),
    [
        ((GOLDEN / "report.json").read_bytes()[:5000], "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b"", "is not JSON"),
        (b"\x89PNG\r\n", "is not JSON"),
        (b"[1]", "is not a report"),
        (b"null", "is not a report"),
    ],
    ids=["cut off", "nested", "empty", "binary", "list", "null"],
)
def test_what_is_no_document_is_one_line_too(tmp_path, content, part):
    """A file of another kind, or half of one."""
    (tmp_path / "report.json").write_bytes(content)
    with pytest.raises(EmopreferError) as raised:
        emoprefer_bench.load(tmp_path / "report.json")
    assert part in str(raised.value)
    assert "\n" not in str(raised.value)


def test_the_console_command_ends_with_status_2_and_no_traceback(tmp_path):
    """As a user meets it: one line on standard error."""
    path = tmp_path / "report.json"
    path.write_text(json.dumps(golden() | {"cases": [1]}))
    command = [sys.executable, "-m", "emoprefer_bench.cli.main", "report", str(path)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith(f"emoprefer-bench: {path}: ")
    assert len(ended.stderr.splitlines()) == 1
