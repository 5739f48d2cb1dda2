"""What children that ask a server share: how many questions at once, when to try again, when to stop spending.

Keys come from the environment and stay in this process: every line that leaves it is searched for them.
"""

from __future__ import annotations

import asyncio
import contextlib
import email.utils
import logging
import os
import re
import time
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

import tenacity

from emoprefer_bench.protocol.worker import Ask, Inbox, Reply, one_line

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger(__name__)

FIRST_WAIT, LONGEST_WAIT = 1.0, 60.0  # seconds
REDIRECTS = frozenset({301, 302, 303, 307, 308})
PASSING = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})


class PassingError(RuntimeError):
    """A request that may succeed when sent again; `after` is what the server asked to wait, in seconds."""

    def __init__(self, message: str, after: float | None = None) -> None:
        super().__init__(message)
        self.after = after


class UnreachableError(PassingError):
    """A server that isn't there; `lost` says that it went away with the question, and may have begun to answer it."""

    def __init__(self, message: str, *, lost: bool = False) -> None:
        super().__init__(message)
        self.lost = lost


class UnanswerableError(RuntimeError):
    """A question that the server won't answer however often it is asked; `finish` is the protocol's word for why."""

    def __init__(self, finish: str) -> None:
        super().__init__(finish)
        self.finish = finish


class SpentError(RuntimeError):
    """The run has sent as many requests as it may."""


@dataclass(frozen=True)
class Given:
    """What a server answered."""

    text: str
    finish: str = "stop"
    tokens: dict[str, int] = field(default_factory=dict)
    logprobs: list[list[float] | None] | None = None


class Provider(Protocol):
    """A server's ways: how a question is sent, and what its replies and errors mean."""

    async def send(self, question: dict[str, Any], sending: Callable[[], None]) -> Given:
        """Send a question; `sending` is called for each request that is about to be sent.

        Raises PassingError or UnanswerableError, or what else can't be mended by waiting.
        """


@dataclass(frozen=True)
class Options:
    """What a fixture may set for any server.

    `base_url` is where the server is (None: the provider's own; a list: the same model at several addresses), `key` the
    name of the environment variable that holds the key (None: the server wants none). `concurrency` is how many
    requests are under way at once at an address, `attempts` how often one is sent at most, `request_timeout` how many
    seconds each may take. `session_header` is the header in which a router finds the digest of the clip. Servers at
    several addresses are asked every `health_seconds` how they are. `max_requests` bounds what is sent by all that
    count in the file `ledger` (without one: by this process).
    """

    base_url: str | list[str] | None = None
    key: str | None = None
    concurrency: int = 8
    attempts: int = 6
    request_timeout: float = 300.0
    session_header: str | None = None
    health_seconds: float = 10.0
    ledger: str | None = None
    max_requests: int | None = None

    @classmethod
    def parted(cls, given: dict[str, Any]) -> tuple[Options, dict[str, Any]]:
        """Make them from a fixture's options, and return what else those are."""
        names = [field.name for field in fields(cls)]
        return cls(**{name: value for name, value in given.items() if name in names}), {
            name: value for name, value in given.items() if name not in names
        }

    @property
    def in_flight(self) -> int:
        """How many questions are wanted at once; clips don't fall evenly on several addresses, so twice the room."""
        return self.concurrency * 2 * len(self.base_url) if isinstance(self.base_url, list) else self.concurrency

    @property
    def secret(self) -> str | None:
        """The key. Raises KeyError, with the variable's name alone, where it is not set."""
        return os.environ[self.key] if self.key else None

    def hidden(self, text: str) -> str:
        """Return the text without the key, should a server have echoed it."""
        key = os.environ.get(self.key or "")
        return text.replace(key, f"[{self.key}]") if key else text


class Ledger:
    """Counts requests in a file, a byte each, so that all processes of a run share the bound and none can forget."""

    def __init__(self, path: str, bound: int | None) -> None:
        self._bound = bound
        self._file = None if bound is None else os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)

    def take(self) -> None:
        """Count one request that is about to be sent. Raises SpentError where there are none left."""
        if self._file is None or self._bound is None:
            return
        os.write(self._file, b".")  # written before it is looked at: two processes can't both take the last
        if os.fstat(self._file).st_size > self._bound:
            raise SpentError(
                f"all of the {self._bound} requests that were allowed are sent (--emoprefer-max-requests); what was "
                "answered is stored: run again, or with a higher bound, to go on",
            )


