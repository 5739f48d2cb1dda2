"""The clips of a folder: `video/<name>.mp4` and `audio/<name>.wav`, looked into once while they don't change."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from typing import IO, TYPE_CHECKING

from emoprefer_bench.media.decode import probe
from emoprefer_bench.media.plan import MediaError
from emoprefer_bench.pairs import Clip

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

LEDGER = "clips.jsonl"
BLOCK = 1 << 20
AT_ONCE = 512  # clips given to the threads: each that waits takes over a kilobyte


@dataclass(frozen=True, slots=True)
class Look:
    """What was found in the files of a clip: their digest, what they hold, and whether the sound is the wav's."""

    digest: str = ""
    picture: bool = False
    sound: bool = False
    duration: float | None = None
    from_wav: bool = False


@dataclass(frozen=True, slots=True)
class Ledger:
    """What was found in clips before, by path, size and time of change of their files; what is new is written down."""

    known: dict[str, Look] = field(default_factory=dict)
    file: IO[bytes] | None = None

    def look(self, video: Path | None, audio: Path | None) -> Look:
        """Look into the files of a clip, if that wasn't done yet. Raises MediaError. Any thread may call it."""
        stats = [(path, path.stat()) for path in (video, audio) if path]
        if not stats:
            return Look()
        key = json.dumps([[str(path), stat.st_size, stat.st_mtime_ns] for path, stat in stats])
        if key not in self.known:
            look = self.known[key] = _look_into(video, audio)
            if self.file:  # unbuffered: one line is one append
                self.file.write(json.dumps({"files": key, **asdict(look)}).encode() + b"\n")
        return self.known[key]


def find(
    folder: Path,
    names: list[str],
    cache: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Clip | str]:
    """Look into the clips of `folder`: by name, the clip without its subtitle, or a sentence that says what is wrong.

    A clip without files is a clip without picture and sound. The sound is the video's own sound track, or else the wav
    beside; `Clip.audio` is set where the wav is it. The digest is over the bytes of the video, then of that wav.
    What was found is kept in the folder `cache`. `progress` is called with the clips done and their number.
    """
    root = folder.resolve()
    found: dict[str, Clip | str] = {}
    with _ledger(cache) as ledger, _pool() as pool:
        for start in range(0, len(names), AT_ONCE):
            some = names[start : start + AT_ONCE]
            clips = pool.map(lambda name: _clip(root, name, ledger), some)
            for name, clip in zip(some, clips, strict=True):
                found[name] = clip
                if progress:
                    progress(len(found), len(names))
    return found


def _clip(folder: Path, name: str, ledger: Ledger) -> Clip | str:
    try:
        video, audio = _file(folder / "video", name, ".mp4"), _file(folder / "audio", name, ".wav")
        look = ledger.look(video, audio)
    except (MediaError, OSError) as error:
        return f"clip {name!r}: {error}"
    return Clip(
        name,
        video=video,
        audio=audio if look.from_wav else None,
        digest=look.digest,
        duration=look.duration,
        has_picture=look.picture,
        has_sound=look.sound,
    )


def _file(folder: Path, name: str, suffix: str) -> Path | None:
    """Find the file of a name, which must be a bare file name; None where there is none."""
    if not name or set(name) & {"/", "\\", "\0"}:
        raise MediaError(f"a clip's name is a file name without its ending, and can't lead out of {folder}")
    path = folder / f"{name}{suffix}"
    if not os.path.isfile(path):  # noqa: PTH113  # Path.is_file raises for a name that is too long
        return None
    if path.is_symlink() and not path.resolve().is_relative_to(folder.resolve()):
        raise MediaError(f"{path} is a link that leads out of its folder: copy the file, or link the whole folder")
    return path


def _look_into(video: Path | None, audio: Path | None) -> Look:
    facts = probe(video) if video else None
    heard = probe(audio) if audio and not (facts and facts.sound) else None
    from_wav = heard is not None and heard.sound
    return Look(
        digest=_digest([path for path in (video, audio if from_wav else None) if path]),
        picture=facts is not None and facts.picture,
        sound=from_wav or (facts is not None and facts.sound),
        duration=next((seen.duration for seen in (facts, heard) if seen), None),
        from_wav=from_wav,
    )


def _digest(paths: list[Path]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            while block := file.read(BLOCK):
                digest.update(block)
    return digest.hexdigest()


@contextlib.contextmanager
def _ledger(cache: Path | None) -> Iterator[Ledger]:
    """Open the ledger of the folder `cache`; another process that wants it waits, and then finds all of it done."""
    if cache is None:
        yield Ledger()
        return
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / LEDGER).open("a+b", buffering=0) as file:
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
            yield entry.pop("files"), Look(**entry)


@contextlib.contextmanager
def _pool() -> Iterator[ThreadPoolExecutor]:
    """Threads, one a core; an interrupt doesn't wait for what hasn't begun."""
    pool = ThreadPoolExecutor(len(os.sched_getaffinity(0)))
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)
