"""Answers on disk: append-only JSON lines, keyed by content.

Every process appends to a shard of its own, so no lock is needed, also on a network file system. Reading merges all
shards. A line is written whole with one write, so it survives the death of the process that wrote it; a thread brings
it to the disk within a second, which the death of the machine needs. A line that was cut short is left out on reading,
and so is one that was damaged: its question is asked again, and `unreadable` says where it lies.
"""

from __future__ import annotations

import contextlib
import errno
import json
import math
import os
import re
import threading
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from emoprefer_bench.errors import EmopreferError
from emoprefer_bench.pairs import Answer, Question
from emoprefer_bench.protocol.messages import logprobs, one_line
from emoprefer_bench.trial import shards
from emoprefer_bench.trial.places import Places

FLUSH_SECONDS = 0.5
FINAL = ("stop", "length", "overlong")  # what asking again would not change

_OFFSET_BITS = 44
_OFFSET_MASK = (1 << _OFFSET_BITS) - 1
_START = re.compile(rb'\{"key":"([0-9a-f]{64})"')


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
        self.unreadable: list[str] = []
        self._damaged: set[int] = set()
        self._places = Places()
        self._shards = shards.Shards()
        self._held = contextlib.ExitStack()
        self._writer: int | None = None
        self._writer_shard = 0
        self._end = 0
        self._flushed = 0
        self._closing = threading.Event()
        self._flusher = threading.Thread(target=self._flush_often, daemon=True)
        self._failure: OSError | None = None
        if folder.is_dir():
            self._held.enter_context(shards.held(folder))
            for path in () if fresh else sorted(folder.glob("*.jsonl")):
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
        return isinstance(key, str) and self.get(key) is not None

    def get(self, key: str) -> Answer | None:
        """The stored answer to the question with this key, or None."""
        place = self._places.get(key)
        if place is None or place in self._damaged:
            return None
        shard, offset = place >> _OFFSET_BITS, place & _OFFSET_MASK
        try:
            return _answer(json.loads(self._shards.line(shard, offset)), key)
        except OSError as error:
            self._leave_out(shard, offset, error.strerror or "it can't be read")
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
            self._leave_out(shard, offset, "this line is no answer")
        self._damaged.add(place)
        return None

    def add(self, question: Question, answer: Answer) -> None:
        """Append a final answer; one that may come out otherwise next time (an error, a refusal) is not kept.

        Raises StoreError where the disk is full or can't be written.
        """
        if answer.finish not in FINAL:
            return
        row: dict[str, Any] = {
            "key": question.key,
            "text": answer.text,
            **({} if answer.logprobs is None else {"logprobs": answer.logprobs}),
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
            if self._writer is not None:
                os.close(self._writer)
            self._writer = None
            self._shards.close()
            self._held.close()
            self._places = Places()

    def _flush_often(self) -> None:
        """Don't wait for the next answer, which may take an hour; a failure is raised where the next is added."""
        while not self._closing.wait(FLUSH_SECONDS):
            with contextlib.suppress(StoreError):
                self.flush()

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
        if not self.folder.is_dir():
            self.folder.mkdir(parents=True, exist_ok=True)
            self._held.enter_context(shards.held(self.folder))
        path = self.folder / shards.new_name(self.folder)
        self._writer = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644)
        self._writer_shard = self._shards.add(path)
        self._flusher.start()

    def _index(self, path: Path) -> None:
        """Note where the answers of a file lie; what else stands in it is left out."""
        shard, offset = self._shards.add(path), 0
        try:
            with os.fdopen(shards.open_file(path), "rb") as file:
                for line in file:
                    start = _START.match(line)
                    if start and line.endswith(b"}\n"):
                        self._places.put(start[1].decode(), _place(shard, offset))
                    elif line.endswith(b"\n"):  # others were cut short by a death, or are being written
                        self._leave_out(shard, offset, "this line is no answer")
                    offset += len(line)
        except OSError as error:
            self._leave_out(shard, None, error.strerror or "it can't be read")

    def _leave_out(self, shard: int, offset: int | None, reason: str) -> None:
        where = f"{self._shards.paths[shard]}" + (f", byte {offset}" if offset is not None else "")
        self.unreadable.append(f"{where}: {reason}; what it held is asked again")


def _place(shard: int, offset: int) -> int:
    return shard << _OFFSET_BITS | offset


def _answer(row: Any, key: str) -> Answer | None:  # noqa: ANN401  # whatever the line held
    """The answer of a row. Raises what a value raises that `Store.add` never wrote."""
    if row["key"] != key:
        return None  # of another question whose key begins alike
    text, finish, tokens, seconds = row["text"], row["finish"], row["tokens"], row["seconds"]
    if not isinstance(text, str) or finish not in FINAL:
        raise ValueError
    for count in tokens.values():
        if not isinstance(count, int):
            raise TypeError
    if not all(math.isfinite(number) for number in seconds.values()):
        raise ValueError
    weighed = logprobs(row["logprobs"], row["question"]["score"]) if "logprobs" in row else None
    named = {one_line(name): count for name, count in tokens.items()}
    return Answer(text, finish, named, seconds, one_line(row.get("device", "")), weighed)
