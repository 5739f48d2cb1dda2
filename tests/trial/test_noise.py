from __future__ import annotations

from collections import Counter

import pytest
from support.documents import reading, toy_pairs

from emoprefer_bench.cases import Case
from emoprefer_bench.trial import noise
from emoprefer_bench.trial.tally import Tally
from emoprefer_bench.verdicts import Round

CONFTEST = """
import pathlib, emoprefer_bench
from collections import Counter

HERE = pathlib.Path(__file__).parent
asked = Counter()

def say(question):
    asked[question.key] += 1
    with (HERE / "asked.txt").open("a") as file:
        file.write(question.key + "\\n")
    if "Describe" in (question.prompt or ""):
        return "The person is glad."
    fickle = "fickle" in (question.prompt or "") and asked[question.key] > 1
    return "a2" if fickle else "a1"

@emoprefer_bench.model(gpus=0, modality="text", llm="llm")
def judge(gpus):
    return emoprefer_bench.function(say, name="judge", durable=True)

@emoprefer_bench.model(gpus=0, modality="text", llm="llm")
def llm(gpus):
    return emoprefer_bench.function(say, name="llm", durable=True)
"""
WORKERS = pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["plain", "workers"])


@pytest.fixture
def noisy(bench):
    """A project whose judge changes its mind about every second row when it is asked again."""
    bench.pytester.makeconftest(CONFTEST)
    lines = [f"c{n},{'fickle' if n % 2 else 'firm'} {n},other {n},a1" for n in range(10)]
    (bench.data / "toy.csv").write_text("name,a1,a2,preference\n" + "\n".join(lines) + "\n")
    return bench


@WORKERS
def test_the_flip_rate_of_the_engine_is_reported(noisy, workers):
    """All ten rows again, in both orders; the scores are those of the first answers."""
    result = noisy.run("-k", "judge and S1 and toy", "--emoprefer-noise", "10", *workers)
    result.stdout.fnmatch_lines(["judge-S1-toy: 10 of 20 verdicts flipped when 10 rows were asked again (50.00%)"])
    case = noisy.cases()["judge-S1-toy"]
    assert (case["noise"]["rate"], case["noise"]["rows"]) == (0.5, 10)
    assert case["noise"]["interval"][0] < 0.5 < case["noise"]["interval"][1]
    assert case["scores"]["acc2"]["mean"] == 1.0
    assert case["questions"] == {"asked": 20, "stored": 0}


def test_what_was_asked_again_is_not_stored(noisy):
    """The next run has the first answers, and asks again what it is told to."""
    noisy.run("-k", "judge and S1 and toy", "--emoprefer-noise", "10")
    assert len(noisy.asked()) == 40
    noisy.run("-k", "judge and S1 and toy")
    assert len(noisy.asked()) == 40
    assert noisy.cases()["judge-S1-toy"]["scores"]["acc2"]["mean"] == 1.0
    assert "noise" not in noisy.cases()["judge-S1-toy"]
    noisy.run("-k", "judge and S1 and toy", "--emoprefer-noise", "4")
    assert len(noisy.asked()) == 48


@WORKERS
def test_every_step_is_asked_again_even_by_two_models_in_turn(noisy, workers):
    """S4 on a judge and an LLM that are not loaded together: description, reasoning and conclusion, each once more."""
    noisy.run("-k", "judge and S4 and toy", "--emoprefer-noise", "2", *workers).assert_outcomes(passed=1)
    assert noisy.cases()["judge-S4-toy"]["noise"]["rows"] == 2
    description, reasonings, conclusion = 1, 2 * 2, 1
    twice = [key for key, times in Counter(noisy.asked()).items() if times == 2]
    assert len(twice) == description + reasonings + conclusion
    assert max(Counter(noisy.asked()).values()) == 2


@WORKERS
def test_a_tolerance_under_the_noise_is_said_and_not_widened(noisy, workers):
    """Half of all verdicts flip by themselves: two points mean nothing here."""
    noisy.run("-k", "judge and S1 and toy", "--emoprefer-save", "main")
    limits = (
        "--emoprefer-compare",
        "main",
        "--emoprefer-compare-fail",
        "acc2:2pp",
        "--emoprefer-noise",
        "10",
        "--emoprefer-fresh",
    )
    result = noisy.run("-k", "judge and S1 and toy", *limits, *workers)
    assert result.ret == 0
    result.stdout.fnmatch_lines(
        ["*warning: judge-S1-toy: the tolerance of 2.00 pp on acc2 lies under the engine's own*"]
    )
    kinds = {one["kind"]: one for one in noisy.cases()["judge-S1-toy"]["gate"]}
    assert kinds["noise"]["flip_rate"] == 0.5
    assert kinds["drop"]["tolerance"] == 0.02


@pytest.mark.parametrize(("rows", "expected"), [(1, [0]), (3, [0, 2, 4]), (7, list(range(7))), (99, list(range(7)))])
def test_rows_are_spread_evenly(rows, expected):
    """And never more than there are."""
    tally = Tally.empty(Case("m", "S1", "toy"), toy_pairs(["a1"] * 7), 3)
    again = noise.tally_again(tally, rows)
    assert [tally.pairs.index(pair) for pair in again.pairs] == expected
    assert (again.again, len(again.rounds)) == (True, 1)


def told(*words):
    """A tally of three rows whose exchanged verdicts never change."""
    tally = Tally.empty(Case("m", "S1", "toy"), toy_pairs(["a1"] * 3), 1)
    tally.rounds[0] = Round([reading(word) for word in words], [reading("a1")] * 3)
    return tally


def test_silence_is_a_verdict_of_its_own():
    """From read to unread is a flip."""
    assert noise.flip_rate(told("a1", "?", "a2"), told("?", "?", "a1")) == {
        "rows": 3,
        "verdicts": 6,
        "flips": 2,
        "rate": pytest.approx(1 / 3),
        "interval": pytest.approx([0.0968, 0.7], abs=1e-3),
    }


def test_an_unfinished_tally_has_no_rate():
    """As in an interrupted run."""
    assert noise.flip_rate(told("a1", "a1", None), told("a1", "a1", "a1")) is None
    assert noise.flip_rate(told("a1", "a1", "a1"), told("a1", None, "a1")) is None
