"""The report as one long CSV table, for spreadsheets and data frames: a row for each case and metric.

Columns: `dataset`, `case`, `model`, `prompt`, `modality`, `llm`, `variant`, `closed`, `outcome`, `complete`, `rows`,
`labelled`, `metric`, then fractions: `mean`, `sd` (over rounds, ddof 0), `low` and `high` (95% interval over clips),
and `rounds` (a value a round, separated by spaces). What is unknown or undefined is empty. A case that failed,
and a vote by lot, has one row, without a metric; cases that did not run have none.
"""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

from emoprefer_bench.document.cases import is_drawn, is_scored, tabled

if TYPE_CHECKING:
    from collections.abc import Iterable

    from emoprefer_bench.document.types import Document, ReportedCase, ScoredCase

NAMED = ("dataset", "case", "model", "prompt", "modality", "llm", "variant")
OF_CASE = (*NAMED, "closed", "outcome", "complete", "rows", "labelled")
FORMULA = ("=", "+", "-", "@", "\t", "\r")
COLUMNS = (*OF_CASE, "metric", "mean", "sd", "low", "high", "rounds")


def render(document: Document) -> str:
    """The table as text, lines ended by a newline."""
    text = io.StringIO()
    table = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    table.writeheader()
    for dataset in document["datasets"]:
        for case in tabled(document, dataset):
            table.writerows(_rows(case) if is_scored(case) and not is_drawn(case) else [_named(case)])
    return text.getvalue()


def _rows(case: ScoredCase) -> Iterable[dict[str, Any]]:
    of_case = _named(case)
    for metric, score in case["scores"].items():
        low, high = score["interval"] or (None, None)
        yield {
            **of_case,
            "metric": metric,
            "mean": _number(score["mean"]),
            "sd": _number(score["sd"]),
            "low": _number(low),
            "high": _number(high),
            "rounds": " ".join(map(_number, score["rounds"])),
        }


def _named(case: ReportedCase) -> dict[str, Any]:
    return {column: _cell(case.get(column)) for column in OF_CASE} | {"case": _cell(case["id"])}


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.10g}"


def _cell(value: Any) -> Any:  # noqa: ANN401  # a cell is whatever the case says
    if isinstance(value, bool):
        return str(value).lower()
    # A spreadsheet takes a text that begins like a formula for one.
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value
