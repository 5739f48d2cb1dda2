"""Pairs whose labels lean to the longer text and to some writers, and judges of them whose truth is known."""

from __future__ import annotations

import functools
import json
from dataclasses import replace

import numpy as np

from emoprefer_bench.cases import Case
from emoprefer_bench.data.datasets import Dataset
from emoprefer_bench.document.cases import ended
from emoprefer_bench.pairs import EXCHANGED, Clip, Pair
from emoprefer_bench.scoring import derived
from emoprefer_bench.scoring.ceiling import ceiling
from emoprefer_bench.scoring.shortcuts import Design, folds_of, verdicts, writer_margins
from emoprefer_bench.verdicts import Verdicts

from . import documents

ROWS, CLIPS, WRITERS = 574, 400, 8
ABLE = 0.75  # how often a judge that follows the clip is right


class Sources:
    """A data set: of two in three rows the longer text is preferred, and the writers are good by turns.

    With `random` labels nothing predicts them.
    """

    def __init__(self, rng: np.random.Generator, *, random: bool = False, rows: int = ROWS) -> None:
        self.rng, self.rows = rng, rows
        self.clips = [f"clip{number}" for number in np.sort(rng.integers(CLIPS, size=rows)).tolist()]
        first = rng.integers(WRITERS, size=rows)
        second = (first + rng.integers(1, WRITERS, size=rows)) % WRITERS
        longer = rng.integers(1, 60, size=rows) * rng.choice([-1, 1], size=rows)
        strength = np.linspace(-1, 1, WRITERS)
        chance = 1 / (
            1 + np.exp(-(0.0 if random else 1.0) * (0.7 * np.sign(longer) + strength[first] - strength[second]))
        )
        self.label = np.where(rng.random(rows) < chance, 1.0, -1.0)
        self.design = Design(first, second, longer.astype(float), folds_of(self.clips))
        self.labels = verdicts(self.label)

    @property
    def pairs(self) -> list[Pair]:
        """The same as pairs of texts."""
        clips = {name: Clip(name) for name in self.clips}
        rows = zip(self.clips, self.labels, *self.design[:3], strict=True)
        return [
            Pair(
                f"{row:05}:{name}",
                clips[name],
                f"{row} " * int(70 + longer),
                f"{row} " * 70,
                label,
                f"writer{first}",
                f"writer{second}",
            )
            for row, (name, label, first, second, longer) in enumerate(rows)
        ]

    @property
    def writer_sign(self) -> np.ndarray:
        """What the writers alone predict, cross-fitted."""
        return np.sign(writer_margins(self.design, self.label))

    @property
    def shortcuts(self) -> dict[str, Verdicts]:
        """What the shortcuts say of the rows."""
        ones = np.ones(self.rows)
        return {
            "longer": both(np.sign(self.design.longer)),
            "always_a1": said(ones, ones),
            "writer_prior": both(self.writer_sign),
        }

    def able(self) -> np.ndarray:
        """The verdicts of a judge that follows the clip: of the rows on which it errs, no shortcut knows."""
        return self.label * np.where(self.rng.random(self.rows) < ABLE, 1.0, -1.0)

    def now_and_then(self, share: float, other: np.ndarray, judge: np.ndarray) -> np.ndarray:
        """A judge that follows something else in a share of the rows."""
        return np.where((self.rng.random(self.rows) < share) & (other != 0), other, judge)


@functools.cache
def _shortcuts_run() -> str:
    world = Sources(np.random.default_rng(2))
    pairs = [replace(pair, subset=["flip", "omission"][row % 2]) for row, pair in enumerate(world.pairs)]
    cases = [
        documents.case(
            Case("follower", "S1", "toy", "audiovideo"),
            pairs,
            verdicts(world.now_and_then(0.4, np.sign(world.design.longer), world.able())),
        ),
        *(ended(case, "passed") for case in derived.cases_of("toy", pairs)),
    ]
    return json.dumps(documents.report(cases, Dataset("toy", pairs)))


def shortcuts_run() -> dict:
    """A report: a judge that follows length in 40% of the rows beside the fitted controls, on rows of two subsets."""
    return json.loads(_shortcuts_run())


def both(forward: np.ndarray) -> Verdicts:
    """The verdicts of a judge that chooses a text, whatever its place."""
    return said(forward, -forward)


def said(forward: np.ndarray, exchanged: np.ndarray) -> Verdicts:
    """Verdicts from numbers: a1 is positive, a2 negative, `same` 0."""
    orders = verdicts(forward), verdicts(exchanged)
    return Verdicts(*orders, *orders)


def people(rng: np.random.Generator, chance: np.ndarray, annotators: int) -> list[Pair]:
    """A row for each label of each of these people, on pairs of which a text is preferred with a known chance: `a...`.

    It stands first in every other pair, and every third pair stands the other way round for its second annotator.
    """
    rows = []
    for number, certain in enumerate(chance.tolist()):
        clip = Clip(f"clip{number}")
        for person in range(annotators):
            texts, label = (f"a{number}", f"b{number}"), "a1" if rng.random() < certain else "a2"
            if (number % 2 == 0) != (person == 1 and number % 3 == 0):
                texts, label = texts[::-1], EXCHANGED[label]
            rows.append(Pair(f"{len(rows):05}:{clip.name}", clip, *texts, label, annotator=f"person{person}"))
    return rows


def people_run() -> dict:
    """A report on 200 pairs, of each of which three people have a label: a judge that is right, and the majority."""
    pairs = people(np.random.default_rng(13), np.full(200, 0.85), 3)
    right = ["a1" if pair.a1 < pair.a2 else "a2" for pair in pairs]
    cases = [
        documents.case(Case("able", "S1", "toy", "audiovideo"), pairs, right),
        *(ended(case, "passed") for case in derived.cases_of("toy", pairs)),
    ]
    made = documents.report(cases, Dataset("toy", pairs))
    made["datasets"]["toy"]["ceiling"] = ceiling(pairs)
    return documents.valid(made)
