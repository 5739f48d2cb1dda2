"""Decoding ahead of the model, in processes of its own: once a clip, held while questions about it are open."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from emoprefer_bench.engines.child import Child, ChildDiedError, Launch, QuestionError
from emoprefer_bench.media import MediaPlan
from emoprefer_bench.pairs import Clip


class DecodeError(RuntimeError):
    """A clip that can't be decoded; the message names the file."""


class Decoders:
    """A few decode processes, started when the first clip is wanted.

    `decoded` and `seconds` count the clips decoded and the processor time it took.
    """

    def __init__(self, log: Path, count: int | None = None) -> None:
        self.decoded = 0
        self.seconds = 0.0
        self._log = log
        self._idle: asyncio.LifoQueue[Child | None] = asyncio.LifoQueue()
        self._children: list[Child] = []
        for _ in range(count or max(1, min(4, (os.cpu_count() or 2) - 1))):
            self._idle.put_nowait(None)

    async def decode(self, clip: Clip, plan: MediaPlan, *, picture: bool, sound: bool) -> dict[str, Any]:
        """The clip's fields of the protocol, its arrays saved in files. Raises DecodeError."""
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
        self.seconds += reply.get("seconds", {}).get("preprocess", 0.0)
        fields: dict[str, Any] = json.loads(reply["text"])
        return fields

    async def close(self) -> None:
        """End the processes and remove what they saved."""
        for child in list(self._children):
            await self._end(child)

    async def _start(self) -> Child:
        child = Child(
            Launch(
                (sys.executable, "-m", "emoprefer_bench.engines.decoder"),
                {"model": "decoder", "options": {}},
                self._log,
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
    """A clip while questions about it are open: what was decoded for the first is there for the others."""

    def __init__(self, clip: Clip, decoders: Decoders) -> None:
        self.clip = clip
        self._decoders = decoders
        self._decoded: dict[tuple[MediaPlan, bool, bool], asyncio.Task[dict[str, Any]]] = {}

    async def fields(self, plan: MediaPlan | None, *, picture: bool, sound: bool) -> dict[str, Any]:
        """The clip as the protocol describes it; decoded where a plan says how. Raises DecodeError."""
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
            decode = self._decoders.decode(self.clip, plan, picture=picture, sound=sound)
            self._decoded[wanted] = asyncio.create_task(decode)
        return {**named, **await asyncio.shield(self._decoded[wanted])}

    def release(self) -> None:
        """Remove the decoded arrays from the disk."""
        for task in self._decoded.values():
            if not task.cancel() and not task.cancelled() and not task.exception():
                for name in ("frames", "waveform"):
                    if path := task.result().get(name):
                        Path(path).unlink(missing_ok=True)
