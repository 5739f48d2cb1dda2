from __future__ import annotations

import json

import numpy as np
import pytest
from support.sources import Sources, both, said

from emoprefer_bench.scoring.pulls import pulls
from emoprefer_bench.verdicts import Verdicts

SIMULATIONS = 100


def follows_length(world):
    """A judge that takes the longer text in 30% of the rows, and is right in three quarters of the others."""
    return both(world.now_and_then(0.3, np.sign(world.design.longer), world.able()))


def follows_the_writer(world):
    """A judge that takes the text of the writer that tends to win in 30% of the rows."""
    return both(world.now_and_then(0.3, world.writer_sign, world.able()))


def ignores_the_clip(world):
    """A judge that throws a coin for each pair of texts, and stands by it."""
    return both(world.rng.choice([-1.0, 1.0], size=world.rows))


def goes_by_place(world):
    """A judge that follows the clip, but says a1 in 30% of the questions whatever they are."""
    judge = world.able()
    ones = np.ones(world.rows)
    return said(world.now_and_then(0.3, ones, judge), world.now_and_then(0.3, ones, -judge))


def follows_the_clip(world):
    """A judge without any shortcut."""
    return both(world.able())


@pytest.mark.parametrize(
    ("judge", "expected"),
    [
        (follows_length, {"people", "longer"}),
        (follows_the_writer, {"people", "writer_prior"}),
        (ignores_the_clip, set()),
        (goes_by_place, {"people", "always_a1"}),
        (follows_the_clip, {"people"}),
    ],
)
def test_a_judge_is_found_out_by_what_pulls_it_and_by_nothing_else(judge, expected) -> None:
    """In at least 95 of 100 data sets of 574 rows, whose labels lean to the longer text and to some writers."""
    rng = np.random.default_rng(7)
    right = 0
    for _ in range(SIMULATIONS):
        world = Sources(rng)
        measured = pulls(world.labels, world.clips, [judge(world)], world.shortcuts)
        right += {name for name, pull in measured.items() if pull["found"]} == expected
    assert right >= 95


def test_a_weight_is_the_share_in_which_a_judge_follows() -> None:
    """Right in three quarters of 70% of the rows is half of 0.7; intervals hold the true shares."""
    rng = np.random.default_rng(8)
    measured = []
    for _ in range(200):
        world = Sources(rng)
        measured.append(pulls(world.labels, world.clips, [follows_length(world)], world.shortcuts))
    for name, share in (("people", 0.35), ("longer", 0.3), ("writer_prior", 0.0)):
        assert np.mean([pull[name]["weight"] for pull in measured]) == pytest.approx(share, abs=0.01)
        held = [pull[name]["interval"][0] <= share <= pull[name]["interval"][1] for pull in measured]
        assert np.mean(held) > 0.91


def test_a_control_is_pulled_by_itself_alone() -> None:
    """Its weight is 1, without doubt."""
    world = Sources(np.random.default_rng(9))
    for name, control in world.shortcuts.items():
        measured = pulls(world.labels, world.clips, [control], world.shortcuts)
        assert {other for other, pull in measured.items() if pull["found"]} == {name}
        assert measured[name]["weight"] == pytest.approx(1)
        assert measured[name]["interval"] == pytest.approx([1, 1])


def test_rounds_and_unread_answers() -> None:
    """Rounds are evidence on the same clips; an answer that can't be read pulls nowhere, and is left out."""
    world = Sources(np.random.default_rng(10))
    judge = follows_length(world)
    alone, twice = (pulls(world.labels, world.clips, rounds, world.shortcuts) for rounds in ([judge], [judge] * 2))
    assert twice["longer"]["weight"] == pytest.approx(alone["longer"]["weight"])
    assert twice["longer"]["interval"] == pytest.approx(alone["longer"]["interval"])
    silent = Verdicts([None] * world.rows, judge.exchanged, judge.forward, judge.exchanged)
    weight = pulls(world.labels, world.clips, [silent], world.shortcuts)["longer"]["weight"]
    assert weight == pytest.approx(alone["longer"]["weight"], abs=0.001)


def test_pulls_that_can_not_be_told_apart_are_not_told() -> None:
    """Few clips, labels that are what a shortcut says, no rows: there is nothing to weigh. All is plain JSON."""
    world = Sources(np.random.default_rng(11), rows=60)
    same = [dict(zip((1.0, -1.0), ("a1", "a2"), strict=True))[sign] for sign in np.sign(world.design.longer)]
    judge = both(world.able())
    assert pulls(same, world.clips, [judge], world.shortcuts) == {}
    assert pulls(world.labels, ["one"] * 60, [judge], world.shortcuts) == {}
    assert pulls([None] * 60, world.clips, [judge], world.shortcuts) == {}
    assert pulls([], [], [], {}) == {}
    json.dumps(pulls(world.labels, world.clips, [judge], world.shortcuts), allow_nan=False)


def test_few_clips_have_no_weights():
    """On them a sum of shortcuts may fit without an error, and each weight would look certain."""

    def weights(clips):
        labels = ["a1", "a2"] * clips
        exchanged = ["a2", "a1"] * clips
        verdicts = Verdicts(labels, exchanged, labels, exchanged)
        return pulls(labels, [row // 2 for row in range(2 * clips)], [verdicts], {})

    assert weights(19) == {}
    assert weights(20)["people"]["weight"] == pytest.approx(1)
