"""Dawid and Skene's model, beside the library's and on people whose reliability is known."""

from __future__ import annotations

import numpy as np
import pytest
from support.sources import people

from emoprefer_bench.pairs import EXCHANGED, LABELS, Clip, Pair
from emoprefer_bench.scoring import derived
from emoprefer_bench.scoring.ceiling import majority
from emoprefer_bench.scoring.dawid_skene import consensus, right_labels

RELIABLE = (0.97, 0.95, 0.55, 0.55, 0.55, 0.55)


def labelled(rng):
    """A row for each label of six people, two of whom are careful, of 200 pairs; and what is right, by row."""
    rows, right = [], []
    for number in range(200):
        true = "a1" if rng.random() < 0.5 else "a2"
        for person, reliable in enumerate(RELIABLE):
            label = true if rng.random() < reliable else EXCHANGED[true]
            texts, turn = (f"x{number}", f"y{number}"), person % 2 and number % 3 == 0
            clip = Clip(f"clip{number}")
            shown = (EXCHANGED[label], *texts[::-1]) if turn else (label, *texts)
            rows.append(Pair(f"{len(rows):05}:{clip.name}", clip, *shown[1:], shown[0], annotator=f"p{person}"))
            right.append(EXCHANGED[true] if turn else true)
    return rows, right


def test_careful_people_count_for_more_than_the_majority() -> None:
    """Of careless people's labels it says what is right far more often, in whichever order a pair stands."""
    rows, right = labelled(np.random.default_rng(0))
    careless = [row for row, pair in enumerate(rows) if pair.annotator not in ("p0", "p1")]
    model, most = (np.mean([said[row] == right[row] for row in careless]) for said in (consensus(rows), majority(rows)))
    assert model > 0.93
    assert most < 0.88


def test_nobody_is_judged_by_labels_of_their_own() -> None:
    """Whatever a person says, what the others come to for their rows stays."""
    rows, _ = labelled(np.random.default_rng(1))
    turned = [
        Pair(row.key, row.clip, row.a1, row.a2, EXCHANGED[row.label], annotator=row.annotator)
        if row.annotator == "p0"
        else row
        for row in rows
    ]
    before, after = consensus(rows), consensus(turned)
    own = [number for number, row in enumerate(rows) if row.annotator == "p0"]
    assert [before[row] for row in own] == [after[row] for row in own]


def test_it_is_a_row_of_the_report_beside_the_majority() -> None:
    """Where four people have names; with three it can't tell who is careless."""
    rng = np.random.default_rng(2)
    for annotators, names in ((4, ["majority", "dawid_skene"]), (3, ["majority"])):
        cases = derived.cases_of("toy", people(rng, np.full(30, 0.8), annotators))
        assert [case["model"] for case in cases if case["variant"] == "people"] == names


# People by column, pairs by row: a1, a2, s for same, - for none. Beside it how likely crowd-kit 1.4.2 says a1 and a2
# to be right after three rounds (DawidSkene(n_iter=3, tol=0)), and which label after a hundred.
LABELLED = {
    "1112": (0.9888, 0.0112, "a1"),
    "1122": (0.9455, 0.0545, "a1"),
    "2212": (0.0689, 0.9311, "a2"),
    "2s22": (0.1377, 0.8623, "a2"),
    "ss1s": (0.0, 0.0, "same"),
    "1s11": (0.9044, 0.0875, "a1"),
    "2111": (0.5986, 0.4014, "a2"),
    "22-1": (0.0179, 0.9821, "a2"),
    "1-12": (0.9492, 0.0506, "a1"),
    "2221": (0.0067, 0.9933, "a2"),
}


def test_it_says_what_crowd_kit_says() -> None:
    """To four digits on the way, and at the end."""
    counts = np.zeros((4, len(LABELLED), 3))
    for unit, words in enumerate(LABELLED):
        for person, word in enumerate(words):
            if word != "-":
                counts[person, unit, "12s".index(word)] = 1
    on_the_way, at_the_end = right_labels(counts, rounds=3), right_labels(counts)
    for unit, (first, second, label) in enumerate(LABELLED.values()):
        assert on_the_way[unit, :2] == pytest.approx([first, second], abs=1e-4)
        assert LABELS[at_the_end[unit].argmax()] == label
