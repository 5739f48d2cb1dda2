"""S1 and S2 in both orders by the harness itself, on clips that are made here, timed from when the model is loaded."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from emoprefer_bench import prompts
from emoprefer_bench.cases import Case
from emoprefer_bench.data.datasets import Source
from emoprefer_bench.pairs import Answer, Question
from emoprefer_bench.trial.trial import Settings, Trial

from . import films, machine

DESCRIBED, JUDGED = 150, 4
"""Tokens of an answer. Random weights never end one, and a judge's is short."""
PARTS = ("decoding", "preprocess", "model", "waiting")


@dataclass
class Timed:
    """An engine that notes when it was ready and done, and asks for short verdicts."""

    engine: Any
    description: int = DESCRIBED
    answers: list[Answer] = field(default_factory=list)
    opened: float = 0.0
    ready: float = 0.0
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
            self.ended = time.perf_counter()

    @property
    def restarts(self) -> int:
        """How often it died."""
        return int(self._session.restarts)

    async def answer(self, question: Question, clip: dict[str, Any] | None) -> Answer:
        """Ask for as many tokens as such an answer has."""
        judging = "a1" in question.prompt and "a2" in question.prompt
        tokens = JUDGED if judging else self.description
        short = replace(question, sampling=replace(question.sampling, max_tokens=tokens))
        answer: Answer = await self._session.answer(short, clip)
        self.answers.append(answer)
        return answer


def clips(folder: Path, count: int, seconds: int, size: tuple[int, int]) -> Source:
    """Make a data set of so many clips that look alike, and a pair each."""
    films.sisters(films.film(folder / "first.mp4", seconds, size), folder / "video", count)
    rows = [f"c{number},calm {number},glad and lively {number},a1" for number in range(count)]
    (folder / "pairs.csv").write_text("\n".join(["name,a1,a2,preference", *rows, ""]))
    return Source("pairs", folder / "pairs.csv")


def measured(
    engine: Any, source: Source, out: Path, ids: tuple[str, ...], description: int = DESCRIBED
) -> dict[str, Any]:
    """Run both cases, and return clips a second and where the time went."""
    timed = Timed(engine, description)
    cases = [Case("judge", prompt, "pairs", "audiovideo") for prompt in ("S1", "S2")]
    trial = Trial(Settings(out, {"pairs": source}, prompts.load()), "judge", cases, {"judge": timed})
    with machine.Watch(ids) as watch:
        trial.run(lambda headway: None)
    failed = [answer.text for answer in timed.answers if answer.finish == "error"]
    if failed or not timed.answers:
        raise RuntimeError(f"{len(failed)} of {len(timed.answers)} questions failed: {failed[:1]}")
    seconds = timed.ended - timed.ready
    count = len(list(source.csv.parent.glob("video/*.mp4")))
    spent = [(trial.result(case) or {}).get("seconds", {}) for case in cases]
    parts = {
        name: sum(each.get(name, 0.0) for each in spent) for name in ("decoding", "preprocess", "model", "waiting")
    }
    prompt = max(answer.tokens.get("prompt", 0) for answer in timed.answers)
    media = max(answer.tokens.get("audio", 0) + answer.tokens.get("video", 0) for answer in timed.answers)
    return {
        "clips_per_second": count / seconds,
        "seconds": seconds,
        "loading": timed.ready - timed.opened,
        "questions": len(timed.answers),
        "clip_tokens": media,
        "prompt_tokens": prompt,
        "picture_tokens": max(answer.tokens.get("video", 0) for answer in timed.answers),
        "seconds_by_part": parts,
        "busy": watch.busy,
        "peak_bytes": watch.peak,
    }