class Remote:
    """A backend that asks a server."""

    def __init__(self, provider: Provider, options: Options, spool: str, ready: dict[str, Any]) -> None:
        self.ready = {"device": "a server", **ready, "concurrency": options.in_flight}
        self._provider = provider
        self._options = options
        self._ledger = Ledger(options.ledger or f"{spool}/requests", options.max_requests)
        self._retrying = tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception_type(PassingError),
            stop=tenacity.stop_after_attempt(options.attempts),
            wait=wait_as_asked,
            reraise=True,
        )

    def run(self, inbox: Inbox, reply: Reply) -> None:
        """Answer for ever."""
        asyncio.run(self._run(inbox, reply))

    async def _run(self, inbox: Inbox, reply: Reply) -> None:
        room = asyncio.Semaphore(self._options.in_flight)
        answering: set[asyncio.Task[None]] = set()
        while True:
            await room.acquire()
            task = asyncio.create_task(self._answer(await asyncio.to_thread(inbox.get), reply))
            answering.add(task)
            task.add_done_callback(answering.discard)
            task.add_done_callback(lambda _: room.release())

    async def _answer(self, ask: Ask, reply: Reply) -> None:
        started = time.perf_counter()
        try:
            given: Given = await self._retrying(self._send, ask.question)
        except UnanswerableError as error:
            reply.answer(ask.id, "", error.finish)
        except Exception as error:  # noqa: BLE001  # whatever a client raises concerns this question alone
            message = self._options.hidden(one_line(error))
            log.error("Question %s failed: %s", ask.id, message)  # noqa: TRY400  # a traceback may hold the key
            reply.error(ask.id, message)
        else:
            seconds = {"model": time.perf_counter() - started}
            text = self._options.hidden(given.text)
            reply.answer(ask.id, text, given.finish, given.tokens, seconds, given.logprobs)

    async def _send(self, question: dict[str, Any]) -> Given:
        try:
            return await self._provider.send(question, self._ledger.take)
        except PassingError as error:
            log.warning("Sent again: %s", self._options.hidden(one_line(error)))
            raise


def wait_as_asked(state: tenacity.RetryCallState) -> float:
    """Return the seconds to wait: what the server asked for, or else ever longer ones with chance in them.

    Chance keeps many clients from coming back at the same moment (https://tenacity.readthedocs.io, "full jitter").
    """
    error = state.outcome.exception() if state.outcome else None
    after = error.after if isinstance(error, PassingError) else None
    chosen = tenacity.wait_random_exponential(multiplier=FIRST_WAIT, max=LONGEST_WAIT)(state)
    return chosen if after is None else after + chosen * 0.1


def retry_after(headers: Any) -> float | None:
    """Return the seconds, ten minutes at most, that a Retry-After header asks for, in numbers or as a date.

    RFC 9110, 10.2.3. None for a header that isn't there, or says neither.
    """
    value = headers.get("retry-after") or ""
    for form in (float, _until):
        with contextlib.suppress(ValueError):
            return min(max(0.0, form(value)), 10 * LONGEST_WAIT)
    return None


def redirected(status: int, headers: Any) -> str | None:
    """Say where a server sends a question on to, or None; nothing follows it: neither clip nor key is for anybody else.

    RFC 9110, 15.4. Even on one host, another address is what the fixture should name: answers are kept under it.
    """
    if status not in REDIRECTS:
        return None
    target = re.sub(r"[?#].*", "", headers.get("location") or "another address")[:200]
    return f"HTTP {status}: the server sends this on to {target}, which is not followed; if it is yours, say base_url"


def _until(date: str) -> float:
    """Return the seconds until an HTTP-date, which is in GMT (RFC 9110, 5.6.7). Raises ValueError for what is none."""
    then = email.utils.parsedate_to_datetime(date).replace(tzinfo=UTC)
    return (then - datetime.now(UTC)).total_seconds()


def check_answered_by(asked: str, answering: str | None) -> None:
    """Raise RuntimeError where another model than the one that was asked answers, as when that one is retired.

    A provider may answer with the name of a dated or numbered version, or with none.
    """
    name = re.escape(asked.removeprefix("models/"))
    if answering and not re.fullmatch(rf"{name}(-preview)?([-@]\d+)*", answering):
        raise RuntimeError(f"{asked} was asked, but {answering} answered: the name now leads to another model")


def loading(load: Callable[[dict[str, Any]], Remote]) -> Callable[[dict[str, Any]], Remote]:
    """Keep the key out of what a failing load says."""

    def loaded(message: dict[str, Any]) -> Remote:
        options, _ = Options.parted(message["options"])
        try:
            return load(message)
        except Exception as error:  # noqa: BLE001  # whatever it is, it leaves this process without the key
            raise RuntimeError(options.hidden(str(error))) from None

    return loaded
