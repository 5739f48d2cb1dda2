"""The clips of a folder: a file of each name in `video` and in `audio`, looked into once while they don't change."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import tempfile
import unicodedata
from collections import defaultdict
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import IO, TYPE_CHECKING

from emoprefer_bench.media.plan import SOUND_ENDINGS, VIDEO_ENDINGS, Look, MediaError
from emoprefer_bench.media.pool import DecodeError, Decoders
from emoprefer_bench.pairs import Clip

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LEDGER = "clips.jsonl"
LOOKING = 3
"""The version of how clips are looked into: what an older one found isn't relied on."""
WORTH_A_PROCESS = 16  # clips that take longer to look into than a process to start
AT_ONCE = 512  # clips in hand at once: each that waits takes over a kilobyte


@dataclass(frozen=True, slots=True)
class Ledger:
    """What was found in clips before, by path, size, place on the disk and times of change of their files.

    What is new is written down.
    """

    known: dict[str, Look] = field(default_factory=dict)
    file: IO[bytes] | None = None

    async def look(self, video: Path | None, audio: Path | None, decoders: Decoders, *, thorough: bool) -> Look:
        """Look into the files of a clip, if that wasn't done yet. Raises DecodeError."""
        stats = [(path, path.stat()) for path in (video, audio) if path]
        if not stats:
            return Look()
        # The second time is the kernel's own: a file that was put in place of another under its old time is another.
        seen = [[str(path), stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino] for path, stat in stats]
        key = json.dumps(seen)
        look = self.known.get(key)
        if look is None or (thorough and not look.thorough):
            look = self.known[key] = await _look_into(decoders, video, audio, thorough=thorough)
            if self.file:  # unbuffered: one line is one append; without room for it, the next run looks again
                line = {"files": key, "looking": LOOKING, **asdict(look)}
                with contextlib.suppress(OSError):
                    self.file.write(json.dumps(line).encode() + b"\n")
        return look


@dataclass(frozen=True)
class Shelf:
    """A folder of files that are named after clips; `endings` are those that are read, the preferred one first."""

    folder: Path
    endings: tuple[str, ...]

    def find(self, name: str) -> Path | None:
        """Find the file of a name, which must be a bare file name; None where there is none. Raises MediaError."""
        if not name or set(name) & {"/", "\\", "\0"}:
            raise MediaError(f"a clip's name is a file name without its ending, and can't lead out of {self.folder}")
        preferred = self.folder / f"{name}{self.endings[0]}"
        # Path.is_file raises for a name that is too long.
        path = preferred if os.path.isfile(preferred) else self._other(name)  # noqa: PTH113
        if path and path.is_symlink() and not path.resolve().is_relative_to(self.folder.resolve()):
            raise MediaError(f"{path} is a link that leads out of its folder: copy the file, or link the whole folder")
        return path

    def like(self, name: str) -> list[str]:
        """List the files that may be meant by a name: it differs in letter case, or their ending isn't one of ours."""
        meant = {_folded(name), _folded(Path(name).stem)}
        return sorted({file for stem in meant for file in self._by_stem[stem]})

    def _other(self, name: str) -> Path | None:
        """Find a file that is named so in another Unicode form, or with another ending, in any letter case."""
        same = [file for file in self._by_stem[_folded(name)] if _normal(Path(file).stem) == _normal(name)]
        for ending in self.endings:
            fitting = [file for file in same if Path(file).suffix.lower() == ending]
            exact = [file for file in fitting if Path(file).stem == name]
            if len(exact or fitting) == 1:
                return self.folder / (exact or fitting)[0]
            if fitting:
                raise MediaError(f"{self.folder} has {' and '.join(sorted(fitting))}: keep the one that is meant")
        return None

    @cached_property
    def _by_stem(self) -> defaultdict[str, list[str]]:
        """The files by their names without ending, with letter case and Unicode form folded."""
        files = defaultdict[str, list[str]](list)
        with contextlib.suppress(OSError), os.scandir(self.folder) as entries:
            for entry in entries:
                if entry.is_file():
                    files[_folded(Path(entry.name).stem)].append(entry.name)
        return files


