"""Folders for a child's temporary files: in memory where there is room, gone when nobody holds them any more."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from pathlib import Path

SPOOL = "emoprefer-spool-"
MEMORY = Path("/dev/shm")  # noqa: S108  # each spool is a folder of its own that mkdtemp made
ROOM = 4 << 30  # bytes; containers often have 64 MiB there


class Spool:
    """A new folder, locked as long as this process lives: the kernel drops the lock, however it ends."""

    def __init__(self) -> None:
        made = Path(tempfile.mkdtemp(prefix="emoprefer-new-", dir=_parents()[0]))
        self._lock: int | None = os.open(made, os.O_RDONLY)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        # Named only now, so that nobody sweeps it before it is locked.
        self.folder = made.rename(made.with_name(made.name.replace("emoprefer-new-", SPOOL)))

    def remove(self) -> None:
        """Remove the folder; a second call does nothing."""
        if self._lock is not None:
            shutil.rmtree(self.folder, ignore_errors=True)
            os.close(self._lock)
            self._lock = None


def sweep() -> None:
    """Remove the spools of processes that were killed before they could."""
    for parent in _parents():
        for folder in parent.glob(f"{SPOOL}*"):
            with contextlib.suppress(OSError):  # held, another user's, or swept by somebody else meanwhile
                lock = os.open(folder, os.O_RDONLY)
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(folder, ignore_errors=True)
                finally:
                    os.close(lock)


def _parents() -> list[Path]:
    """Where spools may lie, the best first."""
    disk = Path(tempfile.gettempdir())
    with contextlib.suppress(OSError):
        if os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free >= ROOM:
            return [MEMORY, disk]
    return [disk, *([MEMORY] if MEMORY.is_dir() else [])]
