"""The command `list`: what there is to run, as pytest sees it from this folder."""

from __future__ import annotations

import argparse
import subprocess
import sys

SHOW = ("-m", "pytest", "--emoprefer-list", "--emoprefer-judges", "-p", "no:cacheprovider")


def add_list(command: argparse.ArgumentParser) -> None:
    """Declare what `list` takes."""
    command.set_defaults(run=_list)
    command.add_argument("folder", metavar="DIR", nargs="?", default=".", help="whose conftest.py counts, too")


def _list(chosen: argparse.Namespace) -> int:
    """Have pytest show it, since models are its fixtures; returns its exit status."""
    return subprocess.run([sys.executable, *SHOW, chosen.folder], check=False).returncode  # noqa: S603  # this very Python