def find(
    folder: Path,
    names: list[str],
    cache: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
    *,
    thorough: bool = False,
) -> dict[str, Clip | str]:
    """Look into the clips of `folder`: by name, the clip without its subtitle, or a sentence that says what is wrong.

    A clip without files is a clip without picture and sound. The sound is the video's own sound track, or else the file
    beside; `Clip.audio` is set where that is it. A `thorough` look decodes all of each clip. What was found is kept in
    the folder `cache`. `progress` is called with the clips done and their number.
    """
    with _ledger(cache) as ledger, tempfile.TemporaryDirectory() as temporary:
        log = (cache or Path(temporary)) / "logs" / "decoder.log"
        count = min(len(os.sched_getaffinity(0)), -(-len(names) // WORTH_A_PROCESS))
        looking = _Looking(folder.resolve(), ledger, Decoders(log, count), thorough=thorough)
        return asyncio.run(looking.find(names, progress))


def likeness(folder: Path) -> Callable[[str], list[str]]:
    """A function that lists the files below `folder` that may be meant by a clip's name, but aren't read for it."""
    shelves = _shelves(folder)
    return lambda name: [f"{shelf.folder.name}/{file}" for shelf in shelves for file in shelf.like(name)]


def _shelves(folder: Path) -> tuple[Shelf, Shelf]:
    return Shelf(folder / "video", VIDEO_ENDINGS), Shelf(folder / "audio", SOUND_ENDINGS)


@dataclass(frozen=True)
class _Looking:
    folder: Path
    ledger: Ledger
    decoders: Decoders
    thorough: bool

    async def find(self, names: list[str], progress: Callable[[int, int], None] | None) -> dict[str, Clip | str]:
        results: dict[str, Clip | str] = {}
        clips: list[asyncio.Task[Clip | str]] = []
        videos, sounds = _shelves(self.folder)
        try:
            for start in range(0, len(names), AT_ONCE):
                some = names[start : start + AT_ONCE]
                clips = [asyncio.create_task(self._clip(name, videos, sounds)) for name in some]
                for done, clip in enumerate(asyncio.as_completed(clips), start=start + 1):
                    await clip
                    if progress:
                        progress(done, len(names))
                results |= {name: task.result() for name, task in zip(some, clips, strict=True)}
        finally:
            for task in clips:
                task.cancel()
            await asyncio.gather(*clips, return_exceptions=True)
            await self.decoders.close()
        return results

    async def _clip(self, name: str, videos: Shelf, sounds: Shelf) -> Clip | str:
        try:
            video, audio = videos.find(name), sounds.find(name)
            look = await self.ledger.look(video, audio, self.decoders, thorough=self.thorough)
        except (MediaError, DecodeError, OSError) as error:
            return f"clip {name!r}: {error}"
        return Clip(
            name,
            video=video,
            audio=audio if look.beside else None,
            digest=look.digest,
            duration=look.duration,
            has_picture=look.picture,
            has_sound=look.sound,
            sound_decoding=look.sound_decoding,
            picture_decoding=look.picture_decoding,
            note=look.note,
        )


async def _look_into(decoders: Decoders, video: Path | None, audio: Path | None, *, thorough: bool) -> Look:
    return await decoders.look(video, audio, thorough=thorough)


def _normal(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _folded(name: str) -> str:
    return _normal(_normal(name).casefold())


@contextlib.contextmanager
def _ledger(cache: Path | None) -> Iterator[Ledger]:
    """Open the ledger of the folder `cache`; another process that wants it waits, and then finds all of it done."""
    with contextlib.ExitStack() as opened:
        written, file = b"", None
        with contextlib.suppress(OSError):  # a folder that can't be written is said where an answer would be
            if cache is not None:
                cache.mkdir(parents=True, exist_ok=True)
                file = opened.enter_context((cache / LEDGER).open("a+b", buffering=0))
                fcntl.flock(file, fcntl.LOCK_EX)
                file.seek(0)
                written = file.read()
                if written and not written.endswith(b"\n"):
                    file.write(b"\n")  # the line before was torn when its process was killed
        yield Ledger(dict(_entries(written)), file)


def _entries(written: bytes) -> Iterator[tuple[str, Look]]:
    for line in written.splitlines():
        with contextlib.suppress(ValueError, TypeError, KeyError):
            entry = json.loads(line)
            if entry.pop("looking") == LOOKING:
                yield entry.pop("files"), Look(**entry)
