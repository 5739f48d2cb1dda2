"""--emoprefer-replay and the forms of the report, as options of pytest."""

from __future__ import annotations

import csv
import zipfile

import numpy as np
import pytest
from support import recordings


@pytest.fixture
def recorded(bench):
    """A folder of the reference's files that give its documented row, and the bench to replay it in."""
    folder = bench.pytester.path / "output-matching"
    folder.mkdir()
    for number in (1, 2):
        labels, forward, reverse = recordings.documented()
        stem, end = "Qwen2.5-Omni-audiovideo-cot-answer", f"round{number}"
        recordings.write_both(folder, stem, "emoprefer", end, labels, forward, reverse)
    return bench


@pytest.mark.parametrize("workers", [(), ("-n", "2")])
def test_the_references_files_give_the_documented_row(recorded, workers):
    """Nothing is asked; the scores are those of the reference's README, in the terminal and as LaTeX."""
    result = recorded.run("--emoprefer-replay", "output-matching", "--emoprefer-latex", "table.tex", "-v", *workers)
    assert result.parseoutcomes()["passed"] == 1
    row = "Qwen2.5-Omni& S2& 67.21$\\pm$0.00& 67.32$\\pm$0.00& 65.29$\\pm$0.00& 66.03$\\pm$0.00& 79.09$\\pm$0.00\\\\"
    result.stdout.fnmatch_lines(["Qwen2.5-Omni  S2 *67.21 * 67.32  65.29  66.03  79.09 *"])
    assert row in (recorded.pytester.path / "table.tex").read_text()
    assert recorded.asked() == []
    assert recorded.cases()["Qwen2.5-Omni-S2-emoprefer"]["scores"]["acc2"]["mean"] == 379 / 563


def test_a_replay_is_gated_like_a_run(recorded):
    """A floor fails it, after its result is on the report."""
    result = recorded.run("--emoprefer-replay", "output-matching", "--emoprefer-compare-fail", "min_acc2:0.7")
    assert result.parseoutcomes()["failed"] == 1
    assert recorded.cases()["Qwen2.5-Omni-S2-emoprefer"]["outcome"] == "failed"


def test_k_selects_recordings(recorded):
    """Ids read as those of a run."""
    result = recorded.run("--emoprefer-replay", "output-matching", "--collect-only", "-q", "-k", "S1")
    assert not [line for line in result.outlines if "Qwen" in line]


def test_a_file_that_wants_unpickling_fails_its_case_by_name(recorded):
    """A stranger's pickle is never loaded."""
    path = recorded.pytester.path / "output-matching" / "Other-audio-normal-emoprefer-round1.npz"
    np.savez(path, gt_labels=np.array(["a1", None], dtype=object), pred_labels=np.array(["a1", "a2"]))
    np.savez(str(path).replace("emoprefer", "emopreferreverse"), gt_labels=["a2", "a2"], pred_labels=["a1", "a2"])
    result = recorded.run("--emoprefer-replay", "output-matching")
    assert result.parseoutcomes()["failed"] == 1
    result.stdout.fnmatch_lines(["*Other-audio-normal-emoprefer-round1.npz*pickle*"])


def test_an_empty_folder_is_a_usage_error(bench):
    """The message names a file as it should be."""
    (bench.pytester.path / "nothing").mkdir()
    result = bench.run("--emoprefer-replay", "nothing")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--emoprefer-replay: *there is no answer file*"])


def test_a_run_of_our_own_is_scored_again_to_the_digit(bench):
    """Scores, intervals and comparisons with controls are those of the run, and no engine is asked."""
    bench.run("-k", "toy")
    before, asked = bench.cases(), bench.asked()
    result = bench.run("--emoprefer-replay", ".emoprefer", "--emoprefer-out", "again")
    result.assert_outcomes(passed=7)
    again = {case["id"]: case for case in bench.report("again/report.json")["cases"]}
    for name, case in before.items():
        for part in ("scores", "bias", "slices", "verdicts", "provenance", "comparisons"):
            assert again[name][part] == case[part], (name, part)
    assert bench.asked() == asked


def test_a_run_of_our_own_is_scored_without_its_data(bench):
    """The report alone suffices for every score."""
    bench.run("-k", "judge and S1 and toy")
    before = bench.cases()["judge-S1-toy"]
    bench.options = []
    result = bench.run("--emoprefer-replay", ".emoprefer", "--emoprefer-out", "again")
    result.assert_outcomes(passed=1)
    (again,) = bench.report("again/report.json")["cases"]
    assert again["scores"] == before["scores"]


def test_every_form_is_written_where_it_is_wanted(bench):
    """HTML, Markdown, LaTeX and CSV, each told in the terminal."""
    forms = {"html": "<!doctype html>", "markdown": "| judge", "latex": "\\begin{tabular}", "csv": "dataset,case,"}
    options = [f"--emoprefer-{form}=out/report.{form}" for form in forms]
    result = bench.run("-k", "toy and S1", *options)
    for form, start in forms.items():
        assert start in (bench.pytester.path / "out" / f"report.{form}").read_text().lower().replace("judge ", "judge")
        result.stdout.fnmatch_lines([f"{form}: *report.{form}"])


def test_a_form_that_cannot_be_written_is_one_message(bench):
    """A folder where the file should be: status 4, before anything runs."""
    result = bench.run("-k", "toy and S1", "--emoprefer-csv", "data")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "--emoprefer-csv" in result.stdout.str() + result.stderr.str()
    assert not (bench.pytester.path / ".emoprefer" / "report.json").exists()


def test_an_unlabelled_file_gives_predictions_and_no_scores(bench):
    """name,a1,a2,preference in row order, to the byte of the texts, and a zip of it."""
    (bench.data / "toy.csv").write_text('name,a1,a2\nc1,"a ""quote""\nand a line",b\nc2,c,d\n')
    result = bench.run("-k", "judge and S1 and toy", "--emoprefer-predictions", "out/predictions.csv")
    result.assert_outcomes(passed=1)
    path = bench.pytester.path / "out" / "predictions.csv"
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows == [
        {"name": "c1", "a1": 'a "quote"\nand a line', "a2": "b", "preference": "a1"},
        {"name": "c2", "a1": "c", "a2": "d", "preference": "a1"},
    ]
    assert zipfile.ZipFile(path.with_suffix(".zip")).read("predictions.csv") == path.read_bytes()
    assert bench.cases()["judge-S1-toy"]["scores"]["waf2"]["mean"] is None


def test_predictions_of_several_cases_go_to_files_of_their_own(bench):
    """Controls predict nothing."""
    bench.run("-k", "toy and (S1 or S2 or longer)", "--emoprefer-predictions", "predictions.csv")
    made = sorted(path.name for path in bench.pytester.path.glob("predictions*.csv"))
    assert made == ["predictions-judge-S1-toy.csv", "predictions-judge-S2-toy.csv"]
