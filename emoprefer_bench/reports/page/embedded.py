"""Clips as parts of a page: small ones as they are, others encoded anew at a size for looking at, not for judging."""

from __future__ import annotations

import base64
import io
import mimetypes
from fractions import Fraction
from typing import TYPE_CHECKING

import av

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from av.container import InputContainer, OutputContainer

SMALL = 150_000  # bytes
LINES = 180
FRAMES_A_SECOND = 15
SAMPLE_RATE = 24_000
CLOCK = Fraction(1, 90_000)


def address(file: Path) -> str:
    """Give the clip as a `data:` address. A large one becomes an MP4 of 180 lines, 15 frames a second and mono sound.

    A large file that can't be decoded stays as it is. Raises OSError where it can't be read.
    """
    kind, content = mimetypes.guess_type(file.name)[0] or "video/mp4", file.read_bytes()
    shrunk = _shrunk(content) if len(content) > SMALL else None
    if shrunk:
        kind, content = f"{kind.partition('/')[0]}/mp4", shrunk
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


def _shrunk(content: bytes) -> bytes | None:
    """Encode anew; None where the content can't be decoded."""
    target = io.BytesIO()
    try:
        with av.open(io.BytesIO(content), "r") as clip, av.open(target, "w", format="mp4") as small:
            copies = [_picture(clip, small)] if clip.streams.video else []
            copies += [_sound(clip, small)] if clip.streams.audio else []
            for copy in copies:
                clip.seek(0)
                copy()
    except (av.FFmpegError, ValueError):
        return None
    return target.getvalue()


def _picture(clip: InputContainer, small: OutputContainer) -> Callable[[], None]:
    """Add the stream, and return what fills it: the frames that are due, at their own times, so that sound fits."""
    given = clip.streams.video[0].codec_context
    stream = small.add_stream("libx264", rate=FRAMES_A_SECOND, options={"crf": "30", "preset": "veryfast"})
    shrink = min(1.0, LINES / given.height)
    stream.width, stream.height = (2 * max(1, round(side * shrink / 2)) for side in (given.width, given.height))
    stream.pix_fmt = "yuv420p"
    stream.codec_context.time_base = CLOCK

    def copy() -> None:
        due = 0.0
        for frame in clip.decode(video=0):
            if frame.time is not None and frame.time >= due:
                due = frame.time + 1 / FRAMES_A_SECOND - 1e-3
                small.mux(stream.encode(frame.reformat(stream.width, stream.height, "yuv420p")))
        small.mux(stream.encode(None))

    return copy


def _sound(clip: InputContainer, small: OutputContainer) -> Callable[[], None]:
    """Add the stream, and return what fills it."""
    stream = small.add_stream("aac", rate=SAMPLE_RATE, layout="mono", bit_rate=32_000)
    resampler = av.AudioResampler(format="fltp", layout="mono", rate=SAMPLE_RATE, frame_size=1024)

    def copy() -> None:
        for frame in (*clip.decode(audio=0), None):
            for portion in resampler.resample(frame):
                small.mux(stream.encode(portion))
        small.mux(stream.encode(None))

    return copy
