"""An engine that is watched while a run uses it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from emoprefer_bench.pairs import Answer, Question


@dataclass
class Timed:
    """Notes what an engine is asked and answers, and when it was opened, ready, done with the last, and ended.

    `change` may make another question of each. Moments are those of `time.perf_counter`; `ready` is the first.
    """

    engine: Any
    change: Callable[[Question], Question] | None = None
    asked: list[Question] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    opened: float = 0.0
    ready: float = 0.0
    done: float = 0.0
    ended: float = 0.0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.engine, name)

    @contextlib.asynccontextmanager
    async def open(self, log: Path) -> AsyncIterator[Any]:
        """Open the engine."""
        self.opened = time.perf_counter()
        async with self.engine.open(log) as session:
            self.ready = self.ready or time.perf_counter()
            self._session = session
            self.concurrency, self.device, self.revision = session.concurrency, session.device, session.revision
            yield self
            self.done = time.perf_counter()
        self.ended = time.perf_counter()

    @property
    def restarts(self) -> int:
        """How often it died."""
        return int(self._session.restarts)

    async def answer(self, question: Question, clip: dict[str, Any] | None) -> Answer:
        """Pass a question on."""
        self.asked.append(question)
        answer: Answer = await self._session.answer(self.change(question) if self.change else question, clip)
        self.answers.append(answer)
        return answer
