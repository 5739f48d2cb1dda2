"""The tables in the terminal: one a data set, made from the document alone."""

from __future__ import annotations

from typing import Any

from tabulate import tabulate

from emoprefer_bench.reports import cells, findings, latex

Case = dict[str, Any]

QUIET = ("waf2", "swap")
NORMAL = ("waf2", "acc2", "waf3", "acc3", "swap", "answered")
VERBOSE = (*NORMAL, "ties", "first_slot")
STRICT = ("strict_waf2", "strict_acc2", "strict_waf3", "strict_acc3", "strict_swap")
WITH_INTERVAL = frozenset({"waf2", "swap", "strict_waf2", "strict_swap"})
TOKENS = ("prompt", "output")
SECONDS = {
    "elapsed": "s in all",
    "decoding": "s decoding",
    "preprocess": "s preparing",
    "model": "s in the model",
    "waiting": "s waiting for clips",
}
HEADS = {"first_slot": "first slot"}


def render(document: dict[str, Any], *, verbosity: int = 0, width: int = 100) -> str:
    """The tables as text; empty below -q. More verbose means more columns, strict scores and costs."""
    if verbosity < -1:
        return ""
    blocks = []
    for name, dataset in document["datasets"].items():
        of_dataset = [case for case in document["cases"] if case["dataset"] == name and "scores" in case]
        blocks += [_head(name, dataset), *_tables(of_dataset, verbosity)]
        blocks += [_paper(document, name)] if verbosity > 0 else []
        blocks += ["\n".join(findings.against_controls(of_dataset) + findings.against_variants(of_dataset))]
    blocks += [findings.deltas(document["cases"])] if verbosity >= 0 else []
    blocks += _costs(document["cases"]) if verbosity > 0 else []
    blocks += _not_run(document["cases"], width)
    blocks += ["\n".join(findings.noise(document["cases"]) + findings.restarts(document["cases"]))]
    blocks += [findings.gates(document["cases"])]
    return "\n\n".join(block for block in blocks if block)


def _head(name: str, dataset: dict[str, Any]) -> str:
    about = f"{name}: {dataset['rows']} pairs, {dataset['labelled']} labelled, {dataset['clips']} clips"
    return f"{about}; in percent, with 95% intervals over clips"


def _tables(cases: list[Case], verbosity: int) -> list[str]:
    ordered = sorted(cases, key=lambda case: (case["modality"] is not None, _mean(case, "waf2")))
    metrics = QUIET if verbosity < 0 else VERBOSE if verbosity else NORMAL
    tables = [_table(ordered, metrics)]
    if verbosity > 0:
        tables.append("strict: a tie or an answer that could not be read is never right\n" + _table(ordered, STRICT))
    return tables


def _table(cases: list[Case], metrics: tuple[str, ...]) -> str:
    rows = [[*_names(case), *(_cell(case, metric) for metric in metrics)] for case in cases]
    heads = ["judge", "prompt", *(HEADS.get(metric, metric) for metric in metrics)]
    sides = ["left", "left", *["right"] * len(metrics)]
    table: str = tabulate(rows, heads, tablefmt="simple", disable_numparse=True, colalign=sides)
    return table


def _paper(document: dict[str, Any], dataset: str) -> str:
    rows = latex.paper_rows(document, dataset)
    return "\n".join(["as the paper's table has it, each model by its best prompt:", *rows]) if rows else ""


def _names(case: Case) -> tuple[str, str]:
    return cells.judge(case), case["prompt"] or "-"


def _cell(case: Case, metric: str) -> str:
    score = case["scores"][metric]
    if score["mean"] is None:
        return "-"
    text = f"{100 * score['mean']:.2f}"
    if score["sd"] is not None:
        text += f"±{100 * score['sd']:.2f}"
    if metric in WITH_INTERVAL and score["interval"]:
        low, high = score["interval"]
        text += f" [{100 * low:.1f}, {100 * high:.1f}]"
    return text


def _mean(case: Case, metric: str) -> float:
    mean = case["scores"][metric]["mean"]
    return -1.0 if mean is None else float(mean)


def _costs(cases: list[Case]) -> list[str]:
    """What each case asked, where its time went, and how fast that was."""
    shown = [c for c in cases if c.get("scores") and c["modality"] and any(c["questions"].values())]
    counts = [[c["id"], *c["questions"].values(), *(c["tokens"].get(name, 0) for name in TOKENS)] for c in shown]
    asked = [c for c in shown if c["seconds"]]
    spent = [[c["id"], *(c["seconds"].get(name, 0.0) for name in SECONDS), *_pace(c["pace"])] for c in asked]
    tables = [
        (counts, ["case", "asked now", "from the store", *(f"{name} tokens" for name in TOKENS)]),
        (spent, ["case", *SECONDS.values(), "questions/s", "output tokens/s", "cached", "bottleneck"]),
    ]
    return [tabulate(rows, heads, tablefmt="simple", floatfmt=".1f") for rows, heads in tables if rows]


def _pace(pace: dict[str, Any]) -> list[Any]:
    cached = "-" if pace["cached"] is None else f"{pace['cached']:.0%}"
    return [pace["questions"], pace["output_tokens"], cached, pace["bottleneck"]]


def _not_run(cases: list[Case], width: int) -> list[str]:
    """One line for each reason why cases have no scores."""
    reasons: dict[tuple[str, str], int] = {}
    for case in cases:
        if "scores" not in case:
            reason = (case["reason"] or "").strip().splitlines() or ["no reason given"]
            reasons[case["outcome"], reason[0]] = reasons.get((case["outcome"], reason[0]), 0) + 1
    if not reasons:
        return []
    skipped = sum(count for (outcome, _), count in reasons.items() if outcome == "skipped")
    lines = [
        f"{count} {outcome}: {reason}"[:width] for (outcome, reason), count in reasons.items() if outcome != "skipped"
    ]
    if skipped:
        lines.append(
            f"{skipped} cases were skipped for want of data, GPUs or packages; pytest -rs says what each needs"
        )
    return ["\n".join(lines)]
