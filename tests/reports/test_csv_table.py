from __future__ import annotations

import csv
import io
import json

from support.documents import GOLDEN, case, golden, report, toy_pairs

from emoprefer_bench.cases import Case
from emoprefer_bench.data.datasets import Dataset
from emoprefer_bench.reports import csv_table
from emoprefer_bench.scoring.metrics import METRICS


def rows_of(document):
    """The table as a reader gets it."""
    return list(csv.DictReader(io.StringIO(csv_table.render(document))))


def test_the_golden_report_gives_the_golden_table():
    """A report that has every kind of case, to the byte."""
    document = json.loads((GOLDEN / "report.json").read_text(encoding="utf-8"))
    assert csv_table.render(document) == (GOLDEN / "report.csv").read_text(encoding="utf-8")


def test_there_is_a_row_for_each_case_and_metric():
    """All metrics of all cases with scores, a single empty one of a case that failed, none of what did not run."""
    rows = [row for row in rows_of(golden()) if not row["part"] and not row["metric"].startswith(("gain_", "pull_"))]
    assert len(rows) == 10 * len(METRICS) + 1
    assert {row["metric"] for row in rows} == {*METRICS, ""}
    assert [(row["model"], row["outcome"], row["mean"]) for row in rows if not row["metric"]] == [
        ("broken", "error", "")
    ]
    assert not {row["model"] for row in rows} & {"large"}


def test_numbers_are_fractions_to_ten_digits():
    """Mean, deviation, interval and every round."""
    document = golden()
    score = next(c for c in document["cases"] if c["id"] == "qwen25omni_7b-S1-toy")["scores"]["waf2"]
    row = next(r for r in rows_of(document) if r["case"] == "qwen25omni_7b-S1-toy" and r["metric"] == "waf2")
    assert abs(float(row["mean"]) - score["mean"]) < 1e-9
    assert abs(float(row["sd"]) - score["sd"]) < 1e-9
    assert [
        abs(float(text) - value) < 1e-9 for text, value in zip(row["rounds"].split(" "), score["rounds"], strict=True)
    ]
    assert [float(row["low"]), float(row["high"])] == [round(bound, 10) for bound in score["interval"]]


def test_what_is_undefined_is_empty():
    """A single round has no deviation, unlabelled rows no accuracy, a control no modality."""
    pairs = toy_pairs([None] * 2)
    found = report([case(Case("longer", "direct", "toy"), pairs, ["a1", "a2"])], Dataset("toy", pairs))
    row = next(row for row in rows_of(found) if row["metric"] == "waf2")
    assert [row[name] for name in ("mean", "sd", "low", "high", "rounds", "modality", "prompt", "llm")] == [""] * 8
    assert (row["rows"], row["labelled"], row["complete"], row["outcome"]) == ("2", "0", "true", "passed")


def test_any_name_survives_the_table():
    """Commas, quotes and newlines come back as they were."""
    pairs = toy_pairs()
    name = 'a "b", c\nd'
    found = report([case(Case(name, "S1", "toy", "audio"), pairs, ["a1"] * 6, closed=True)], Dataset("toy", pairs))
    assert {(row["model"], row["closed"]) for row in rows_of(found)} == {(name, "true")}
