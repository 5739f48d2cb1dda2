"""What pulls a judge's verdicts: the people's label, and each shortcut, all at once.

A verdict of a1 counts 1, of a2 -1, of `same` 0, and so do the label and what each shortcut says. The verdicts of both
orders are then a sum of these, each with a weight, found by least squares. A judge that follows the longer text in 30%
of the rows, and the clip in the others, has a weight of 0.3 on length, whatever length has to do with the labels: with
one term alone, right answers on longer texts would look like a taste for length.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from emoprefer_bench.scoring.counts import group_numbers
from emoprefer_bench.scoring.intervals import student
from emoprefer_bench.scoring.shortcuts import signs
from emoprefer_bench.scoring.statistics import share_of_level

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

    from emoprefer_bench.document.types import Pull
    from emoprefer_bench.pairs import Label
    from emoprefer_bench.scoring.counts import Floats
    from emoprefer_bench.verdicts import Verdicts

PEOPLE = "people"
SHORTCUTS = ("longer", "always_a1", "writer_prior", "word_overlap")  # those that are no mixture of others
LEVEL = 0.01  # the chance that any pull is found where there is none
MIN_CLIPS = 20
"""On fewer, a judge with a taste of its own can fit a sum of several shortcuts by chance, and then without an error."""
_NOTHING = 1e-9


def pulls(
    labels: Sequence[Label | None],
    clips: Sequence[Hashable],
    rounds: Sequence[Verdicts],
    shortcuts: Mapping[str, Verdicts],
) -> dict[str, Pull]:
    """Weigh what pulls the strictly read verdicts of labelled rows, in both orders and all rounds.

    `shortcuts` is what the controls say of the same rows; of these, `SHORTCUTS` are weighed. The intervals are by the
    jackknife over clips, and a pull is `found` where an interval so wide that none is found by chance in 99 of 100 such
    judges leaves out 0. Empty where the rows can't tell the pulls apart, or stand for fewer than `MIN_CLIPS` clips.
    """
    names = [name for name in SHORTCUTS if name in shortcuts]
    label, clip = signs(labels), group_numbers(clips)
    known = np.array([label is not None for label in labels], dtype=bool)
    sides = []
    for order, sign in (("forward", 1.0), ("exchanged", -1.0)):
        terms = np.stack([sign * label, *(signs(getattr(shortcuts[name], order)) for name in names)], axis=1)
        for of_round in rounds:
            said: Sequence[Label | None] = getattr(of_round, order)
            read = known & np.array([verdict is not None for verdict in said], dtype=bool)
            sides.append((terms[read], signs(said)[read], clip[read]))
    if not sides:
        return {}
    terms, said_signs, clip = (np.concatenate(parts) for parts in zip(*sides, strict=True))
    used = (terms != 0).any(0)
    weighed = [name for name, is_used in zip((PEOPLE, *names), used, strict=True) if is_used]
    return _weighed(weighed, terms[:, used], said_signs, clip)


def _weighed(names: list[str], terms: Floats, said: Floats, clip: Floats) -> dict[str, Pull]:
    clips = len(np.unique(clip))
    left = _leave_out(terms, said, clip) if names and clips >= MIN_CLIPS else None
    if left is None:
        return {}
    weights, without = left
    errors = np.sqrt((clips - 1) / clips * ((without - without.mean(0)) ** 2).sum(0))
    usual, sure = (
        student((1 + confidence) / 2, clips - 1) for confidence in (0.95, 1 - share_of_level(LEVEL, len(names)))
    )
    return {
        name: {
            "weight": weight,
            "interval": [weight - usual * error, weight + usual * error],
            "found": abs(weight) > max(sure * error, _NOTHING),
        }
        for name, weight, error in zip(names, _rounded(weights), _rounded(errors), strict=True)
    }


def _rounded(values: Floats) -> list[float]:
    """Without what rounding errors leave of 0."""
    return [0.0 if abs(value) < _NOTHING else value for value in values.tolist()]


def _leave_out(terms: Floats, said: Floats, clip: Floats) -> tuple[Floats, Floats] | None:
    """The weights (terms,), and those without each clip (clips, terms); None where any can't be told."""
    _, group = np.unique(clip, return_inverse=True)
    clips, count = int(group.max()) + 1, terms.shape[1]
    squares = np.zeros((clips, count, count))
    products = np.zeros((clips, count))
    np.add.at(squares, group, terms[:, :, None] * terms[:, None, :])
    np.add.at(products, group, terms * said[:, None])
    left_squares = np.concatenate([squares.sum(0)[None], squares.sum(0) - squares])
    left_products = np.concatenate([products.sum(0)[None], products.sum(0) - products])
    if (np.linalg.matrix_rank(left_squares) < count).any():
        return None
    solved = np.linalg.solve(left_squares, left_products[..., None])[..., 0]
    return solved[0], solved[1:]
