"""What the page shows of the run as a whole: the document without its verdicts, which are counted instead."""

from __future__ import annotations

from itertools import compress
from typing import TYPE_CHECKING, Any

from emoprefer_bench.cases import is_crossed
from emoprefer_bench.reports.page.together import together
from emoprefer_bench.scoring.counts import NONE, table

if TYPE_CHECKING:
    from emoprefer_bench.document.types import Dataset, Document, ReportedCase

Plain = dict[str, Any]

PER_ROW = ("keys", "labels", "row_digests", "subsets", "subtitle_digests", "clip_digests")


def summary(document: Document) -> Plain:
    """Give the document without what its data sets say of single rows, judges with others' descriptions apart.

    Each case's verdicts are counted, and held against those of the others.
    """
    datasets = document["datasets"]
    return {
        "schema": document["schema"],
        "complete": document["complete"],
        "manifest": document["manifest"],
        "datasets": {
            name: {part: value for part, value in dataset.items() if part not in PER_ROW}
            for name, dataset in datasets.items()
        },
        "together": {name: together(document, name) for name in datasets},
        "cases": [_counted(case, datasets.get(case["dataset"])) for case in document["cases"] if not is_crossed(case)],
        "crossed": [_counted(case, datasets.get(case["dataset"])) for case in document["cases"] if is_crossed(case)],
        "crossings": document.get("crossings", []),
    }


def _counted(case: ReportedCase, dataset: Dataset | None) -> Plain:
    """Count label by verdict (3 by 4) and verdict by exchanged verdict (4 by 4), strictly read and over all rounds.

    Rows and columns run over a1, a2, same, none. A row counts in a round in which both orders were asked.
    """
    kept = {name: value for name, value in case.items() if name != "verdicts"}
    if dataset is None or "verdicts" not in case:
        return kept
    labels: list[Any] = []
    forward: list[Any] = []
    exchanged: list[Any] = []
    for of_round in case["verdicts"]:
        provenances = zip(of_round["forward_provenance"], of_round["exchanged_provenance"], strict=True)
        asked = [None not in orders for orders in provenances]
        labels += compress(dataset["labels"], asked)
        forward += compress(of_round["forward"], asked)
        exchanged += compress(of_round["exchanged"], asked)
    kept["confusion"] = table(labels, forward)[:NONE].astype(int).tolist()
    kept["flips"] = table(forward, exchanged).astype(int).tolist()
    return kept
