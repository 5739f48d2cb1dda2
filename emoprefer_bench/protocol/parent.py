"""The parent's side of the engine protocol (docs/protocol.md): one child process that answers questions."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from emoprefer_bench.errors import EmopreferError
from emoprefer_bench.protocol import messages
from emoprefer_bench.protocol.environment import without_secrets
from emoprefer_bench.protocol.spool import Spool

PROTOCOL = 1
LINE_LIMIT = 64 * 1024 * 1024  # bytes; asyncio's own limit of 64 KiB is shorter than a long answer with its reasoning
LOG_LINES_SHOWN = 12
LOG_BYTES_READ = 64 * 1024  # of its end; a child may write as much as the disk holds
ENDING_SECONDS = 2.0  # between the end of a child's output and its own
LOAD_SECONDS = 3600.0  # a first start may download tens of gigabytes


class LoadError(EmopreferError):
    """A child that could not load its model; the message is the child's own, with the end of its log."""


class ChildDiedError(EmopreferError):
    """A child that ended, or fell silent, while questions were in flight.

    `spoke` is true where it said something that no message is: what is to be told then is what it said.
    """

    def __init__(self, message: str, *, spoke: bool = False) -> None:
        super().__init__(message)
        self.spoke = spoke


class QuestionError(EmopreferError):
    """The child says that this question failed; others go on."""


@dataclass(frozen=True)
class Launch:
    """How a child is started.

    `log` takes its standard error. `descriptors` are inherited (the locks of a GPU lease). A child that answers nothing
    for `timeout` seconds while questions are in flight counts as dead. Of the secrets in this process's environment, it
    gets those that `secrets` names.
    """

    command: tuple[str, ...]
    load: dict[str, Any]
    log: Path
    environment: dict[str, str] = field(default_factory=dict)
    descriptors: Sequence[int] = ()
    timeout: float = 900.0
    secrets: tuple[str, ...] = ()


