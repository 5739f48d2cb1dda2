"""The command `init`: what a repository needs to judge models of its own, written once and then its owner's."""

from __future__ import annotations

import argparse
from importlib import resources
from pathlib import Path

from emoprefer_bench.cli.errors import CommandError
from emoprefer_bench.cli.sources import say

FILES = {
    "conftest.py": "conftest.txt",
    "test_preference.py": "test_preference.txt",
    ".github/workflows/judges.yml": "workflow.txt",
}
"""What is written, and the file of `starter/` that it is a copy of."""

NEXT = """
Next:
  pytest -k demo                  # the controls, on the demo data set; no GPU, no model
  emoprefer-bench list            # the built-in models, and which can run here
  pytest --emoprefer-data mine=pairs.csv -k mine    # a data set of your own"""


def add_init(command: argparse.ArgumentParser) -> None:
    """Declare what `init` takes."""
    command.set_defaults(run=_init)
    command.add_argument("folder", metavar="DIR", type=Path, nargs="?", default=Path(), help="default: this folder")


def _init(chosen: argparse.Namespace) -> int:
    """Write the files, or none of them where one is there already."""
    targets = {chosen.folder / name: template for name, template in FILES.items()}
    there = [str(target) for target in targets if target.exists()]
    if there:
        raise CommandError(f"{', '.join(there)}: there already, so nothing was written; name a folder without it")
    for target, template in targets.items():
        text = resources.files("emoprefer_bench.cli").joinpath("starter", template).read_text(encoding="utf-8")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
        except OSError as error:
            raise CommandError(f"{target}: can't be written ({error.strerror})") from None
        say(f"wrote {target}")
    say(NEXT)
    return 0
