from __future__ import annotations

import json
import math

import numpy as np
import pytest
from support.sources import people

from emoprefer_bench.pairs import EXCHANGED, Clip, Pair
from emoprefer_bench.scoring import case, derived
from emoprefer_bench.scoring.ceiling import alternative, bounds, ceiling, krippendorff, majority, of_ceiling, votes_of
from emoprefer_bench.scoring.intervals import student, tail
from emoprefer_bench.verdicts import Reading, Round, Verdicts


def row(number, label, person, clip="c", texts=("x", "y")):
    """A person's label of a pair."""
    return Pair(f"{number:05}:{clip}", Clip(clip), *texts, label, annotator=person)


def test_labels_of_one_pair_are_found_in_either_order():
    """The same texts exchanged are the same pair, and its label is turned; a person counts once as one of several."""
    pairs = [
        row(0, "a1", "ann"),
        row(1, "a2", "ben", texts=("y", "x")),
        row(2, "a1", "ann", "other"),
        row(3, "a2", "ann", "other"),
        row(4, "a1", "ann", texts=("x", "z")),
    ]
    [votes] = votes_of(pairs)
    assert [(vote.row, vote.person, vote.label) for vote in votes] == [(0, "ann", "a1"), (1, "ben", "a1")]
    assert majority(pairs) == ["a1", "a2", None, None, None]
    assert ceiling(pairs)["agreement"] == 1.0


def test_alpha_is_that_of_its_author():
    """Krippendorff's own example of nominal data with missing labels (2011, section C) comes to 0.743."""
    coders = [
        "123321412...",
        "12332241 25.3".replace(" ", ""),
        ".33323422 51.".replace(" ", ""),
        "12332441 251.".replace(" ", ""),
    ]
    units = [[label for label in unit if label != "."] for unit in zip(*coders, strict=True)]
    units = [unit for unit in units if len(unit) > 1]
    alpha, interval = krippendorff(units, list(range(len(units))))
    assert alpha == pytest.approx(0.743, abs=0.0005)
    assert interval[0] < alpha < interval[1]


def test_alpha_of_chance_is_nothing_and_of_agreement_is_all():
    """Whatever the shares of the labels; where all labels are the same there is nothing to agree about."""
    rng = np.random.default_rng(1)
    units = rng.choice(["a1", "a2", "same"], p=[0.6, 0.3, 0.1], size=(3000, 3)).tolist()
    assert krippendorff(units, list(range(3000)))[0] == pytest.approx(0, abs=0.03)
    assert krippendorff([["a1", "a1"], ["a2", "a2"]], ["c", "d"])[0] == 1.0
    assert krippendorff([["a1", "a1"]], ["c"]) == (None, None)
    assert krippendorff([], []) == (None, None)


@pytest.mark.parametrize(
    "certainty",
    [
        lambda rng, size: np.full(size, 0.8),
        lambda rng, size: rng.choice([0.5, 1.0], size=size),
        lambda rng, size: rng.beta(2, 1, size=size),
        lambda rng, size: np.where(rng.random(size) < 0.3, 0.55, 0.9),
    ],
)
def test_the_best_judge_lies_between_the_bounds(certainty):
    """Of people whose labels are right with known chances: the judge that knows these chances is between them.

    Printed intervals hold that in nearly all data sets, and where every pair is as sure as all others, the upper bound
    is what the best judge has; where pairs are either sure or a coin, it is the lower one.
    """
    held = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        chance = certainty(rng, 300)
        pairs = people(rng, chance, 3)
        human = ceiling(pairs)
        best = float(np.maximum(chance, 1 - chance).mean())
        low, high = human["best_interval"]
        held += low <= best <= high
    assert held >= 95


def test_the_bounds_are_met():
    """By pairs of which all have 0.8 (0.64 + 0.04 = 0.68), and by pairs of which half are sure and half are a coin."""
    assert bounds(0.68, 0.68) == pytest.approx([0.68, 0.8])
    assert bounds(0.75, 0.75)[0] == pytest.approx((1 + 0.5) / 2)


def test_no_best_judge_of_two_classes_is_under_one_half():
    """Where people agree less often than coins would, by chance or by taste, a coin is as good as any judge."""
    assert bounds(0.4, 0.4) == [0.5, 0.5]
    assert bounds(0.4, 0.68) == pytest.approx([0.5, 0.8])
    agreeing = 8  # of 20 clips
    pairs = [
        row(2 * clip + person, "a1" if clip < agreeing else ("a1", "a2")[person], ("ann", "ben")[person], f"clip{clip}")
        for clip in range(20)
        for person in (0, 1)
    ]
    human = ceiling(pairs)
    assert human["agreement"] == 0.4
    assert human["agreement_interval"][0] < 0.4 < human["agreement_interval"][1]
    assert human["best"] == [0.5, 0.5]
    assert human["best_interval"] == [0.5, bounds(0, human["agreement_interval"][1])[1]]
    assert of_ceiling(pairs, [Verdicts(*[["a1"] * 40] * 4)])["relative"] == [0.7 / 0.5, 0.7 / 0.5]


