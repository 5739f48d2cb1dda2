"""How far people agree, and so how good a judge of single labels can be at all.

Rows about the same clip and the same two texts, in either order, are labels of one pair by several people. Let q be the
chance that a label of a pair is a1, and m the greater of q and 1 - q: what the best judge has right of that pair. Two
people agree on it with the chance m^2 + (1 - m)^2, which is no more than m, and is convex in m. So if two people agree
with the chance A over all labels, the best accuracy lies between A and (1 + sqrt(2 A - 1)) / 2, where an A that
chance has brought under 1/2 counts as 1/2 (docs/reading.md).
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from emoprefer_bench.pairs import EXCHANGED
from emoprefer_bench.scoring.counts import group_numbers
from emoprefer_bench.scoring.intervals import ratio_interval, student, tail
from emoprefer_bench.scoring.metrics import case_metrics
from emoprefer_bench.scoring.slices import rows_of
from emoprefer_bench.scoring.statistics import cluster_intervals

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Sequence

    from emoprefer_bench.document.types import Alternative, AlternativeTo, Annotator, Ceiling, OfCeiling
    from emoprefer_bench.pairs import Label, Pair
    from emoprefer_bench.scoring.counts import Floats
    from emoprefer_bench.verdicts import Verdicts

MARGIN = 0.1  # epsilon of the alternative-annotator test: that of its authors for crowd workers, the strictest
FEWEST = 30  # rows that an annotator must share with others to be compared with a judge, as its authors ask
_PEOPLE = 3  # annotators that it takes
_LEVEL = 0.05
_TWO = ("a1", "a2")


class Vote(NamedTuple):
    """A person's label of a pair, turned to the order in which the pair is first met; `row` is where it stands."""

    row: int
    person: Hashable
    label: Label
    turned: bool


def votes_of(pairs: Sequence[Pair]) -> list[list[Vote]]:
    """The labels of each pair that several people labelled, in their order; who has no name is a new person."""
    first: dict[tuple[str | None, ...], str] = {}
    units: defaultdict[tuple[str | None, ...], list[Vote]] = defaultdict(list)
    for row, pair in enumerate(pairs):
        if pair.label is not None:
            unit = pair.clip.name, pair.question, pair.criterion, *sorted((pair.a1, pair.a2))
            turned = first.setdefault(unit, pair.a1) != pair.a1
            label = EXCHANGED[pair.label] if turned else pair.label
            units[unit].append(Vote(row, pair.annotator or ("row", row), label, turned))
    return [votes for votes in units.values() if len({vote.person for vote in votes}) > 1]


def ceiling(pairs: Sequence[Pair]) -> Ceiling | None:
    """How far people agree, and between which bounds the best accuracy lies; None where nobody shares a pair.

    The agreement is over the labels a1 and a2: of each, the share of the other people's that are the same, and then the
    mean. Alpha is over all three labels. The intervals are over clips.
    """
    units = votes_of(pairs) if any(pair.a1 for pair in pairs) else []
    agreed = [(vote, share) for unit in units for vote in unit if (share := _agreement(vote, unit, _TWO)) is not None]
    if not agreed:
        return None
    clips = group_numbers([pairs[vote.row].clip.name for vote, _ in agreed])
    shares = np.array([share for _, share in agreed])
    agreement, interval = float(shares.mean()), ratio_interval(shares, np.ones_like(shares), clips)
    named = {pair.annotator for pair in pairs if pair.annotator}
    alpha, alpha_interval = krippendorff(
        [[vote.label for vote in unit] for unit in units], [pairs[unit[0].row].clip.name for unit in units]
    )
    return {
        "pairs": len(units),
        "rows": sum(map(len, units)),
        "annotators": [_annotator(person, units, pairs) for person in sorted(named)],
        "alpha": alpha,
        "alpha_interval": alpha_interval,
        "agreement": agreement,
        "agreement_interval": list(interval) if interval else None,
        "best": bounds(agreement, agreement),
        "best_interval": bounds(*interval) if interval else None,
    }


