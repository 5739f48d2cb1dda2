"""The commands about data: rank the writers of its texts, check it, get it."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from emoprefer_bench.data.datasets import DatasetError, Source, built_in, read
from emoprefer_bench.document.files import read as read_document
from emoprefer_bench.reports import cells

if TYPE_CHECKING:
    from emoprefer_bench.data.datasets import Dataset
    from emoprefer_bench.reports.cells import Document
    from emoprefer_bench.scoring.ranking import Writers

FAULTY, MISUSED = 1, 2


class CommandError(Exception):
    """Something can't be done; the message says what, and how to mend it. `status` is the exit status."""

    def __init__(self, message: str, status: int = MISUSED) -> None:
        super().__init__(message)
        self.status = status


def add_rank(command: argparse.ArgumentParser) -> None:
    """Declare what `rank` takes."""
    command.set_defaults(run=_rank)
    command.add_argument("report", metavar="REPORT.json", type=Path, nargs="?")
    command.add_argument(
        "--data",
        metavar="NAME=PATH",
        type=_source,
        help="a CSV file with the columns model1 and model2, or with <its name>_with_modelnames.csv beside it; "
        "without it, the writers are those in the report's transcripts",
    )


def _rank(chosen: argparse.Namespace) -> int:
    from emoprefer_bench.scoring import ranking  # noqa: PLC0415  # numpy

    dataset = _read(chosen.data, media=False) if chosen.data else None
    if chosen.report:
        document = read_document(chosen.report)
    elif dataset:
        document = {"datasets": {dataset.name: dataset.described()}, "cases": []}
    else:
        raise CommandError("rank what? Give a REPORT.json, or --data NAME=PATH, or both")
    names = [dataset.name] if dataset else list(document["datasets"])
    for name in names:
        writers = _writers(document, name, dataset, chosen.report)
        try:
            rankings = ranking.rank_document(document, name, writers)
        except ranking.RankingError as error:
            raise CommandError(f"{name}: {error}", FAULTY) from None
        _say(f"{name}: strengths of the writers (Bradley-Terry with ties; a difference of 0.7 is odds of 2 to 1)\n")
        _say(ranking.table(rankings))
    return 0


def _writers(document: Document, name: str, dataset: Dataset | None, report: Path | None) -> list[Writers | None]:
    """Who wrote the texts of each row: by the data set where it was given, else by a transcript of the report."""
    from emoprefer_bench.scoring import ranking  # noqa: PLC0415  # numpy

    if name not in document["datasets"]:
        raise CommandError(f"{report}: has no data set {name}; it has {', '.join(document['datasets'])}")
    keys = document["datasets"][name]["keys"]
    if dataset:
        if [pair.key for pair in dataset.pairs][: len(keys)] != keys:
            raise CommandError(f"{report}: its rows of {name} are not those of the CSV file given by --data")
        return [(pair.model1, pair.model2) if pair.model1 and pair.model2 else None for pair in dataset.pairs][
            : len(keys)
        ]
    for case in document["cases"]:
        transcript = report.parent / case["transcript"] if report and case.get("transcript") else None
        if case["dataset"] == name and transcript and transcript.is_file():
            return ranking.writers_in(transcript, len(keys))
    raise CommandError(f"{report}: there are no transcripts beside it; say by --data {name}=PATH who wrote the texts")


def add_data(command: argparse.ArgumentParser) -> None:
    """Declare the commands `data check` and `data fetch`."""
    things = command.add_subparsers(required=True, metavar="COMMAND", title="commands")
    check = things.add_parser("check", help="say what is there, and everything that is wrong with it")
    fetch = things.add_parser("fetch", help="get the gated clips from the Hugging Face hub, with your own access")
    for thing, run in ((check, _check), (fetch, _fetch)):
        thing.add_argument("--root", metavar="DIR", type=Path, default=Path("dataset"), help="default: dataset")
        thing.set_defaults(run=run)
    check.add_argument("--data", metavar="NAME=PATH", type=_source, action="append", default=[], help="one of your own")
    fetch.add_argument("--include", metavar="PATTERN", action="append", help="default: video/*, audio/* and *.csv")


def _check(chosen: argparse.Namespace) -> int:
    status = 0
    for source in (*built_in(chosen.root).values(), *chosen.data):
        if lacking := source.missing():
            _say(lacking)
            status = FAULTY if source in chosen.data else status
            continue
        try:
            described = _read(source, media=True).described()
        except CommandError as error:
            _say(str(error))
            status = error.status
            continue
        _say(f"{cells.about(source.name, described)}; nothing is wrong with it")
    return status


def _fetch(chosen: argparse.Namespace) -> int:
    from emoprefer_bench.data import fetch  # noqa: PLC0415

    try:
        noted = fetch.fetch(chosen.root, chosen.include or fetch.WANTED)
    except fetch.FetchError as error:
        raise CommandError(str(error), FAULTY) from None
    number, repository = len(noted["files"]), noted["repository"]
    _say(f"{number} files of {repository} are in {chosen.root}, noted in {chosen.root / fetch.NOTE}")
    for name in fetch.archives(noted):
        _say(f"unpack {chosen.root / name} in its folder")
    return 0


def _read(source: Source, *, media: bool) -> Dataset:
    """Read a data set; a CommandError holds all its faults, a line each."""
    if lacking := source.missing(media=media):
        raise CommandError(lacking)
    try:
        return read(source, sound=media, picture=media, subtitles=False)
    except DatasetError as error:
        number = "1 fault" if len(error.faults) == 1 else f"{len(error.faults)} faults"
        raise CommandError("\n  ".join([f"data set {source.name}: {number}", *error.faults]), FAULTY) from None


def _source(text: str) -> Source:
    name, equals, path = text.partition("=")
    if not equals or not name or not path:
        raise argparse.ArgumentTypeError(f"{text!r} should be NAME=PATH")
    return Source(name, Path(path).expanduser())


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
