from __future__ import annotations

import json
from typing import Any

import pytest

from emoprefer_bench.pairs import Clip, Label, Pair
from emoprefer_bench.scoring.bias import position_bias, slices
from emoprefer_bench.verdicts import Verdicts


def one_way(forward: list[Any], exchanged: list[Any]) -> Verdicts:
    """One round whose two readings are alike."""
    return Verdicts(forward, exchanged, forward, exchanged)


def pair(row: int, a1: int, a2: int, label: Label | None, writers: tuple[str, str] | None = None) -> Pair:
    """A pair on a clip of its own, of texts of so many words."""
    model1, model2 = writers or (None, None)
    return Pair(f"{row:05}", Clip(f"clip{row}"), "word " * a1, "word " * a2, label, model1, model2)


def by_name(found: list[dict[str, Any]]) -> dict[str, tuple[int, int]]:
    """Rows and correct rows of each slice, in their order."""
    return {one["slice"]: (one["rows"], one["correct"]) for one in found}


def bias(forward: list[Any], exchanged: list[Any], clips: list[Any] | None = None) -> dict[str, Any]:
    """Position bias of one round."""
    return position_bias([one_way(forward, exchanged)], clips or list(range(len(forward))))


def test_a_judge_that_always_says_a1_goes_by_position_alone() -> None:
    """Its first-slot share and primacy are 1, it is never consistent, and kappa is no better than chance."""
    found = bias(["a1"] * 30, ["a1"] * 30)
    assert found["first_slot"]["share"] == 1.0
    assert found["first_slot"]["interval"] == pytest.approx([0.878, 1.0], abs=0.001)
    assert (found["primacy"], found["recency"], found["consistency"]) == (1.0, 0.0, 0.0)
    assert found["kappa"] == 0.0


def test_a_consistent_judge_has_no_slot() -> None:
    """A judge that names the same text in both orders names each slot equally often."""
    forward = ["a1", "a2", "a2", "same"] * 10
    found = bias(forward, ["a2", "a1", "a1", "same"] * 10)
    assert found["first_slot"]["share"] == 0.5
    assert found["first_slot"]["interval"] == pytest.approx([0.466, 0.534], abs=0.001)
    assert (found["primacy"], found["recency"]) == (0.0, 0.0)
    assert (found["consistency"], found["consistency_without_ties"], found["kappa"]) == (1.0, 1.0, 1.0)


def test_a_judge_that_contradicts_itself_agrees_less_than_by_chance() -> None:
    """Primacy in half of the rows and recency in the others gives a kappa of -1, with no preference for a slot."""
    found = bias(["a1", "a2"] * 10, ["a1", "a2"] * 10)
    assert (found["primacy"], found["recency"], found["kappa"]) == (0.5, 0.5, -1.0)
    assert found["first_slot"]["share"] == 0.5


def test_the_flip_matrix_counts_forward_by_exchanged() -> None:
    """Rows of the matrix are forward verdicts; rows that are unread in either order are counted apart."""
    forward = ["a1", "a1", "a1", "a2", "same", None, "a1"]
    exchanged = ["a2", "a2", "same", "a2", "same", "a1", None]
    found = bias(forward, exchanged)
    assert found["flips"] == {
        "a1": {"a1": 0, "a2": 2, "same": 1},
        "a2": {"a1": 0, "a2": 1, "same": 0},
        "same": {"a1": 0, "a2": 0, "same": 1},
    }
    assert found["unread"] == 2
    assert found["consistency"] == 3 / 5
    assert found["consistency_without_ties"] == pytest.approx(2 / 3)
    assert (found["primacy"], found["recency"]) == (0.0, 0.2)
    assert found["first_slot"]["share"] == pytest.approx(5 / 9)


def test_rounds_are_pooled() -> None:
    """The matrix holds the rows of every round, and the first-slot share is their mean."""
    rounds = [one_way(["a1", "a1"], ["a1", "a2"]), one_way(["a2", "a2"], ["a2", "a2"])]
    found = position_bias(rounds, ["one", "other"])
    assert found["flips"]["a1"] == {"a1": 1, "a2": 1, "same": 0}
    assert found["flips"]["a2"]["a2"] == 2
    assert found["first_slot"]["share"] == (3 / 4 + 0) / 2


