"""Decoding in processes of its own, since clips may be hostile: ahead of the model, once a clip; looking into clips."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from emoprefer_bench.errors import EmopreferError
from emoprefer_bench.media.plan import UNDECODABLE, Look, MediaError, MediaPlan
from emoprefer_bench.pairs import Clip
from emoprefer_bench.protocol import messages
from emoprefer_bench.protocol.parent import Child, ChildDiedError, Launch, QuestionError

SPOOL_BYTES = 2 << 30
DECODE_SECONDS = 300.0  # a file that takes longer is made to
NO_ANSWER = "the decoder's answer is none"


class DecodeError(EmopreferError):
    """A clip that can't be read or decoded; the message names the file. `of_clip`: it is bad, and stays so."""

    def __init__(self, message: str, *, of_clip: bool = True) -> None:
        super().__init__(message)
        self.of_clip = of_clip


class Decoders:
    """A few decode processes, started when the first clip is wanted.

    `decoded` counts the clips decoded.
    """

    def __init__(self, log: Path, count: int | None = None, room: int = SPOOL_BYTES) -> None:
        self.decoded = 0
        self._room = room
        self._largest = 0
        self._log = log
        self._idle: asyncio.LifoQueue[Child | None] = asyncio.LifoQueue()
        self._children: list[Child] = []
        for _ in range(count or max(1, min(4, len(os.sched_getaffinity(0)) - 1))):
            self._idle.put_nowait(None)

    @property
    def most_clips(self) -> int:
        """How many clips may be held at once: as many as fit the spool, were all as large as the largest so far."""
        return max(1, self._room // self._largest) if self._largest else sys.maxsize

    async def decode(self, clip: Clip, plan: MediaPlan, *, picture: bool, sound: bool) -> tuple[dict[str, Any], float]:
        """The clip's fields of the protocol, its arrays saved in files, and the seconds it took. Raises DecodeError."""
        question = {**paths(clip.video, clip.audio), "plan": asdict(plan), "picture": picture, "sound": sound}
        try:
            fields, seconds = await self._ask(question, clip.video or clip.audio)
        except DecodeError as error:
            which = f"clip {clip.name!r} {UNDECODABLE}" if error.of_clip else f"clip {clip.name!r}: "
            raise DecodeError(f"{which}{error}", of_clip=error.of_clip) from None
        try:
            self._largest = max(self._largest, sum(path.stat().st_size for path in saved(fields)))
        except (OSError, TypeError) as error:
            raise DecodeError(f"clip {clip.name!r}: {NO_ANSWER} ({error})", of_clip=False) from None
        self.decoded += 1
        return fields, seconds

    async def look(self, video: Path | None, audio: Path | None, *, thorough: bool) -> Look:
        """Look into a clip's files; a `thorough` look decodes all of them. Raises DecodeError."""
        fields, _ = await self._ask({"look": {**paths(video, audio), "thorough": thorough}}, video or audio)
        try:
            return Look(**fields)
        except TypeError as error:
            raise DecodeError(f"{video or audio}: {NO_ANSWER} ({error})", of_clip=False) from None

    async def shrink(self, file: Path) -> Path:
        """Encode a clip anew, for a page, into a file that the caller removes. Raises DecodeError."""
        fields, _ = await self._ask({"shrink": str(file)}, file)
        return Path(fields["file"])

    async def _ask(self, question: dict[str, Any], file: Path | None) -> tuple[dict[str, Any], float]:
        """What a process answers about a file, and how many seconds it took. Raises DecodeError."""
        child = await self._idle.get()
        try:
            child = child or await self._start()
            reply = await child.ask(question)
        except QuestionError as error:
            message = str(error).removeprefix(f"{MediaError.__name__}: ")
            raise DecodeError(message, of_clip=message != str(error)) from None
        except ChildDiedError as error:
            await self._end(child)
            child = None
            raise DecodeError(f"{file}: decoding it ended the decoder: {error}") from None
        finally:
            self._idle.put_nowait(child)
        try:
            answer = messages.answer(reply)
            fields: object = json.loads(answer.text)
        except (ValueError, RecursionError) as error:
            raise DecodeError(f"{file}: {NO_ANSWER} ({type(error).__name__})", of_clip=False) from None
        if not isinstance(fields, dict):
            raise DecodeError(f"{file}: {NO_ANSWER}", of_clip=False)
        return fields, answer.seconds.get("preprocess", 0.0)

    async def close(self) -> None:
        """End the processes and remove what they saved."""
        for child in list(self._children):
            await self._end(child)

    async def _start(self) -> Child:
        child = Child(
            Launch(
                (sys.executable, "-m", "emoprefer_bench.media.child"),
                {"model": "decoder", "options": {}},
                self._log,
                timeout=DECODE_SECONDS,
            )
        )
        self._children.append(child)
        await child.start()
        return child

    async def _end(self, child: Child | None) -> None:
        if child in self._children:
            self._children.remove(child)
            await child.close()


def paths(video: Path | None, audio: Path | None) -> dict[str, str | None]:
    """A clip's files as they are written in messages."""
    return {"video": str(video) if video else None, "audio": str(audio) if audio else None}


def saved(fields: dict[str, Any]) -> list[Path]:
    """The files that a clip's arrays were saved in."""
    return [Path(fields[name]) for name in ("frames", "waveform") if fields.get(name)]