class Child:
    """A running child. `ready` is what it says of itself."""

    def __init__(self, launch: Launch) -> None:
        self.launch = launch
        self.ready = messages.Ready(1, "", None)
        self.dead: ChildDiedError | None = None
        self._waiting: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._asked = 0
        self._quiet_since = 0.0
        self._spool: Spool | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """The child's process, which leads a group of its own."""
        return self._process.pid if self._process else None

    async def start(self) -> None:
        """Start the process and wait until its model is loaded. Raises LoadError."""
        try:
            self._spool = Spool()
            await self._start()
        except OSError as error:
            await self.close()
            where = error.filename or self.launch.log
            raise LoadError(f"{where}: can't be written ({error.strerror}): make room there") from None
        except BaseException:  # an interrupt too leaves nothing behind
            await self.close()
            raise

    async def _start(self) -> None:
        assert self._spool is not None
        self.launch.log.parent.mkdir(parents=True, exist_ok=True)
        with self.launch.log.open("ab") as log:
            try:
                self._process = await asyncio.create_subprocess_exec(
                    *self.launch.command,
                    stdin=asyncio.subprocess.PIPE,
                    stdout=asyncio.subprocess.PIPE,
                    stderr=log,
                    env={**without_secrets(os.environ, self.launch.secrets), **self.launch.environment},
                    pass_fds=tuple(self.launch.descriptors),
                    start_new_session=True,
                    limit=LINE_LIMIT,
                )
            except OSError as error:
                raise LoadError(f"can't start {self.launch.command[0]!r} ({error.strerror})") from None
        self._write({"type": "load", "protocol": PROTOCOL, "spool": str(self._spool.folder), **self.launch.load})
        try:
            message = await asyncio.wait_for(self._read(), LOAD_SECONDS)
        except TimeoutError:
            raise LoadError(f"the engine took over an hour to load{self._log_end()}") from None
        except ChildDiedError as error:
            died = str(error) if error.spoke else f"the engine ended while it was loading{self._log_end()}"
            raise LoadError(died) from None
        if message.get("type") != "ready" or message.get("protocol") != PROTOCOL:
            said = message.get("message") or f"the engine sent no 'ready' of protocol {PROTOCOL}"
            raise LoadError(messages.legible(said))
        try:
            self.ready = messages.ready(message)
        except messages.MessageError as error:
            raise LoadError(str(error)) from None
        self._reader = asyncio.create_task(self._dispatch())

    async def ask(self, question: dict[str, Any]) -> dict[str, Any]:
        """Ask one question; many may be in flight. Raises QuestionError or ChildDiedError."""
        if self.dead:
            raise self.dead
        self._asked += 1
        ask_id = str(self._asked)
        future: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        if not self._waiting:
            self._quiet_since = time.monotonic()
        self._waiting[ask_id] = future
        try:
            self._write({"type": "ask", "id": ask_id, "question": question})
            return await future
        finally:
            self._waiting.pop(ask_id, None)

    async def close(self) -> None:
        """End the child and all that it started."""
        if self._reader:
            self._reader.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._reader
        if self._process and self._process.pid:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            await self._process.wait()
            # Python 3.11 closes the transport only when the loop next runs; without this it warns at exit.
            self._process._transport.close()  # type: ignore[attr-defined]  # noqa: SLF001
        self._fail(ChildDiedError("the engine was closed"))
        if self._spool:
            self._spool.remove()

    def _write(self, message: dict[str, Any]) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        # What is written to a child that has ended is dropped by asyncio's own loop; uvloop, which Ray brings, raises
        # this. Either way it is the reader of the child's output that finds it ended, and says so to whoever waits.
        with contextlib.suppress(RuntimeError):
            self._process.stdin.write(json.dumps(message).encode() + b"\n")

    async def _read(self) -> dict[str, Any]:
        assert self._process is not None
        assert self._process.stdout is not None
        try:
            line = await self._process.stdout.readline()
        except ValueError:
            raise ChildDiedError(f"the engine sent a line of over {LINE_LIMIT} bytes") from None
        if not line.endswith(b"\n"):
            raise ChildDiedError(f"the engine {await self._ending()}{self._log_end()}")
        message = messages.decode(line)
        if message is None:
            said = messages.one_line(line[:200].decode(errors="replace"))
            raise ChildDiedError(
                f"the engine sent a line that is not a message: {said!r}; its standard output is for messages alone: "
                "print to standard error, or serve by worker.py, which moves prints aside (docs/external.md)",
                spoke=True,
            )
        return message

    async def _ending(self) -> str:
        """How a child ended whose output did."""
        assert self._process is not None
        try:
            return f"ended with {_exit(await asyncio.wait_for(self._process.wait(), ENDING_SECONDS))}"
        except TimeoutError:
            return "closed its output and went on without it"

    async def _dispatch(self) -> None:
        """Give each answer to the question that waits for it, until the child ends or falls silent."""
        reading: asyncio.Task[dict[str, Any]] | None = None
        try:
            while True:
                reading = reading or asyncio.create_task(self._read())
                left = self._quiet_since + self.launch.timeout - time.monotonic()
                done, _ = await asyncio.wait({reading}, timeout=left if self._waiting else self.launch.timeout)
                if done:
                    message = reading.result()
                    reading = None
                    if self._deliver(message):
                        self._quiet_since = time.monotonic()
                if self._waiting and time.monotonic() >= self._quiet_since + self.launch.timeout:
                    self._fail(self._silence())
                    return
        except ChildDiedError as error:
            self._fail(error)
        finally:
            # Whatever it was that ended this: nobody waits for ever.
            self._fail(ChildDiedError("the engine's answers are read no more"))
            if reading:
                reading.cancel()

    def _silence(self) -> ChildDiedError:
        return ChildDiedError(f"the engine answered nothing for {self.launch.timeout:.0f} s{self._log_end()}")

    def _deliver(self, message: dict[str, Any]) -> bool:
        """Give a message to the question that waits for it; one that nobody waits for is no sign of life."""
        ask_id = message.get("id")
        future = self._waiting.get(str(ask_id)) if isinstance(ask_id, (str, int)) else None
        if future is None or future.done():
            return False
        if message.get("type") == "answer":
            future.set_result(message)
        else:
            said = message.get("message") or "the engine sent neither an answer nor what went wrong"
            future.set_exception(QuestionError(messages.legible(said)))
        return True

    def _fail(self, error: ChildDiedError) -> None:
        self.dead = self.dead or error
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(error)

    def _log_end(self) -> str:
        with self.launch.log.open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - LOG_BYTES_READ))
            end = log.read().decode(errors="replace")
        lines = [messages.legible(line) for line in end.splitlines()[-LOG_LINES_SHOWN:]]
        return f"; the last lines of {self.launch.log}:\n  " + "\n  ".join(lines) if lines else ""


def _exit(code: int) -> str:
    if code >= 0:
        return f"exit status {code}"
    known = {number.value: number.name for number in signal.Signals}
    return f"signal {known.get(-code, -code)}"
