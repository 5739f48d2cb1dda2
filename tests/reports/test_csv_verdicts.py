from __future__ import annotations

import csv
import io

from support.documents import case, report, toy_pairs
from support.weighed import rows, weighing, world

from emoprefer_bench.cases import Case
from emoprefer_bench.data.datasets import Dataset
from emoprefer_bench.reports import csv_verdicts


def table(document):
    """The rows of the table, as a spreadsheet reads them."""
    return list(csv.DictReader(io.StringIO(csv_verdicts.render(document))))


def test_every_verdict_has_a_row_in_each_order():
    """On the exchanged pair, what people said is exchanged too, so that equal words mean that they agree."""
    pairs = toy_pairs(["a1", "a2", "same"])
    named = Case("judge", "S1", "toy", "audio")
    found = table(report([case(named, pairs, ["a1", "?", "same"], ["a2", "a2", "same"])], Dataset("toy", pairs)))
    assert len(found) == 12
    assert [(row["order"], row["label"], row["verdict"], row["provenance"]) for row in found[:4]] == [
        ("forward", "a1", "a1", "parsed"),
        ("exchanged", "a2", "a2", "parsed"),
        ("forward", "a2", "", "ambiguous"),
        ("exchanged", "a1", "", "ambiguous"),
    ]
    assert {row["margin"] for row in found} == {""}
    assert [row["round"] for row in found] == ["0"] * 6 + ["1"] * 6


def test_margins_and_confidence_stand_beside_what_was_weighed():
    """To ten digits, with the sign of the order."""
    labels, margins = world(0, count=60)
    dataset = rows("toy", labels)
    found = table(report([weighing("judge", dataset, margins[0])], dataset))
    assert [float(row["margin"]) for row in found[:2]] == [float(f"{sign * margins[0][0]:.10g}") for sign in (1, -1)]
    assert found[0]["confidence"] == found[1]["confidence"]
    assert 0.5 < float(found[0]["confidence"]) < 1


def test_verdicts_that_were_not_asked_for_have_no_row():
    """As where a run was interrupted; a formula in a name is none."""
    pairs = toy_pairs(["a1", "a2"])
    found = table(report([case(Case("=judge", "S1", "toy", "audio"), pairs, ["a1", None])], Dataset("toy", pairs)))
    assert [row["row"] for row in found] == ["1", "1"]
    assert {row["model"] for row in found} == {"'=judge"}
