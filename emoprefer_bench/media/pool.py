"""Decoding ahead of the model, in processes of its own: once a clip, held while questions about it are open."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from emoprefer_bench.media.plan import MediaPlan
from emoprefer_bench.pairs import Clip
from emoprefer_bench.protocol.parent import Child, ChildDiedError, Launch, QuestionError
from emoprefer_bench.trial.times import Times

SPOOL_BYTES = 2 << 30
DECODE_SECONDS = 300.0  # a file that takes longer is made to


class DecodeError(RuntimeError):
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

    async def decode(self, clip: Clip, plan: MediaPlan, times: Times, *, picture: bool, sound: bool) -> dict[str, Any]:
        """The clip's fields of the protocol, its arrays saved in files. `times` takes its cost. Raises DecodeError."""
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
        times.seconds["decoding"] += reply["seconds"]["preprocess"]
        fields: dict[str, Any] = json.loads(reply["text"])
        self._largest = max(self._largest, sum(path.stat().st_size for path in _saved(fields)))
        return fields

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


class HeldClip:
    """A clip while questions about it are open: what was decoded for the first is there for the others.

    `place` is its number in the order of a pass.
    """

    def __init__(self, clip: Clip, decoders: Decoders, place: int) -> None:
        self.clip = clip
        self.place = place
        self._decoders = decoders
        self._decoded: dict[tuple[MediaPlan, bool, bool], asyncio.Task[dict[str, Any]]] = {}

    async def fields(self, plan: MediaPlan | None, times: Times, *, picture: bool, sound: bool) -> dict[str, Any]:
        """The clip as the protocol describes it; decoded where a plan says how, at the cost of who asks first.

        Raises DecodeError.
        """
        named = {
            "name": self.clip.name,
            "digest": self.clip.digest,
            "video": str(self.clip.video) if self.clip.video else None,
            "audio": str(self.clip.audio) if self.clip.audio else None,
        }
        if plan is None or not (picture or sound):
            return named
        wanted = (plan, picture, sound)
        if wanted not in self._decoded:
            decode = self._decoders.decode(self.clip, plan, times, picture=picture, sound=sound)
            self._decoded[wanted] = asyncio.create_task(decode)
        return {**named, **await asyncio.shield(self._decoded[wanted])}

    def release(self) -> None:
        """Remove the decoded arrays from the disk."""
        for task in self._decoded.values():
            if not task.cancel() and not task.cancelled() and not task.exception():
                for path in _saved(task.result()):
                    path.unlink(missing_ok=True)


def _saved(fields: dict[str, Any]) -> list[Path]:
    return [Path(fields[name]) for name in ("frames", "waveform") if fields.get(name)]