def bounds(lowest: float, highest: float) -> list[float]:
    """Between what the best accuracy lies, if the chance that two people agree lies between these.

    A measured chance can come out under 1/2, and the best accuracy can't: whatever q is, m is no less.
    """
    return [max(lowest, 0.5), (1 + math.sqrt(2 * max(highest, 0.5) - 1)) / 2]


def krippendorff(
    units: Sequence[Sequence[Hashable]], clips: Sequence[Hashable]
) -> tuple[float | None, list[float] | None]:
    """Krippendorff's alpha of nominal labels, and its 95% interval over clips by the jackknife.

    `units` are the labels of each thing that two or more people labelled. It is 1 - (n - 1) D / E in the closed form of
    coincidences: D counts the pairs of labels of one unit that differ, each weighted by 1 / (labels of the unit - 1), E
    those of any two of the n labels (Krippendorff, Computing Krippendorff's Alpha-Reliability, 2011). None where all
    labels are the same.
    """
    labels = sorted({str(label) for unit in units for label in unit})
    numbers = {label: number for number, label in enumerate(labels)}
    group = group_numbers(clips)
    together = np.zeros((int(group.max(initial=-1)) + 1, len(labels), len(labels)))
    for number, unit in zip(group.tolist(), units, strict=True):
        count = np.bincount([numbers[str(label)] for label in unit], minlength=len(labels)).astype(np.float64)
        together[number] += (np.outer(count, count) - np.diag(count)) / (len(unit) - 1)
    value = _alpha(together.sum(0)) if len(units) else math.nan
    if math.isnan(value):
        return None, None
    without = _alpha(together.sum(0) - together)
    if len(together) < 2 or np.isnan(without).any():  # noqa: PLR2004  # one clip says nothing about how clips differ
        return float(value), None
    clips_ = len(together)
    error = math.sqrt((clips_ - 1) / clips_ * float(((without - without.mean()) ** 2).sum()))
    reach = student(0.975, clips_ - 1) * error
    return float(value), [float(value) - reach, min(1.0, float(value) + reach)]


def _alpha(together: Floats) -> Floats:
    """Alpha of coincidences (..., labels, labels): an array (...), NaN where all labels are the same."""
    margins = together.sum(-1)
    total = margins.sum(-1)
    differ = total - np.trace(together, axis1=-2, axis2=-1)
    expected = total**2 - (margins**2).sum(-1)
    alpha = np.full(np.shape(total), np.nan)
    np.divide((total - 1) * differ, expected, out=alpha, where=expected > 0)
    return np.asarray(1 - alpha)


def majority(pairs: Sequence[Pair]) -> list[Label | None]:
    """What most of the others said of each row's pair: `same` where they are level, None where there are no others."""
    said: list[Label | None] = [None] * len(pairs)
    for unit in votes_of(pairs):
        for vote in unit:
            counts = Counter(other.label for other in _others(vote, unit))
            if not counts:
                continue
            most = max(counts.values())
            level = [label for label, count in counts.items() if count == most]
            label: Label = level[0] if len(level) == 1 else "same"
            said[vote.row] = EXCHANGED[label] if vote.turned else label
    return said


def of_ceiling(pairs: Sequence[Pair], rounds: Sequence[Verdicts]) -> OfCeiling | None:
    """What part of the best possible accuracy a judge's is, and whether it could stand in for a person.

    Its accuracy is acc2 on the rows of pairs that several people labelled; it stands in with its first round.
    """
    human = ceiling(pairs)
    if human is None:
        return None
    units = votes_of(pairs)
    rows = sorted(vote.row for unit in units for vote in unit)
    labels, verdicts = [pairs[row].label for row in rows], rows_of(rounds, rows)
    acc2 = case_metrics(labels, verdicts)["acc2"]["mean"]
    interval = cluster_intervals(labels, verdicts, [pairs[row].clip.name for row in rows], metrics=["acc2"])["acc2"]
    low, high = human["best"]
    return {
        "rows": sum(label in _TWO for label in labels),
        "acc2": acc2,
        "interval": list(interval) if interval else None,
        "relative": [acc2 / high, acc2 / low] if acc2 is not None else None,
        "alternative": alternative(units, rounds[0].forward),
    }


