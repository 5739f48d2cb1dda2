"""Data sets as the command line names them, and what it says."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from emoprefer_bench.cli.errors import FAULTY, CommandError
from emoprefer_bench.data.datasets import Dataset, DatasetError, Source, read
from emoprefer_bench.printable import printable


def read_source(source: Source, *, media: bool) -> Dataset:
    """Read a data set; a CommandError holds all its faults, a line each."""
    if lacking := source.missing(media=media):
        raise CommandError(lacking)
    try:
        return read(source, sound=media, picture=media, subtitles=False, thorough=media)
    except DatasetError as error:
        number = "1 fault" if len(error.faults) == 1 else f"{len(error.faults)} faults"
        raise CommandError("\n  ".join([f"data set {source.name}: {number}", *error.faults]), FAULTY) from None


def source(text: str) -> Source:
    """Read NAME=PATH. Raises ArgumentTypeError."""
    name, equals, path = text.partition("=")
    if not equals or not name or not path:
        raise argparse.ArgumentTypeError(f"{text!r} should be NAME=PATH")
    return Source(name, Path(path).expanduser())


def say(text: str) -> None:
    """Print a line."""
    sys.stdout.write(f"{printable(text)}\n")
