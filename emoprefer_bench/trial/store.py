"""Answers on disk: append-only JSON lines, keyed by content.

Every process appends to a shard of its own, so no lock is needed, also on a network file system. Reading merges all
shards. A line is written whole with one write, so it survives the death of the process that wrote it; a thread brings
it to the disk within a second, which the death of the machine needs. A line that was cut short is left out on reading.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import threading
import time
import uuid
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from emoprefer_bench.errors import EmopreferError
from emoprefer_bench.pairs import Answer, Question
from emoprefer_bench.trial.places import Places

FLUSH_SECONDS = 0.5
FINAL = ("stop", "length", "overlong")  # what asking again would not change

_BLOCK = 1 << 12  # bytes; most answers are shorter
_OFFSET_BITS = 44
_OFFSET_MASK = (1 << _OFFSET_BITS) - 1
_KEY_AT, _KEY_END = len('{"key":"'), len('{"key":"') + 64


class StoreError(EmopreferError):
    """A folder of the run can't be written; the message says where and how to mend it. What was written is kept."""

    def __init__(self, folder: Path, what: str, reason: str | None) -> None:
        super().__init__(
            f"{folder}: can't write {what} ({reason}). Everything answered before is kept: "
            "make room or name another folder with --emoprefer-out, and run the same command again."
        )


class Store:
    """The answers under one folder. Only an index (key to place on disk) is held in memory."""

    def __init__(self, folder: Path, *, fresh: bool = False) -> None:
        """Open the folder, made if need be. `fresh` leaves the stored answers unread."""
        self.folder = folder
        self._places = Places()
        self._readers: list[int] = []
        self._writer: int | None = None
        self._writer_shard = 0
        self._end = 0
        self._flushed = 0
        self._closing = threading.Event()
        self._flusher = threading.Thread(target=self._flush_often, daemon=True)
        self._failure: OSError | None = None
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
        return isinstance(key, str) and self._places.get(key) is not None

    def get(self, key: str) -> Answer | None:
        """The stored answer to the question with this key, or None."""
        place = self._places.get(key)
        if place is None:
            return None
        row = json.loads(self._line(place))
        if row["key"] != key:
            return None
        return Answer(row["text"], row["finish"], row["tokens"], row["seconds"], row.get("device", ""))

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
            "device": answer.device,
            "question": question.canonical(),
        }
        line = json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode(errors="surrogatepass") + b"\n"
        self._append(line)
        self._places.put(question.key, _place(self._writer_shard, self._end - len(line)))

    def flush(self) -> None:
        """Bring what was written to the disk. Raises StoreError where it can't be."""
        if self._failure is None and self._flushed < self._end:
            end = self._end
            try:
                os.fsync(self._writer)  # type: ignore[arg-type]  # what was written has a file
            except OSError as error:
                self._failure = error
            self._flushed = end
        if self._failure:
            raise self._unwritable(self._failure.strerror) from self._failure

    def close(self) -> None:
        """Flush, and close all files."""
        self._closing.set()
        if self._flusher.ident:
            self._flusher.join()
        try:
            self.flush()
        finally:
            for descriptor in self._readers:
                os.close(descriptor)
            self._readers, self._writer = [], None
            self._places = Places()

    def _flush_often(self) -> None:
        """Don't wait for the next answer, which may take an hour; a failure is raised where the next is added."""
        while not self._closing.wait(FLUSH_SECONDS):
            with contextlib.suppress(StoreError):
                self.flush()

    def _line(self, place: int) -> bytes:
        descriptor, offset, line = self._readers[place >> _OFFSET_BITS], place & _OFFSET_MASK, b""
        while b"\n" not in line:
            line += os.pread(descriptor, _BLOCK, offset + len(line)) or b"\n"
        return line[: line.index(b"\n")]

    def _append(self, line: bytes) -> None:
        if self._failure:
            raise self._unwritable(self._failure.strerror) from self._failure
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
        return StoreError(self.folder, "an answer", reason)

    def _open_shard(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{time.strftime('%Y%m%dT%H%M%S')}-{os.getpid()}-{uuid.uuid4().hex[:8]}.jsonl"
        self._writer = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644)
        self._writer_shard = len(self._readers)
        self._readers.append(self._writer)
        self._flusher.start()

    def _index(self, path: Path) -> None:
        descriptor = os.open(path, os.O_RDONLY)
        shard, offset = len(self._readers), 0
        self._readers.append(descriptor)
        with os.fdopen(os.dup(descriptor), "rb") as file:
            for line in file:
                if line.startswith(b'{"key":"') and line.endswith(b"}\n"):
                    self._places.put(line[_KEY_AT:_KEY_END].decode(), _place(shard, offset))
                offset += len(line)


def _place(shard: int, offset: int) -> int:
    return shard << _OFFSET_BITS | offset
