from __future__ import annotations

import csv
import difflib
import re
from collections import Counter, defaultdict
from pathlib import Path

import pytest
from support import documents

from emoprefer_bench.cases import Case
from emoprefer_bench.data.datasets import Dataset
from emoprefer_bench.demo.controlled import controlled
from emoprefer_bench.demo.scenes import scenes
from emoprefer_bench.pairs import Clip, Pair
from emoprefer_bench.scoring import controls

CLIPS = Path(__file__).parents[2] / "dataset" / "demo"
ROWS = controlled(scenes())
SUBSETS = {"emotion": 20, "intensity": 16, "contradiction": 20, "omission": 20, "quotation": 20, "length": 20}


def of(subset):
    """The rows of a subset."""
    return [row for row in ROWS if row["subset"] == subset]


def ordered(row):
    """The right, or plain, text of a row first."""
    if row["preference"] == "same":
        return sorted((row["a1"], row["a2"]), key=len)
    return [row["a1"], row["a2"]][:: 1 if row["preference"] == "a1" else -1]


def changed(row):
    """The stretches of words in which the other text differs: what was there, and what is there instead."""
    right, other = (text.split() for text in ordered(row))
    spans = difflib.SequenceMatcher(None, right, other, autojunk=False).get_opcodes()
    return [(" ".join(right[a:b]), " ".join(other[c:d])) for kind, a, b, c, d in spans if kind != "equal"]


def pairs():
    """The rows as pairs."""
    clips = {row["name"]: Clip(row["name"]) for row in ROWS}
    return [
        Pair(
            f"{number:05}:{row['name']}",
            clips[row["name"]],
            row["a1"],
            row["a2"],
            row["preference"],
            subset=row["subset"],
        )
        for number, row in enumerate(ROWS)
    ]


def test_the_file_is_what_the_generator_makes():
    """To the byte, but for what CSV adds."""
    with (CLIPS / "controlled.csv").open(encoding="utf-8", newline="") as file:
        assert list(csv.DictReader(file)) == ROWS
    assert Counter(row["subset"] for row in ROWS) == SUBSETS


@pytest.mark.parametrize("subset", SUBSETS)
def test_the_right_text_stands_first_in_half_of_a_subset(subset):
    """So does the one to which something was added, where both are right."""
    first = [ordered(row)[0] == row["a1"] for row in of(subset)]
    assert sum(first) == len(first) / 2


def test_texts_of_a_pair_differ_in_one_thing_alone():
    """An emotion, a degree, a voice, a sentence: one stretch of words, or what a shared word in it makes of that."""
    for row in [row for subset in SUBSETS for row in of(subset)]:
        was, now = (" ".join(parts) for parts in zip(*changed(row), strict=True))
        if row["subset"] == "intensity":
            assert (was, now) == ("intensely", "faintly")
        elif row["subset"] == "omission":
            assert re.fullmatch(r"The voice is .+\.", was)
            assert not now.strip()
        elif row["subset"] in ("quotation", "length"):
            assert not was.strip()
            assert now
        else:
            assert was != now
            right, other = ordered(row)
            assert len(right.split(". ")) == len(other.split(". "))


def test_each_emotion_meets_each_other_one():
    """In the subsets that name another emotion, so that none is right more often than it is wrong."""
    met = defaultdict(set)
    for row in of("emotion"):
        right, other = ordered(row)
        met[right].add(other)
    assert sorted(len(others) for others in met.values()) == [4] * 5


def test_length_gives_away_what_was_left_out_and_nothing_else():
    """`longer` has all of omission, is blind to emotion and intensity, half right on a voice, and finds no `same`."""
    document = documents.report(
        [documents.case(Case("longer", "direct", "toy", None), pairs(), controls.answers(pairs())["longer"])],
        Dataset("toy", pairs()),
    )
    subsets = document["cases"][0]["subsets"]
    scores = {name: part["scores"] for name, part in subsets.items()}
    assert scores["omission"]["acc2"]["mean"] == 1.0
    assert {scores[name]["ties"]["mean"] for name in ("emotion", "intensity")} == {1.0}
    assert scores["contradiction"]["strict_acc2"]["mean"] == pytest.approx(7 / 20)  # 6 are of equal length
    for name in ("quotation", "length"):
        assert (scores[name]["acc3"]["mean"], scores[name]["acc2"]["mean"], subsets[name]["longer"]) == (0.0, None, 1.0)
