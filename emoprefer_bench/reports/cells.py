"""What the tables of every form share: which cases stand in them, in which order, and what a cell says."""

from __future__ import annotations

from typing import Any

Document = dict[str, Any]
Case = dict[str, Any]

PAPER_METRICS = ("waf2", "acc2", "waf3", "acc3", "swap")


def scored(document: Document, dataset: str) -> list[Case]:
    """The data set's cases that have scores: the controls first, then the judges, by rising two-class WAF."""
    cases = [case for case in document["cases"] if case["dataset"] == dataset and "scores" in case]
    return sorted(cases, key=lambda case: (not is_control(case), waf2(case)))


def is_control(case: Case) -> bool:
    """Whether the case's judge looks at nothing but the two texts."""
    return case["modality"] is None


def waf2(case: Case) -> float:
    """What cases are ordered by: two-class WAF, below all others where there is none."""
    mean = case["scores"]["waf2"]["mean"]
    return -1.0 if mean is None else float(mean)


def judge(case: Case) -> str:
    """The judge's name, with what a reader must know of it."""
    remarks = ["control"] if is_control(case) else []
    remarks += [case["variant"]] if case.get("variant") else []
    remarks += [] if case["complete"] else ["incomplete"]
    return f"{case['model']} ({', '.join(remarks)})" if remarks else str(case["model"])


def percent(score: dict[str, Any], *, interval: bool = False) -> str:
    """A score in percent: mean, standard deviation where there were several rounds, and the interval if asked for."""
    if score["mean"] is None:
        return "-"
    text = f"{100 * score['mean']:.2f}"
    if score["sd"] is not None:
        text += f"±{100 * score['sd']:.2f}"
    if interval and score["interval"]:
        low, high = score["interval"]
        text += f" [{100 * low:.1f}, {100 * high:.1f}]"
    return text


def about(name: str, dataset: dict[str, Any]) -> str:
    """A data set in one line."""
    return f"{name}: {dataset['rows']} pairs, {dataset['labelled']} labelled, {dataset['clips']} clips"


def reasons(document: Document) -> list[str]:
    """Why cases failed or have no scores: one line for each reason, skipped cases in one line together."""
    counted: dict[tuple[str, str], list[str]] = {}
    for case in document["cases"]:
        if case["outcome"] == "skipped":
            counted.setdefault(("skipped", "for want of data, GPUs or packages"), []).append(case["id"])
        elif case["outcome"] != "passed":
            lines = (case["reason"] or "").strip().splitlines() or ["no reason given"]
            counted.setdefault((case["outcome"], lines[0]), []).append(case["id"])
    return [
        f"{ids[0] if len(ids) == 1 else f'{len(ids)} cases'} {outcome}: {reason}"
        for (outcome, reason), ids in counted.items()
    ]
