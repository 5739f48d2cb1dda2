"""How a model wants a clip decoded. Imports only the standard library, since the parent of the decoders reads it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from emoprefer_bench.errors import EmopreferError

VIDEO_ENDINGS = (".mp4", ".mov", ".m4v", ".webm", ".mkv", ".avi")
"""Endings of the files in a folder `video`; where a clip has several, the first of them is the one."""
SOUND_ENDINGS = (".wav", ".flac", ".mp3", ".m4a", ".ogg", ".opus")
"""Likewise in a folder `audio`."""
MIME_TYPES = {
    ".mp4": "video/mp4",
    ".m4v": "video/mp4",
    ".mov": "video/quicktime",
    ".webm": "video/webm",
    ".mkv": "video/x-matroska",
    ".avi": "video/x-msvideo",
    ".wav": "audio/wav",
    ".flac": "audio/flac",
    ".mp3": "audio/mpeg",
    ".m4a": "audio/mp4",
    ".ogg": "audio/ogg",
    ".opus": "audio/ogg",
}

SOUND_DECODING = 2
"""The version of the decoding of sound; to be raised with every change that can change a waveform.

It is in the key of every question that came with sound, so that an answer to what was heard wrongly isn't served again.
The first version added up channels and closed gaps, but heard an unbroken track of one channel to the bit as the second
does: questions about those keep the key without a version (`Look.sound_decoding`).
"""

PICTURE_DECODING = 2
"""Likewise of picture. The first version turned mirrored pictures as if they weren't, so that some stood on their
heads; all others it saw to the bit as the second does (`Look.picture_decoding`).
"""

BLOCK = 1 << 20  # bytes read at once

UNDECODABLE = "can't be decoded: "
"""Stands in the reason why a question failed where asking again doesn't help, since it is the clip that is bad."""


class MediaError(EmopreferError):
    """A media file can't be used; the message names the file, says what is wrong with it and how to mend it."""


def digest_of(files: Iterable[Path]) -> str:
    """The SHA-256 (hex) over the bytes of a clip's files: its video, then the sound beside it. Raises OSError."""
    digest = hashlib.sha256()
    for path in files:
        with path.open("rb") as file:
            while block := file.read(BLOCK):
                digest.update(block)
    return digest.hexdigest()


Spread = Literal["ends", "cut", "starts", "seconds"]


@dataclass(frozen=True, slots=True)
class Look:
    """What was found in the files of a clip: a digest of their bytes (SHA-256, hex), and what they hold.

    `beside` says that the sound is that of the file beside the video. `duration` is in seconds. `sound_decoding` is the
    oldest version of the decoding of sound that heard it as the current one does, and `picture_decoding` that of
    picture. `note` says what is lost of a clip that can be used all the same; it is known of a `thorough` look, which
    decodes all of it.
    """

    digest: str = ""
    picture: bool = False
    sound: bool = False
    duration: float | None = None
    beside: bool = False
    sound_decoding: int = 1
    picture_decoding: int = 1
    note: str = ""
    thorough: bool = False


@dataclass(frozen=True, slots=True)
class MediaPlan:
    """How a model wants a clip: `fps` frames a second (None: `max_frames` in all), and sound at `sample_rate` hertz.

    The number of frames lies within `min_frames` and `max_frames`, is a multiple of `frame_factor`, and doesn't exceed
    what the file holds. `spread` says which frames these are:

    - `ends`: from the first to the last, evenly, each place rounded to the nearest frame;
    - `cut`: the same, but each place cut to the frame before it;
    - `starts`: of as many equal parts of the clip, the first frame of each;
    - `seconds`: the first frame of each full second where there are no more of them than frames are wanted, the first
      of all if there is none; else as `starts`.

    The three others are for feeding a model as somebody's code did (docs/models.md).
    """

    fps: float | None
    min_frames: int
    max_frames: int
    frame_factor: int = 1
    sample_rate: int = 16000
    spread: Spread = "ends"

    def __post_init__(self) -> None:
        """Raise ValueError for a spread that is not known."""
        if self.spread not in get_args(Spread):
            raise ValueError(f"spread={self.spread!r} is none of {', '.join(get_args(Spread))}")

    def settings(self) -> dict[str, Any]:
        """What a question's key holds of the plan. `spread` came later: keys without it are those of `ends`."""
        known = asdict(self)
        if self.spread == "ends":
            del known["spread"]
        return known

    def places(self, total: int, source_fps: float) -> list[int]:
        """Which frames to take out of `total`, counted from 0, in order."""
        count = self.count(total, source_fps)
        seconds = total / source_fps
        if self.spread == "seconds" and seconds <= count:
            return [int(second * source_fps) for second in range(max(int(seconds), 1))]
        if self.spread in ("seconds", "starts"):
            return [number * total // count for number in range(count)]
        last, steps = total - 1, max(count - 1, 1)
        if self.spread == "cut":
            return [number * last // steps for number in range(count)]
        return [round(number * (last / steps)) for number in range(count)]

    def count(self, total: int, source_fps: float) -> int:
        """How many frames to take out of `total`, by the rule of the Qwen-VL family's own loader (qwen-vl-utils).

        The exception: a file of fewer frames than `frame_factor` gives `frame_factor` of them, some repeated.
        """
        factor = self.frame_factor
        least = -(-self.min_frames // factor) * factor
        most = min(self.max_frames, total) // factor * factor
        wanted = total if self.fps is None else total / source_fps * self.fps
        return max(int(min(max(wanted, least), most)) // factor * factor, factor)
