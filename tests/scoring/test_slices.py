from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from support.sources import Sources, both

from emoprefer_bench.pairs import EXCHANGED, Clip, Pair
from emoprefer_bench.scoring import case, controls, derived
from emoprefer_bench.scoring.slices import beside_shortcuts, subset_scores
from emoprefer_bench.verdicts import Reading, Round, Verdicts


def pair(row, words, label, subset=None):
    """A pair on a clip of its own, of texts of so many words."""
    return Pair(f"{row:05}", Clip(f"clip{row}"), "w " * words[0], "w " * words[1], label, subset=subset)


def rounds_of(*rounds):
    """Rounds of forward verdicts; the exchanged ones are consistent."""
    exchanged = [[EXCHANGED.get(label) for label in labels] for labels in rounds]
    return [Verdicts(there, back, there, back) for there, back in zip(rounds, exchanged, strict=True)]


def by_name(slices):
    """Slices by their names."""
    return {part["slice"]: part for part in slices}


def test_a_subset_is_scored_by_itself():
    """In the order in which subsets appear; a row without a subset is in none."""
    subsets, labels = ["flip", "omission", "flip", None], ["a1", "a2", "a2", "a1"]
    parts = subset_scores(subsets, labels, list("abcd"), rounds_of(["a1", "a1", "a1", "a1"]))
    assert list(parts) == ["flip", "omission"]
    assert (parts["flip"]["rows"], parts["flip"]["clips"], parts["flip"]["scores"]["acc2"]["mean"]) == (2, 2, 0.5)
    assert parts["omission"]["scores"]["acc2"] == {"mean": 0.0, "sd": None, "rounds": [0.0], "interval": None}
    assert subset_scores([None], ["a1"], ["a"], rounds_of(["a1"])) == {}


def test_texts_of_matched_length_are_within_a_share_of_the_longer_one():
    """17 of 20 words are; 16 are not. A judge's accuracy there is the mean of its rounds."""
    pairs = [pair(0, (20, 17), "a1"), pair(1, (16, 20), "a1"), pair(2, (5, 5), "a2"), pair(3, (20, 20), "same")]
    [matched] = beside_shortcuts(pairs, rounds_of(["a1"] * 4, ["a1", "a1", "a2", "a1"]), {})
    assert (matched["slice"], matched["rows"], matched["clips"], matched["acc2"]) == ("matched length", 2, 2, 0.75)


def test_rows_against_a_shortcut_say_how_often_it_is_followed():
    """A tie follows nobody; rows of which the shortcut says nothing are in neither slice."""
    words = [(9, 3), (9, 3), (9, 3), (3, 9), (4, 4)]
    pairs = [
        pair(row, texts, label)
        for row, (texts, label) in enumerate(zip(words, ["a1", "a2", "a2", "a1", "a1"], strict=True))
    ]
    said = controls.answers(pairs)
    slices = by_name(beside_shortcuts(pairs, rounds_of(["a1", "a1", "a2", "same", "a1"]), said))
    there, against = slices["with longer"], slices["against longer"]
    assert (there["rows"], there["acc2"], "followed" in there) == (1, 1.0, False)
    assert (against["rows"], against["acc2"], against["followed"]) == (3, pytest.approx(1 / 3), pytest.approx(1 / 3))
    low, high = against["followed_interval"]
    assert 0 < low < 1 / 3 < high < 1


def test_a_case_has_its_subsets_slices_and_pulls_in_plain_json():
    """With texts; without them it has subsets alone."""
    pairs = [replace(old, subset="even" if row % 2 else "odd") for row, old in enumerate(world().pairs)]
    judged = [Reading(pair.label, "parsed", pair.label) for pair in pairs]
    back = [Reading(EXCHANGED[pair.label], "parsed", EXCHANGED[pair.label]) for pair in pairs]
    scores = case.scored(pairs, [Round(judged, back)])
    json.dumps(scores, allow_nan=False)
    assert set(scores["subsets"]) == {"even", "odd"}
    assert set(scores["pulls"]) == {"people", "longer", "always_a1", "writer_prior"}
    against = by_name(scores["slices"]["shortcuts"])["against writer_prior"]
    assert (against["acc2"], against["followed"]) == (1.0, 0.0)
    bare = [replace(pair, a1="", a2="") for pair in pairs]
    scores = case.scored(bare, [Round(judged, back)])
    assert (scores["slices"]["shortcuts"], scores["comparisons"]) == ([], [])
    assert set(scores["subsets"]) == {"even", "odd"}


def test_one_order_alone_has_no_numbers_that_need_both():
    """In its subsets neither, and the pull of a place can't be told."""
    pairs = [pair(row, (3, 9), "a2", "all") for row in range(6)]
    judged = [Reading("a1", "parsed", "a1")] * 6
    scores = case.scored(pairs, [Round(judged, [None] * 6)])
    assert scores["pulls"] == {}
    assert scores["subsets"]["all"]["scores"]["swap"]["mean"] is None
    assert scores["subsets"]["all"]["scores"]["acc2"]["mean"] == 0.0


def test_the_fitted_controls_are_cases():
    """Each with the scores, intervals and slices of any other, and its own verdicts in both orders."""
    pairs = world().pairs
    prior, both_of_them = derived.cases_of("toy", pairs)
    assert [made["id"] for made in (prior, both_of_them)] == ["writer_prior-toy", "length_and_writer-toy"]
    assert by_name(prior["slices"]["shortcuts"])["against writer_prior"]["acc2"] == 0.0
    assert prior["scores"]["swap"]["interval"] == [1.0, 1.0]
    assert prior["verdicts"][0]["forward"] == list(controls.verdicts(pairs)["writer_prior"].forward)
    assert prior["comparisons"] == []
    assert derived.cases_of("toy", [pair(0, (3, 4), "a1")]) == []


def test_a_fitted_control_is_less_sure_than_a_fixed_one():
    """With the same verdicts, since they were learned from labels that they are scored by."""
    sources = world()
    pairs = sources.pairs
    [prior, _] = derived.cases_of("toy", pairs)
    fixed = case.measured(sources.labels, sources.clips, [both(sources.writer_sign)])
    wide, narrow = (low_high["scores"]["acc2"]["interval"] for low_high in (prior, fixed))
    assert wide[1] - wide[0] > 1.1 * (narrow[1] - narrow[0])


def world():
    """A small data set whose labels lean to length and writers."""
    return Sources(np.random.default_rng(12), rows=200)
