"""A clip encoded anew at a size for looking at on a page, not for judging."""

from __future__ import annotations

import io
from fractions import Fraction
from typing import TYPE_CHECKING

import av

from emoprefer_bench.media.containers import opened, pictures, sounds, start
from emoprefer_bench.media.decode import decode, lies, turns, upright
from emoprefer_bench.media.plan import MediaPlan

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from av.container import OutputContainer
    from av.video.frame import VideoFrame

LINES = 180
FRAMES_A_SECOND = 15
SOUND = MediaPlan(fps=None, min_frames=1, max_frames=1, sample_rate=24_000)
BLOCK = 1024
CLOCK = Fraction(1, 90_000)


def shrunk(path: Path) -> bytes:
    """Give an MP4 of at most 180 lines, 15 frames a second and the sound as judges hear it. Raises MediaError."""
    target = io.BytesIO()
    with opened(path) as clip:
        shows, sounding = bool(pictures(path, clip)), bool(sounds(path, clip))
    with av.open(target, "w", format="mp4") as small:
        copies = [_picture(path, small)] if shows else []
        copies += [_sound(path, small)] if sounding else []
        for copy in copies:
            copy()
    return target.getvalue()


def _picture(path: Path, small: OutputContainer) -> Callable[[], None]:
    """Add the stream, and return what fills it: the frames that are due, at their own times, so that sound fits."""
    with opened(path) as clip:
        first = next(clip.decode(pictures(path, clip)[0]))
        given = (first.height, first.width) if lies(first) else (first.width, first.height)
    stream = small.add_stream("libx264", rate=FRAMES_A_SECOND, options={"crf": "30", "preset": "veryfast"})
    shrink = min(1.0, LINES / given[1])
    stream.width, stream.height = (2 * max(1, round(side * shrink / 2)) for side in given)
    stream.pix_fmt = "yuv420p"
    stream.codec_context.time_base = CLOCK

    def copy() -> None:
        due = 0.0
        with opened(path) as clip:
            for frame in clip.decode(pictures(path, clip)[0]):
                time = None if frame.time is None else frame.time - start(clip)
                if time is not None and time >= due:
                    due = time + 1 / FRAMES_A_SECOND - 1e-3
                    shown = _standing(frame).reformat(stream.width, stream.height, "yuv420p")
                    shown.pts, shown.time_base = round(time / CLOCK), CLOCK
                    small.mux(stream.encode(shown))
        small.mux(stream.encode(None))

    return copy


def _standing(frame: VideoFrame) -> VideoFrame:
    if turns(frame) == (1, 0, 0, 1):
        return frame
    return av.VideoFrame.from_ndarray(upright(frame, (frame.width, frame.height)).copy(), format="rgb24")


def _sound(path: Path, small: OutputContainer) -> Callable[[], None]:
    """Add the stream, and return what fills it."""
    rate = SOUND.sample_rate
    stream = small.add_stream("aac", rate=rate, layout="mono", bit_rate=32_000)

    def copy() -> None:
        waveform = decode(path, None, SOUND, picture=False, sound=True).waveform
        assert waveform is not None
        for begin in range(0, len(waveform), BLOCK):
            block = av.AudioFrame.from_ndarray(waveform[None, begin : begin + BLOCK], format="fltp", layout="mono")
            block.sample_rate, block.pts, block.time_base = rate, begin, Fraction(1, rate)
            small.mux(stream.encode(block))
        small.mux(stream.encode(None))

    return copy
