"""Questions to an engine in a child process, which is started again when it dies."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import asdict
from typing import Any

from emoprefer_bench.engines.dealing import Dealing
from emoprefer_bench.pairs import Answer, Question, Scores
from emoprefer_bench.protocol import messages
from emoprefer_bench.protocol.parent import Child, ChildDiedError, Launch, QuestionError


class ChildSession:
    """Questions to a child that is started again when it dies; `restarts` counts how often.

    A question is asked at most twice. After a death, those that were in flight are asked again one at a time, so that
    the one that kills the child is found out and the others are answered. A child that itself asks others can't be
    killed by a question, and is asked them again `at_once`.
    """

    def __init__(self, launch: Launch, *, at_once: bool = False) -> None:
        self._launch = launch
        self._child = Child(launch)
        self._respawning = asyncio.Lock()
        self._suspects: AbstractAsyncContextManager[object] = nullcontext() if at_once else asyncio.Lock()
        self.concurrency = 1
        self.device = ""
        self.revision: str | None = None
        self.scores: Scores = False
        self.restarts = 0

    @property
    def pid(self) -> int | None:
        """The process of the child that answers now."""
        return self._child.pid

    async def start(self) -> None:
        """Start the first child."""
        await self._child.start()
        ready = self._child.ready
        self.concurrency, self.device, self.revision = ready.concurrency, ready.device, ready.revision
        self.scores = ready.scores

    async def close(self) -> None:
        """End the child."""
        await self._child.close()

    async def answer(self, question: Question, clip: dict[str, Any] | None) -> Answer:
        """Answer a question; one that fails, or kills the child twice, gets `finish="error"` and the reason as text."""
        return await self.ask(_wire(question, clip))

    async def ask(self, wire: dict[str, Any]) -> Answer:
        """The same for a question as the protocol has it."""
        try:
            return await _asked(self._child, wire, wire["score"])
        except ChildDiedError:
            async with self._suspects:
                return await self._answer_again(wire, wire["score"])

    async def _answer_again(self, wire: dict[str, Any], score: Sequence[str] | None) -> Answer:
        try:
            return await _asked(await self._living(), wire, score)
        except ChildDiedError as error:
            return Answer(f"{error} (on the second attempt too)", "error")

    async def _living(self) -> Child:
        async with self._respawning:
            if self._child.dead:
                await self._child.close()
                child = Child(self._launch)
                await child.start()
                self._child = child  # only now: others may ask at any moment
                self.restarts += 1
            return self._child


class ParallelSession:
    """Several children of one engine, each with its own GPUs, which are dealt questions as they have room for them."""

    def __init__(self, launches: Sequence[Launch]) -> None:
        self._sessions = [ChildSession(launch) for launch in launches]
        self._dealing = Dealing()
        self.concurrency = 1
        self.device = ""
        self.revision: str | None = None
        self.scores: Scores = False

    async def start(self) -> None:
        """Start all children at once. Raises LoadError, of the first that can't be loaded, and then none is left."""
        outcomes = await asyncio.gather(*(session.start() for session in self._sessions), return_exceptions=True)
        for outcome in outcomes:
            if outcome is not None:
                await self.close()
                raise outcome
        self.revision, self.scores = self._sessions[0].revision, self._sessions[0].scores
        for number, session in enumerate(self._sessions):
            self._dealing.join(number, session.concurrency)
        self.concurrency = self._dealing.wanted
        self.device = f"{len(self._sessions)} x {self._sessions[0].device}"

    @property
    def restarts(self) -> int:
        """How often a child died and was started again."""
        return sum(session.restarts for session in self._sessions)

    async def close(self) -> None:
        """End the children."""
        await asyncio.gather(*(session.close() for session in self._sessions))

    async def answer(self, question: Question, clip: dict[str, Any] | None) -> Answer:
        """Answer a question as ChildSession does."""
        async with self._dealing.turn((question.clip and question.clip.digest) or None) as number:
            return await self._sessions[number].answer(question, clip)


def _wire(question: Question, clip: dict[str, Any] | None) -> dict[str, Any]:
    return {
        "prompt": question.prompt,
        "texts": question.texts,
        "subtitle": question.subtitle,
        "modality": question.modality,
        "clip": clip,
        "sampling": {**asdict(question.sampling), "seed": question.seed} if question.sampling else None,
        "score": question.score,
    }


async def _asked(child: Child, wire: dict[str, Any], score: Sequence[str] | None) -> Answer:
    """Ask the child. An answer that is none by the protocol is an error, like one that says so."""
    try:
        return messages.answer(await child.ask(wire), score)
    except QuestionError as error:
        return Answer(str(error), "error")
    except messages.MessageError as error:
        return Answer(f"the engine's answer doesn't follow the protocol: {error}", "error")
