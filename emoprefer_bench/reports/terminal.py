"""The tables in the terminal: one a data set, made from the document alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tabulate import tabulate

from emoprefer_bench.document.cases import is_control, is_scored, tabled
from emoprefer_bench.printable import printable
from emoprefer_bench.reports import cells, findings, latex, numbers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from emoprefer_bench.document.types import Dataset, Document, Pace, ReportedCase

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


def render(document: Document, *, verbosity: int = 0, width: int = 100, failures_above: bool = False) -> str:
    """The tables as text; empty below -q. More verbose means more columns, strict scores and costs.

    With `failures_above` pytest has shown already why tests failed, and it is not said again.
    """
    if verbosity < -1:
        return ""
    blocks = []
    for name, dataset in document["datasets"].items():
        of_dataset = tabled(document, name)
        warnings = [f"warning: {sentence}" for sentence in dataset.get("warnings", ())]
        blocks += ["\n".join([_head(name, dataset), *warnings]), *_tables(of_dataset, verbosity)]
        blocks += [_paper(document, name)] if verbosity > 0 else []
        blocks += ["\n".join(findings.against_controls(of_dataset) + findings.audit(of_dataset))]
    blocks += [findings.deltas(document["cases"])] if verbosity >= 0 else []
    blocks += _costs(document["cases"]) if verbosity > 0 else []
    blocks += _not_run(document["cases"], width)
    notes = findings.noise(document["cases"]) + findings.votes(document["cases"]) + findings.restarts(document["cases"])
    blocks += ["\n".join(notes)]
    blocks += [findings.gates(document["cases"], above=failures_above)]
    return printable("\n\n".join(block for block in blocks if block))


def _head(name: str, dataset: Dataset) -> str:
    return f"{cells.about(name, dataset)}; in percent, with 95% intervals over clips"


def _tables(cases: list[ReportedCase], verbosity: int) -> list[str]:
    metrics = QUIET if verbosity < 0 else VERBOSE if verbosity else NORMAL
    tables = [_table(cases, metrics)]
    if verbosity > 0:
        tables.append("strict: a tie or an answer that could not be read is never right\n" + _table(cases, STRICT))
    return tables


def _table(cases: list[ReportedCase], metrics: tuple[str, ...]) -> str:
    rows = [
        [
            judge,
            case["prompt"] or numbers.NONE,
            *(cells.score(case, metric, with_interval=metric in WITH_INTERVAL) for metric in metrics),
        ]
        for judge, case in zip(cells.judges(cases), cases, strict=True)
    ]
    heads = ["judge", "prompt", *(HEADS.get(metric, metric) for metric in metrics)]
    sides = ["left", "left", *["right"] * len(metrics)]
    table: str = tabulate(rows, heads, tablefmt="simple", disable_numparse=True, colalign=sides)
    return table


def _paper(document: Document, dataset: str) -> str:
    rows = latex.paper_rows(document, dataset)
    return "\n".join(["as the paper's table has it, each model by its best prompt:", *rows]) if rows else ""


def _costs(cases: Sequence[ReportedCase]) -> list[str]:
    """What each case asked, where its time went, and how fast that was."""
    shown = [case for case in cases if is_scored(case) and not is_control(case) and any(case["questions"].values())]
    counts = [
        [case["id"], *case["questions"].values(), *(case["tokens"].get(name, 0) for name in TOKENS)] for case in shown
    ]
    spent = [
        [case["id"], *(case["seconds"].get(name, 0.0) for name in SECONDS), *_pace(case["pace"])]
        for case in shown
        if case["seconds"]
    ]
    tables = [
        (counts, ["case", "asked now", "from the store", *(f"{name} tokens" for name in TOKENS)]),
        (spent, ["case", *SECONDS.values(), "questions/s", "output tokens/s", "cached", "bottleneck"]),
    ]
    return [tabulate(rows, heads, tablefmt="simple", floatfmt=".1f") for rows, heads in tables if rows]


def _pace(pace: Pace) -> list[object]:
    cached = numbers.NONE if pace["cached"] is None else f"{pace['cached']:.0%}"
    return [pace["questions"], pace["output_tokens"], cached, pace["bottleneck"]]


def _not_run(cases: Sequence[ReportedCase], width: int) -> list[str]:
    """One line for each reason why cases have no scores; what a baseline misses is said by its gate."""
    reasons: dict[tuple[str, str], int] = {}
    for case in cases:
        if not is_scored(case) and case["outcome"] != "missing":
            why = case.get("outcome", "failed"), cells.first_line(case.get("reason"))
            reasons[why] = reasons.get(why, 0) + 1
    skipped = sum(count for (outcome, _), count in reasons.items() if outcome == "skipped")
    lines = [
        f"{count} {outcome}: {reason}"[:width] for (outcome, reason), count in reasons.items() if outcome != "skipped"
    ]
    if skipped:
        lines.append(
            f"{skipped} cases were skipped for want of data, GPUs or packages; pytest -rs says what each needs"
        )
    return ["\n".join(lines)] if lines else []
