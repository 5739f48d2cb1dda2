"""What the tables of every form share: what they call a judge and a data set, and why cases have no scores."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emoprefer_bench.document.cases import is_control

if TYPE_CHECKING:
    from emoprefer_bench.document.types import Dataset, Document, ReportedCase

PAPER_METRICS = ("waf2", "acc2", "waf3", "acc3", "swap")


def judge(case: ReportedCase) -> str:
    """The judge's name, with what a reader must know of it."""
    remarks = ["control"] if is_control(case) else []
    if variant := case.get("variant"):
        remarks.append(variant)
    if not case["complete"]:
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
