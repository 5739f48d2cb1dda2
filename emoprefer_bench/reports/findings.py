"""What a run found beyond its scores, in plain sentences: against the controls, a baseline, and its limits."""

from __future__ import annotations

from typing import Any

from tabulate import tabulate

Case = dict[str, Any]
Comparison = dict[str, Any]

SURE = 0.05
WORDS = {"fail": "failed", "inconclusive": "inconclusive", "warn": "warning"}


def against_controls(cases: list[Case], metric: str = "waf2") -> list[str]:
    """For each judge one line: whether it beats the best control on the same rows, by how much, and how surely."""
    lines = []
    for case in cases:
        known = [one for one in _comparisons(case, "control", metric) if one["difference"] is not None]
        if known:
            best = max(known, key=lambda one: float(one["other"]))
            lines.append(f"{case['id']} {_verdict(best)} {best['against']}: {_difference(best)}")
    return lines


def against_variants(cases: list[Case], metric: str = "waf2") -> list[str]:
    """For each audited judge a line for each of its variants: how much of the score needs the clip."""
    return [
        f"{case['id']} {_verdict(one)} {one['against']}: {_difference(one)}"
        for case in cases
        for one in _comparisons(case, "variant", metric)
        if one["difference"] is not None
    ]


def noise(cases: list[Case]) -> list[str]:
    """For each case of which rows were asked again, how often the engine did not repeat itself."""
    return [
        f"{case['id']}: {found['flips']} of {found['verdicts']} verdicts flipped when {found['rows']} rows were asked "
        f"again ({_percent(found['rate'])}%)"
        for case in cases
        if (found := case.get("noise"))
    ]


def restarts(cases: list[Case]) -> list[str]:
    """For each model whose engine died on the way, how often: such a run is slow, and its log says why."""
    times: dict[str, int] = {}
    for case in cases:
        times[case["model"]] = max(times.get(case["model"], 0), case.get("restarts", 0))
    return [
        f"{model}: its engine died {'once' if count == 1 else f'{count} times'} and was started again; "
        "the run's folder of logs says why"
        for model, count in times.items()
        if count
    ]


def deltas(cases: list[Case], metrics: tuple[str, ...] = ("waf2", "acc2", "swap")) -> str:
    """A table of what changed since the baseline; empty where nothing was compared."""
    found = [(case, one) for case in cases for metric in metrics for one in _comparisons(case, "baseline", metric)]
    if not found:
        return ""
    rows = [
        [
            case["model"],
            case["prompt"] or "-",
            case["dataset"],
            one["metric"],
            _percent(one["score"]),
            _percent(one["other"]),
            _points(one["difference"]),
            _interval(one["interval"]),
            _p(one["p_two_sided"]),
        ]
        for case, one in found
    ]
    heads = ["judge", "prompt", "data set", "metric", "now", "then", "difference", "95% interval", "p"]
    sides = [*["left"] * 4, *["right"] * 5]
    table = tabulate(rows, heads, tablefmt="simple", disable_numparse=True, colalign=sides)
    return f"compared with the baseline {found[0][1]['against']}\n{table}"


def gates(cases: list[Case]) -> str:
    """How many decisions passed, and a line for each that did not; empty where nothing was decided."""
    outcomes = [decision["outcome"] for case in cases for decision in case.get("gate") or ()]
    if not outcomes:
        return ""
    counts = [f"{outcomes.count(outcome)} {word}" for outcome, word in WORDS.items() if outcome in outcomes]
    head = "gates: " + ", ".join([f"{outcomes.count('pass')} passed", *counts])
    return "\n".join([head, *(f"  {line}" for line in gate_lines(cases))])


def gate_lines(cases: list[Case]) -> list[str]:
    """A line for each decision that is no pass, the failed ones first."""
    decisions = [decision for case in cases for decision in case.get("gate") or ()]
    return [
        f"{word}: {one['message']}" for outcome, word in WORDS.items() for one in decisions if one["outcome"] == outcome
    ]


def _comparisons(case: Case, kind: str, metric: str) -> list[Comparison]:
    return [one for one in case.get("comparisons") or () if one["kind"] == kind and one["metric"] == metric]


def _verdict(one: Comparison) -> str:
    """Whether the judge beats the other: no more is claimed than p allows."""
    if one["p_two_sided"] >= SURE:
        return "can't be told from"
    return "beats" if one["difference"] > 0 else "is beaten by"


def _difference(one: Comparison) -> str:
    return (
        f"{one['metric']} {_percent(one['score'])} against {_percent(one['other'])}, "
        f"{_points(one['difference'])} points {_interval(one['interval'])}, {_told(one['p_two_sided'])}"
    )


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.2f}"


def _points(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:+.2f}"


def _interval(bounds: list[float] | None) -> str:
    return f"[{100 * bounds[0]:+.1f}, {100 * bounds[1]:+.1f}]" if bounds else "-"


def _told(p: float | None) -> str:
    said = _p(p)
    return f"p {said[0]} {said[1:]}" if said.startswith("<") else f"p = {said}"


def _p(p: float | None) -> str:
    if p is None:
        return "-"
    return f"{p:.3f}" if p >= 0.001 else "<0.001"  # noqa: PLR2004  # what three decimals can show
