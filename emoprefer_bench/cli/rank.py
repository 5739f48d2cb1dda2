"""The command `rank`: how the models that wrote the texts stand with people, and with each judge."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from emoprefer_bench.cli.errors import FAULTY, CommandError
from emoprefer_bench.cli.sources import read_source, say, source
from emoprefer_bench.document.cases import scored
from emoprefer_bench.document.reading import read as read_document
from emoprefer_bench.document.rows import in_subset

if TYPE_CHECKING:
    from collections.abc import Sequence

    from emoprefer_bench.data.datasets import Dataset
    from emoprefer_bench.document import types
    from emoprefer_bench.document.types import ScoredCase
    from emoprefer_bench.scoring.ranking import Writers


def add_rank(command: argparse.ArgumentParser) -> None:
    """Declare what `rank` takes."""
    command.set_defaults(run=_rank)
    command.add_argument("report", metavar="REPORT.json", type=Path, nargs="?")
    command.add_argument("--subset", metavar="NAME", help="rank by the rows in this subset alone")
    command.add_argument(
        "--data",
        metavar="NAME=PATH",
        type=source,
        help="a CSV file with the columns model1 and model2, or with <its name>_with_modelnames.csv beside it; "
        "without it, the writers are those in the report's transcripts",
    )


def _rank(chosen: argparse.Namespace) -> int:
    from emoprefer_bench.reports.ranking import table  # noqa: PLC0415  # tabulate
    from emoprefer_bench.scoring import ranking  # noqa: PLC0415  # numpy

    own = read_source(chosen.data) if chosen.data else None
    document = read_document(chosen.report) if chosen.report else None
    if document:
        datasets = document["datasets"]
    elif own:
        datasets = {own.name: own.described()}
    else:
        raise CommandError("rank what? Give a REPORT.json, or --data NAME=PATH, or both")
    for name in [own.name] if own else list(datasets):
        if name not in datasets:
            raise CommandError(f"{chosen.report}: has no data set {name}; it has {', '.join(datasets)}")
        cases = scored(document, name) if document else []
        known = _writers(datasets[name], cases, own, chosen.report)
        inside = in_subset(datasets[name], chosen.subset)
        if chosen.subset is not None and not any(inside):
            raise CommandError(f"{name}: has no subset {chosen.subset}; it has {_subsets(datasets[name])}")
        writers = [names if is_inside else None for names, is_inside in zip(known, inside, strict=True)]
        try:
            rankings = ranking.rank_dataset(datasets[name], cases, writers)
        except ranking.RankingError as error:
            raise CommandError(f"{name}: {error}", FAULTY) from None
        say(f"{name}: strengths of the writers (Bradley-Terry with ties; a difference of 0.7 is odds of 2 to 1)\n")
        say(table(rankings))
        if any(ranking.scores for ranking in rankings):
            say("\nby score: how far a writer's texts are above the others on the same clips, in nats a token (L1)")
    return 0


def _subsets(dataset: types.Dataset) -> str:
    return ", ".join(sorted({name for name in dataset.get("subsets") or () if name})) or "none"


def _writers(
    dataset: types.Dataset, cases: Sequence[ScoredCase], own: Dataset | None, report: Path | None
) -> list[Writers | None]:
    """Who wrote the texts of each row: by the data set where it was given, else by a transcript of the report."""
    from emoprefer_bench.scoring import ranking  # noqa: PLC0415  # numpy

    name, keys = dataset["name"], dataset["keys"]
    if own:
        if [pair.key for pair in own.pairs][: len(keys)] != keys:
            raise CommandError(f"{report}: its rows of {name} are not those of the CSV file given by --data")
        pairs = own.pairs[: len(keys)]
        return [(pair.model1, pair.model2) if pair.model1 and pair.model2 else None for pair in pairs]
    for case in cases:
        transcript = report.parent / case["transcript"] if report and case["transcript"] else None
        if transcript and transcript.is_file():
            return ranking.writers_in(transcript, len(keys))
    raise CommandError(f"{report}: there are no transcripts beside it; say by --data {name}=PATH who wrote the texts")
