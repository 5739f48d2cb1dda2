"""What a folder of answers holds, and taking some of it away, while no process has it open."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emoprefer_bench.errors import EmopreferError
from emoprefer_bench.trial import shards

DAY = 86_400.0  # seconds


class PruneError(EmopreferError):
    """Answers can't be taken away; the message says why, and how to mend it."""


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer as it lies on the disk: whose it is, about which clip (a digest; None: about none), bytes, days old.

    An answer is as old as the file that it was written to.
    """

    model: str
    engine: str
    media: str | None
    size: int
    days: float


def kept(folder: Path) -> Iterator[Kept]:
    """All answers of a folder; lines that are none are left out. Raises PruneError for a file that can't be read."""
    for path in sorted(folder.glob("*.jsonl")):
        for line in _lines(path):
            if answer := _read(line, _days(path)):
                yield answer


def prune(folder: Path, unwanted: Callable[[Kept], bool]) -> int:
    """Take the unwanted answers away, and return how many they were. Lines that are no answer stay.

    Each file is written anew and put in place of the old one whole. Raises PruneError where a process has the folder
    open, where that can't be told, or a file can't be written.
    """
    with _alone(folder):
        return sum(_prune_file(path, unwanted) for path in sorted(folder.glob("*.jsonl")) if shards.is_done(path))


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the folder's lock alone: whoever reads or writes it holds a shared one (shards.py)."""
    if not shards.is_local(folder):
        raise PruneError(
            f"{folder}: lies on a file system that other machines may write to, and nobody can tell whether one does: "
            "prune it on a disk of this machine"
        )
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise PruneError(
            f"{folder}: a run has it open, so nothing was taken away; try again when it has ended"
        ) from None
    finally:
        os.close(descriptor)


def _prune_file(path: Path, unwanted: Callable[[Kept], bool]) -> int:
    lines, days = _lines(path), _days(path)
    staying = [line for line in lines if not ((answer := _read(line, days)) and unwanted(answer))]
    gone = len(lines) - len(staying)
    try:
        if gone and not staying:
            path.unlink()
        elif gone:
            _replace(path, staying)
    except OSError as error:
        raise PruneError(f"{path}: can't be written ({error.strerror}); what it holds stays as it was") from None
    return gone


def _replace(path: Path, lines: list[bytes]) -> None:
    """Put a file of these lines in place of the old one, as old as that."""
    status = path.stat()
    partial = path.with_name(path.name + shards.PARTIAL)
    try:
        with partial.open("wb") as file:
            file.writelines(lines)
            file.flush()
            os.fsync(file.fileno())
        os.utime(partial, ns=(status.st_atime_ns, status.st_mtime_ns))
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _lines(path: Path) -> list[bytes]:
    try:
        with os.fdopen(shards.open_file(path), "rb") as file:
            return file.readlines()
    except OSError as error:
        raise PruneError(f"{path}: can't be read ({error.strerror})") from None


def _days(path: Path) -> float:
    return max(0.0, time.time() - path.stat().st_mtime) / DAY


def _read(line: bytes, days: float) -> Kept | None:
    try:
        question: dict[str, Any] = json.loads(line)["question"]
        engine = question["engine"]
        named = f"{engine['engine']} {engine.get('version', '')}".strip()
        model = str(engine.get("model") or engine.get("name") or engine["engine"])
        media = question["media"]
        return Kept(model, named, media if media is None else str(media), len(line), days)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
