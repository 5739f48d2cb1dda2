"""Decoding ahead of the model, in processes of its own."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from emoprefer_bench.errors import EmopreferError
from emoprefer_bench.media.plan import MediaPlan
from emoprefer_bench.pairs import Clip
from emoprefer_bench.protocol.parent import Child, ChildDiedError, Launch, QuestionError

SPOOL_BYTES = 2 << 30
DECODE_SECONDS = 300.0  # a file that takes longer is made to


class DecodeError(EmopreferError):
    """A clip that can't be decoded; the message names the file."""


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
        for _ in range(count or max(1, min(4, (os.cpu_count() or 2) - 1))):
            self._idle.put_nowait(None)

    @property
    def most_clips(self) -> int:
        """How many clips may be held at once: as many as fit the spool, were all as large as the largest so far."""
        return max(1, self._room // self._largest) if self._largest else sys.maxsize

    async def decode(self, clip: Clip, plan: MediaPlan, *, picture: bool, sound: bool) -> tuple[dict[str, Any], float]:
        """The clip's fields of the protocol, its arrays saved in files, and the seconds it took. Raises DecodeError."""
        question = {
            "video": str(clip.video) if clip.video else None,
            "audio": str(clip.audio) if clip.audio else None,
            "plan": asdict(plan),
            "picture": picture,
            "sound": sound,
        }
        child = await self._idle.get()
        try:
            child = child or await self._start()
            reply = await child.ask(question)
        except QuestionError as error:
            raise DecodeError(str(error)) from None
        except ChildDiedError as error:
            await self._end(child)
            child = None
            raise DecodeError(f"{clip.video or clip.audio}: decoding it ended the decoder: {error}") from None
        finally:
            self._idle.put_nowait(child)
        self.decoded += 1
        fields: dict[str, Any] = json.loads(reply["text"])
        self._largest = max(self._largest, sum(path.stat().st_size for path in saved(fields)))
        return fields, float(reply["seconds"]["preprocess"])

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


def saved(fields: dict[str, Any]) -> list[Path]:
    """The files that a clip's arrays were saved in."""
    return [Path(fields[name]) for name in ("frames", "waveform") if fields.get(name)]
