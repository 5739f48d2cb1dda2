"""Whole runs of judges that weigh and whose truth is known: what reaches the terminal and the report."""

from __future__ import annotations

import importlib.util
import json

import numpy as np
import pytest

CONFTEST = """
import hashlib, math, pathlib, emoprefer_bench

HERE = pathlib.Path(__file__).parent

def number(text):
    return int(text.partition("t ")[2].split()[0])

def weigh(question):
    with (HERE / "asked.txt").open("a") as file:
        file.write(question.key + chr(10))
    if question.score is None:
        return "a1"
    if question.score == ("a1", "a2", "same"):  # P1: two nats for the first slot, and what the texts are worth
        first, second = (number(part) for part in question.prompt.split("Description a")[1:3])
        odds = 2.0 + (first - second) / 10
        return {"logprobs": [[-1.0, odds / 2 - 3], [-1.0, -odds / 2 - 3], [-4.0]]}
    (text,) = question.score  # L1: the subtitle makes a text likelier by its number, and long texts are rarer
    seen = "What the person says" in question.prompt
    return {"logprobs": [[-0.5 - number(text) / 7 * (not seen) - 5.0] * (1 + len(text))]}

@emoprefer_bench.model(gpus=0, modality="text+subtitle", prompts=("S1",))
def judge(gpus):
    return emoprefer_bench.function(weigh, name="judge", durable=True, scores=True)

@emoprefer_bench.model(gpus=0, modality="text+subtitle", prompts=("S1", "L1"))
def mute(gpus):
    return emoprefer_bench.function(weigh, name="mute", durable=True)
"""


@pytest.fixture
def weighed(bench):
    """A project with 60 pairs on 30 clips; people prefer the text with the greater number, but for every fifth row."""
    bench.pytester.makeconftest(CONFTEST)
    rng = np.random.default_rng(0)
    numbers = [rng.permutation(9)[:2] for _ in range(60)]
    labels = ["a1" if (first > second) == bool(row % 5) else "a2" for row, (first, second) in enumerate(numbers)]
    rows = [
        f"c{row // 2},t {first} {'x' * int(rng.integers(5))},t {second},{label}"
        for row, ((first, second), label) in enumerate(zip(numbers, labels, strict=True))
    ]
    (bench.data / "toy.csv").write_text("name,a1,a2,preference\n" + "\n".join(rows) + "\n")
    said = "".join(f"c{clip},Sentence {clip}.\n" for clip in range(30))
    (bench.data / "subtitles.csv").write_text("name,subtitle\n" + said)
    return bench


def test_a_run_shows_s1_l1_and_p1_side_by_side(weighed):
    """Both find the better text; what is so by design is said to be; the slot's two nats and the length are printed."""
    run = weighed.run("-k", "judge and toy", "--emoprefer-prompt", "L1", "--emoprefer-prompt", "P1")
    run.assert_outcomes(passed=3)
    cases = weighed.cases()
    for prompt in ("L1", "P1"):
        case = cases[f"judge-{prompt}-toy"]
        assert case["scores"]["acc2"]["mean"] == 0.8
        assert case["provenance"] == {"weighed": 120}
        verdicts = case["verdicts"][0]
        assert verdicts["forward_margin"] == [-margin for margin in verdicts["exchanged_margin"]]
        assert verdicts["forward_confidence"] == verdicts["exchanged_confidence"]
        calibration = case["weighing"]["calibration"]
        assert calibration["evident"]
        assert 0.15 < calibration["brier"]["value"] < 0.25
        assert len(calibration["bins"]) == 5
    p1 = cases["judge-P1-toy"]["weighing"]
    assert p1["slot_bias"]["value"] == pytest.approx(2.0)
    assert p1["swap_before"]["value"] == 0.0
    mass = [2 * np.exp(-4) * np.cosh(1) * np.cosh(gap / 20) + np.exp(-4) for gap in differences(weighed)]
    assert p1["mass"]["value"] == pytest.approx(np.mean(mass))
    text = run.stdout.str()
    assert text.count("by design") == 2
    assert (
        "judge-P1-toy: before averaging, the first slot is worth +2.00 nats [+2.00, +2.00], and 0.00% [0.0, 12.2]"
        in text
    )
    assert "judge-L1-toy: margins go with the difference in words by r = " in text
    assert "judge-L1-toy: calibrated on other clips, T = " in text


def differences(bench):
    """The differences of the numbers of each row's two texts."""
    rows = (bench.data / "toy.csv").read_text().splitlines()[1:]
    return [int(a1.split()[1]) - int(a2.split()[1]) for _, a1, a2, _ in (row.split(",") for row in rows)]


def test_an_exchanged_pair_and_a_second_run_cost_nothing(weighed):
    """L1 asks for each text once with and once without the subtitle; a second run, and more rounds, ask nothing."""
    weighed.run("-k", "judge and toy", "--emoprefer-prompt", "L1", "--emoprefer-rounds", "2")
    asked = (weighed.pytester.path / "asked.txt").read_text().splitlines()
    texts = [row.split(",") for row in (weighed.data / "toy.csv").read_text().splitlines()[1:]]
    with_clip = {(name, text) for name, a1, a2, _ in texts for text in (a1, a2)}
    assert len(asked) == len(set(asked)) == 120 + len(with_clip) + len({text for _, text in with_clip})
    weighed.run("-k", "judge and toy", "--emoprefer-prompt", "L1")
    assert len((weighed.pytester.path / "asked.txt").read_text().splitlines()) == len(asked)


