"""Whose fault errors are: one judge with the descriptions of many, many judges with the descriptions of one.

A *cell* is a judge with a description; what it has right of each row is 1 or 0 (the verdict on the texts as they stand,
strictly read, is the label; the mean over rounds). A judge errs by a wrong description, if it errs less with those of
others; by a wrong comparison, if other judges err less with its own description.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np

from emoprefer_bench.cases import DESCRIBES, MISDESCRIBED, REFERENCE, UNDESCRIBED, is_crossed, judge_of
from emoprefer_bench.document.rows import clip_of
from emoprefer_bench.scoring.counts import codes, group_numbers
from emoprefer_bench.scoring.intervals import gain_interval, ratio_interval, student
from emoprefer_bench.scoring.statistics import share_of_level

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Literal

    from numpy.typing import NDArray

    from emoprefer_bench.document.types import (
        CrossedCase,
        CrossedCell,
        Crossing,
        Dataset,
        Fault,
        Mended,
        ScoredCase,
        VarianceShares,
    )
    from emoprefer_bench.scoring.counts import Codes, Floats

    Flags = NDArray[np.bool_]

LEVEL = 0.01  # for both faults of a judge together
ENOUGH = 2  # other descriptions that mend an error put it down to the description
_TWO = ("a1", "a2")
_NOTHING = 1e-12

Rights = dict[tuple[str, str], "Floats"]
"""What is right, by (judge, description): a share for each row labelled a1 or a2, NaN where it was not asked."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """The cells of a crossing, on the rows labelled a1 or a2. `own` are the cells of judges' cases, by their ids.

    `describers` are those whose descriptions every judge has, the reference among them where each row has one.
    """

    rights: Rights
    clips: Codes
    own: dict[str, tuple[str, str]]
    describers: list[str]

    @property
    def judges(self) -> list[str]:
        """The judges, in the order of their cases."""
        return list(dict.fromkeys(judge for judge, _ in self.own.values()))

    def grid(self) -> Floats:
        """The full crossing: (judges, describers, rows)."""
        return np.array([[self.rights[judge, name] for name in self.describers] for judge in self.judges])


def crossings(cases: Iterable[ScoredCase], datasets: Mapping[str, Dataset]) -> list[Crossing]:
    """The crossings of a report: one for each data set and prompt by which judges got others' descriptions."""
    groups: dict[tuple[str, str], list[ScoredCase]] = defaultdict(list)
    for case in cases:
        if case["complete"] and case["prompt"] in DESCRIBES and (is_crossed(case) or not case.get("variant")):
            groups[case["dataset"], case["prompt"]].append(case)
    return [
        _crossing(dataset, prompt, of_group, datasets[dataset])
        for (dataset, prompt), of_group in groups.items()
        if any(map(is_crossed, of_group))
    ]


def _crossing(dataset: str, prompt: str, cases: Sequence[ScoredCase], described: Dataset) -> Crossing:
    decided = [row for row, label in enumerate(described["labels"]) if label in _TWO]
    clips = group_numbers([clip_of(described["keys"][row]) for row in decided])
    labels = codes([described["labels"][row] for row in decided])
    rights, ids = {}, {}
    for case in cases:
        cell = judge_of(case), description_of(case)
        rights[cell], ids[cell] = _right(case, decided, labels), case["id"]
    own = {case["id"]: (judge_of(case), case["model"]) for case in cases if not is_crossed(case)}
    evidence = Evidence(rights, clips, own, _describers(rights, {judge for judge, _ in own.values()}))
    return {
        "dataset": dataset,
        "prompt": cast('Literal["S2", "S3"]', prompt),
        "rows": len(decided),
        "clips": int(clips.max(initial=-1)) + 1,
        "describers": evidence.describers,
        "cells": [_cell(cell, ids[cell], right, clips) for cell, right in rights.items()],
        "judges": [faults(evidence, case) for case in own],
        "variance": variance_shares(evidence.grid(), clips) if evidence.describers else None,
    }


def description_of(case: ScoredCase) -> str:
    """Who described for a case: a model by its name, or one of CROSSED."""
    variant = case.get("variant")
    return case.get("describer") or variant or case["model"]


def _describers(rights: Rights, judges: set[str]) -> list[str]:
    """Whose descriptions every judge has, of every row."""
    whole: defaultdict[str, set[str]] = defaultdict(set)
    for (judge, description), right in rights.items():
        if description not in (UNDESCRIBED, MISDESCRIBED) and not np.isnan(right).any():
            whole[description].add(judge)
    return sorted((name for name, has in whole.items() if has >= judges), key=lambda name: (name == REFERENCE, name))


def _right(case: ScoredCase, rows: Sequence[int], labels: Codes) -> Floats:
    rounds = [
        np.where(
            np.array([of_round["forward_provenance"][row] is None for row in rows], dtype=bool),
            np.nan,
            codes([of_round["forward"][row] for row in rows]) == labels,
        )
        for of_round in case["verdicts"]
    ]
    return np.asarray(np.mean(rounds, axis=0))


def _cell(cell: tuple[str, str], case: str, right: Floats, clips: Codes) -> CrossedCell:
    judge, description = cell
    asked = ~np.isnan(right)
    interval = _interval(right[asked], np.ones(int(asked.sum())), clips[asked])
    return {
        "judge": judge,
        "description": description,
        "case": case,
        "rows": int(asked.sum()),
        "acc2": float(right[asked].mean()) if asked.any() else None,
        "interval": interval,
    }


