"""Questions to an engine in a child process, which is started again when it dies."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import Any

from emoprefer_bench.engines.child import Child, ChildDiedError, Launch, QuestionError
from emoprefer_bench.pairs import Answer, Question

ATTEMPTS = 2


class ChildSession:
    """Questions to a child that is started again when it dies.

    A question is asked at most twice. After a death, those that were in flight are asked again one at a time, so that
    the one that kills the child is found out and the others are answered.
    """

    def __init__(self, launch: Launch) -> None:
        self._launch = launch
        self._child = Child(launch)
        self._respawning = asyncio.Lock()
        self._suspects = asyncio.Lock()
        self.concurrency = 1
        self.device = ""

    async def start(self) -> None:
        """Start the first child."""
        await self._child.start()
        self.concurrency = int(self._child.ready.get("concurrency", 1))
        self.device = str(self._child.ready.get("device", ""))

    async def close(self) -> None:
        """End the child."""
        await self._child.close()

    async def answer(self, question: Question, clip: dict[str, Any] | None) -> Answer:
        """Answer a question; one that fails, or kills the child twice, gets `finish="error"` and the reason as text."""
        wire = _wire(question, clip)
        try:
            return _answer(await self._child.ask(wire))
        except QuestionError as error:
            return Answer(str(error), "error")
        except ChildDiedError:
            async with self._suspects:
                return await self._answer_again(wire)

    async def _answer_again(self, wire: dict[str, Any]) -> Answer:
        for attempt in range(2, ATTEMPTS + 1):
            child = await self._living()
            try:
                return _answer(await child.ask(wire))
            except QuestionError as error:
                return Answer(str(error), "error")
            except ChildDiedError as error:
                if attempt == ATTEMPTS:
                    return Answer(f"{error} (on the second attempt too)", "error")
        raise AssertionError

    async def _living(self) -> Child:
        async with self._respawning:
            if self._child.dead:
                await self._child.close()
                self._child = Child(self._launch)
                await self._child.start()
            return self._child


def _wire(question: Question, clip: dict[str, Any] | None) -> dict[str, Any]:
    return {
        "prompt": question.prompt,
        "texts": question.texts,
        "subtitle": question.subtitle,
        "modality": question.modality,
        "clip": clip,
        "sampling": {**asdict(question.sampling), "seed": question.seed},
    }


def _answer(message: dict[str, Any]) -> Answer:
    counts = {name: int(count) for name, count in (message.get("tokens") or {}).items() if count is not None}
    return Answer(message["text"], message.get("finish") or "stop", counts, message.get("seconds") or {})
