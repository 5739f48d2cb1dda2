"""Digests of weights on this machine: over every byte, and large files read once while they don't change."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

LARGE = 64 * 1024 * 1024  # bytes; the digests of smaller files are not worth writing down
SETTLED = 1_000_000_000  # nanoseconds; a file that is younger may change again without another time

_Seen = tuple[str, int, int, int, int, int]
_remembered: dict[_Seen, str] = {}


def of(path: Path) -> str:
    """The SHA-256 (hex) over a file, or over all files below a folder: names, sizes, and what is in them."""
    files = _files(path)
    total = hashlib.sha256()
    with ThreadPoolExecutor(min(8, len(os.sched_getaffinity(0)))) as pool:
        for file, digest in zip(files, pool.map(of_file, files), strict=True):
            name = file.relative_to(path).as_posix() if path.is_dir() else ""
            total.update(f"{name}\0{file.stat().st_size}\0{digest}".encode(errors="surrogateescape"))
    return total.hexdigest()


def of_file(path: Path) -> str:
    """The SHA-256 (hex) of a file's bytes.

    It is remembered, that of a large file beyond this process, by path, place on the disk, size, and both times of
    change: the second is the kernel's own, so that a file which is replaced under its old time is read again.
    """
    seen = _seen(path)
    large = seen[3] > LARGE
    if large and seen not in _remembered:
        _remembered.update(_noted())
    if seen in _remembered:
        return _remembered[seen]
    digest = _read(path)
    if _seen(path) == seen and time.time_ns() - max(seen[4:]) > SETTLED:
        _remembered[seen] = digest
        if large:
            _note(seen, digest)
    return digest


def _files(path: Path) -> list[Path]:
    """The file, or the files below the folder, links followed; hidden ones say nothing about weights."""
    if not path.is_dir():
        return [path]
    files: list[Path] = []
    walked: set[str] = set()
    for folder, folders, names in os.walk(path, followlinks=True):
        folders[:] = [] if os.path.realpath(folder) in walked else sorted(folders)  # a link back up ends here
        walked.add(os.path.realpath(folder))
        files += [file for name in names if not name.startswith(".") and (file := Path(folder, name)).is_file()]
    return sorted(files)


def _seen(path: Path) -> _Seen:
    stat = path.stat()
    return (str(path.resolve()), stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)


def _read(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _ledger() -> Path:
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache, "emoprefer-bench", "digests.jsonl")


def _noted() -> dict[_Seen, str]:
    """What any process of this user noted; nothing where that can't be read."""
    noted: dict[_Seen, str] = {}
    with contextlib.suppress(OSError, RuntimeError):  # no file, or no home
        for line in _ledger().read_bytes().splitlines():
            with contextlib.suppress(ValueError, TypeError):
                *seen, digest = json.loads(line)
                noted[tuple(seen)] = digest  # a line of another form is never asked for
    return noted


def _note(seen: _Seen, digest: str) -> None:
    """Note a digest, in one write that no other process cuts in two; where that can't be done, it is read again."""
    line = json.dumps([*seen, digest]).encode() + b"\n"
    with contextlib.suppress(OSError, RuntimeError):
        _ledger().parent.mkdir(parents=True, exist_ok=True)
        with _ledger().open("ab", buffering=0) as file:
            file.write(line)