def alternative(units: Sequence[Sequence[Vote]], verdicts: Sequence[Label | None]) -> Alternative | None:
    """The alternative-annotator test (Calderon, Reichart and Dror, arXiv 2501.10970); None with too few people.

    Each annotator is set aside in turn. On each of their rows, judge and annotator are held against the other people's
    labels, and whoever agrees with more of them has the row, both where they are level. The judge wins over the
    annotator if it has at least as many rows, less a margin, by a one-sided t test; p values are for all annotators
    together (Benjamini and Yekutieli, 2001). It passes if it wins over at least half of them. `advantage` is how often
    it has a row, the mean over annotators.
    """
    people = {vote.person for unit in units for vote in unit if isinstance(vote.person, str)}
    compared = [made for person in sorted(people) if (made := _against(person, units, verdicts)) is not None]
    if len(compared) < _PEOPLE:
        return None
    wins = _false_discoveries([person["p"] for person in compared])
    return {
        "margin": MARGIN,
        "annotators": compared,
        "wins": sum(wins),
        "passes": 2 * sum(wins) >= len(compared),
        "advantage": float(np.mean([person["judge"] for person in compared])),
    }


def _against(
    person: Hashable, units: Sequence[Sequence[Vote]], verdicts: Sequence[Label | None]
) -> AlternativeTo | None:
    has_judge, has_person = [], []
    for unit in units:
        for vote in unit:
            others = [other.label for other in _others(vote, unit)] if vote.person == person else []
            if not others:
                continue
            said = verdicts[vote.row]
            turned = EXCHANGED[said] if said and vote.turned else said
            judge, own = others.count(turned) if turned else 0, others.count(vote.label)
            has_judge.append(judge >= own)
            has_person.append(own >= judge)
    rows = len(has_judge)
    if rows < FEWEST:
        return None
    ahead = np.array(has_person, dtype=float) - np.array(has_judge, dtype=float)
    error = float(ahead.std(ddof=1)) / math.sqrt(rows)
    behind = MARGIN - float(ahead.mean())
    p = tail(behind / error, rows - 1) if error else float(behind <= 0)
    return {
        "annotator": str(person),
        "rows": rows,
        "judge": float(np.mean(has_judge)),
        "person": float(np.mean(has_person)),
        "p": p,
    }


def _false_discoveries(p: Sequence[float]) -> list[bool]:
    """Which hypotheses are rejected, whatever the tests have to do with each other (Benjamini and Yekutieli, 2001)."""
    count = len(p)
    harmonic = sum(1 / number for number in range(1, count + 1))
    order = sorted(range(count), key=lambda place: p[place])
    passed = [rank for rank, place in enumerate(order, 1) if p[place] <= rank * _LEVEL / (count * harmonic)]
    last = max(passed, default=0)
    rejected = set(order[:last])
    return [place in rejected for place in range(count)]


def _annotator(person: str, units: Sequence[Sequence[Vote]], pairs: Sequence[Pair]) -> Annotator:
    """How often the other people agree with one."""
    own = [(vote, unit) for unit in units for vote in unit if vote.person == person]
    agreed = [(vote, share) for vote, unit in own if (share := _agreement(vote, unit, _TWO)) is not None]
    shares = np.array([share for _, share in agreed])
    clips = group_numbers([pairs[vote.row].clip.name for vote, _ in agreed])
    interval = ratio_interval(shares, np.ones_like(shares), clips)
    return {
        "annotator": person,
        "rows": len(agreed),
        "agreement": float(shares.mean()) if agreed else None,
        "interval": list(interval) if interval else None,
    }


def _others(vote: Vote, unit: Iterable[Vote]) -> list[Vote]:
    return [other for other in unit if other.person != vote.person]


def _agreement(vote: Vote, unit: Iterable[Vote], labels: Sequence[str]) -> float | None:
    """The share of the other people's labels that are this one, of those among `labels`; None without any."""
    others = [other.label for other in _others(vote, unit) if other.label in labels]
    return others.count(vote.label) / len(others) if others and vote.label in labels else None
