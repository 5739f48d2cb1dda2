from __future__ import annotations

import pytest
from support.documents import case, report, toy_pairs

from emoprefer_bench.cases import Case
from emoprefer_bench.data.datasets import Dataset
from emoprefer_bench.reports import github

PAIRS = toy_pairs(["a1", "a2"] * 4)


def document(*gates):
    """A report of one case with these decisions."""
    one = case(Case("m", "S1", "toy", "audio"), PAIRS, ["a1"] * 8, outcome="failed", reason="gate", gate=list(gates))
    return report([one], Dataset("toy", PAIRS))


def failed(message, **numbers):
    """A failed decision."""
    return {"metric": "waf2", "kind": "drop", "outcome": "fail", "message": message, **numbers}


def test_the_worst_drop_is_the_one_that_is_annotated():
    """A floor or a changed data set has no drop and stands behind."""
    gates = [failed("floor"), failed("small", drop=0.01), failed("large", drop=0.2), failed("none", drop=None)]
    assert github.annotation(document(*gates)) == "::error title=emoprefer_bench::large"
    assert github.annotation(document(failed("floor"), failed("other"))) == "::error title=emoprefer_bench::floor"


def test_what_did_not_fail_is_not_annotated():
    """A warning is in the summary."""
    assert github.annotation(document({**failed("x"), "outcome": "warn"})) is None
    assert github.annotation(document()) is None


def test_an_annotation_is_one_line():
    """A message can't end it, or start another command."""
    line = github.annotation(document(failed("100% of it\r\n::warning::boo")))
    assert line == "::error title=emoprefer_bench::100%25 of it%0D%0A::warning::boo"


@pytest.mark.parametrize(
    ("environment", "lines"),
    [
        ({}, 0),
        ({"GITHUB_ACTIONS": "false"}, 0),
        ({"GITHUB_ACTIONS": "true"}, 1),
        ({"GITHUB_STEP_SUMMARY": ""}, 0),
        ({"GITHUB_STEP_SUMMARY": "/nowhere/at/all.md"}, 1),
    ],
)
def test_only_github_is_told(environment, lines):
    """A summary that can't be written is said, and stops nothing."""
    assert len(github.publish(document(failed("x", drop=0.1)), environment)) == lines


def test_the_summary_is_appended_with_tables_and_findings(tmp_path):
    """Markdown of whatever text stays text."""
    path = tmp_path / "summary.md"
    path.write_text("before\n")
    github.publish(document(failed("<script> | *x*")), {"GITHUB_STEP_SUMMARY": str(path)})
    text = path.read_text()
    assert text.startswith("before\n### toy")
    assert "| m " in text
    assert "- m-S1-toy can't be told from " in text
    assert "<script>" not in text
    assert "failed: " in text
