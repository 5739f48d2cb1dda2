"""A clip on a node: its file found or shipped, decoded there, and held while it is asked about and there is room."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from emoprefer_bench.media.plan import MediaPlan, digest_of
from emoprefer_bench.media.pool import DecodeError, Decoders, saved
from emoprefer_bench.pairs import Clip

HELD_BYTES = 1 << 30  # of decoded clips that nobody asks about now
KINDS = ("video", "audio")

Shipped = dict[str, Awaitable[bytes]]
Key = tuple[str, bool, bool]


class ElsewhereError(RuntimeError):
    """The clip's file isn't here, or is another of the same name: it has to be shipped."""


@dataclass
class Taken:
    """A clip that is here: its fields of the protocol, the files that are to be removed, and what decoding took.

    `seconds` are those that nobody was told yet. `users` ask about it now.
    """

    fields: dict[str, Any]
    files: list[Path] = field(default_factory=list)
    seconds: float = 0.0
    users: int = 0

    @property
    def bytes(self) -> int:
        """What its files take."""
        return sum(file.stat().st_size for file in self.files)

    def remove(self) -> None:
        """Remove its files."""
        for file in self.files:
            file.unlink(missing_ok=True)


class NodeClips:
    """The clips that a replica is asked about, decoded by `decoders` as the `plan` says, or not at all."""

    def __init__(self, folder: Path, decoders: Decoders, plan: MediaPlan | None, room: int = HELD_BYTES) -> None:
        self._folder = folder
        self._decoders = decoders
        self._plan = plan
        self._room = room
        self._taken: OrderedDict[Key, asyncio.Task[Taken]] = OrderedDict()

    @asynccontextmanager
    async def held(
        self, clip: dict[str, Any], modality: str, shipped: Shipped | None, *, shared: bool = True
    ) -> AsyncIterator[Taken]:
        """Hold a clip; the first who comes has it decoded: what was `shipped`, or else what is here, if it is `shared`.

        Raises ElsewhereError and DecodeError.
        """
        key = (clip["digest"], "video" in modality, "audio" in modality)
        task = self._taken.get(key)
        if task is None:
            task = self._taken[key] = asyncio.create_task(self._take(clip, key, shipped, shared=shared))
        self._taken.move_to_end(key)
        try:
            taken = await asyncio.shield(task)
        except Exception as error:
            bad = isinstance(error, DecodeError) and error.of_clip  # and stays so
            if not bad and self._taken.get(key) is task:
                del self._taken[key]
            raise
        taken.users += 1
        try:
            yield taken
        finally:
            taken.users -= 1
            self._trim()

    async def _take(self, clip: dict[str, Any], key: Key, shipped: Shipped | None, *, shared: bool) -> Taken:
        taken = Taken({})
        try:
            await self._find(taken, clip, key, shipped, shared=shared)
        except Exception:
            taken.remove()
            raise
        return taken

    async def _find(
        self, taken: Taken, clip: dict[str, Any], key: Key, shipped: Shipped | None, *, shared: bool
    ) -> None:
        """Write, check and decode a clip; what is written on the way stands in `taken.files`."""
        digest, picture, sound = key
        paths = {kind: Path(clip[kind]) for kind in KINDS if clip[kind]}
        if (picture or sound) and shipped is not None:
            stem = f"{digest}-{picture:d}{sound:d}"
            written = {kind: self._folder / f"{stem}-{kind}{paths[kind].suffix}" for kind in shipped}
            taken.files += written.values()
            for kind, content in shipped.items():
                await asyncio.to_thread(written[kind].write_bytes, await content)
            if not await asyncio.to_thread(_same, digest, list(written.values())):
                raise ElsewhereError(f"{', '.join(map(str, paths.values()))}: changed after it was looked into")
            paths = written
        elif (picture or sound) and not (shared and await asyncio.to_thread(_same, digest, list(paths.values()))):
            raise ElsewhereError(clip["name"])
        taken.fields = {kind: str(path) for kind, path in paths.items()}
        if self._plan and (picture or sound):
            known = Clip(clip["name"], paths.get("video"), paths.get("audio"))
            fields, taken.seconds = await self._decoders.decode(known, self._plan, picture=picture, sound=sound)
            taken.fields |= fields
            taken.files += saved(fields)

    def _trim(self) -> None:
        """Remove what was asked about longest ago, as far as there is no room for it."""
        used = 0
        for key, task in reversed(list(self._taken.items())):
            if not task.done() or task.exception():
                continue
            taken = task.result()
            used += taken.bytes
            if used > self._room and not taken.users:
                del self._taken[key]
                taken.remove()


def _same(digest: str, files: list[Path]) -> bool:
    """Whether these are the clip's files."""
    try:
        return digest_of(files) == digest
    except OSError:
        return False
