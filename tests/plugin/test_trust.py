"""A judge that failed can't be taken for one: whole runs, and every form of their reports."""

from __future__ import annotations

import csv

import pytest

HEAD = """
import emoprefer_bench
from emoprefer_bench import Answer

def judging(answer):
    def declare(function):
        function.__name__ = "judge"
        return emoprefer_bench.model(gpus=0, modality="text", prompts=("S1",))(function)
    return declare

"""
FAILS = """
@judging(None)
def judge(gpus):
    def answer(question):
        return Answer("HTTP 401: no such key", "error")
    return emoprefer_bench.function(answer, name="judge")
"""
SAYS = """
@judging(None)
def judge(gpus):
    return emoprefer_bench.function(lambda question: {text!r}, name="judge")
"""
SLOT = """
@judging(None)
def judge(gpus):
    return emoprefer_bench.function(lambda question: "a1", name="judge")
"""
FORMS = ("--emoprefer-latex", "t.tex", "--emoprefer-markdown", "t.md", "--emoprefer-csv", "t.csv")
ROWS = 12


@pytest.fixture
def asked(bench):
    """A project with a judge given as source, on twelve pairs, and all forms of its report."""
    rows = [f"c{row},text {row},other {row * row},{('a1', 'a2')[row % 2]}" for row in range(ROWS)]
    (bench.data / "toy.csv").write_text("\n".join(["name,a1,a2,preference", *rows, ""]))

    def run(source: str, *options: str):
        bench.pytester.makeconftest(HEAD + source)
        return bench.run("-k", "toy", *FORMS, *options)

    return run


def forms(bench) -> dict[str, str]:
    """The written forms, by their ending."""
    return {ending: (bench.pytester.path / f"t.{ending}").read_text() for ending in ("tex", "md", "csv")}


def check_no_score(bench, result) -> dict:
    """No form has a number for the judge, a comparison, or a row in the paper's table; the case is returned."""
    case = bench.cases()["judge-S1-toy"]
    assert case["outcome"] == "failed"
    assert "scores" not in case
    assert "comparisons" not in case
    assert bench.report()["complete"] is False
    (row,) = (line for line in result.stdout.lines if line.startswith("judge (failed)"))
    assert set(row.split()[3:-1]) == {"-"}
    assert not any("beat" in line and "judge" in line for line in result.stdout.lines)
    written = forms(bench)
    paper, every = written["tex"].split("Every prompt")
    assert "judge" not in paper
    assert r"judge (failed)& S1& text& --& --& --& --& --\\" in every
    (cells,) = (line.split("|")[1:-1] for line in written["md"].splitlines() if line.startswith("| judge (failed)"))
    assert [cell.strip() for cell in cells[:7]] == ["judge (failed)", "S1", *["-"] * 5]
    (line,) = (line for line in csv.DictReader(written["csv"].splitlines()) if line["model"] == "judge")
    assert (line["outcome"], line["metric"], line["mean"]) == ("failed", "", "")
    return case


def test_a_judge_that_never_answers_has_no_score(bench, asked):
    """It is ended after a few questions, and every form says that it failed."""
    result = asked(FAILS)
    case = check_no_score(bench, result)
    assert sum(case["faults"].values()) < 2 * ROWS
    assert case["reason"].startswith("judge-S1-toy: 5 questions in a row failed, so the case was ended")
    assert case["reason"].endswith("HTTP 401: no such key")


@pytest.mark.parametrize(
    "text",
    ["a1, a2, or same", "a1: happy; a2: sad", "<think>I should say a1, since it is", "It is hard to tell."],
    ids=["lists", "describes", "thinks", "hedges"],
)
def test_a_judge_whose_answers_say_nothing_has_no_score(bench, asked, text):
    """What they could have meant is said, from the lowest to the highest score."""
    case = check_no_score(bench, asked(SAYS.format(text=text)))
    assert "only 0.0% of its answers say which text they prefer" in case["reason"]
    assert "it lies between 0.00 and 100.00" in case["reason"]
    assert case["bounds"]["strict"]["waf2"] == {"worst": 0.0, "best": 1.0}


