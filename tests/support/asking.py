"""Questions to declared engines, as the harness puts them, and a clip to ask about."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Self

import numpy as np

from emoprefer_bench.engines.engine import Engine, Session
from emoprefer_bench.pairs import Answer, Clip, Question, Sampling
from support.media_files import make_clip

WORDS = "Which description fits the clip better, a1 or a2?"


def asked(
    modality: str = "text",
    prompt: str = WORDS,
    sampling: Sampling | None = None,
    score: tuple[str, ...] | None = None,
) -> Question:
    """Make a question; one that weighs where there are texts to `score`."""
    about = None if modality == "text" else Clip("clip", digest="0" * 64)
    drawn = None if score else sampling or Sampling(max_tokens=4)
    return Question({"engine": "x"}, prompt, modality, drawn, about, score=score)


async def ask_all(session: Session, questions: tuple[Question, ...], clip: dict[str, Any] | None) -> list[Answer]:
    """Ask all at once; `clip` has the protocol's fields of the clip that questions are about."""
    return await asyncio.gather(*(session.answer(one, clip if one.clip else None) for one in questions))


def answers(engine: Engine, log: Path, *questions: Question, clip: dict[str, Any] | None = None) -> list[Answer]:
    """Open an engine for these questions alone."""

    async def main() -> list[Answer]:
        async with engine.open(log) as session:
            return await ask_all(session, questions, clip)

    return asyncio.run(main())


class Sessions:
    """Engines that stay open between tests: the same engine is opened once, with a log of its own in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._runner = asyncio.Runner()
        self._stack = AsyncExitStack()
        self._open: dict[str, Session] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._runner.run(self._stack.aclose())
        self._runner.close()

    def ask(self, engine: Engine, *questions: Question, clip: dict[str, Any] | None = None) -> list[Answer]:
        """Ask all at once."""

        async def main() -> list[Answer]:
            if (name := repr(engine)) not in self._open:
                log = self._folder / f"{len(self._open)}.log"
                self._open[name] = await self._stack.enter_async_context(engine.open(log))
            return await ask_all(self._open[name], questions, clip)

        return self._runner.run(main())


def served_clip(folder: Path) -> dict[str, Any]:
    """Return the protocol's fields of a clip of three seconds with picture and sound, three of its frames sampled."""
    path = make_clip(folder / "clip.mp4", frames=75, size=(112, 112), sound=3.0)
    np.save(folder / "sound.npy", np.sin(np.arange(48000) / 20).astype(np.float32) / 2)
    frames = np.zeros((3, 96, 128, 3), np.uint8)
    frames[1, :, :64] = (255, 0, 0)
    np.save(folder / "frames.npy", frames)
    return {
        "name": "clip",
        "digest": "0" * 64,
        "video": str(path),
        "audio": None,
        "frames": str(folder / "frames.npy"),
        "indices": [0, 37, 74],
        "waveform": str(folder / "sound.npy"),
        "sample_rate": 16000,
    }
