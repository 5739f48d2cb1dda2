"""Data sets as the command line names them, and what it says."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from emoprefer_bench.cli.errors import FAULTY, CommandError
from emoprefer_bench.data.datasets import Dataset, DatasetError, Source, read
from emoprefer_bench.printable import printable


def read_source(source: Source) -> Dataset:
    """Read a data set without its clips; a CommandError holds all its faults, a line each."""
    if lacking := source.missing(media=False):
        raise CommandError(lacking)
    try:
        return read(source, sound=False, picture=False, subtitles=False)
    except DatasetError as error:
        raise CommandError(all_faults(source, error), FAULTY) from None


def all_faults(source: Source, error: DatasetError) -> str:
    """All faults of a data set, however many, a line each."""
    return "\n  ".join([f"data set {source.name}: {count(len(error.faults), 'fault')}", *error.faults])


def count(number: int, noun: str) -> str:
    """A number of things: `1 fault`, `2 faults`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def source(text: str) -> Source:
    """Read NAME=PATH. Raises ArgumentTypeError."""
    name, equals, path = text.partition("=")
    if not equals or not name or not path:
        raise argparse.ArgumentTypeError(f"{text!r} should be NAME=PATH")
    return Source(name, Path(path).expanduser())


def say(text: str) -> None:
    """Print a line."""
    sys.stdout.write(f"{printable(text)}\n")