def faults(evidence: Evidence, case: str) -> CrossedCase:
    """Whose fault the errors of a judge's case are.

    `descriptions` is how much more it has right with the others' descriptions, the mean of these; `comparing` how much
    more other judges have right with its own. `found` says whether that is told from 0, one-sided, at a level of 0.01
    for both. Errors (rows that it has not right in most rounds) are `mended` by two or more others, or by `none`.
    """
    judge, own = evidence.own[case]
    others = [name for name in evidence.describers if name != own]
    peers = [peer for peer in evidence.judges if peer != judge and (peer, own) in evidence.rights]
    right = evidence.rights[judge, own]
    with_others = np.array([evidence.rights[judge, name] for name in others]).reshape(len(others), len(right))
    by_peers = np.array([evidence.rights[peer, own] for peer in peers]).reshape(len(peers), len(right))
    wrong = right < 0.5  # noqa: PLR2004  # in most rounds
    mends = (with_others > 0.5).sum(0)  # noqa: PLR2004  # likewise
    tests = bool(others) + bool(peers)
    return {
        "case": case,
        "judge": judge,
        "describer": own,
        "errors": int(wrong.sum()),
        "others": others,
        "peers": peers,
        "mended": _mended(mends >= ENOUGH, wrong, evidence.clips, _by_chance(with_others, ENOUGH))
        if len(others) >= ENOUGH
        else None,
        "none": _mended(mends == 0, wrong, evidence.clips, _by_chance(with_others, 0)) if others else None,
        "descriptions": _gain(with_others.mean(0) - right, evidence.clips, tests) if others else None,
        "comparing": _gain(by_peers.mean(0) - right, evidence.clips, tests) if peers else None,
    }


def _mended(which: Flags, wrong: Flags, clips: Codes, by_chance: float) -> Mended | None:
    errors = int(wrong.sum())
    if not errors:
        return None
    return {
        "share": float(which[wrong].mean()),
        "interval": _interval(which[wrong].astype(float), np.ones(errors), clips[wrong]),
        "by_chance": by_chance,
    }


def _by_chance(rights: Floats, least: int) -> float:
    """How many rows at least so many descriptions have right (none, for 0) if they knew nothing of each other."""
    counts = np.ones(1)
    for share in rights.mean(1):
        counts = np.convolve(counts, [1 - share, share])
    return float(counts[0] if least == 0 else counts[least:].sum())


def _interval(parts: Floats, wholes: Floats, clips: Codes) -> list[float] | None:
    """The interval of a share over clips; None without rows on two clips."""
    if not len(parts):
        return None
    _, group = np.unique(clips, return_inverse=True)
    bounds = ratio_interval(parts, wholes, group)
    return list(bounds) if bounds else None


def _gain(differences: Floats, clips: Codes, tests: int) -> Fault | None:
    """A mean difference a row, its interval over clips, and whether it is above 0, by the jackknife over clips."""
    interval = gain_interval(differences, clips)
    if interval is None:
        return None
    sums, rows = np.bincount(clips, differences), np.bincount(clips)
    count, value = len(sums), float(differences.mean())
    without = (sums.sum() - sums) / (rows.sum() - rows)
    error = float(np.sqrt((count - 1) / count * ((without - without.mean()) ** 2).sum()))
    sure = student(1 - share_of_level(LEVEL, tests), count - 1)
    return {"gain": value, "interval": list(interval), "found": value > max(sure * error, _NOTHING)}


def variance_shares(grid: Floats, clips: Codes) -> VarianceShares | None:
    """What makes verdicts on one row differ: who described it, who judged, or both together.

    `grid` (judges, describers, rows) is 1 where a judge with a description is right. Within each row an analysis of
    variance of two crossed factors gives mean squares, which are averaged over rows; their expectations give the
    components of describer, judge, and interaction with all that is left (Cornfield and Tukey, 1956). The shares are
    those of the sum of the three. Intervals are by the jackknife over clips. None with fewer than two judges or
    describers, or where all verdicts on every row agree.
    """
    judges, describers = grid.shape[:2]
    if min(judges, describers) < 2:  # noqa: PLR2004  # what differs takes two
        return None
    mean = grid.mean((0, 1))
    by_describer, by_judge = grid.mean(0) - mean, grid.mean(1) - mean
    left = grid - mean - by_describer[None] - by_judge[:, None]
    squares = np.stack(
        [
            judges * (by_describer**2).sum(0) / (describers - 1),
            describers * (by_judge**2).sum(0) / (judges - 1),
            (left**2).sum((0, 1)) / ((describers - 1) * (judges - 1)),
        ]
    )
    sums = np.stack([np.bincount(clips, row) for row in squares])
    shares = _shares(sums.sum(1), judges, describers)
    count = sums.shape[1]
    if np.isnan(shares).any() or count < 2:  # noqa: PLR2004  # as above
        return None
    without = _shares(sums.sum(1)[:, None] - sums, judges, describers)
    errors = np.sqrt((count - 1) / count * ((without - without.mean(1)[:, None]) ** 2).sum(1))
    reach = student(0.975, count - 1) * np.nan_to_num(errors)
    low, high = np.clip(shares - reach, 0, 1), np.clip(shares + reach, 0, 1)
    names = ("describer", "judge", "interaction")
    values = zip(names, shares.tolist(), low.tolist(), high.tolist(), strict=True)
    return cast(
        "VarianceShares", {name: {"value": value, "interval": [lowest, most]} for name, value, lowest, most in values}
    )


def _shares(squares: Floats, judges: int, describers: int) -> Floats:
    """The components' shares (3, ...) from sums of mean squares (3, ...); one that comes out below 0 is 0."""
    describer, judge, left = squares
    components = np.maximum(np.stack([(describer - left) / judges, (judge - left) / describers, left]), 0)
    whole = components.sum(0)
    shares = np.full(components.shape, np.nan)
    np.divide(components, whole, out=shares, where=whole > _NOTHING)
    return shares
