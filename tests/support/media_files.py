"""Makes the small media files that tests read, with a content that can be checked."""

from __future__ import annotations

import struct
import wave
from fractions import Fraction
from typing import TYPE_CHECKING

import av
import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

STEP = 3
"""How much lighter each frame is than the one before, in levels of 256."""


def level(index: int) -> int:
    """Give the grey of the left half of a frame."""
    return 16 + STEP * index


def picture(index: int, width: int, height: int) -> np.ndarray:
    """Draw a frame whose left half is grey and tells its index, and whose right half is red."""
    image = np.full((height, width, 3), level(index), np.uint8)
    image[:, width // 2 :] = (255, 0, 0)
    return image


def tone(seconds: float, rate: int, hertz: float = 440.0) -> np.ndarray:
    """Make a sine of half the full amplitude, int16."""
    return (np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate) * 16384).astype(np.int16)


def make_clip(
    path: Path,
    *,
    frames: int = 50,
    fps: int = 25,
    size: tuple[int, int] = (64, 48),
    times: list[int] | None = None,
    sound: float | None = 2.0,
    late: float = 0.0,
    rate: int = 16000,
    codecs: tuple[str, str] = ("libx264", "aac"),
    rotation: int = 0,
    key_every: int = 250,
    options: dict[str, str] | None = None,
) -> Path:
    """Write a clip of `frames` at `times` (in frames) with `sound` seconds of a tone that begins `late` seconds in."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w", options=options or {}) as container:
        if frames:
            video = container.add_stream(codecs[0], rate=fps)
            video.width, video.height = size
            video.pix_fmt = "yuv444p" if size[0] % 2 else "yuv420p"
            video.codec_context.gop_size = key_every
            if rotation:
                video.set_display_rotation(rotation)
        if sound:
            audio = container.add_stream(codecs[1], rate=rate, layout="mono")
        for index in range(frames):
            frame = av.VideoFrame.from_ndarray(picture(index, *size), format="rgb24")
            frame.pts, frame.time_base = times[index] if times else index, Fraction(1, fps)
            container.mux(video.encode(frame))
        if frames:
            container.mux(video.encode(None))
        if sound:
            samples = tone(sound, rate)
            for start in range(0, len(samples), 1024):
                block = av.AudioFrame.from_ndarray(samples[None, start : start + 1024], format="s16", layout="mono")
                block.sample_rate, block.pts, block.time_base = rate, start + round(late * rate), Fraction(1, rate)
                container.mux(audio.encode(block))
            container.mux(audio.encode(None))
    return path


def make_wav(path: Path, *, seconds: float = 2.0, rate: int = 16000, hertz: float = 440.0) -> Path:
    """Write a sound file with a tone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(tone(seconds, rate, hertz).tobytes())
    return path


def placed(source: Path, target: Path, a: float, b: float, c: float, d: float) -> Path:
    """Copy an MP4 file with a note that what is at x, y of its picture belongs at a x + c y, b x + d y."""
    content = bytearray(source.read_bytes())
    head = content.index(b"tkhd") + 4  # of the first track
    matrix = struct.pack(">9i", *(round(number * 65536) for number in (a, b, 0, c, d, 0, 0, 0)), 1 << 30)
    content[head + 40 : head + 40 + len(matrix)] = matrix
    target.write_bytes(content)
    return target


def damage(path: Path, start: float, length: int) -> Path:
    """Overwrite `length` bytes, from the share `start` of the file on, with what no codec writes."""
    content = bytearray(path.read_bytes())
    begin = int(len(content) * start)
    content[begin : begin + length] = b"\xff" * length
    path.write_bytes(content)
    return path


def cut(path: Path, share: float) -> Path:
    """Keep only the first `share` of a file."""
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    return path
