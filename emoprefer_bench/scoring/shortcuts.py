"""Shortcuts that have to be learned or looked up: what the writers, the lengths and the subtitles give away.

They are controls: none of them knows a clip. What is fitted is cross-fitted: clips are dealt into folds, and what is
said of a row was learned on the clips of the other folds alone, so that no row's label is known to its own verdict.
Every one is antisymmetric: of the exchanged pair it says the exchanged verdict.

That writers and lengths alone come close to tuned judges: "Style over Substance" (arXiv 2607.18508).
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from emoprefer_bench.pairs import Label, Pair
    from emoprefer_bench.scoring.counts import Codes, Floats

    Fitted = Callable[["Design", Floats], Floats]

FOLDS = 5
RIDGE = 1.0  # half of it times the squared weights is added to the loss, so that a writer who always won stays finite
ABOUT = {
    "writer_prior": "who tends to win, by the labels of other clips",
    "length_and_writer": "a logistic model of length and writers, by the labels of other clips",
    "word_overlap": "the text that has more words of the subtitle",
}
_DRAWS = 200
_STEPS = 50
_LEVEL = 1e-9  # a margin under this is a tie: the fit is no more exact than that
_SIGNS: dict[str | None, float] = {"a1": 1.0, "a2": -1.0}


class Design(NamedTuple):
    """What the fitted controls know of pairs, an entry a row.

    `first` and `second` number the writers of a1 and a2 from 0, both -1 where one is unknown; `longer` is by how many
    words a1 is longer; `folds` is the fold of the row's clip.
    """

    first: Codes
    second: Codes
    longer: Floats
    folds: Codes

    @property
    def writers(self) -> int:
        """How many there are."""
        return max(int(self.first.max(initial=-1)), int(self.second.max(initial=-1))) + 1

    @property
    def known(self) -> bool:
        """Whether two writers meet in any row."""
        return bool((self.first != self.second).any())


def answers(pairs: Sequence[Pair]) -> dict[str, list[Label]]:
    """What each shortcut says of some pairs, those alone that the data allow.

    The fitted ones need a row whose two writers are known and differ, and labels; `word_overlap` needs a
    subtitle of which one text has more words than the other.
    """
    said: dict[str, list[Label]] = {}
    design, labels = design_of(pairs), signs([pair.label for pair in pairs])
    if design.known and labels.any():
        said |= {name: verdicts(fitted(design, labels)) for name, fitted in FITTED.items()}
    if any(overlaps := [_overlap(pair) for pair in pairs]):
        said["word_overlap"] = verdicts(np.array(overlaps, dtype=np.float64))
    return said


def design_of(pairs: Sequence[Pair], folds: int = FOLDS) -> Design:
    """Read the writers, the lengths and the folds of some pairs."""
    known = [(pair.model1, pair.model2) if pair.model1 and pair.model2 else None for pair in pairs]
    numbers = {name: number for number, name in enumerate(sorted({name for names in known if names for name in names}))}
    first, second = ([numbers[str(names[side])] if names else -1 for names in known] for side in (0, 1))
    longer = [longer_by(pair) for pair in pairs]
    return Design(
        np.array(first, dtype=np.intp),
        np.array(second, dtype=np.intp),
        np.array(longer, dtype=np.float64),
        folds_of([pair.clip.name for pair in pairs], folds),
    )


def folds_of(clips: Sequence[str], folds: int = FOLDS) -> Codes:
    """Deal clips into folds by the digests of their names: the fold of each row, whatever the order of the rows."""
    dealt = sorted(set(clips), key=lambda clip: hashlib.sha256(clip.encode(errors="surrogatepass")).hexdigest())
    numbers = {clip: place % folds for place, clip in enumerate(dealt)}
    return np.array([numbers[clip] for clip in clips], dtype=np.intp)


def longer_by(pair: Pair) -> int:
    """By how many words a1 is longer than a2 (words as the `longer` control counts them: between blanks)."""
    return len(pair.a1.split()) - len(pair.a2.split())


def signs(labels: Sequence[Label | None]) -> Floats:
    """Labels as numbers: a1 is 1, a2 is -1, all else 0."""
    return np.array([_SIGNS.get(label, 0.0) for label in labels])


def verdicts(margins: Floats) -> list[Label]:
    """The text that the margins are for: a1 where they are positive, a2 where they are negative, or else `same`."""
    return ["same" if abs(margin) < _LEVEL else "a1" if margin > 0 else "a2" for margin in margins.tolist()]


def writer_margins(design: Design, labels: Floats) -> Floats:
    """By how much the writer of a1 won more often in the other folds: (wins + 1) / (comparisons + 2) of each."""
    margins = np.zeros(len(labels))
    for fold in np.unique(design.folds):
        rows = (design.folds != fold) & (labels != 0) & (design.first >= 0)
        met = np.zeros(design.writers)
        won = np.zeros_like(met)
        np.add.at(met, design.first[rows], 1)
        np.add.at(met, design.second[rows], 1)
        np.add.at(won, np.where(labels > 0, design.first, design.second)[rows], 1)
        rate = (won + 1) / (met + 2)
        own = (design.folds == fold) & (design.first >= 0)
        margins[own] = rate[design.first[own]] - rate[design.second[own]]
    return margins


def length_and_writer_margins(design: Design, labels: Floats) -> Floats:
    """The log-odds for a1 of a logistic model that was fitted on the other folds.

    Its terms are the difference in words, by its root mean square in those folds, and a strength for each writer, that
    of a1 less that of a2. It has no intercept, so that exchanging the texts negates the margin.
    """
    features = _features(design)
    margins = np.zeros(len(labels))
    for fold in np.unique(design.folds):
        learned = (design.folds != fold) & (labels != 0)
        scale = np.sqrt(np.mean(features[learned, 0] ** 2)) if learned.any() else 0.0
        scaled = features * np.r_[1 / scale if scale else 0.0, np.ones(features.shape[1] - 1)]
        weights = logistic(scaled[learned], labels[learned])
        own = design.folds == fold
        margins[own] = scaled[own] @ weights
    return margins


def widening(fitted: Fitted, design: Design, labels: Floats, clips: Codes) -> float:
    """By how much the score of a fitted control varies more than over clips that know nothing of each other.

    What was learned from a row's label is in the verdicts on the other folds, and what was learned from theirs is in
    the verdict on the row, so that cross-fitted verdicts are right, or wrong, in company: on random labels the mean is
    50, but intervals that take clips for independent hold it too seldom. So labels are exchanged for their opposites by
    a coin for each clip, the control is fitted anew, and the deviation of its accuracies is divided by the one that
    independent clips would give. That is for labels without anything to learn; otherwise it is too wide, if at all.
    """
    rng = np.random.default_rng(0)
    rows, labelled = np.abs(labels), max(1.0, float(np.abs(labels).sum()))
    shares, squares = [], []
    for _ in range(_DRAWS):
        drawn = labels * rng.choice([-1.0, 1.0], size=int(clips.max(initial=0)) + 1)[clips]
        right = rows * (1 + np.sign(fitted(design, drawn)) * drawn) / 2
        shares.append(right.sum() / labelled)
        squares.append((np.bincount(clips, right - shares[-1] * rows) ** 2).sum() / labelled**2)
    independent = float(np.mean(squares))
    return max(1.0, float(np.sqrt(np.var(shares) / independent))) if independent else 1.0


def logistic(features: Floats, labels: Floats, ridge: float = RIDGE) -> Floats:
    """Fit a logistic model without intercept to labels of 1 and -1: the weights (columns,) with the least loss.

    The loss is the sum of log(1 + exp(-label * margin)) and half the ridge times the squared weights. It is convex;
    the method is Newton's, with a step that is halved until the loss falls.
    """
    weights = np.zeros(features.shape[1])
    best = _loss(features, labels, weights, ridge)
    for _ in range(_STEPS):
        chance = 1 / (1 + np.exp(labels * (features @ weights)))  # of the other label
        slope = ridge * weights - features.T @ (labels * chance)
        curve = (features * (chance * (1 - chance))[:, None]).T @ features + ridge * np.eye(len(weights))
        step = np.linalg.solve(curve, slope)
        while (loss := _loss(features, labels, weights - step, ridge)) > best:
            step /= 2
            if np.abs(step).max() < _LEVEL:
                return weights
        weights, best = weights - step, loss
        if np.abs(step).max() < _LEVEL:
            break
    return weights


def _loss(features: Floats, labels: Floats, weights: Floats, ridge: float) -> float:
    losses = np.logaddexp(0, -labels * (features @ weights))
    return float(losses.sum() + ridge / 2 * weights @ weights)


def _features(design: Design) -> Floats:
    """The difference in words, and for each writer 1 in a1, -1 in a2, 0 in both or neither: (rows, 1 + writers)."""
    features = np.zeros((len(design.longer), 1 + design.writers))
    features[:, 0] = design.longer
    rows = np.flatnonzero(design.first >= 0)
    np.add.at(features, (rows, 1 + design.first[rows]), 1)
    np.add.at(features, (rows, 1 + design.second[rows]), -1)
    return features


def _overlap(pair: Pair) -> int:
    """How many more words of the subtitle a1 has than a2."""
    said = _words(pair.clip.subtitle or "")
    return len(said & _words(pair.a1)) - len(said & _words(pair.a2))


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.casefold()))


FITTED: dict[str, Fitted] = {"writer_prior": writer_margins, "length_and_writer": length_and_writer_margins}