def labelled_by(rng, reliable):
    """A row for each label of people who are right with these chances (pairs, people)."""
    right = rng.random(reliable.shape) < reliable
    return [
        row(3 * pair + person, "a1" if is_right else "a2", f"person{person}", f"clip{pair}")
        for pair, of_pair in enumerate(right)
        for person, is_right in enumerate(of_pair)
    ]


def test_people_of_a_crowd_may_differ():
    """Whoever of it labels a pair: the best judge of one more of its labels is between the bounds."""
    crowd, held = np.array([0.95, 0.85, 0.6, 0.55]), 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        low, high = ceiling(labelled_by(rng, rng.choice(crowd, size=(300, 3))))["best_interval"]
        held += low <= crowd.mean() <= high
    assert held >= 95


def test_these_very_people_may_be_predicted_better_than_a_crowd():
    """Three who differ, and labelled all pairs: their labels are told beyond the upper bound, as docs/reading.md says.

    Never beyond that of A + (1 - A) / 3.
    """
    three = np.array([0.98, 0.75, 0.55])
    human = ceiling(labelled_by(np.random.default_rng(1), np.tile(three, (3000, 1))))
    low, high = human["best_interval"]
    widest = bounds(low, human["agreement"] + (1 - human["agreement"]) / 3)[1]
    assert low < high < three.mean() < widest


def test_the_majority_of_the_others_is_a_row_of_its_own():
    """Of each label it knows only those of other people, and it is compared with nothing."""
    pairs = people(np.random.default_rng(3), np.full(100, 0.85), 3)
    [made] = [made for made in derived.cases_of("toy", pairs) if made["model"] == "majority"]
    assert (made["id"], made["variant"], made["modality"]) == ("majority-toy-people", "people", "audiovideo")
    # two others agree on the right label with a chance of 0.7225, on the wrong one of 0.0225, or are level
    assert made["scores"]["strict_acc2"]["mean"] == pytest.approx(0.7225 * 0.85 + 0.0225 * 0.15, abs=0.06)
    assert made["comparisons"] == []
    assert not any(
        made["model"] == "majority" for made in derived.cases_of("toy", [row(0, "a1", "ann"), row(1, "a1", "ann")])
    )


def test_a_judge_as_good_as_people_may_stand_in_for_them_and_a_coin_may_not():
    """By the alternative-annotator test, in at least 95 of 100 data sets each."""
    passed = {0.95: 0, 0.5: 0}
    for seed in range(100):
        rng = np.random.default_rng(seed)
        pairs = people(rng, np.full(100, 0.85), 3)
        units = votes_of(pairs)
        right = rng.random(100)
        for able in passed:
            verdicts = ["a1" if right[number // 3] < able else "a2" for number in range(len(pairs))]
            passed[able] += alternative(
                units,
                [said if pair.a1 < pair.a2 else EXCHANGED[said] for said, pair in zip(verdicts, pairs, strict=True)],
            )["passes"]
    assert passed[0.95] >= 95
    assert passed[0.5] <= 5


def test_the_test_needs_three_people_with_thirty_rows():
    """With fewer there is no result."""
    rng = np.random.default_rng(5)
    for count, persons in ((29, 3), (100, 2)):
        pairs = people(rng, np.full(count, 0.8), persons)
        assert alternative(votes_of(pairs), ["a1"] * len(pairs)) is None


def test_a_score_stands_beside_the_ceiling():
    """The accuracy on rows that several people labelled, by both bounds; without such rows there is nothing."""
    pairs = people(np.random.default_rng(6), np.full(100, 0.85), 3)
    alone = row(300, "a1", "ann", "alone")
    said = [pair.label for pair in pairs]
    back = [EXCHANGED[label] for label in said]
    measured = of_ceiling([*pairs, alone], [Verdicts([*said, "a2"], [*back, "a1"], [*said, "a2"], [*back, "a1"])])
    low, high = ceiling(pairs)["best"]
    assert measured["acc2"] == 1.0
    assert measured["relative"] == pytest.approx([1 / high, 1 / low])
    assert of_ceiling([alone], [Verdicts(["a1"], ["a2"], ["a1"], ["a2"])]) is None
    scores = case.scored(
        pairs, [Round([Reading(x, "parsed", x) for x in said], [Reading(x, "parsed", x) for x in back])]
    )
    assert scores["of_ceiling"] == measured | {"alternative": scores["of_ceiling"]["alternative"]}
    json.dumps([scores, ceiling(pairs)], allow_nan=False)


def test_the_tail_of_students_t_is_the_inverse_of_its_quantile():
    """On both sides, far out and at the middle."""
    for freedom in (3, 29, 500):
        for chance in (0.4, 0.05, 1e-4):
            assert tail(student(1 - chance, freedom), freedom) == pytest.approx(chance, rel=1e-3)
            assert tail(-student(1 - chance, freedom), freedom) == pytest.approx(1 - chance, rel=1e-3)
    assert tail(0.0, 10) == pytest.approx(0.5, abs=1e-6)
    assert tail(math.inf, 10) < 1e-9