def test_where_the_line_lies_can_be_said(bench, asked):
    """A floor of `min_answered` takes the place of the default."""
    result = asked(SAYS.format(text="It is hard to tell."), "--emoprefer-compare-fail", "min_answered:0")
    assert result.ret == 0
    assert bench.cases()["judge-S1-toy"]["scores"]["answered"]["mean"] == 0


def test_a_single_failure_does_not_end_a_case_and_leaves_it_without_scores(bench, asked):
    """All else is asked, so that the next run asks the one question alone."""
    source = FAILS.replace(
        "answer(question):\n", "answer(question):\n        if 'text 3' not in question.prompt: return 'a1'\n"
    )
    result = asked(source)
    case = check_no_score(bench, result)
    assert sum(case["provenance"].values()) == 2 * ROWS
    assert "2 of 24 answers failed" in case["reason"]


@pytest.mark.parametrize(("bound", "ended"), [("0", True), ("1", True), ("2", False), ("5%", True), ("50%", False)])
def test_how_many_questions_may_fail_can_be_said(bench, asked, bound, ended):
    """As a number, or as a share of the case's verdicts (which lets ten pass)."""
    source = FAILS.replace(
        "answer(question):\n", "answer(question):\n        if 'text 3' not in question.prompt: return 'a1'\n"
    )
    asked(source, "--emoprefer-max-failures", bound)
    reason = bench.cases()["judge-S1-toy"]["reason"]
    assert ("so the case was ended" in reason) is (ended and "%" not in bound)


def test_a_vote_over_orders_is_no_judge_of_a_judge_that_goes_by_the_slot(bench, asked):
    """Every verdict of it is drawn by lot: that is said, it is none read strictly, and its swap is by design."""
    result = asked(SLOT, "--emoprefer-vote")
    vote = bench.cases()["judge-S1-toy-orders-vote"]
    assert vote["vote"] == {"over": "orders", "of": ["judge-S1-toy"], "verdicts": 2 * ROWS, "drawn": 2 * ROWS}
    assert vote["scores"]["strict_acc2"]["mean"] == 0
    (row,) = (line for line in result.stdout.lines if "orders-vote, drawn by lot" in line)
    _, *cells, _ = row.split()[5:]
    assert set(cells) == {"-"}
    judges = [line.split()[0] for line in result.stdout.lines if line.startswith(("judge ", "longer"))]
    assert result.stdout.lines.index(row) < max(
        number for number, line in enumerate(result.stdout.lines) if line.startswith("judge ") and "vote" not in line
    ), judges
    result.stdout.fnmatch_lines(["judge-S1-toy-orders-vote: 24 of 24 verdicts had no majority and were drawn by lot*"])


def test_what_a_judge_cannot_do_without_is_not_taken_away(bench, asked):
    """The audit skips the blind run of a judge that has to hear, and says why; nothing is concluded from it."""
    source = SLOT.replace(
        "@judging(None)", '@emoprefer_bench.model(gpus=0, modality="audio", prompts=(), needs="audio")'
    )
    result = asked(source, "--emoprefer-audit", "-rs")
    blind = bench.cases()["judge-toy-blind"]
    assert blind["outcome"] == "skipped"
    assert "judge can't judge without audio, so there is no blind run of it" in blind["reason"]
    assert "beats blind" not in result.stdout.str()


def test_a_declaration_that_can_not_be_is_told_once(bench):
    """Without what pytest says of exceptions that led to others."""
    bench.pytester.makeconftest(
        "import emoprefer_bench\n"
        '@emoprefer_bench.model(gpus=0, prompts=("S1",))\n'
        'def gone(gpus): return emoprefer_bench.vllm("./gone", gpus=gpus)\n'
    )
    result = bench.run("-k", "toy and gone")
    assert [line for line in result.outlines if line.startswith("./gone: there is no such file or folder")][1:] == []
    result.stdout.no_fnmatch_line("During handling of the above exception*")
