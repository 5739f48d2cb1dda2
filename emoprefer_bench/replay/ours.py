"""Scoring a run of our own again, from its report alone: its verdicts become cases, and nothing is asked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from emoprefer_bench.cases import DIRECT, Case
from emoprefer_bench.data.datasets import Dataset
from emoprefer_bench.document.cases import is_control, is_scored
from emoprefer_bench.document.reading import DocumentError
from emoprefer_bench.document.reading import read as read_document
from emoprefer_bench.pairs import Clip, Pair
from emoprefer_bench.replay.npz import ReplayError
from emoprefer_bench.trial.result import result
from emoprefer_bench.trial.tally import Tally
from emoprefer_bench.verdicts import Reading, Round

if TYPE_CHECKING:
    from emoprefer_bench.document.types import Dataset as Described
    from emoprefer_bench.document.types import ScoredCase, ScoredResult
    from emoprefer_bench.pairs import Label
    from emoprefer_bench.verdicts import Provenance

REPORT = "report.json"


@dataclass(frozen=True, slots=True)
class Reported:
    """A case of a report that has verdicts: what the report says of it and of its data set."""

    id: str
    case: Case
    reported: ScoredCase
    dataset: Described

    def load(self, dataset: Dataset | None = None) -> tuple[ScoredResult, Described]:
        """Score it again: the case and its data set, as both stand in a document.

        `dataset` gives the texts, where it is the same; without it, what needs texts is left out.
        """
        same = dataset is not None and dataset.described()["row_digests"] == self.dataset["row_digests"]
        pairs = dataset.pairs if same and dataset else _stand_ins(self.dataset)
        rounds = [
            Round(
                _readings(
                    of_round["forward"],
                    of_round["forward_provenance"],
                    of_round["forward_reference"],
                    of_round.get("forward_margin"),
                    of_round.get("forward_weights"),
                ),
                _readings(
                    of_round["exchanged"],
                    of_round["exchanged_provenance"],
                    of_round["exchanged_reference"],
                    of_round.get("exchanged_margin"),
                    of_round.get("exchanged_weights"),
                ),
            )
            for of_round in self.reported["verdicts"]
        ]
        tally = Tally(self.case, pairs, rounds)
        tally.used = sum(len(of_round.forward) + len(of_round.exchanged) for of_round in rounds)
        return result(tally, self.reported["engine"]), self.dataset


def find(folder: Path) -> list[Reported]:
    """The judges' cases of a folder's report; controls are judged anew and variants belong to their run.

    Raises ReplayError for a report that can't be read.
    """
    try:
        document = read_document(folder / REPORT)
    except DocumentError as error:
        raise ReplayError(str(error)) from None
    return [
        Reported(case["id"], _case(case), case, document["datasets"][case["dataset"]])
        for case in document["cases"]
        if is_scored(case) and not is_control(case) and not case.get("variant")
    ]


def _case(reported: ScoredCase) -> Case:
    return Case(
        reported["model"],
        reported["prompt"] or DIRECT,
        reported["dataset"],
        reported["modality"],
        reported["llm"],
        closed=reported.get("closed", False),
    )


def _readings(
    labels: list[Label | None],
    provenances: list[Provenance | None],
    references: list[Label | None],
    margins: list[float | None] | None,
    weights: list[list[float] | None] | None,
) -> list[Reading | None]:
    none: list[None] = [None] * len(labels)
    rows = zip(labels, provenances, references, margins or none, weights or none, strict=True)
    return [
        Reading(label, how, reference or "same", margin, tuple(of_row or ())) if how else None
        for label, how, reference, margin, of_row in rows
    ]


def _stand_ins(dataset: Described) -> list[Pair]:
    subsets = dataset.get("subsets") or [None] * dataset["rows"]
    rows = zip(dataset["keys"], dataset["labels"], subsets, strict=True)
    return [Pair(key, Clip(key.partition(":")[2]), "", "", label, subset=subset) for key, label, subset in rows]
