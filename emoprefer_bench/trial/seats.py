"""A model's place in a run: opened by its first question, given no more than it wants, the hottest clip first."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from emoprefer_bench.engines.engine import Engine, Session
from emoprefer_bench.errors import EmopreferError
from emoprefer_bench.pairs import Answer, Question, Scores, weighs
from emoprefer_bench.protocol.parent import LoadError
from emoprefer_bench.trial.times import Times


class NotLoadedError(EmopreferError):
    """The strategy needs a model that isn't loaded now."""

    def __init__(self, seat: Seat) -> None:
        super().__init__(seat.name)
        self.seat = seat


class CannotWeighError(EmopreferError):
    """The model can't weigh the texts that a strategy has it weigh; the message says why."""

    def __init__(self, name: str, scores: Scores) -> None:
        able = "its server lists the likeliest words, so it can weigh labels (P1), and not texts (L1) as vLLM's own can"
        unable = "it gives no log-probabilities of words that it is shown (docs/external.md says how a worker does)"
        super().__init__(f"{name} can't be asked that: {able if scores else unable}")


class Slots:
    """So many questions are with the model at once; those about the clip that was opened first go first."""

    def __init__(self, count: int) -> None:
        self._count = self._free = count
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._arrivals = itertools.count()
        self._idle_since = time.perf_counter()

    async def take(self, place: int) -> float:
        """Wait for a slot; `place` is the clip's. Returns for how many seconds the model had nothing to do before."""
        if not self._free:
            turn = asyncio.get_running_loop().create_future()
            heapq.heappush(self._waiting, (place, next(self._arrivals), turn))
            try:
                await turn
            except asyncio.CancelledError:
                if turn.done() and not turn.cancelled():
                    self.give()
                raise
            return 0.0
        idle = time.perf_counter() - self._idle_since if self._free == self._count else 0.0
        self._free -= 1
        return idle

    def give(self) -> None:
        """Give the slot back."""
        while self._waiting:
            *_, turn = heapq.heappop(self._waiting)
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1
        if self._free == self._count:
            self._idle_since = time.perf_counter()


@dataclass
class Seat:
    """A model's place: its engine is opened when the first question needs it.

    `failure` is why it can't be opened; `identity` is known as soon as its weights are. `device` is what its answers
    were computed on, `restarts` how often its engine had died and was started again when it was last closed. While it
    is `loading`, nothing is answered.
    """

    name: str
    engine: Engine
    log: Path
    failure: str | None = None
    device: str = ""
    concurrency: int = 1
    restarts: int = 0
    loading: bool = False
    _context: AbstractAsyncContextManager[Session] | None = None
    _session: Session | None = None
    _slots: Slots = field(default_factory=lambda: Slots(1))
    _identity: dict[str, Any] | None = None
    _opening: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def answer(
        self, question: Question, fields: dict[str, Any] | None, times: Times, *, place: int, waited: float
    ) -> Answer:
        """Ask a question of a case whose `times` these are, after it `waited` so many seconds for its clip.

        Raises LoadError, each time the same.
        """
        session = await self._open()
        with times.asking():
            idle = await self._slots.take(place)
            times.seconds["waiting"] += min(idle, waited)
            try:
                answer = await session.answer(question, fields)
            finally:
                self._slots.give()
        times.count(answer)
        return replace(answer, device=self.device)

    async def identity(self) -> dict[str, Any]:
        """What identifies the judge in a question's key; opens the engine only where its weights were never here."""
        if self._identity is None:
            self._identity = self.engine.identity()
        if self._identity is None:
            session = await self._open()
            self._identity = self.engine.identity() or self.engine.identity_once_loaded(session.revision)
        return self._identity

    def known_identity(self) -> dict[str, Any] | None:
        """What its answers were kept under, or would be; None where that can't be known without opening it."""
        return self._identity or self.engine.identity()

    async def check_weighs(self, texts: Sequence[str]) -> None:
        """Raise CannotWeighError unless it can weigh these texts; opens the engine where only that can tell."""
        scores = self.engine.scores
        if scores is None:
            scores = (await self._open()).scores
        if not weighs(scores, texts):
            raise CannotWeighError(self.name, scores)

    async def close(self) -> None:
        """End the engine, if it was opened."""
        if self._context and self._session:
            self.restarts += self._session.restarts
            context, self._context, self._session = self._context, None, None
            await context.__aexit__(None, None, None)

    async def _open(self) -> Session:
        async with self._opening:
            if self.failure:
                raise LoadError(self.failure)
            if self._session is None:
                context = self.engine.open(self.log)
                self.loading = True
                try:
                    session = await context.__aenter__()
                except LoadError as error:
                    self.failure = f"{self.name} can't be loaded: {error}"
                    raise LoadError(self.failure) from None
                finally:
                    self.loading = False
                self._context, self._session = context, session
                self.device, self.concurrency = session.device, max(1, session.concurrency)
                self._slots = Slots(self.concurrency)
        return self._session
