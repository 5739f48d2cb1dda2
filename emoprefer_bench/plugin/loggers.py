"""Loggers: functions of installed packages that are given a run's report when it ends (`--emoprefer-log NAME`)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import pytest

if TYPE_CHECKING:
    from emoprefer_bench.document.types import Document

GROUP = "emoprefer_bench.loggers"  # of entry points

# Takes the report, as report.json has it, and the folder of that; returns a line that says what became of it.
Logger: TypeAlias = "Callable[[Document, Path], str]"


def load(names: Iterable[str]) -> dict[str, Logger]:
    """The loggers of these names. Raises UsageError for one that isn't there, or can't be loaded."""
    if not names:
        return {}
    from importlib.metadata import entry_points  # for a run that wants them

    known = {entry.name: entry for entry in entry_points(group=GROUP)}
    loggers = {}
    for name in names:
        if name not in known:
            raise pytest.UsageError(f"--emoprefer-log {name}: no such logger; there are {', '.join(sorted(known))}")
        try:
            loggers[name] = known[name].load()
        except Exception as error:  # noqa: BLE001  # another package's module may raise anything
            raise pytest.UsageError(
                f"--emoprefer-log {name}: {known[name].value} can't be loaded: {type(error).__name__}: {error}"
            ) from None
    return loggers


def log(loggers: Mapping[str, Logger], document: Document, folder: Path) -> tuple[list[str], bool]:
    """Give the report to each: what they say, a line each, and whether all is well. One that fails stops no other."""
    lines, well = [], True
    for name, logger in loggers.items():
        try:
            lines.append(logger(document, folder))
        except Exception as error:  # noqa: BLE001  # as above
            lines.append(f"--emoprefer-log {name}: the run could not be logged: {type(error).__name__}: {error}")
            well = False
    return lines, well
