"""The scores of one case: what the reference counts, and what was really answered.

A share is a fraction in [0, 1]. An undefined score (no rows) is NaN in arrays and None in plain results.
Source of the reference's rules: Lian et al., "EmoPrefer", ICLR 2026 (arXiv 2507.04278), and its published code.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypedDict

import numpy as np

from emoprefer_bench.document.cases import LABEL_SCORES, METRICS
from emoprefer_bench.scoring.counts import (
    CONFUSION,
    FIRST,
    FLIPS,
    NONE,
    REFERENCE_READING,
    SAME,
    SECOND,
    STRICT_READING,
    plain,
    ratio,
    table,
    tables,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike

    from emoprefer_bench.pairs import Label
    from emoprefer_bench.scoring.counts import Floats
    from emoprefer_bench.verdicts import Verdicts

    Scores = dict[str, float | None]

_TIES = ("a1", "half", "wrong", "dropped")
_UNREAD = ("same", "wrong", "dropped")


@dataclass(frozen=True, slots=True)
class Treatment:
    """How the scores treat ties and unread verdicts. Raises ValueError for a treatment that there is none of.

    `unread` (a verdict of None) is settled first, in all four scores: it counts as `same`, as `wrong` (a verdict of no
    class: it lowers the recall of its label and the precision of none), or its row is `dropped`.
    `ties` (a verdict of `same`) concerns the two-class scores alone, where `same` is no class: it counts as `a1`, as
    `wrong`, its row is `dropped`, or it is `half`: half a row predicted a1 and half a row predicted a2. Accuracy then
    counts half a correct row, and WAF is the weighted F1 of that fractional confusion matrix (which is not quite the
    mean of WAF over all ways to break the ties).
    """

    ties: Literal["a1", "half", "wrong", "dropped"] = "wrong"
    unread: Literal["same", "wrong", "dropped"] = "wrong"

    def __post_init__(self) -> None:
        for name, value, known in (("ties", self.ties, _TIES), ("unread", self.unread, _UNREAD)):
            if value not in known:
                raise ValueError(f"the treatment of {name} is one of {', '.join(known)}, not {value!r}")


REFERENCE = Treatment(ties="a1", unread="same")
STRICT = Treatment(ties="wrong", unread="wrong")


class Spread(TypedDict):
    """One metric over rounds: its values, their mean, their standard deviation (ddof 0; None for a single round)."""

    mean: float | None
    sd: float | None
    rounds: list[float | None]


def reference_scores(labels: Sequence[Label | None], predictions: Sequence[Label | None]) -> Scores:
    """`waf2`, `acc2`, `waf3`, `acc3` by the reference's rules.

    In the two-class scores, rows labelled `same` are dropped and a predicted `same` counts as `a1`. WAF is the mean of
    the classes' F1, weighted by how often each is the label (scikit-learn's `f1_score(average="weighted")`).
    """
    return scores(labels, predictions, REFERENCE)


def strict_scores(labels: Sequence[Label | None], predictions: Sequence[Label | None]) -> Scores:
    """Score with nothing guessed: an unread verdict is wrong, and so is a tie in the two-class scores."""
    return scores(labels, predictions, STRICT)


def scores(labels: Sequence[Label | None], predictions: Sequence[Label | None], treatment: Treatment) -> Scores:
    """`waf2`, `acc2`, `waf3`, `acc3` of the labelled rows under a treatment; None where no row counts.

    Raises ValueError for sequences of different lengths and for anything but a1, a2, same and None in them.
    """
    values = scores_from_counts(table(labels, predictions)[:NONE], treatment)
    return {name: plain(value) for name, value in values.items()}


def scores_from_counts(counts: ArrayLike, treatment: Treatment) -> dict[str, Floats]:
    """Score counts (..., 3, 4) of label by predicted a1, a2, same, none: arrays (...), NaN where no row counts."""
    two, three = _settled(np.asarray(counts, dtype=np.float64), treatment)
    waf2, acc2 = two.waf_and_accuracy()
    waf3, acc3 = three.waf_and_accuracy()
    return {"waf2": waf2, "acc2": acc2, "waf3": waf3, "acc3": acc3}


def score_bounds(
    labels: Sequence[Label | None], predictions: Sequence[Label | None], treatment: Treatment = STRICT
) -> dict[str, dict[str, float | None]]:
    """How low (`worst`) and high (`best`) each of the four scores could be, whatever the unread verdicts meant.

    An unread verdict may have meant any class of the score; of the treatment only that of ties matters. At best each
    meant its row's label. At worst none did: then accuracy counts it wrong, and WAF gives it the wrong class that
    costs most. The weighted F1 is convex in the number of wrong verdicts for each class, so handing them out one by one
    where it falls most is exact (greedy allocation: Federgruen and Groenevelt, Operations Research 34, 1986).
    """
    counts = table(labels, predictions)[:NONE]
    unread = counts[:, NONE].copy()
    counts[:, NONE] = 0
    best = counts.copy()
    best[range(NONE), range(NONE)] += unread
    high = scores_from_counts(best, treatment)
    low: dict[str, float | None] = {}
    for known in _settled(counts, treatment):
        classes = len(known.missed)
        low[f"waf{classes}"], low[f"acc{classes}"] = _lowest(known, unread[:classes])
    return {name: {"worst": low[name], "best": plain(high[name])} for name in LABEL_SCORES}


def swap_consistency(forward: Sequence[Label | None], exchanged: Sequence[Label | None]) -> float | None:
    """Count the share of all rows whose verdict on the exchanged pair is the exchanged verdict; None without rows.

    `exchanged` are raw verdicts on the exchanged pair, so a1 then a2 is consistent. An unread verdict never is.
    """
    return plain(_consistent(table(forward, exchanged)))


def case_metrics(labels: Sequence[Label | None], rounds: Sequence[Verdicts]) -> dict[str, Spread]:
    """Every metric of a case (`METRICS`), over its rounds.

    The label scores count the labelled rows, the others all rows. `answered` is the share of verdicts that were read,
    `ties` the share of `same` among those, and `first_slot` the share of a1 among the a1 and a2: over both orders, as
    strictly read.
    """
    counted = tables(labels, rounds)[0]
    return {name: spread([plain(value) for value in metric_from_tables(counted, name)]) for name in METRICS}


def spread(values: Sequence[float | None]) -> Spread:
    """Mean and standard deviation of a metric over rounds; None if it is undefined in any round or there is none."""
    known = [value for value in values if value is not None]
    if not known or len(known) < len(values):
        return {"mean": None, "sd": None, "rounds": list(values)}
    deviation = float(np.std(known)) if len(known) > 1 else None
    return {"mean": float(np.mean(known)), "sd": deviation, "rounds": list(values)}


def metric_from_tables(counted: Floats, name: str) -> Floats:
    """Compute one of `METRICS` from tables of shape (..., 2, 2, 4, 4): an array (...), NaN where undefined."""
    if name not in METRICS:
        raise ValueError(f"there is no metric {name!r}; there are {', '.join(METRICS)}")
    base, strict = name.removeprefix("strict_"), name not in (*LABEL_SCORES, "swap")
    reading, treatment = (STRICT_READING, STRICT) if strict else (REFERENCE_READING, REFERENCE)
    if base in LABEL_SCORES:
        two, three = _settled(counted[..., reading, CONFUSION, :NONE, :], treatment)
        waf, accuracy = (two if base.endswith("2") else three).waf_and_accuracy()
        return waf if base.startswith("waf") else accuracy
    flips = counted[..., reading, FLIPS, :, :]
    if base == "swap":
        return _consistent(flips)
    verdicts = flips.sum(-1) + flips.sum(-2)
    first, second, same = (verdicts[..., code] for code in (FIRST, SECOND, SAME))
    if name == "answered":
        return ratio(first + second + same, verdicts.sum(-1))
    return ratio(same, first + second + same) if name == "ties" else ratio(first, first + second)


@dataclass(frozen=True, slots=True)
class _Confusion:
    """Label by predicted class, shape (..., k, k), and the rows of each label predicted as no class, (..., k)."""

    matrix: Floats
    missed: Floats

    def waf_and_accuracy(self) -> tuple[Floats, Floats]:
        support, right = self.matrix.sum(-1) + self.missed, np.diagonal(self.matrix, axis1=-2, axis2=-1)
        f1 = np.nan_to_num(ratio(2 * right, support + self.matrix.sum(-2)))
        rows = support.sum(-1)
        return ratio((support * f1).sum(-1), rows), ratio(right.sum(-1), rows)


def _settled(counts: Floats, treatment: Treatment) -> tuple[_Confusion, _Confusion]:
    """Settle unread verdicts and ties: the two-class and the three-class confusion of counts (..., 3, 4)."""
    three, unread = counts[..., :NONE].copy(), counts[..., NONE]
    missed = unread if treatment.unread == "wrong" else np.zeros_like(unread)
    if treatment.unread == "same":
        three[..., SAME] += unread
    two, ties, missed_in_two = three[..., :SAME, :SAME].copy(), three[..., :SAME, SAME], missed[..., :SAME]
    if treatment.ties == "a1":
        two[..., FIRST] += ties
    elif treatment.ties == "half":
        two += ties[..., None] / 2
    elif treatment.ties == "wrong":
        missed_in_two = missed_in_two + ties
    return _Confusion(two, missed_in_two), _Confusion(three, missed)


def _lowest(known: _Confusion, unread: Floats) -> tuple[float | None, float | None]:
    """Find the lowest WAF and accuracy when the `unread` rows of each label were predicted as other classes."""
    right, predicted = np.diagonal(known.matrix), known.matrix.sum(-2)
    support = known.matrix.sum(-1) + known.missed + unread
    room = unread.sum() - unread
    for _ in range(int(unread.sum())):
        fall = np.nan_to_num(ratio(support * right, (support + predicted) * (support + predicted + 1)))
        most = int(np.argmax(np.where(room > 0, fall, -1)))
        predicted[most] += 1
        room[most] -= 1
    f1 = np.nan_to_num(ratio(2 * right, support + predicted))
    return plain(ratio((support * f1).sum(), support.sum())), plain(ratio(right.sum(), support.sum()))


def _consistent(flips: Floats) -> Floats:
    agreed = flips[..., FIRST, SECOND] + flips[..., SECOND, FIRST] + flips[..., SAME, SAME]
    return ratio(agreed, flips.sum((-2, -1)))
