"""Judges and data sets made of thin air, of which the truth is known: what intervals and gates are tried on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from emoprefer_bench.scoring.counts import tables
from emoprefer_bench.scoring.metrics import metric_from_tables
from emoprefer_bench.verdicts import Verdicts

WORDS = np.array(["a1", "a2", "same", None], dtype=object)
LABELS = np.array([0.42, 0.42, 0.16])
RIGHT = np.eye(3, 4)
WRONG = np.array([[0, 0.8, 0.2, 0], [0.8, 0, 0.2, 0], [0.5, 0.5, 0, 0]])  # what is said instead of a label
TURNED = np.array([1, 0, 2])


@dataclass(frozen=True)
class Regime:
    """A kind of data set: `rows` is how many stand on a clip ("1", "1-3", or "48 on 20": two or three).

    `truth` is how often the judge is right, `alike` how much of that lies in the clip: the correlation of two rows of
    one clip, of which none is 0 and 1 makes them one.
    """

    clips: int
    rows: str
    truth: float
    alike: float

    def sizes(self, rng: np.random.Generator, count: int) -> np.ndarray:
        """How many rows each clip has: shape (count, clips)."""
        if self.rows == "1-3":
            return rng.integers(1, 4, (count, self.clips))
        cycle = {"1": [1], "48 on 20": [2, 2, 2, 3, 3]}[self.rows]
        return np.broadcast_to(np.resize(cycle, self.clips), (count, self.clips))


def worlds(rng: np.random.Generator, regime: Regime, truths: np.ndarray) -> np.ndarray:
    """Judge a data set for each truth, both orders: tables (truths, clips, 1, 2, 2, 4, 4), both readings alike."""
    count, sizes = len(truths), regime.sizes(rng, len(truths))
    shape = (*sizes.shape, int(sizes.max()))
    there = np.arange(shape[-1]) < sizes[..., None]
    easy = np.broadcast_to(truths[:, None], sizes.shape)
    if regime.alike:
        certainty = (1 - regime.alike) / regime.alike
        easy = rng.beta(certainty * easy, certainty * (1 - easy))
    labels = rng.choice(3, shape, p=LABELS)
    forward, back = (_judged(rng, easy, true) for true in (labels, TURNED[labels]))
    group = np.arange(sizes.size).repeat(shape[-1]).reshape(shape)
    counted = [
        np.bincount((group * 16 + row * 4 + column)[there], minlength=sizes.size * 16)
        for row, column in ((labels, forward), (forward, back))
    ]
    both = np.stack(counted).reshape(2, count, regime.clips, 1, 4, 4).transpose(1, 2, 3, 0, 4, 5)
    return np.stack([both, both], axis=3).astype(float)


def true_scores(regime: Regime, truths: np.ndarray, metric: str) -> np.ndarray:
    """What the metric of each truth comes to with endlessly many clips."""
    mean, square = truths, truths**2 + regime.alike * truths * (1 - truths)  # of how easy a clip is
    expected = np.zeros((len(truths), 1, 2, 2, 4, 4))
    given = mean[:, None, None] * RIGHT + (1 - mean)[:, None, None] * WRONG
    expected[:, 0, :, 0, :3] = (LABELS[:, None] * given)[:, None]
    for label, share in enumerate(LABELS):
        both = (
            (square, RIGHT[label], RIGHT[TURNED[label]]),
            (mean - square, RIGHT[label], WRONG[TURNED[label]]),
            (mean - square, WRONG[label], RIGHT[TURNED[label]]),
            (1 - 2 * mean + square, WRONG[label], WRONG[TURNED[label]]),
        )
        for weight, forward, back in both:
            expected[:, 0, :, 1] += share * (weight[:, None, None] * np.outer(forward, back))[:, None]
    return metric_from_tables(expected, metric)[:, 0]


class TwoRuns:
    """A judge at 0.67 on 574 rows (301 labelled a1, 262 a2, 11 same), run twice; the second has lost `drop` of them.

    What the judge thinks of a row is fixed, right or wrong. Each run says the opposite on `flips` of the rows, drawn
    anew, so the two differ on about twice as many. The exchanged pairs are answered likewise, with flips of their own.
    """

    def __init__(
        self, rng: np.random.Generator, *, flips: float, drop: float = 0.0, rows_a_clip: int = 1, rows: int = 574
    ) -> None:
        labelled = [round(rows * 301 / 574), round(rows * 262 / 574)]
        self.label = rng.permutation(np.repeat([0, 1, 2], [*labelled, rows - sum(labelled)]))
        self.clips = (np.arange(rows) // rows_a_clip).tolist()
        self.labels = WORDS[self.label].tolist()
        able = rng.permutation(np.arange(rows) < round(0.67 * rows))
        lost = rng.permutation(np.flatnonzero(able))[: round(drop * rows)]
        self.able, self.flips = able & ~np.isin(np.arange(rows), lost), flips
        self.right = self._run(rng, able), self._run(rng, self.able)

    def again(self, rng: np.random.Generator) -> np.ndarray:
        """Which rows another run of the second kind has right, forward and exchanged: shape (2, rows)."""
        return self._run(rng, self.able)

    def _run(self, rng: np.random.Generator, able: np.ndarray) -> np.ndarray:
        return able ^ (rng.random((2, len(able))) < self.flips)

    @property
    def baseline(self) -> list[Verdicts]:
        """The first run, of one round."""
        return self._said(self.right[0])

    @property
    def current(self) -> list[Verdicts]:
        """The second."""
        return self._said(self.right[1])

    def _said(self, right: np.ndarray) -> list[Verdicts]:
        label = self.label % 2
        forward, back = (
            WORDS[np.where(each, preferred, 1 - preferred)].tolist()
            for each, preferred in zip(right, (label, 1 - label), strict=True)
        )
        return [Verdicts(forward, back, forward, back)]

    @property
    def by_clip(self) -> np.ndarray:
        """Tables (clips, 2 runs, 1, 2, 2, 4, 4)."""
        groups = np.array(self.clips)
        return np.stack([tables(self.labels, run, groups) for run in (self.baseline, self.current)], axis=1)


def _judged(rng: np.random.Generator, easy: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Say the label on clips as often as they are easy, and something else by `WRONG` where not."""
    right = rng.random(labels.shape) < easy[..., None]
    other = (rng.random(labels.shape)[..., None] > np.cumsum(WRONG, axis=1)[labels]).sum(-1)
    return np.where(right, labels, other)
