from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest
from support.documents import case, report, toy_pairs

from emoprefer_bench.cases import BLIND, Case
from emoprefer_bench.data.datasets import Dataset
from emoprefer_bench.pairs import EXCHANGED
from emoprefer_bench.scoring import votes

PAIRS = toy_pairs(["a1", "a2", "same", "a1"])
DATASETS = {"toy": Dataset("toy", PAIRS).described()}
DIGESTS = DATASETS["toy"]["row_digests"]


def judge(name, *rounds, **more):
    """A case; a round is four forward verdicts, and four exchanged ones where they are not just exchanged."""
    return case(Case(name, "S1", "toy", "audio"), PAIRS, *rounds, **more)


def only(cases, over):
    """The vote of a kind, which is a valid case of a report."""
    (found,) = (one for one in votes.cases_of(cases, DATASETS) if one["variant"] == f"{over}-vote")
    return report([*cases, found], Dataset("toy", PAIRS))["cases"][-1]


def test_the_majority_over_rounds_is_one_round():
    """Two of three; with a score of its own."""
    found = only(
        [judge("m", ["a1", "a1", "a1", "a2"], ["a1", "a2", "same", "a1"], ["a2", "a2", "same", "a1"])], "rounds"
    )
    assert found["id"] == "m-S1-toy-rounds-vote"
    assert [one["forward"] for one in found["verdicts"]] == [["a1", "a2", "same", "a1"]]
    assert found["verdicts"][0]["exchanged"] == ["a2", "a1", "same", "a2"]
    assert found["scores"]["acc3"]["mean"] == 1.0
    assert found["engine"]["judge"]["identity"]["of"] == ["m-S1-toy"]


def test_a_single_round_is_no_vote():
    """Over rounds; over orders it is one."""
    found = votes.cases_of([judge("m", ["a1"] * 4)], DATASETS)
    assert [one["variant"] for one in found] == ["orders-vote"]


def test_the_vote_over_orders_is_about_texts_and_so_consistent():
    """A judge that says a1 both times voted once for each text: a coin decides, and read strictly nothing does."""
    stuck = judge("m", ["a1", "a1", "a1", "a1"])
    stuck["verdicts"][0] |= {
        "exchanged": ["a1", "a2", "same", None],
        "exchanged_reference": ["a1", "a2", "same", "same"],
    }
    found = only([stuck], "orders")
    said = found["verdicts"][0]["forward_reference"]
    assert said[0] in ("a1", "a2")
    assert said[1] == "a1"
    assert said[2] in ("a1", "same")
    assert found["verdicts"][0]["forward"] == [None, "a1", None, "a1"]
    assert found["verdicts"][0]["exchanged_reference"] == [EXCHANGED[verdict] for verdict in said]
    assert found["scores"]["swap"]["mean"] == 1.0
    assert found["vote"] == {"over": "orders", "of": ["m-S1-toy"], "verdicts": 8, "drawn": 4}


def test_judges_vote_together_by_prompt_and_modality():
    """Controls, variants, incomplete cases and other prompts have no say."""
    three = [judge("m", ["a1"] * 4), judge("n", ["a1", "a2", "a1", "a1"]), judge("o", ["a2", "a2", "same", "?"])]
    others = [
        case(Case("longer", "direct", "toy"), PAIRS, ["a2"] * 4),
        case(Case("m", "S1", "toy", "text", variant=BLIND), PAIRS, ["a2"] * 4),
        case(Case("p", "S1", "toy", "audio"), PAIRS, ["a2", "a2", "a2", None]),
        case(Case("p", "S2", "toy", "audio"), PAIRS, ["a2"] * 4),
    ]
    found = only([*three, *others], "models")
    assert found["id"] == "vote-S1-toy-models-vote"
    assert found["engine"]["judge"]["identity"]["of"] == ["m-S1-toy", "n-S1-toy", "o-S1-toy"]
    assert found["verdicts"][0]["forward"] == ["a1", "a2", "a1", "a1"]


def test_judges_vote_in_the_rounds_that_all_have():
    """One has two, the other one."""
    found = only([judge("m", ["a1"] * 4, ["a2"] * 4), judge("n", ["a1"] * 4)], "models")
    assert [one["forward"] for one in found["verdicts"]] == [["a1"] * 4]


def test_a_vote_says_of_each_subset_how_often_it_is_for_the_longer_text():
    """As the judges' own rows do: `text` and a number has two words, `other,` and a number and one more has three."""
    pairs = [
        replace(pair, a2=f"{pair.a2} more", subset=part) for pair, part in zip(PAIRS, ("odd", "even") * 2, strict=True)
    ]
    cases = [case(Case(name, "S1", "toy", "audio"), pairs, ["a2", "a1", "a2", "a2"]) for name in "mno"]
    made = votes.cases_of(cases, {"toy": Dataset("toy", pairs).described()})
    [models] = [vote for vote in made if vote["variant"] == "models-vote"]
    assert {name: part["longer"] for name, part in models["subsets"].items()} == {"odd": 1.0, "even": 0.5}
    assert all(vote["subsets"] == cases[0]["subsets"] for vote in made)


@pytest.mark.parametrize(
    ("ballots", "expected"),
    [
        (["a1", "a2", "a2"], "a2"),
        (["same", "same", "a1"], "same"),
        (["a1", None, None], "a1"),
        ([None, None], None),
        ([], None),
    ],
)
def test_most_ballots_win_and_silence_is_none(ballots, expected):
    """Whatever the row."""
    assert {votes.majority(ballots, digest) for digest in DIGESTS} == {(expected, False)}


def test_a_draw_falls_by_the_stated_rule():
    """By the row's digest: the same in every run, either way over many rows, blind to the order of the ballots."""
    said = []
    for row in range(400):
        digest = f"{row:064x}"
        coin = int(hashlib.sha256(f"0:{digest}".encode()).hexdigest(), 16)
        drawn = (["a1", "a2"][coin % 2], True)
        assert votes.majority(["a1", "a2"], digest) == votes.majority(["a2", "a1"], digest) == drawn
        assert votes.majority(["same", "a2", "a1"], digest) == (["a1", "a2", "same"][coin % 3], True)
        said.append(votes.majority(["a2", "same"], digest).label)
    assert 160 < said.count("a2") < 240
    assert "SHA-256('0:' + row digest)" in votes.RULE


def test_a_draw_falls_to_the_same_text_in_both_orders():
    """So that a vote adds no inconsistency of its own."""
    found = only([judge("m", ["a1"] * 4), judge("n", ["a2"] * 4)], "models")
    assert found["scores"]["swap"]["mean"] == 1.0


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["plain", "workers"])
def test_votes_are_cases_of_their_own_in_report_and_table(bench, workers):
    """Only where they are asked for; no test, no gate and no baseline knows them."""
    options = ("-k", "judge and toy", "--emoprefer-vote", "--emoprefer-rounds", "2", "--emoprefer-save", "main")
    result = bench.run(*options, *workers)
    result.assert_outcomes(passed=4)
    assert {name for name in bench.cases() if "vote" in name} == {
        f"judge-{prompt}-toy-{over}-vote" for prompt in ("S1", "S2", "S3", "S4") for over in ("rounds", "orders")
    }
    result.stdout.fnmatch_lines(
        ["judge (orders-vote, drawn by lot) *S1 * - * - *", "baseline *main.json: 4 cases saved, 4 in all"]
    )
    bench.run("-k", "judge and toy")
    assert not [name for name in bench.cases() if "vote" in name]
