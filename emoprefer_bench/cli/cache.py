"""The command `cache`: what the answers on disk are, and taking some of them away."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable
from pathlib import Path

from emoprefer_bench.cli.errors import FAULTY, CommandError
from emoprefer_bench.cli.sources import count, say
from emoprefer_bench.data.clips import LEDGER
from emoprefer_bench.trial.pruning import Kept, PruneError, kept, prune

HEADS = ("model", "engine", "answers", "MB", "oldest", "newest")
MEGABYTE = 1 << 20


def add_cache(command: argparse.ArgumentParser) -> None:
    """Declare what `cache` takes."""
    command.set_defaults(run=_cache)
    command.add_argument(
        "out", metavar="DIR", type=Path, nargs="?", default=Path(".emoprefer"), help="default: .emoprefer"
    )
    command.add_argument("--model", metavar="NAME", help="only answers of this model, as the first column names it")
    command.add_argument(
        "--clips", metavar="DIR", type=Path, help="only answers about the clips of this folder's data set"
    )
    command.add_argument("--older", metavar="DAYS", type=float, help="only answers that are older")
    command.add_argument("--prune", action="store_true", help="take these answers away; they will be asked anew")


def _cache(chosen: argparse.Namespace) -> int:
    """List the answers, or take away those that were described."""
    folder = chosen.out / "answers"
    if not folder.is_dir():
        raise CommandError(f"{folder}: there is no such folder, so no run has kept an answer there")
    wanted = _wanted(chosen)
    try:
        if not chosen.prune:
            say(_table([answer for answer in kept(folder) if wanted(answer)]))
            return 0
        if not (chosen.model or chosen.clips or chosen.older is not None):
            raise CommandError("prune what? Give --model, --clips or --older; to lose every answer, delete the folder")
        say(f"{count(prune(folder, wanted), 'answer')} taken away from {folder}")
    except PruneError as error:
        raise CommandError(str(error), FAULTY) from None
    return 0


def _wanted(chosen: argparse.Namespace) -> Callable[[Kept], bool]:
    """Whether an answer is one of those that the options describe: all of them have to fit."""
    digests = _digests(chosen.out / LEDGER, chosen.clips) if chosen.clips else None

    def wanted(answer: Kept) -> bool:
        return (
            (chosen.model is None or answer.model == chosen.model)
            and (digests is None or answer.media in digests)
            and (chosen.older is None or answer.days > chosen.older)
        )

    return wanted


def _digests(noted: Path, folder: Path) -> set[str]:
    """The digests of the clips that lie in a folder, as runs have noted them."""
    inside = folder.resolve()
    digests = set()
    try:
        lines = noted.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise CommandError(f"{noted}: can't be read ({error.strerror}), so that no clip's answers are known") from None
    for line in lines:
        try:
            row = json.loads(line)
            files = [Path(file) for file, *_ in filter(None, json.loads(row["files"]))]
            digest = str(row["digest"])
        except (ValueError, TypeError, KeyError, RecursionError):
            continue  # cut short: that clip is looked into again
        if any(file.resolve().is_relative_to(inside) for file in files):
            digests.add(digest)
    return digests


def _table(answers: Iterable[Kept]) -> str:
    """A row for each model and engine, the largest last."""
    from emoprefer_bench.reports.grids import grid  # noqa: PLC0415  # tabulate

    by_judge: dict[tuple[str, str], list[Kept]] = {}
    for answer in answers:
        by_judge.setdefault((answer.model, answer.engine), []).append(answer)
    rows = [
        [
            model[-30:],
            engine,
            f"{len(of_judge):,}",
            f"{sum(answer.size for answer in of_judge) / MEGABYTE:.1f}",
            _age(max(answer.days for answer in of_judge)),
            _age(min(answer.days for answer in of_judge)),
        ]
        for (model, engine), of_judge in sorted(by_judge.items(), key=lambda item: len(item[1]))
    ]
    return grid(HEADS, rows, left=2) if rows else "no such answers"


def _age(days: float) -> str:
    return f"{days:.0f} d" if days >= 1 else f"{24 * days:.0f} h"
