"""A clip while questions about it are open."""

from __future__ import annotations

import asyncio
from typing import Any

from emoprefer_bench.media.plan import MediaPlan
from emoprefer_bench.media.pool import Decoders, paths, saved
from emoprefer_bench.pairs import Clip
from emoprefer_bench.trial.times import Times


class HeldClip:
    """A clip while questions about it are open: what was decoded for the first is there for the others.

    `place` is its number in the order of a pass.
    """

    def __init__(self, clip: Clip, decoders: Decoders, place: int) -> None:
        self.clip = clip
        self.place = place
        self._decoders = decoders
        self._decoded: dict[tuple[MediaPlan, bool, bool], asyncio.Task[dict[str, Any]]] = {}
        self._beside: dict[Clip, HeldClip] = {}

    def beside(self, clip: Clip) -> HeldClip:
        """Another clip that is asked about while this one is open, and no longer."""
        return self._beside.setdefault(clip, HeldClip(clip, self._decoders, self.place))

    async def fields(self, plan: MediaPlan | None, times: Times, *, picture: bool, sound: bool) -> dict[str, Any]:
        """The clip as the protocol describes it; decoded where a plan says how, at the cost of who asks first.

        Raises DecodeError.
        """
        named = {
            "name": self.clip.name,
            "digest": self.clip.digest,
            **paths(self.clip.video, self.clip.audio),
        }
        if plan is None or not (picture or sound):
            return named
        wanted = (plan, picture, sound)
        if wanted not in self._decoded:
            self._decoded[wanted] = asyncio.create_task(self._decode(plan, times, picture=picture, sound=sound))
        return {**named, **await asyncio.shield(self._decoded[wanted])}

    async def _decode(self, plan: MediaPlan, times: Times, *, picture: bool, sound: bool) -> dict[str, Any]:
        fields, seconds = await self._decoders.decode(self.clip, plan, picture=picture, sound=sound)
        times.seconds["decoding"] += seconds
        return fields

    def release(self) -> None:
        """Remove the decoded arrays from the disk."""
        for other in self._beside.values():
            other.release()
        for task in self._decoded.values():
            if not task.cancel() and not task.cancelled() and not task.exception():
                for path in saved(task.result()):
                    path.unlink(missing_ok=True)
