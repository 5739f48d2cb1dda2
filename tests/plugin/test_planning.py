"""A plan says what would be asked, and asks nothing."""

from __future__ import annotations

import re

import pytest

TWO = """
import pathlib, time, emoprefer_bench

ASKED = pathlib.Path(__file__).with_name("asked.txt")

def say(question):
    with ASKED.open("a") as noted:
        noted.write(question.key + "\\n")
    return emoprefer_bench.Answer(f"a1, and {question.key}", tokens={"prompt": 1000, "output": 10})

@emoprefer_bench.model(gpus=0, modality="text", llm="judge")
def judge(gpus):
    return emoprefer_bench.function(say, name="judge", durable=True)

@emoprefer_bench.model(gpus=4, modality="text", prompts=("S1",))
def large(gpus):
    return emoprefer_bench.function(say, name="large", durable=True)
"""


@pytest.fixture
def plan(bench):
    """What the plan of the data set `toy` says of each case: the cells of its row."""
    bench.pytester.makeconftest(TWO)

    def plan(*options: str) -> dict[str, list[str]]:
        result = bench.run("--emoprefer-plan", "-k", "toy", *options)
        assert result.ret == 0
        rows = [re.sub("^in all", "all-toy", line).split() for line in result.outlines]
        return {row[0]: row[1:] for row in rows if row and row[0].endswith("-toy")}

    return plan


def test_a_plan_counts_what_a_run_then_asks(bench, plan):
    """Each question once: the description that three strategies share, and two steps of S4. Nothing is asked."""
    planned = plan()
    assert bench.asked() == []
    assert not (bench.pytester.path / ".emoprefer" / "report.json").exists()
    assert not (bench.pytester.path / ".emoprefer" / "transcripts").exists()
    bench.run("-k", "judge and toy")
    asked = {name: str(case["questions"]["asked"]) for name, case in bench.cases().items()}
    assert {name: planned[name][2] for name in asked} == asked
    assert sum(int(planned[name][2]) for name in asked) == len(bench.asked()) == len(set(bench.asked()))
    assert planned["large-S1-toy"] == ["6", "0", "6", "0", "-", "-", "-"]


def test_what_is_stored_is_not_planned(bench, plan):
    """After a run of S1, and after all of it; tokens are those of the last run for what is left."""
    bench.run("-k", "judge and S1 and toy")
    planned = plan()
    assert planned["judge-S1-toy"] == ["6", "6", "0", "0", "0", "0", "0:00"]
    assert planned["judge-S2-toy"][:4] == ["6", "0", "7", "0"]
    assert plan("--emoprefer-rounds", "2", "--emoprefer-fresh")["judge-S1-toy"][:6] == [
        "12", "0", "6", "0", "6.0k", "60",
    ]  # fmt: skip
    bench.run("-k", "judge and toy")
    assert {row[2] for name, row in plan().items() if name.startswith("judge")} == {"0"}


def test_money_is_told_by_a_table_of_prices(bench, plan):
    """Six questions of 1,000 tokens at 5 a million, and six answers of 10 at 100."""
    bench.run("-k", "judge and S1 and toy")
    (bench.pytester.path / "prices.toml").write_text("[judge]\ninput = 5\noutput = 100\n")
    planned = plan("--emoprefer-prices", "prices.toml", "--emoprefer-fresh")
    assert planned["judge-S1-toy"][-1] == "0.04"
    assert planned["large-S1-toy"][-1] == "-"
    assert planned["judge-S2-toy"][-1] == "-"


def test_what_has_no_price_costs_nothing_and_what_is_unknown_stays_so(bench, plan):
    """A text LLM of one's own beside a paid judge leaves a sum; a paid case that was never run doesn't."""
    bench.run("-k", "judge and (S1 or S3) and toy")
    prices = bench.pytester.path / "prices.toml"
    prices.write_text("[judge]\ninput = 5\noutput = 100\n")
    priced = ("--emoprefer-prices", "prices.toml", "--emoprefer-fresh")
    assert plan(*priced, "-k", "toy and (S1 or S3)")["all-toy"][-1] == "0.08"
    assert plan(*priced)["all-toy"][-1] == "-"
    prices.write_text("[nobody]\ninput = 5\noutput = 100\n")
    assert {row[-1] for row in plan(*priced).values()} == {"-"}


@pytest.mark.parametrize("text", ["judge = 5", "[judge]\ninput = 'x'\noutput = 1", "[judge]\ninput = 1", "["])
def test_prices_that_are_none_are_one_sentence(bench, text):
    """With the file, and what it should hold."""
    (bench.pytester.path / "prices.toml").write_text(text)
    result = bench.run("--emoprefer-plan", "--emoprefer-prices", "prices.toml")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--emoprefer-prices */prices.toml: *write for each model a table*"])


def test_a_plan_has_no_use_for_workers(bench):
    """It asks nothing."""
    result = bench.run("--emoprefer-plan", "-n", "2")
    assert result.ret == pytest.ExitCode.USAGE_ERROR


def test_data_that_is_not_here_is_said(bench, plan):
    """Its cases are left out of the numbers."""
    result = bench.run("--emoprefer-plan", "-k", "judge and S1")
    result.stdout.fnmatch_lines(["3 cases are left out, since their data set is not here."])
