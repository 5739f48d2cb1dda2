"""People's labels weighed by how reliable they are (Dawid and Skene, Applied Statistics 28, 1979).

Each person has a chance to give each label where another one is right, and each pair a right label; both are estimated
together by expectation and maximisation. Where some people are more careful than others, that comes nearer to the truth
than the majority. The library for it, crowd-kit, fits one data set in seconds, and here everybody is set aside in turn;
these lines give what it gives (tests/scoring/test_dawid_skene.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from emoprefer_bench.pairs import EXCHANGED, LABELS
from emoprefer_bench.scoring.ceiling import votes_of

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from emoprefer_bench.pairs import Label, Pair
    from emoprefer_bench.scoring.counts import Floats

OTHERS = 3  # who are left when one is set aside: of two, nobody can be told to be the careless one
ROUNDS = 100
_CLOSE = 1e-6
_TINY = 1e-10  # so that nothing is impossible that nobody said


def consensus(pairs: Sequence[Pair]) -> list[Label | None]:
    """What the model makes of the other people's labels of each row's pair; None where there are no others.

    Each person is set aside in turn, and the model is fitted to the labels of all others. All None where fewer than
    four people have names.
    """
    said: list[Label | None] = [None] * len(pairs)
    units = votes_of(pairs)
    people = sorted({vote.person for votes in units for vote in votes if isinstance(vote.person, str)})
    if len(people) <= OTHERS:
        return said
    place: dict[Hashable, int] = {person: number for number, person in enumerate(people)}
    votes = [(unit, vote) for unit, of_unit in enumerate(units) for vote in of_unit if vote.person in place]
    counts = np.zeros((len(people), len(units), len(LABELS)))
    for unit, vote in votes:
        counts[place[vote.person], unit, LABELS.index(vote.label)] += 1
    for number, person in enumerate(people):
        others: Floats = np.delete(counts, number, axis=0)
        right = right_labels(others).argmax(1)
        known = others.sum((0, 2)) > 0
        for unit, vote in votes:
            if vote.person == person and known[unit]:
                label = LABELS[right[unit]]
                said[vote.row] = EXCHANGED[label] if vote.turned else label
    return said


def right_labels(counts: Floats, rounds: int = ROUNDS) -> Floats:
    """How likely each label is to be right (units, labels), from how often each person gave it (people, units, labels).

    So many `rounds` of expectation and maximisation at most. A unit that nobody labelled has the chances of all.
    """
    whole = counts.sum(0)
    chance = whole / np.maximum(whole.sum(1, keepdims=True), 1)
    labelled = whole.sum(1) > 0
    for _ in range(rounds):
        prior = chance[labelled].mean(0)
        says = np.einsum("pul,ur->prl", counts, chance) + _TINY
        says /= says.sum(-1, keepdims=True)
        odds = np.log(prior + _TINY) + np.einsum("pul,prl->ur", counts, np.log(says))
        odds -= odds.max(1, keepdims=True)
        before, chance = chance, np.exp(odds) / np.exp(odds).sum(1, keepdims=True)
        if np.abs(chance - before).max() < _CLOSE:
            break
    return np.asarray(chance)
