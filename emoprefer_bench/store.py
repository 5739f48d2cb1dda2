"""Answers on disk: append-only JSON lines, keyed by content.

Every process appends to a shard of its own, so no lock is needed, also on a network file system. Reading merges all
shards. A line is written whole with one write, so it survives the death of the process that wrote it; it is flushed to
the disk within a second (`FLUSH_SECONDS`), which the death of the machine needs. A line that was cut short is left out
on reading.
"""

from __future__ import annotations

import errno
import json
import os
import time
import uuid
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from emoprefer_bench.pairs import Answer, Question

FLUSH_SECONDS = 1.0
FINAL = ("stop", "length", "overlong")  # what asking again would not change

_KEY_AT, _KEY_END = len('{"key":"'), len('{"key":"') + 64


class StoreError(RuntimeError):
    """The store can't be written; the message says where and how to mend it. What was written before is kept."""


class Store:
    """The answers under one folder. Only an index (key to place on disk) is held in memory."""

    def __init__(self, folder: Path, *, fresh: bool = False) -> None:
        """Open the folder, made if need be. `fresh` leaves the stored answers unread."""
        self.folder = folder
        self._places: dict[bytes, tuple[int, int, int]] = {}
        self._readers: list[int] = []
        self._writer: int | None = None
        self._writer_shard = 0
        self._end = 0
        self._flushed = time.monotonic()
        if not fresh and folder.is_dir():
            for path in sorted(folder.glob("*.jsonl")):
                self._index(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and bytes.fromhex(key) in self._places

    def get(self, key: str) -> Answer | None:
        """The stored answer to the question with this key, or None."""
        place = self._places.get(bytes.fromhex(key))
        if place is None:
            return None
        shard, offset, length = place
        row = json.loads(os.pread(self._readers[shard], length, offset))
        return Answer(row["text"], row["finish"], row["tokens"], row["seconds"])

    def add(self, question: Question, answer: Answer) -> None:
        """Append a final answer; one that may come out otherwise next time (an error, a refusal) is not kept.

        Raises StoreError where the disk is full or can't be written.
        """
        if answer.finish not in FINAL:
            return
        row: dict[str, Any] = {
            "key": question.key,
            "text": answer.text,
            "finish": answer.finish,
            "tokens": answer.tokens,
            "seconds": answer.seconds,
            "question": question.canonical(),
        }
        line = json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode(errors="surrogatepass") + b"\n"
        self._append(line)
        self._places[bytes.fromhex(question.key)] = (self._writer_shard, self._end - len(line), len(line))
        if time.monotonic() - self._flushed >= FLUSH_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Bring what was written to the disk."""
        if self._writer is not None:
            os.fsync(self._writer)
        self._flushed = time.monotonic()

    def close(self) -> None:
        """Flush, and close all files."""
        self.flush()
        for descriptor in self._readers:
            os.close(descriptor)
        self._readers, self._writer = [], None
        self._places.clear()

    def _append(self, line: bytes) -> None:
        try:
            if self._writer is None:
                self._open_shard()
            assert self._writer is not None
            written = os.pwrite(self._writer, line, self._end)
        except OSError as error:
            raise self._unwritable(error.strerror) from error
        if written < len(line):
            raise self._unwritable(os.strerror(errno.ENOSPC))
        self._end += len(line)

    def _unwritable(self, reason: str | None) -> StoreError:
        return StoreError(
            f"{self.folder}: can't write an answer ({reason}). Everything answered before is kept: "
            "make room or name another folder with --emoprefer-out, and run the same command again.",
        )

    def _open_shard(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{time.strftime('%Y%m%dT%H%M%S')}-{os.getpid()}-{uuid.uuid4().hex[:8]}.jsonl"
        self._writer = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644)
        self._writer_shard = len(self._readers)
        self._readers.append(self._writer)

    def _index(self, path: Path) -> None:
        descriptor = os.open(path, os.O_RDONLY)
        shard, offset = len(self._readers), 0
        self._readers.append(descriptor)
        with os.fdopen(os.dup(descriptor), "rb") as file:
            for line in file:
                if line.startswith(b'{"key":"') and line.endswith(b"}\n"):
                    self._places[bytes.fromhex(line[_KEY_AT:_KEY_END].decode())] = (shard, offset, len(line))
                offset += len(line)
