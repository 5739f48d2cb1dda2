"""Every verdict as a row of a CSV table: what was said of each pair, in each round and order, and how surely.

Columns: `dataset`, `case`, `model`, `prompt`, `variant`, `round` (from 0), `row` (from 1), `pair` (its key), `order`
(`forward` or `exchanged`), then, each about the texts in that order: `label` (what people said), `verdict`,
`reference` and `provenance`, and where the verdict was weighed `margin` (nats; above 0 the first text has more weight)
and `confidence`, a fraction. What is unknown or unread is empty. Verdicts that were not asked for have no row.
"""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

from emoprefer_bench.pairs import EXCHANGED
from emoprefer_bench.reports.csv_table import cell, number

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from emoprefer_bench.document.types import Dataset, Document, ReportedCase, RoundVerdicts

NAMED = ("dataset", "case", "model", "prompt", "variant")
READ = ("verdict", "reference", "provenance", "margin", "confidence")
COLUMNS = (*NAMED, "round", "row", "pair", "order", "label", *READ)
PARTS = {"verdict": "", "reference": "_reference", "provenance": "_provenance"}


def render(document: Document) -> str:
    """The table as text, lines ended by a newline."""
    text = io.StringIO()
    table = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    table.writeheader()
    for case in document["cases"]:
        table.writerows(_rows(case, document["datasets"]))
    return text.getvalue()


def _rows(case: ReportedCase, datasets: dict[str, Dataset]) -> Iterable[dict[str, Any]]:
    named = {column: cell(case.get(column)) for column in NAMED} | {"case": cell(case["id"])}
    for place, of_round in enumerate(case.get("verdicts") or ()):
        dataset = datasets[case["dataset"]]
        for row, (key, label) in enumerate(zip(dataset["keys"], dataset["labels"], strict=True)):
            for order in ("forward", "exchanged"):
                columns: dict[str, Sequence[Any]] = dict(of_round)  # type: ignore[arg-type]  # all its values are lists
                if columns[f"{order}_provenance"][row] is None:
                    continue
                said = EXCHANGED[label] if label and order == "exchanged" else label
                read = {part: columns[f"{order}{ending}"][row] for part, ending in PARTS.items()}
                yield {
                    **named,
                    "round": place,
                    "row": row + 1,
                    "pair": cell(key),
                    "order": order,
                    "label": said,
                    **read,
                    **{part: _number(of_round, f"{order}_{part}", row) for part in ("margin", "confidence")},
                }


def _number(of_round: RoundVerdicts, column: str, row: int) -> str:
    values = dict(of_round).get(column)
    return number(values[row]) if isinstance(values, list) else ""
