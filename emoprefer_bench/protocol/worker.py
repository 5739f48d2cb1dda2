"""The child side of the engine protocol (docs/protocol.md), complete in one file.

It needs nothing but the standard library and Python 3.8, so that it can be copied alone into the environment that a
model wants. A script that answers one question at a time is::

    from worker import OneByOne, serve

    def load(message):
        model = load_my_model(message["model"], **message["options"])
        ready = {"engine": "my model", "version": "1.0", "device": "GPU"}

        def answer(question):
            text, frames = model.ask(question["prompt"], question["clip"]["video"])
            return {"text": text, "tokens": {"video": len(frames)}}

        return OneByOne(ready, answer)

    if __name__ == "__main__":
        serve(load)
"""

from __future__ import annotations

import json
import logging
import os
import queue
import signal
import sys
import threading
import time
from typing import IO, TYPE_CHECKING, Any, NamedTuple, NoReturn, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

PROTOCOL = 1

log = logging.getLogger(__name__)


class Ask(NamedTuple):
    """One question that came in; its fields are those of `question` in docs/protocol.md."""

    id: str
    question: dict[str, Any]


class Inbox:
    """The questions that wait, in the order they came. It never ends: end of input ends the process."""

    def __init__(self) -> None:
        self._asks: queue.SimpleQueue[Ask] = queue.SimpleQueue()

    def put(self, ask: Ask) -> None:
        """Add a question behind the others."""
        self._asks.put(ask)

    def get(self) -> Ask:
        """Take the next question; blocks until there is one."""
        return self._asks.get()

    def waiting(self, limit: int | None = None) -> list[Ask]:
        """Take all questions that already wait, at most `limit` of them; never blocks, may be empty."""
        taken: list[Ask] = []
        while limit is None or len(taken) < limit:
            try:
                taken.append(self._asks.get_nowait())
            except queue.Empty:
                break
        return taken


class Reply:
    """Writes messages to the parent, one JSON object a line; any thread may use it."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    def send(self, **message: object) -> None:
        """Write one message. A parent that no longer reads ends the process."""
        line = json.dumps(message) + "\n"
        with self._lock:
            try:
                self._stream.write(line)
                self._stream.flush()
            except BrokenPipeError:
                end()

    def answer(
        self,
        ask_id: str,
        text: str = "",
        finish: str = "stop",
        tokens: dict[str, int] | None = None,
        seconds: dict[str, float] | None = None,
        logprobs: list[list[float] | None] | None = None,
    ) -> None:
        """Answer a question. `tokens` and `seconds` have the keys that docs/protocol.md names.

        `logprobs` answers a question that weighs texts: a list a text, a natural logarithm a token.
        """
        weighed = {} if logprobs is None else {"logprobs": logprobs}
        said = {"text": text, "finish": finish, **weighed, "tokens": tokens or {}, "seconds": seconds or {}}
        self.send(type="answer", id=ask_id, **said)

    def error(self, ask_id: str, message: str) -> None:
        """Say that this question failed for good; the others go on."""
        self.send(type="error", id=ask_id, message=message)


class Backend(Protocol):
    """A loaded model."""

    ready: dict[str, Any]
    """`engine`, `version`, `device` and `concurrency` of the `ready` message."""

    def run(self, inbox: Inbox, reply: Reply) -> None:
        """Answer questions for ever. What it raises ends the process, and the harness starts a new one."""


class OneByOne:
    """A backend for a model that answers one question at a time.

    `ready` names at least `engine` and `version`. `answer` gets the question (a dict, see docs/protocol.md) and
    returns the text, or a dict with `text` and any of `finish`, `tokens` and `seconds`. What it raises is reported as
    that question's error. Where `ready` says `"scores": True`, questions come that have texts in `score`; their answer
    is a dict with `logprobs`, for each text a list of its tokens' log-probabilities.
    """

    def __init__(self, ready: dict[str, Any], answer: Callable[[dict[str, Any]], str | dict[str, Any]]) -> None:
        self.ready = {"device": "CPU", "concurrency": 1, **ready}
        self._answer = answer

    def run(self, inbox: Inbox, reply: Reply) -> None:
        """Answer questions in the order they come."""
        while True:
            ask = inbox.get()
            started = time.perf_counter()
            try:
                given = self._answer(ask.question)
                fields = {"text": given} if isinstance(given, str) else given
                reply.answer(ask.id, **{"seconds": {"model": time.perf_counter() - started}, **fields})
            except Exception as error:
                log.exception("Question %s failed", ask.id)
                reply.error(ask.id, one_line(error))


def serve(load: Callable[[dict[str, Any]], Backend]) -> NoReturn:
    """Speak the protocol on standard input and output until the input ends.

    `load` gets the `load` message and returns the backend; what it raises is sent as `failed`. Does not return.
    """
    requests, replies = _take_over_standard_streams()
    reply = Reply(replies)
    try:
        message = json.loads(requests.readline() or "{}")
        inbox = Inbox()
        threading.Thread(target=_read, args=(requests, inbox), daemon=True).start()
        backend = _load(load, message, reply)
        reply.send(type="ready", protocol=PROTOCOL, **backend.ready)
        backend.run(inbox, reply)
    except Exception:
        log.exception("The worker ends")
    finally:
        end()


def end() -> NoReturn:
    """End this process and every process it started, now.

    Signals reach what interpreter shutdown would wait for: engines in other processes, threads inside C code. Only a
    group's leader kills the group, so that a worker started by hand doesn't take the shell's pipeline with it.
    """
    sys.stderr.flush()
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(1)


def one_line(error: BaseException) -> str:
    """Say what an exception is: its type and text, white space squeezed."""
    return " ".join(f"{type(error).__name__}: {error}".split())


def _load(load: Callable[[dict[str, Any]], Backend], message: dict[str, Any], reply: Reply) -> Backend:
    spoken = message.get("protocol")
    if spoken != PROTOCOL:
        reply.send(type="failed", message=f"worker.py speaks protocol {PROTOCOL}, not {spoken}: copy the one that fits")
        end()
    try:
        return load(message)
    except Exception as error:
        log.exception("Loading failed")
        reply.send(type="failed", message=one_line(error))
        end()


def _take_over_standard_streams() -> tuple[IO[str], IO[str]]:
    """Move the protocol off descriptors 0 and 1: libraries print on the one, and processes they start share both."""
    requests = os.fdopen(os.dup(0), encoding="utf-8")
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # ends by SIGKILL, which flushes nothing
    return requests, replies


def _read(requests: IO[str], inbox: Inbox) -> None:
    """Fill the inbox; at the end of the input, or on a line that is no message, end everything."""
    try:
        for line in requests:
            message = json.loads(line)
            if message["type"] == "ask":
                inbox.put(Ask(message["id"], message["question"]))
    except Exception:
        log.exception("This is no message of the engine protocol: %.200s", line)
    end()
