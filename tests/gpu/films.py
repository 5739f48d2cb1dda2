"""Clips as large as real ones, in which something moves, so that decoding them costs what it costs."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

FPS = 25
RATE = 16_000
BLOCK = 1024  # samples


def film(path: Path, seconds: int, size: tuple[int, int]) -> Path:
    """Write a clip of a textured ground that drifts by, H.264, with a tone, AAC."""
    path.parent.mkdir(parents=True, exist_ok=True)
    width, height = size
    noise = np.random.default_rng(0).integers(0, 64, (height, width, 3), np.uint8)
    ramp = np.linspace(0, 190, width, dtype=np.uint8)[None, :, None]
    ground = noise + ramp
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=FPS, options={"preset": "veryfast"})
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        audio = container.add_stream("aac", rate=RATE, layout="mono")
        for number in range(FPS * seconds):
            frame = av.VideoFrame.from_ndarray(np.roll(ground, 2 * number, axis=1), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        tone = (np.sin(np.arange(RATE * seconds) / 20) * 16384).astype(np.int16)
        for start in range(0, len(tone), BLOCK):
            block = av.AudioFrame.from_ndarray(tone[None, start : start + BLOCK], format="s16", layout="mono")
            block.sample_rate, block.pts, block.time_base = RATE, start, Fraction(1, RATE)
            container.mux(audio.encode(block))
        container.mux(audio.encode(None))
    return path


def sisters(path: Path, folder: Path, count: int) -> None:
    """Copy a clip so often, each copy with a digest of its own."""
    folder.mkdir(parents=True)
    content = path.read_bytes()
    for number in range(count):
        ignored = struct.pack(">I4sI", 12, b"free", number)  # a box that players pass over
        (folder / f"c{number}.mp4").write_bytes(content + ignored)
