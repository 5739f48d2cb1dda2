"""The report as one long CSV table, for spreadsheets and data frames: a row for each case and metric.

Columns: `dataset`, `case`, `model`, `prompt`, `modality`, `llm`, `variant`, `closed`, `outcome`, `complete`, `rows`,
`labelled`, `metric`, then fractions: `mean`, `sd` (over rounds, ddof 0), `low` and `high` (95% interval over clips),
and `rounds` (a value a round, separated by spaces). What is unknown or undefined is empty. Cases without scores have no
row.
"""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

from emoprefer_bench.document.cases import scored

if TYPE_CHECKING:
    from collections.abc import Iterable

    from emoprefer_bench.document.types import Document, ScoredCase

NAMED = ("dataset", "case", "model", "prompt", "modality", "llm", "variant")
OF_CASE = (*NAMED, "closed", "outcome", "complete", "rows", "labelled")
COLUMNS = (*OF_CASE, "metric", "mean", "sd", "low", "high", "rounds")


def render(document: Document) -> str:
    """The table as text, lines ended by a newline."""
    text = io.StringIO()
    table = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    table.writeheader()
    for dataset in document["datasets"]:
        for case in scored(document, dataset):
            table.writerows(_rows(case))
    return text.getvalue()


def _rows(case: ScoredCase) -> Iterable[dict[str, Any]]:
    of_case = {column: _cell(case.get(column)) for column in OF_CASE} | {"case": case["id"]}
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


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.10g}"


def _cell(value: Any) -> Any:  # noqa: ANN401  # a cell is whatever the case says
    return str(value).lower() if isinstance(value, bool) else value
