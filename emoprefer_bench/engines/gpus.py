"""Visible GPUs, and leases on them held by file locks.

A lease is a lock on one file a GPU, taken all or nothing under a master lock, so that two waiting workers can't block
each other. The kernel drops the locks when the last process that holds them ends: the engine's child inherits them, so
a GPU isn't lent out while a child that outlived its parent still holds its memory.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from emoprefer_bench.errors import EmopreferError

POLL_SECONDS = 0.2


@dataclass(frozen=True)
class Gpus:
    """Leased GPUs: their ids as CUDA_VISIBLE_DEVICES takes them, and the descriptors of their locks."""

    ids: tuple[str, ...] = ()
    descriptors: tuple[int, ...] = ()


def visible() -> tuple[str, ...]:
    """The ids of the GPUs that this process may use: CUDA_VISIBLE_DEVICES, or else all that the driver lists."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return tuple(part.strip() for part in named.split(",") if part.strip() not in ("", "-1"))
    return _listed()


@cache
def _listed() -> tuple[str, ...]:
    """The ids that the driver lists, none where there is no driver."""
    try:
        listed = subprocess.run(
            ["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"],  # noqa: S607  # the driver's own, wherever it lies
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return ()
    return tuple(listed.stdout.split())


def elsewhere(count: int) -> Gpus:
    """So many GPUs of other machines, whose ids aren't known: each is given its own where it starts."""
    return Gpus(tuple(map(str, range(count))))


def lock_folder() -> Path:
    """One folder for all users of this machine's GPUs, since they compete for the same memory."""
    return Path(tempfile.gettempdir()) / "emoprefer-gpus"


@contextlib.contextmanager
def lease(count: int, pool: Sequence[str], folder: Path) -> Iterator[Gpus]:
    """Hold `count` GPUs of the pool, waiting until they are free."""
    if count == 0:
        yield Gpus()
        return
    _make(folder)
    with contextlib.ExitStack() as held:
        while True:
            taken = _take(count, pool, folder)
            if taken:
                break
            time.sleep(POLL_SECONDS)
        for descriptor in taken.descriptors:
            held.callback(os.close, descriptor)
        yield taken


class LeaseError(EmopreferError):
    """The locks of GPUs can't be had; the message says whose they are and how to mend it."""


def _make(folder: Path) -> None:
    """Make the folder of the locks for all users, whatever this one's umask; only who made a file can remove it."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        folder.mkdir()
        folder.chmod(0o1777)


def _lock_file(path: Path) -> int:
    """A descriptor of a lock, made for all users if need be; reading is enough to lock. Raises LeaseError."""
    try:
        with contextlib.suppress(FileNotFoundError):
            return os.open(path, os.O_RDONLY | os.O_NOFOLLOW)  # a kernel may refuse O_CREAT for what another user made
        with contextlib.suppress(FileExistsError):
            descriptor = os.open(path, os.O_RDONLY | os.O_CREAT | os.O_EXCL, 0o666)
            os.fchmod(descriptor, 0o666)
            return descriptor
        return os.open(path, os.O_RDONLY | os.O_NOFOLLOW)  # made by another process just now
    except OSError as error:
        raise LeaseError(
            f"{path}: can't be locked ({error.strerror}), and so no GPU leased; have its owner, or root, run: "
            f"chmod 1777 {path.parent} && chmod a+r {path.parent}/*"
        ) from None


def _take(count: int, pool: Sequence[str], folder: Path) -> Gpus | None:
    """Lock `count` GPUs at once, or none."""
    turn = _lock_file(folder / "turn")
    try:
        fcntl.flock(turn, fcntl.LOCK_EX)
        locked: dict[str, int] = {}
        for gpu in pool:
            if len(locked) == count:
                break
            descriptor = _lock_file(folder / f"gpu-{gpu.replace('/', '_')}")
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                locked[gpu] = descriptor
            except BlockingIOError:
                os.close(descriptor)
        if len(locked) == count:
            return Gpus(tuple(locked), tuple(locked.values()))
        for descriptor in locked.values():
            os.close(descriptor)
        return None
    finally:
        os.close(turn)
