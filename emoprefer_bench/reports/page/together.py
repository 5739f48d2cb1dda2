"""How judges of one data set go with each other: their agreement, and what all of them miss."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from emoprefer_bench.cases import is_crossed
from emoprefer_bench.scoring.counts import NONE, codes
from emoprefer_bench.scoring.statistics import cohen_kappa

if TYPE_CHECKING:
    from collections.abc import Sequence

    from emoprefer_bench.document.types import Dataset, Document, ReportedCase
    from emoprefer_bench.pairs import Label

Plain = dict[str, Any]


def together(document: Document, dataset: str) -> Plain:
    """Give `agreement` between the scored cases of a data set, and `missed`, what no judge has right.

    Both are about the forward verdicts of the first round, strictly read. `agreement` is {cases, pairs}: their ids, and
    for each two of them (by place; 0 is people, the first case 1) [place, place, rows that both judged, share of equal
    verdicts, Cohen's kappa]. It is None with fewer than two cases. For `missed` see `_missed`.
    """
    described = document["datasets"][dataset]
    cases = [
        case
        for case in document["cases"]
        if case["dataset"] == dataset and "scores" in case and not _by_lot(case) and not is_crossed(case)
    ]
    columns = [described["labels"], *(case["verdicts"][0]["forward"] for case in cases)]
    pairs = [
        [one, other, *_agreement(columns[one], columns[other])] for one, other in combinations(range(len(columns)), 2)
    ]
    return {
        "agreement": {"cases": [case["id"] for case in cases], "pairs": pairs} if len(cases) > 1 else None,
        "missed": _missed(described, [case for case in cases if _is_judge(case)]),
    }


def _by_lot(case: ReportedCase) -> bool:
    vote = case.get("vote")
    return vote is not None and 2 * vote["drawn"] > vote["verdicts"]


def _is_judge(case: ReportedCase) -> bool:
    """Whether a case is a judge itself: no control, no variant, and not made of other cases."""
    return case["modality"] is not None and not case.get("variant") and not case.keys() & {"vote", "fusion"}


def _agreement(one: Sequence[Label | None], other: Sequence[Label | None]) -> tuple[int, float | None, float | None]:
    first, second = codes(one), codes(other)
    both = (first != NONE) & (second != NONE)
    rows = int(both.sum())
    if not rows:
        return 0, None, None
    kappa = cohen_kappa(one, other)
    return rows, round(float((first == second)[both].mean()), 4), None if kappa is None else round(kappa, 4)


def _missed(dataset: Dataset, judges: Sequence[ReportedCase]) -> Plain | None:
    """Give the `rows` (numbers from 0) where people preferred a text and none of two or more judges says which.

    With them: how many `judges` there are, how many rows were `asked` of all of them and have a winner, how many would
    be missed if errors were `independent`, and for each of the `clips`, the most missed first: name, rows missed, and
    asked.
    """
    rounds = [case["verdicts"][0] for case in judges]
    asked = [
        row
        for row, label in enumerate(dataset["labels"])
        if label in ("a1", "a2") and all(verdicts["forward_provenance"][row] is not None for verdicts in rounds)
    ]
    if len(judges) < 2 or not asked:  # noqa: PLR2004  # one alone shares no errors
        return None
    labels = codes(dataset["labels"])[asked]
    wrong = np.array([codes(verdicts["forward"])[asked] != labels for verdicts in rounds])
    missed = [bool(column.all()) for column in wrong.T]
    clips: dict[str, list[int]] = {}
    for row, is_missed in zip(asked, missed, strict=True):
        counted = clips.setdefault(dataset["keys"][row].partition(":")[2], [0, 0])
        counted[0] += int(is_missed)
        counted[1] += 1
    listed = [[name, *counted] for name, counted in clips.items() if counted[0]]
    return {
        "judges": len(judges),
        "asked": len(asked),
        "independent": float(wrong.mean(axis=1).prod() * len(asked)),
        "rows": [row for row, is_missed in zip(asked, missed, strict=True) if is_missed],
        "clips": sorted(listed, key=lambda clip: -clip[1] / clip[2]),
    }
