# PYTHON_ARGCOMPLETE_OK: whoever completes all commands by argcomplete completes this one, too
"""The command `emoprefer-bench`: reports made again, compared and ranked, data looked after, and what there is.

Running models is pytest's business. Exit status: 0, or 1 where data is faulty or can't be had, or 2 where the command
was given something that it can't use.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import shutil
import sys
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from emoprefer_bench.cli.cache import add_cache
from emoprefer_bench.cli.data import add_data
from emoprefer_bench.cli.doctor import add_doctor
from emoprefer_bench.cli.errors import MISUSED, CommandError
from emoprefer_bench.cli.history import add_history
from emoprefer_bench.cli.init import add_init
from emoprefer_bench.cli.listed import add_list
from emoprefer_bench.cli.rank import add_rank
from emoprefer_bench.document.reading import DocumentError
from emoprefer_bench.document.reading import read as read_document
from emoprefer_bench.printable import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from emoprefer_bench.document.types import Document

_EXAMPLES = """examples:
  emoprefer-bench doctor --model smollm2_135m
  emoprefer-bench report .emoprefer/report.json
  emoprefer-bench report .emoprefer/report.json --html report.html --latex tables.tex
  emoprefer-bench report .emoprefer/report.json --markdown - >> "$GITHUB_STEP_SUMMARY"
  emoprefer-bench compare last-week.json .emoprefer/report.json
  emoprefer-bench history nightly/ --html history.html
  emoprefer-bench rank .emoprefer/report.json
  emoprefer-bench data check
  emoprefer-bench init my-judges
  emoprefer-bench cache --older 90 --prune

Models are run by pytest: pytest benchmarks --help shows the options, in the group emoprefer."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise CommandError(f"{message} ({self.prog} --help says what there is)")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command by the command line, or by `arguments`; returns the exit status."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal may be unable to show a clip's name
    parser = _parser()
    if "_ARGCOMPLETE" in os.environ:
        _complete(parser)
    try:
        chosen = parser.parse_args(arguments)
        status: int = chosen.run(chosen)
        sys.stdout.flush()
    except CommandError as error:
        sys.stderr.write(f"emoprefer-bench: {printable(str(error))}\n")
        return error.status
    except DocumentError as error:
        sys.stderr.write(f"emoprefer-bench: {printable(str(error))}\n")
        return MISUSED
    except BrokenPipeError:
        # Whoever read our output has seen enough; without this, Python would complain when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return status


def _complete(parser: argparse.ArgumentParser) -> None:
    """Tell the shell how what was typed can go on, and end; nothing happens where argcomplete isn't installed."""
    with contextlib.suppress(ModuleNotFoundError):
        import argcomplete  # noqa: PLC0415  # for a shell that asks

        argcomplete.autocomplete(parser)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="emoprefer-bench",
        description="Make reports of the emotion preference benchmark, and look after its data.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"emoprefer-bench {version('emoprefer-bench')}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", title="commands")

    for name, declare, about in (
        ("list", add_list, "show models and whether they can run here, data sets, and prompts"),
        ("doctor", add_doctor, "say whether this machine is ready, and how to mend what isn't"),
        ("report", _add_report, "make reports from a run's JSON report (the terminal's tables by default)"),
        ("compare", _add_compare, "show what changed from one report to another, and how sure that is"),
        ("history", add_history, "show how scores went over many reports, as a table or a page"),
        ("rank", add_rank, "rank the models that wrote the texts, by people and by each judge"),
        ("data", add_data, "check the data, or download it"),
        ("cache", add_cache, "list the answers that are kept, or take some of them away"),
        ("init", add_init, "write a conftest.py, a test and a workflow for models of your own"),
    ):
        declare(commands.add_parser(name, help=about, description=f"{about[0].upper()}{about[1:]}."))
    return parser


def _add_report(command: argparse.ArgumentParser) -> None:
    command.set_defaults(run=_report)
    command.add_argument("report", metavar="REPORT.json", type=Path)
    for form, what in (
        ("html", "one page that needs no network, with a browser of pairs"),
        ("markdown", "tables for GitHub"),
        ("latex", "the paper's table, and one of all prompts"),
        ("csv", "a row for each case and metric"),
        ("verdicts", "CSV too: a row for each verdict, with its margin where it was weighed"),
    ):
        command.add_argument(f"--{form}", metavar="FILE", help=f"{what} (-: standard output)")
    command.add_argument("--embed-media", action="store_true", help="put the clips into the page instead of links")
    command.add_argument("-v", "--verbose", action="count", default=0, help="more columns in the terminal's tables")


def _report(chosen: argparse.Namespace) -> int:
    from emoprefer_bench.reports import csv_table, csv_verdicts, latex, markdown, terminal  # noqa: PLC0415  # tabulate

    document = read_document(chosen.report)
    if chosen.html:
        _write(chosen.html, _page(chosen, document))
    elif chosen.embed_media:
        raise CommandError("--embed-media is about the page: give --html FILE too")
    texts = (
        (chosen.markdown, markdown),
        (chosen.latex, latex),
        (chosen.csv, csv_table),
        (chosen.verdicts, csv_verdicts),
    )
    for target, form in texts:
        if target:
            _write(target, form.render(document))
    if not any((chosen.html, *(target for target, _ in texts))):
        width = shutil.get_terminal_size().columns
        sys.stdout.write(terminal.render(document, verbosity=chosen.verbose, width=width) + "\n")
    return 0


def _page(chosen: argparse.Namespace, document: Document) -> str:
    from emoprefer_bench.reports import html  # noqa: PLC0415
    from emoprefer_bench.reports.forms import FormError  # noqa: PLC0415

    transcripts = chosen.report.parent / "transcripts"
    beside = None if chosen.html == "-" else Path(chosen.html).absolute().parent
    there = transcripts if transcripts.is_dir() else None
    try:
        return html.render(document, there, embed_media=chosen.embed_media, beside=beside)
    except FormError as error:
        raise CommandError(str(error)) from None


def _add_compare(command: argparse.ArgumentParser) -> None:
    command.set_defaults(run=_compare)
    command.add_argument("before", metavar="BEFORE.json", type=Path)
    command.add_argument("after", metavar="AFTER.json", type=Path)
    command.add_argument("--subset", metavar="NAME", help="compare the rows in this subset alone")


def _compare(chosen: argparse.Namespace) -> int:
    from emoprefer_bench.reports import compare  # noqa: PLC0415  # numpy

    before, after = read_document(chosen.before), read_document(chosen.after)
    sys.stdout.write(compare.render(before, after, subset=chosen.subset) + "\n")
    return 0


def _write(target: str, text: str) -> None:
    if target == "-":
        sys.stdout.write(text)
        return
    try:
        Path(target).parent.mkdir(parents=True, exist_ok=True)
        Path(target).write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise CommandError(f"{target}: can't be written ({error.strerror})") from None


if __name__ == "__main__":
    sys.exit(main())