def test_who_can_not_weigh_is_skipped_with_the_reason(weighed):
    """And judges by what it can do, all the same."""
    run = weighed.run("-k", "mute and toy", "-rs")
    run.assert_outcomes(passed=1, skipped=1)
    run.stdout.fnmatch_lines(["*mute can't be asked that: it gives no log-probabilities*"])
    assert weighed.cases()["mute-L1-toy"]["outcome"] == "skipped"


def test_by_text_alone_there_is_nothing_to_compare_with(weighed):
    """Without clip and subtitle, L1's two terms are one."""
    run = weighed.run("-k", "judge and toy", "--emoprefer-prompt", "L1", "--emoprefer-modality", "text", "-rs")
    run.assert_outcomes(passed=1, skipped=1)
    run.stdout.fnmatch_lines(["*judge-L1-toy*compares*with the clip*without*"])


def test_replayed_margins_give_the_same_report(weighed):
    """Nothing is asked, and calibration and all are what they were."""
    weighed.run("-k", "judge and toy", "--emoprefer-prompt", "L1", "--emoprefer-prompt", "P1")
    before = weighed.cases()
    recorded = weighed.pytester.path / ".emoprefer"
    recorded.rename(recorded.with_name("recorded"))
    weighed.run("--emoprefer-replay", "recorded")
    after = weighed.cases()
    for name in ("judge-L1-toy", "judge-P1-toy"):
        assert after[name]["weighing"] == before[name]["weighing"]
        assert after[name]["verdicts"] == before[name]["verdicts"]


def test_fused_judges_stand_in_a_row_of_their_own(weighed):
    """Fitted on labels, says the row; with too few clips the run says why there is none."""
    options = ("-k", "judge and toy", "--emoprefer-prompt", "L1", "--emoprefer-prompt", "P1", "--emoprefer-fuse")
    assert (
        "fusion-toy: people preferred a text on 30 clips of toy, and fitting takes 50"
        in weighed.run(*options).stdout.str()
    )
    rows = (weighed.data / "toy.csv").read_text().splitlines()
    apart = [f"d{number}{row[row.index(',') :]}" for number, row in enumerate(rows[1:])]
    (weighed.data / "toy.csv").write_text("\n".join([rows[0], *apart]) + "\n")
    (weighed.data / "subtitles.csv").write_text("name,subtitle\n" + "".join(f"d{n},Sentence {n}.\n" for n in range(60)))
    run = weighed.run(*options, "--emoprefer-save", "base")
    run.assert_outcomes(passed=3)
    assert "fusion (fitted-on-labels)" in run.stdout.str()
    assert "fusion-toy-fitted-on-labels can't be told from judge-" in run.stdout.str()
    case = weighed.cases()["fusion-toy-fitted-on-labels"]
    assert case["scores"]["acc2"]["mean"] == pytest.approx(0.8, abs=0.1)
    assert case["fusion"]["clips"] == 60
    assert "fusion" not in json.dumps(next(weighed.pytester.path.glob("**/base.json")).read_text())


def test_an_audit_weighs_against_another_clip_and_without_quotations(weighed):
    """L1 is never blind, since it is with and without the clip already; what quoting is worth is said."""
    (weighed.data / "toy.csv").write_text((weighed.data / "toy.csv").read_text().replace("t 8", "t 8 \u00abyes\u00bb"))
    run = weighed.run("-k", "judge and L1 and toy", "--emoprefer-prompt", "L1", "--emoprefer-audit")
    run.assert_outcomes(passed=3)
    cases = weighed.cases()
    assert {case["variant"] for case in cases.values()} == {None, "other-base", "unquoted"}
    assert set(cases["judge-L1-toy-other-base"]["verdicts"][0]["forward"]) == {"same"}  # each subtitle does as much
    lines = (weighed.pytester.path / ".emoprefer/transcripts/judge-L1-toy-unquoted.jsonl").read_text()
    assert "t 8 something" in lines
    assert "yes" not in lines
    run.stdout.fnmatch_lines(
        [
            "judge-L1-toy * other-base (against another row's clip and subtitle, not against none): *",
            "judge-L1-toy * unquoted (with nothing in quotation marks): *",
        ]
    )


def test_what_can_not_be_fused_is_refused_before_anything_is_asked(weighed, monkeypatch):
    """A data set that is none; scikit-learn that isn't there, with the way to get it."""
    run = weighed.run("--emoprefer-fuse-on", "tyo")
    assert "--emoprefer-fuse-on tyo: no such data set; there are demo, emoprefer, emopreferv2, toy" in run.stderr.str()
    there = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "sklearn" else there(name))
    run = weighed.run("--emoprefer-fuse")
    assert "--emoprefer-fuse needs scikit-learn: pip install 'emoprefer-bench[fuse]'" in run.stderr.str()
    assert not (weighed.pytester.path / "asked.txt").exists()
