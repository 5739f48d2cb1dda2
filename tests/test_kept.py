"""What version 0.1 wrote serves this version: its answers, its baseline, and the project that it was run in.

tests/kept holds such a project as version 0.1 left it: conftest.py, test and worker, data, answers, baseline, and of
its report what is compared here. The clips are those of the demo; the worker side of the protocol is the present one.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from emoprefer_bench.document.cases import is_fitted
from emoprefer_bench.protocol import worker

ROOT = Path(__file__).parents[1]
KEPT = Path(__file__).with_name("kept")
OPTIONS = ("-k", "kept", "--emoprefer-data", "kept=data/pairs.csv")
GATE = ("--emoprefer-compare", "kept", "--emoprefer-compare-fail", "waf2:0pp")
# The worker answers a fifth of the questions by "Hm.", which 0.1 gave scores to all the same.
ALL_SCORED = ("--emoprefer-compare-fail", "min_answered:0")


@pytest.fixture
def project(pytester):
    """The project, laid out as it was."""
    for name in ("conftest.py", "judge.py", "test_preference.py"):
        shutil.copy(KEPT / name, pytester.path)
    shutil.copy(worker.__file__, pytester.path / "worker.py")
    shutil.copytree(KEPT / "data", pytester.path / "data")
    shutil.copytree(ROOT / "dataset" / "demo" / "video", pytester.path / "data" / "video")
    shutil.copytree(KEPT / "answers", pytester.path / ".emoprefer" / "answers")
    shutil.copytree(KEPT / "baselines", pytester.path / "benchmarks" / "baselines")
    return pytester


def _cases(path: Path):
    return {case["id"]: case for case in json.loads(path.read_text(encoding="utf-8"))["cases"]}


def test_what_0_1_wrote_is_read_asks_nothing_and_compares_equal(project):
    """Every answer comes from the store of 0.1, every score is the same to the digit, and no gate fails."""
    result = project.runpytest_subprocess("-W", "error", *OPTIONS, *GATE, *ALL_SCORED)
    before, after = _cases(KEPT / "report.json"), _cases(project.path / ".emoprefer" / "report.json")
    after = {name: case for name, case in after.items() if case["dataset"] == "kept" and not is_fitted(case)}
    assert after.keys() == before.keys()
    result.assert_outcomes(passed=len(before), deselected=result.parseoutcomes().get("deselected", 0))
    assert not (project.path / "asked.txt").exists()
    for name, case in after.items():
        if case["modality"] is not None:  # the controls are functions, which are called anew
            assert case["questions"]["asked"] == 0, name
            assert case["questions"]["stored"] > 0, name
        was = before[name]
        assert case["verdicts"] == was["verdicts"], name
        assert {score: case["scores"][score]["mean"] for score in was["scores"]} == {
            score: value["mean"] for score, value in was["scores"].items()
        }, name
        surprises = [decision for decision in case["gate"] if decision["outcome"] != "pass"]
        assert {decision["kind"] for decision in surprises} <= {"environment"}, surprises
        deltas = [found for found in case["comparisons"] if found["kind"] == "baseline"]
        assert deltas
        assert {found["difference"] for found in deltas} == {0.0}, name


def test_a_changed_store_is_noticed(project):
    """Without the kept answers the same run asks, so that the test above can fail."""
    shutil.rmtree(project.path / ".emoprefer")
    project.runpytest_subprocess(*OPTIONS, "-k", "kept and judge and S1")
    assert (project.path / "asked.txt").read_text()
