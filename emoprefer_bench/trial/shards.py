"""The files that answers lie in: opened while they are read, and merged when they are many and nobody has them.

Whoever reads or writes a folder holds a shared lock on it, so that files are merged only where no process of this
machine uses them, and only on file systems that no other machine writes to: elsewhere a lock may be seen by nobody.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import time
import uuid
from collections import OrderedDict
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO

MOST_FILES = 100  # that are left apart: each run of a model makes one
MOST_OPEN = 32  # descriptors at once
PARTIAL = ".partial"
STAMP = "%Y%m%dT%H%M%S"
# File systems of one machine, where a lock is seen by everybody who could write.
LOCAL = frozenset({"bcachefs", "btrfs", "ext2", "ext3", "ext4", "f2fs", "jfs", "overlay", "tmpfs", "xfs", "zfs"})

_BLOCK = 1 << 12  # bytes; most answers are shorter
_LARGEST_BLOCK = 1 << 20


class Shards:
    """Files by number, of which a few are open at a time."""

    def __init__(self) -> None:
        self.paths: list[Path] = []
        self._open: OrderedDict[int, int] = OrderedDict()

    def add(self, path: Path) -> int:
        """Give a file its number."""
        self.paths.append(path)
        return len(self.paths) - 1

    def line(self, number: int, offset: int) -> bytes:
        """The line at an offset, without its end; it is read in ever larger blocks. Raises OSError."""
        descriptor, parts, size = self._descriptor(number), [], _BLOCK
        while block := os.pread(descriptor, size, offset):
            end = block.find(b"\n")
            parts.append(block if end < 0 else block[:end])
            if end >= 0:
                break
            offset, size = offset + len(block), min(2 * size, _LARGEST_BLOCK)
        return b"".join(parts)

    def close(self) -> None:
        """Close what is open."""
        for descriptor in self._open.values():
            os.close(descriptor)
        self._open.clear()

    def _descriptor(self, number: int) -> int:
        if number not in self._open:
            if len(self._open) >= MOST_OPEN:
                os.close(self._open.popitem(last=False)[1])
            self._open[number] = open_file(self.paths[number])
        self._open.move_to_end(number)
        return self._open[number]


def new_name(folder: Path) -> str:
    """A name for another file of the folder: it sorts behind all that are there, though the clock went back.

    Of two answers to one question, the one in the later file counts.
    """
    stamp = time.strftime(STAMP)
    last = max((path.name[:15] for path in folder.glob("*.jsonl") if path.name[8:9] == "T"), default="")
    if last >= stamp:
        with contextlib.suppress(ValueError, OverflowError):  # it is no time at all
            stamp = (datetime.strptime(last, STAMP) + timedelta(seconds=1)).strftime(STAMP)  # noqa: DTZ007  # of this machine
    return f"{stamp}-{os.getpid()}-{uuid.uuid4().hex[:8]}.jsonl"


def open_file(path: Path) -> int:
    """A descriptor to read a file; never waits, as for a pipe. Raises OSError, also for what is no file."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(None, "it is no file")
    return descriptor


@contextlib.contextmanager
def held(folder: Path) -> Iterator[None]:
    """Within, no other process merges the files of the folder. What is there to merge is merged before."""
    with contextlib.ExitStack() as stack:
        lock = _locked(folder)
        if lock is not None:
            stack.callback(os.close, lock)
        yield


def _locked(folder: Path) -> int | None:
    """A descriptor of the folder with a shared lock on it; None where there are no locks: nobody can merge there."""
    try:
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return None
    try:
        with contextlib.suppress(BlockingIOError):  # somebody else has it open
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _merge_if_many(folder)
        fcntl.flock(lock, fcntl.LOCK_SH)
    except OSError:
        os.close(lock)
        return None
    except BaseException:
        os.close(lock)
        raise
    return lock


def _merge_if_many(folder: Path) -> None:
    """Merge the files of a folder that is locked, or leave them as they are: it can be done another time."""
    with contextlib.suppress(OSError):
        if sum(1 for _ in folder.iterdir()) <= MOST_FILES or not is_local(folder):
            return
        for left in folder.glob(f"*{PARTIAL}"):  # by a process that was killed while it merged
            left.unlink()
        paths = [path for path in sorted(folder.glob("*.jsonl")) if is_done(path)]
        if len(paths) > MOST_FILES:
            _merge(folder, paths)


def _merge(folder: Path, paths: list[Path]) -> None:
    """Make one file of many. Killed at any moment, no line is lost; some are there twice then, which costs nothing."""
    # It stands where the last one stood: of two answers to one question, the later one counts.
    stamp = paths[-1].name.partition("-")[0]
    whole = folder / f"{stamp}-{os.getpid()}-{uuid.uuid4().hex[:8]}.jsonl"
    partial = whole.with_name(whole.name + PARTIAL)
    try:
        with partial.open("xb") as merged:
            for path in paths:
                _append(path, merged)
            merged.flush()
            os.fsync(merged.fileno())
        partial.rename(whole)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    _sync(folder)
    try:
        paths[0].unlink()
    except OSError:  # another user's: it would be merged again and again
        whole.unlink()
        raise
    for path in paths[1:]:
        path.unlink()


def _append(path: Path, merged: IO[bytes]) -> None:
    """Copy the lines of a file; a last one that was cut short never counted."""
    with os.fdopen(open_file(path), "rb") as file:
        left = _end_of_lines(file)
        file.seek(0)
        while left:
            block = file.read(min(left, _LARGEST_BLOCK))
            if not block:
                raise OSError(None, "it was cut short meanwhile")
            merged.write(block)
            left -= len(block)


def _end_of_lines(file: IO[bytes]) -> int:
    """How many bytes of a file are whole lines."""
    size = file.seek(0, os.SEEK_END)
    while size:
        first = max(0, size - _LARGEST_BLOCK)
        file.seek(first)
        end = file.read(size - first).rfind(b"\n")
        if end >= 0:
            return first + end + 1
        size = first
    return 0


def _sync(folder: Path) -> None:
    """Bring the names in a folder to the disk."""
    directory = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def is_done(path: Path) -> bool:
    """Whether a file is one, and the process that made it no longer has it: those of version 0.1 hold no lock."""
    if path.is_symlink() or not path.is_file():
        return False
    descriptors = Path("/proc", *path.stem.split("-")[1:2], "fd")
    try:
        return str(path.resolve()) not in [str(descriptor.readlink()) for descriptor in descriptors.iterdir()]
    except FileNotFoundError:  # it has ended, or just closes a file
        return not descriptors.exists()
    except OSError:  # another user's
        return False


def is_local(folder: Path) -> bool:
    """Whether the folder lies on a file system of this machine alone."""
    device = folder.stat().st_dev
    wanted = f"{os.major(device)}:{os.minor(device)}"
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/mountinfo").read_text(errors="replace").splitlines():
            fields, _, kind = line.partition(" - ")
            if fields.split()[2] == wanted:
                return kind.split()[0] in LOCAL
    return False
