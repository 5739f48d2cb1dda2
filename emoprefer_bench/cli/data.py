"""The commands about data: check it, get it."""

from __future__ import annotations

import argparse
from pathlib import Path

from emoprefer_bench.cli.errors import FAULTY, CommandError
from emoprefer_bench.cli.sources import read_source, say, source
from emoprefer_bench.data.datasets import built_in
from emoprefer_bench.reports import cells


def add_data(command: argparse.ArgumentParser) -> None:
    """Declare the commands `data check` and `data fetch`."""
    things = command.add_subparsers(required=True, metavar="COMMAND", title="commands")
    check = things.add_parser("check", help="say what is there, and everything that is wrong with it")
    fetch = things.add_parser("fetch", help="get the gated clips from the Hugging Face hub, with your own access")
    for thing, run in ((check, _check), (fetch, _fetch)):
        thing.add_argument("--root", metavar="DIR", type=Path, default=Path("dataset"), help="default: dataset")
        thing.set_defaults(run=run)
    check.add_argument("--data", metavar="NAME=PATH", type=source, action="append", default=[], help="one of your own")
    fetch.add_argument("--include", metavar="PATTERN", action="append", help="default: video/*, audio/* and *.csv")


def _check(chosen: argparse.Namespace) -> int:
    status = 0
    for each in (*built_in(chosen.root).values(), *chosen.data):
        if lacking := each.missing():
            say(lacking)
            status = FAULTY if each in chosen.data else status
            continue
        try:
            dataset = read_source(each, media=True)
        except CommandError as error:
            say(str(error))
            status = error.status
            continue
        say(f"{cells.about(each.name, dataset.described())}; nothing is wrong with it")
        for clip in {pair.clip.name: pair.clip for pair in dataset.pairs}.values():
            if clip.note:
                say(f"  but of clip {clip.name}, {clip.note}")
    return status


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
