"""What the tables of every form share: what they call a judge and a data set, and why cases have no scores."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emoprefer_bench.document.cases import is_control, is_drawn, is_scored, is_weighed
from emoprefer_bench.reports import numbers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from emoprefer_bench.document.types import Dataset, Document, ReportedCase

BY_DESIGN = "by design"
PAPER_METRICS = ("waf2", "acc2", "waf3", "acc3", "swap")


def judges(cases: Sequence[ReportedCase], *, controls: bool = True) -> list[str]:
    """What each case's judge is called in a table: what tells rows apart is said, and nothing else.

    `controls` are said to be some, unless the table shows it otherwise.
    """
    alike: dict[tuple[str, str | None, str | None], list[ReportedCase]] = {}
    for case in cases:
        alike.setdefault(_row(case), []).append(case)
    return [_judge(case, alike[_row(case)], controls=controls) for case in cases]


def score(case: ReportedCase, metric: str, *, with_interval: bool = False, with_spread: bool = True) -> str:
    """A score as a cell: a dash for what failed or was drawn by lot, and no number for what is so by construction."""
    if is_drawn(case) and metric != "answered":
        return numbers.NONE
    if is_scored(case):
        if by_design(case, metric):
            return BY_DESIGN
        return numbers.score(case["scores"][metric], with_interval=with_interval, with_spread=with_spread)
    read = case.get("provenance")
    if metric == "answered" and read and sum(read.values()):
        return numbers.percent((read.get("parsed", 0) + read.get("weighed", 0)) / sum(read.values()))
    return numbers.NONE


def by_design(case: ReportedCase, metric: str) -> bool:
    """Whether the score is what it is by how verdicts come about, and so says nothing of the judge."""
    if case.get("variant") == "orders-vote":
        return metric in ("swap", "strict_swap")
    return is_weighed(case) and metric in ("swap", "strict_swap", "first_slot")


def _row(case: ReportedCase) -> tuple[str, str | None, str | None]:
    return case["model"], case["prompt"], case.get("variant")


def _judge(case: ReportedCase, alike: Sequence[ReportedCase], *, controls: bool) -> str:
    remarks = ["control"] if controls and is_control(case) else []
    if len({peer["modality"] for peer in alike}) > 1:
        remarks.append(case["modality"] or "texts")
    if len({peer["llm"] for peer in alike}) > 1:
        remarks.append(f"with {case['llm']}")
    if variant := case.get("variant"):
        remarks.append(variant)
    if is_drawn(case):
        remarks.append("drawn by lot")
    if not is_scored(case):
        remarks.append("failed" if case["outcome"] in ("failed", "error") else case["outcome"])
    elif not case["complete"]:
        remarks.append("incomplete")
    return f"{case['model']} ({', '.join(remarks)})" if remarks else case["model"]


def about(name: str, dataset: Dataset) -> str:
    """A data set in one line."""
    return f"{name}: {dataset['rows']} pairs, {dataset['labelled']} labelled, {dataset['clips']} clips"


def reasons(document: Document) -> list[str]:
    """Why cases failed or have no scores: one line for each reason, skipped cases in one line together."""
    counted: dict[tuple[str, str], list[str]] = {}
    for case in document["cases"]:
        outcome = case.get("outcome", "passed")
        if outcome == "skipped":
            counted.setdefault((outcome, "for want of data, GPUs or packages"), []).append(case["id"])
        elif outcome != "passed":
            counted.setdefault((outcome, first_line(case.get("reason"))), []).append(case["id"])
    return [
        f"{ids[0] if len(ids) == 1 else f'{len(ids)} cases'} {outcome}: {reason}"
        for (outcome, reason), ids in counted.items()
    ]


def first_line(reason: str | None) -> str:
    """The first line of a reason."""
    lines = (reason or "").strip().splitlines()
    return lines[0] if lines else "no reason given"
