"""The report as GitHub's Markdown, for step summaries and README files."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tabulate import tabulate

from emoprefer_bench.document.cases import tabled
from emoprefer_bench.reports import cells, crossed, doubts, findings

if TYPE_CHECKING:
    from emoprefer_bench.document.types import Document, ReportedCase

METRICS = (*cells.PAPER_METRICS, "answered")
WITH_INTERVAL = ("waf2", "swap")
HEADS = {"waf2": "WAF, 2 classes", "acc2": "ACC, 2", "waf3": "WAF, 3", "acc3": "ACC, 3", "swap": "swap consistency"}


def render(document: Document) -> str:
    """One table a data set, controls first; under them what failed and what was not run."""
    blocks = []
    for name, dataset in document["datasets"].items():
        cases = tabled(document, name)
        blocks += [f"### {escaped(cells.about(name, dataset))}", _table(cases)]
        blocks += [escaped(sentence) for sentence in findings.ceiling(dataset)]
        each = doubts.annotators(dataset)
        parts = [*([each] if each.rows else []), *doubts.tables(cases), *crossed.tables(document, name)]
        blocks += [block for part in parts for block in (f"{_sentence(part.title)}:", _part(part))]
        blocks += [escaped(sentence) for sentence in crossed.sentences(document, name)]
    blocks.append("In percent; in brackets the 95% interval over clips. A control looks at nothing but the two texts.")
    blocks.append("\n".join(f"- {escaped(reason)}" for reason in cells.reasons(document)))
    return "\n\n".join(block for block in blocks if block) + "\n"


def _part(part: doubts.Table) -> str:
    rows = [[escaped(cell) for cell in row] for row in part.rows]
    sides = [*["left"] * part.words, *["right"] * (len(part.heads) - part.words)]
    table: str = tabulate(
        rows, [escaped(head) for head in part.heads], tablefmt="pipe", disable_numparse=True, colalign=sides
    )
    return table


def _sentence(title: str) -> str:
    return escaped(title[0].upper() + title[1:])


def escaped(text: str) -> str:
    """Text that Markdown and the HTML in it leave as it is, on one line."""
    one_line = re.sub(r"[\s\x00-\x1f]+", " ", text)
    return re.sub(r"([\\`*_{}\[\]<>|~#&@!$^])", r"\\\1", one_line)


def _table(cases: list[ReportedCase]) -> str:
    rows = [
        [
            escaped(judge),
            escaped(case["prompt"] or ""),
            *(cells.score(case, metric, with_interval=metric in WITH_INTERVAL) for metric in METRICS),
        ]
        for judge, case in zip(cells.judges(cases), cases, strict=True)
    ]
    heads = ["judge", "prompt", *(HEADS.get(metric, metric) for metric in METRICS)]
    align = ["left", "left", *["right"] * len(METRICS)]
    return (
        tabulate(rows, heads, tablefmt="pipe", disable_numparse=True, colalign=align) if rows else "No case has scores."
    )
