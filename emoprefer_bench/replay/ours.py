"""Scoring a run of our own again, from its report alone: its verdicts become cases, and nothing is asked."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from emoprefer_bench import cases
from emoprefer_bench.cases import Case, Round, Tally
from emoprefer_bench.data.datasets import Dataset
from emoprefer_bench.document import files as document
from emoprefer_bench.pairs import Clip, Pair
from emoprefer_bench.replay.npz import ReplayError
from emoprefer_bench.trial.strategies import DIRECT
from emoprefer_bench.verdicts import Reading

REPORT = "report.json"


@dataclass(frozen=True, slots=True)
class Reported:
    """A case of a report that has verdicts. `told` is what the report says of it, `dataset` of its data set."""

    id: str
    case: Case
    told: dict[str, Any]
    dataset: dict[str, Any]

    def load(self, dataset: Dataset | None = None) -> tuple[dict[str, Any], dict[str, Any]]:
        """Score it again: the case and its data set, as both stand in a document.

        `dataset` gives the texts, where it is the same; without it, what needs texts is left out.
        """
        same = dataset is not None and dataset.described()["row_digests"] == self.dataset["row_digests"]
        pairs = dataset.pairs if same and dataset else _stand_ins(self.dataset)
        rounds = [Round(_readings(one, "forward"), _readings(one, "exchanged")) for one in self.told["verdicts"]]
        tally = Tally(self.case, pairs, rounds)
        tally.used = sum(len(one.forward) + len(one.exchanged) for one in rounds)
        return {**cases.result(tally, self.told["engine"]), "transcript": None}, self.dataset


def find(folder: Path) -> list[Reported]:
    """The judges' cases of a folder's report; controls are judged anew and variants belong to their run.

    Raises ReplayError for a report that can't be read.
    """
    try:
        read = document.read(folder / REPORT)
    except document.DocumentError as error:
        raise ReplayError(str(error)) from None
    return [
        Reported(told["id"], _case(told), told, read["datasets"][told["dataset"]])
        for told in read["cases"]
        if told.get("verdicts") and told["modality"] and not told["variant"]
    ]


def _case(told: dict[str, Any]) -> Case:
    named = {field.name: told[field.name] for field in fields(Case) if field.name in told}
    return Case(**{**named, "prompt": told["prompt"] or DIRECT})


def _readings(one: dict[str, list[Any]], order: str) -> list[Reading | None]:
    columns = (one[order], one[f"{order}_provenance"], one[f"{order}_reference"])
    return [Reading(*row) if row[1] else None for row in zip(*columns, strict=True)]


def _stand_ins(dataset: dict[str, Any]) -> list[Pair]:
    rows = zip(dataset["keys"], dataset["labels"], strict=True)
    return [Pair(key, Clip(key.partition(":")[2]), "", "", label) for key, label in rows]