def test_the_interval_of_the_first_slot_goes_by_clips() -> None:
    """Rows of few clips leave more doubt than the same rows on clips of their own."""
    forward = (["a1"] * 5 + ["a2"] * 5) * 10
    exchanged = (["a1"] * 4 + ["a2"] * 6) * 10
    wide = bias(forward, exchanged, [row // 5 for row in range(100)])["first_slot"]["interval"]
    narrow = bias(forward, exchanged)["first_slot"]["interval"]
    assert wide[1] - wide[0] > 1.5 * (narrow[1] - narrow[0])
    assert narrow[0] < 0.45 < narrow[1]


@pytest.mark.parametrize("verdict", ["a1", "same", None])
@pytest.mark.parametrize("rows", [0, 1, 3])
@pytest.mark.parametrize("rounds", [0, 1, 2])
def test_extremes_of_position_bias_are_plain_json(verdict: Any, rows: int, rounds: int) -> None:
    """No rows, no rounds, one row, all ties, all unread: every number is defined or None, without NaN."""
    found = position_bias([one_way([verdict] * rows, [verdict] * rows)] * rounds, list(range(rows)))
    json.dumps(found, allow_nan=False)
    read = rows * rounds if verdict else 0
    assert sum(count for row in found["flips"].values() for count in row.values()) == read
    assert type(found["flips"]["a1"]["a1"]) is int
    assert (found["consistency"] is None) == (read == 0)
    assert (found["first_slot"]["share"] is None) == (read == 0 or verdict == "same")


def test_slices_by_which_length_people_preferred() -> None:
    """A judge that picks the longer text is right where people did, and wrong where they did not."""
    pairs = [pair(0, 9, 3, "a1"), pair(1, 3, 9, "a2"), pair(2, 9, 3, "a2"), pair(3, 4, 4, "a1"), pair(4, 9, 3, "same")]
    found = slices(pairs, ["a1", "a2", "a1", "same", "a1"])
    assert by_name(found["preferred_length"]) == {"longer": (2, 2), "shorter": (1, 0), "equal": (1, 0)}
    assert found["prefers_longer"] == {"people": pytest.approx(2 / 3), "judge": 1.0}


def test_slices_by_difference_in_length() -> None:
    """The bins hold the absolute difference in words, with their lower bounds in them, and empty bins are there."""
    pairs = [pair(row, words, 1, "a1") for row, words in enumerate([1, 10, 11, 25, 26, 51, 200])]
    found = slices(pairs, ["a1"] * 3 + ["a2"] * 4)["length_difference"]
    assert by_name(found) == {"0-9": (2, 2), "10-24": (2, 1), "25-49": (1, 0), "50+": (2, 0)}
    assert by_name(slices([], [])["length_difference"]) == dict.fromkeys(["0-9", "10-24", "25-49", "50+"], (0, 0))


def test_a_slice_has_its_accuracy_and_interval() -> None:
    """Each slice says how sure its accuracy is; an empty one has none."""
    longer, shorter, _ = slices([pair(0, 9, 3, "a1"), pair(1, 9, 3, "a1")], ["a1", None])["preferred_length"]
    assert longer["acc2"] == 0.5
    assert longer["interval"] == pytest.approx([0.0945, 0.9055], abs=1e-3)
    assert (shorter["rows"], shorter["acc2"], shorter["interval"]) == (0, None, None)


def test_unlabelled_rows_and_ties_of_people_are_in_no_slice() -> None:
    """Only rows labelled a1 or a2 are judged in two classes."""
    found = slices([pair(0, 9, 3, None), pair(1, 9, 3, "same")], ["a1", "a1"])
    assert all(one["rows"] == 0 for one in found["preferred_length"] + found["writer_prior"])
    assert found["writers"] == []
    assert found["prefers_longer"] == {"people": None, "judge": None}


def test_slices_by_writers_ignore_their_order() -> None:
    """Two writers are one slice whichever stands first, the most rows first; unknown writers are in none."""
    pairs = [
        pair(0, 5, 5, "a1", ("north", "south")),
        pair(1, 5, 5, "a1", ("east", "west")),
        pair(2, 5, 5, "a2", ("west", "east")),
        pair(3, 5, 5, "a2"),
    ]
    found = slices(pairs, ["a1", "a1", "a1", "a1"])["writers"]
    assert list(by_name(found).items()) == [("east vs west", (2, 1)), ("north vs south", (1, 1))]


def tournament(rows: int, upsets: set[int] = frozenset()) -> list[Pair]:  # type: ignore[assignment]
    """Pairs that `strong` wins against `weak` from either slot, except for the rows named."""
    found = []
    for row in range(rows):
        writers = ("strong", "weak") if row % 2 else ("weak", "strong")
        winner = "weak" if row in upsets else "strong"
        found.append(pair(row, 5, 5, "a1" if writers[0] == winner else "a2", writers))
    return found


def test_slices_by_what_the_writers_give_away() -> None:
    """A row whose label is not what the writers predict is a slice of its own."""
    pairs = tournament(20, upsets={3})
    found = slices(pairs, [one.label for one in pairs])["writer_prior"]
    assert by_name(found) == {"agrees": (19, 19), "disagrees": (1, 1), "unknown": (0, 0)}


def test_verdicts_must_match_the_pairs() -> None:
    """One verdict a row, no more and no fewer."""
    with pytest.raises(ValueError, match="shorter"):
        slices([pair(0, 5, 5, "a1")], [])


def test_slices_are_plain_json() -> None:
    """Nothing but strings, whole numbers, floats, lists and None leaves the module."""
    found = slices(tournament(30), ["a1"] * 29 + [None])
    json.dumps(found, allow_nan=False)
    for one in found["writer_prior"]:
        assert {type(one[name]) for name in ("rows", "correct")} == {int}
