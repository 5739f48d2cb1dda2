"""Judges with the descriptions of others: which cases that makes, and whole runs of models whose truth is known."""

from __future__ import annotations

import pytest

from emoprefer_bench.cases import Case, is_crossed, judge_of
from emoprefer_bench.trial.crossing import crossed

CONFTEST = """
import pathlib, emoprefer_bench

HERE = pathlib.Path(__file__).parent
OTHER = {"glad": "sad", "sad": "glad"}

def model(name, describes):
    def say(question):
        with (HERE / "asked.txt").open("a") as file:
            file.write(f"{name} {question.key}" + chr(10))
        if "Describe the emotional state" in question.prompt:
            return describes(question.prompt.partition('"')[2].partition('"')[0])
        account = question.prompt.partition("Account: ")[2].partition(chr(10))[0]
        first = question.prompt.partition("Description a1: ")[2].partition(chr(10))[0]
        return "a1" if not account or account == first else "a2"

    return emoprefer_bench.function(say, name=name, durable=True)

@emoprefer_bench.model(gpus=0, modality="text+subtitle", prompts=("S2",))
def right(gpus):
    return model("right", lambda said: said)

@emoprefer_bench.model(gpus=0, modality="text+subtitle", prompts=("S2",))
def wrong(gpus):
    return model("wrong", OTHER.get)
"""
ROWS = 12
SAID = ["glad", "sad"]


@pytest.fixture
def two(bench):
    """A project with two models that compare rightly, one of which describes the opposite of what is said."""
    bench.pytester.makeconftest(CONFTEST)
    words = [SAID[row % 2] for row in range(ROWS)]
    texts = [("glad", "sad")[:: -1 if row % 3 else 1] for row in range(ROWS)]
    lines = [
        f"c{row},{a1},{a2},{'a1' if a1 == word else 'a2'},{word if row < 5 else ''}"
        for row, (word, (a1, a2)) in enumerate(zip(words, texts, strict=True))
    ]
    (bench.data / "toy.csv").write_text("name,a1,a2,preference,reference\n" + "\n".join(lines) + "\n")
    said = "".join(f"c{row},{word}\n" for row, word in enumerate(words))
    (bench.data / "subtitles.csv").write_text("name,subtitle\n" + said)
    return bench


def _accuracies(bench):
    return {name: case["scores"]["strict_acc2"]["mean"] for name, case in bench.cases().items()}


CROSSED = {
    "right-S2-toy": 1.0,
    "right-S2-toy-by-wrong": 0.0,
    "right-S2-toy-misdescribed": 1.0,  # half of the clips further on, the same is said
    "right-S2-toy-reference": 1.0,
    "right-S2-toy-undescribed": 0.5,
    "wrong-S2-toy": 0.0,
    "wrong-S2-toy-by-right": 1.0,
    "wrong-S2-toy-misdescribed": 0.0,
    "wrong-S2-toy-reference": 1.0,
    "wrong-S2-toy-undescribed": 0.5,
}


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["plain", "workers"])
def test_every_judge_gets_every_description(two, workers):
    """Each has a case, and the crossing says whose fault errors are; others' tables stay."""
    run = two.run("-k", "(right or wrong) and toy", "--emoprefer-cross", *workers)
    run.assert_outcomes(passed=10)
    accuracies = _accuracies(two)
    assert {name: accuracies[name] for name in CROSSED} == CROSSED
    by_wrong = two.cases()["right-S2-toy-by-wrong"]
    assert (by_wrong["describer"], by_wrong["engine"]["describer"]["name"]) == ("wrong", "wrong")
    reference = two.cases()["right-S2-toy-reference"]
    assert (reference["complete"], reference["rows"]) == (True, 5)
    (crossing,) = two.report()["crossings"]
    assert (crossing["dataset"], crossing["prompt"], crossing["describers"]) == ("toy", "S2", ["right", "wrong"])
    right, wrong = crossing["judges"]
    assert wrong["descriptions"]["found"]
    assert not wrong["comparing"]["found"]
    assert not right["descriptions"]["found"]
    assert crossing["variance"]["describer"]["value"] == 1.0
    text = run.stdout.str()
    assert "wrong-S2-toy errs by its descriptions, with those of others +100.00 points" in text
    assert "verdicts on one row differ 100.00% [100.0, 100.0] by who describes" in text
    assert "by-wrong" not in text.partition("In percent")[0].partition("emotion preference")[2]


def test_what_is_there_is_not_asked_again(two):
    """After a run without crossing there are comparisons alone to be asked for; and then nothing."""
    two.run("-k", "(right or wrong) and toy")
    before = two.asked()
    two.run("-k", "(right or wrong) and toy", "--emoprefer-cross")
    after = two.asked()[len(before) :]
    assert not set(before[1::2]) & set(after[1::2])
    # Each judge by the other's description, and by none: of two subtitles, in two orders. All else was asked before.
    assert len(after[1::2]) == len(set(after[1::2])) == 2 * 2 * 2 * 2
    two.run("-k", "(right or wrong) and toy", "--emoprefer-cross").assert_outcomes(passed=10)
    assert len(two.asked()) == len(before) + len(after)


def test_whoever_is_not_selected_is_not_asked(two):
    """A judge alone is held against no description, one of another clip, and the reference."""
    two.run("-k", "right and toy", "--emoprefer-cross").assert_outcomes(passed=4)
    assert not any("wrong" in name for name in _accuracies(two))
    assert set(two.asked()[::2]) == {"right"}


def test_references_may_be_out_of_reach(two):
    """Where no row that is asked about has one, the case is skipped."""
    path = two.data / "toy.csv"
    header, *rows = path.read_text().splitlines()
    path.write_text("\n".join([header, *reversed(rows)]) + "\n")
    run = two.run("-k", "right and toy", "--emoprefer-cross", "--emoprefer-limit", "4")
    run.assert_outcomes(passed=3, skipped=1)
    run.stdout.fnmatch_lines(["right-S2-toy-reference was skipped: no row of the data set toy that is asked*"])


def _ids(cases, references=()):
    return [case.id for case in crossed(cases, references)]


def test_which_cases_it_takes():
    """By S2 every model judges; by S3 its text LLM does, which may have all descriptions already."""
    s2 = [Case(model, "S2", "toy", "video") for model in ("one", "two")]
    assert _ids(s2) == [
        *("one-S2-toy-by-two", "one-S2-toy-undescribed", "one-S2-toy-misdescribed"),
        *("two-S2-toy-by-one", "two-S2-toy-undescribed", "two-S2-toy-misdescribed"),
    ]
    s3 = [Case(model, "S3", "toy", "video", "llm") for model in ("one", "two")]
    assert _ids(s3, ["toy"]) == ["one-S3-toy-undescribed", "one-S3-toy-misdescribed", "one-S3-toy-reference"]
    others = [s3[0], Case("two", "S3", "toy", "audio", "other")]
    assert _ids(others)[0] == "one-S3-toy-by-two"
    made = crossed(others, [])[0]
    assert (judge_of(made.named()), made.engines, made.given) == ("llm", ("one", "llm", "two"), "audiovideo")
    assert is_crossed(made.named())


def test_what_has_no_description_is_left_alone():
    """S1, S4, what weighs, controls and variants; and each data set for itself."""
    cases = [Case("one", prompt, "toy", "video", variant=None) for prompt in ("S1", "S4", "L1", "direct")]
    assert _ids([*cases, Case("one", "S2", "toy", "text", variant="blind")]) == []
    apart = [Case("one", "S2", "toy", "video"), Case("two", "S2", "demo", "video")]
    assert not any("-by-" in name for name in _ids(apart))
