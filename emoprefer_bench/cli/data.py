"""The commands about data: check it, get it."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from emoprefer_bench.cli.errors import FAULTY, CommandError
from emoprefer_bench.cli.sources import all_faults, count, say, source
from emoprefer_bench.data.datasets import DatasetError, built_in, read
from emoprefer_bench.reports import cells

if TYPE_CHECKING:
    from collections.abc import Iterable

    from emoprefer_bench.data.datasets import Dataset, Source


def add_data(command: argparse.ArgumentParser) -> None:
    """Declare the commands `data check` and `data fetch`."""
    things = command.add_subparsers(required=True, metavar="COMMAND", title="commands")
    check = things.add_parser("check", help="say which data is here, and everything that is wrong with it")
    fetch = things.add_parser("fetch", help="download the gated data from the Hugging Face hub, with your own access")
    for thing, run in ((check, _check), (fetch, _fetch)):
        thing.add_argument("--root", metavar="DIR", type=Path, default=Path("dataset"), help="default: dataset")
        thing.set_defaults(run=run)
    check.add_argument("--data", metavar="NAME=PATH", type=source, action="append", default=[], help="one of your own")
    check.add_argument("--subset", metavar="COLUMN", help="the column that parts the rows (default: subset)")
    fetch.add_argument("--include", metavar="PATTERN", action="append", help="default: video/*, audio/* and *.csv")


def _check(chosen: argparse.Namespace) -> int:
    """Check the data sets that were named, then those with names of their own, where they are here."""
    status = 0
    for own in chosen.data:
        if lacking := own.missing():
            say(lacking)
            status = FAULTY
        if own.csv.is_file():
            status = max(status, _check_source(own, chosen.subset))
    for known in built_in(chosen.root).values():
        if lacking := known.missing():
            say(lacking)
        else:
            status = max(status, _check_source(known, chosen.subset))
    return status


def _check_source(checked: Source, subset: str | None) -> int:
    """Say what a data set has and what is wrong with it, as a run would find it that wants all that there is."""
    from emoprefer_bench.data.tables import subtitle_files  # noqa: PLC0415  # for a command that reads

    there = checked.missing() is None
    wanted = None if there else False
    subtitles = bool(subtitle_files(checked.csv.parent))
    try:
        dataset = read(checked, sound=wanted, picture=wanted, subtitles=subtitles, subset=subset, thorough=there)
    except DatasetError as error:
        say("\n  ".join([all_faults(checked, error), *_shown(error.warnings)]))
        return FAULTY
    right = "nothing is wrong with it" if there else "nothing is wrong with its table"
    end = count(len(dataset.warnings), "warning") if dataset.warnings else right
    about = f"{cells.about(checked.name, dataset.described())}, {_media(dataset)}"
    clips = {pair.clip.name: pair.clip for pair in dataset.pairs}.values()
    notes = [f"but of clip {clip.name}, {clip.note}" for clip in clips if clip.note]
    say("\n  ".join([f"{about}; {end}", *_shown(dataset.warnings), *notes]))
    return 0


def _shown(warnings: Iterable[str]) -> list[str]:
    return [f"warning: {sentence}" for sentence in warnings]


def _media(dataset: Dataset) -> str:
    """What judges can get of the clips, and what not."""
    clips = [pair.clip for pair in dataset.pairs]
    there = {
        "picture": any(clip.has_picture for clip in clips),
        "sound": any(clip.has_sound for clip in clips),
        "subtitles": any(clip.subtitle is not None for clip in clips),
    }
    kinds = (("with", True), ("without", False))
    parts = [(word, [name for name, has in there.items() if has is wanted]) for word, wanted in kinds]
    return ", ".join(f"{word} {_listed(names)}" for word, names in parts if names)


def _listed(names: list[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last


def _fetch(chosen: argparse.Namespace) -> int:
    from emoprefer_bench.data import fetch  # noqa: PLC0415

    try:
        noted = fetch.fetch(chosen.root, chosen.include or fetch.WANTED)
    except fetch.FetchError as error:
        raise CommandError(str(error), FAULTY) from None
    number, repository = len(noted["files"]), noted["repository"]
    say(f"{number} files of {repository} are in {chosen.root}, noted in {chosen.root / fetch.NOTE}")
    for name in fetch.archives(noted):
        say(f"unpack {chosen.root / name} in its folder")
    return 0
