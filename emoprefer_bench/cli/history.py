"""The command `history`: many reports, such as those of nightly runs, as lines over time."""

from __future__ import annotations

import argparse
from pathlib import Path

from emoprefer_bench.cli.errors import CommandError
from emoprefer_bench.cli.sources import say
from emoprefer_bench.document.cases import METRICS
from emoprefer_bench.document.reading import read as read_document


def add_history(command: argparse.ArgumentParser) -> None:
    """Declare what `history` takes."""
    command.set_defaults(run=_history)
    command.add_argument("reports", metavar="REPORT.json", type=Path, nargs="+", help="or a folder of such files")
    command.add_argument("--metric", choices=METRICS, default="waf2", metavar="METRIC", help="default: waf2")
    command.add_argument("--subset", metavar="NAME", help="of the rows in this subset alone")
    command.add_argument("--html", metavar="FILE", type=Path, help="write a page instead")


def _history(chosen: argparse.Namespace) -> int:
    from emoprefer_bench.reports import history  # noqa: PLC0415  # tabulate

    lines = history.history([read_document(path) for path in _files(chosen.reports)], chosen.metric, chosen.subset)
    about = chosen.metric if chosen.subset is None else f"{chosen.metric}[{chosen.subset}]"
    if chosen.html is None:
        say(history.table(lines, about))
        return 0
    try:
        chosen.html.parent.mkdir(parents=True, exist_ok=True)
        chosen.html.write_text(history.page(lines, about), encoding="utf-8")
    except OSError as error:
        raise CommandError(f"{chosen.html}: can't be written ({error.strerror})") from None
    return 0


def _files(named: list[Path]) -> list[Path]:
    files = [file for path in named for file in (sorted(path.rglob("*.json")) if path.is_dir() else [path])]
    if not files:
        raise CommandError(f"{', '.join(map(str, named))}: there is no report in it")
    return files
