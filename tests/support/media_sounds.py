"""Makes sound files of any layout, with blocks at any time, whose right waveform is known."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import count
from pathlib import Path

import av
import numpy as np

CHANNELS = {"mono": 1, "stereo": 2, "quad": 4, "5.1": 6, "7.1": 8}


def sine(seconds: float, rate: int, level: float = 0.5, hertz: float = 440.0) -> np.ndarray:
    """Make a tone, float64 of shape (samples,)."""
    return np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate) * level


def write(
    path: Path,
    *spans: tuple[float, np.ndarray],
    rate: int = 48000,
    layout: str = "mono",
    codec: str = "pcm_s16le",
    jitter: Sequence[float] = (0.0,),
    drift: float = 1.0,
    picture: float | None = None,
    block: int = 960,
) -> Path:
    """Write spans of sound, each at its time: shape (samples,) for all channels alike, or (channels, samples).

    The time stamp of each block is off by the next of `jitter` seconds, and the stamps' clock runs `drift` times as
    fast as the samples. With `picture`, two seconds of grey begin then. A block has `block` samples where the codec
    doesn't say how many.
    """
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=25) if picture is not None else None
        stream = container.add_stream(codec, rate=rate, layout=layout)
        if video:
            video.width, video.height, video.pix_fmt = 32, 32, "yuv420p"
            for number in range(50):
                frame = av.VideoFrame.from_ndarray(np.full((32, 32, 3), 90, np.uint8), format="rgb24")
                frame.pts, frame.time_base = number + round(picture * 25), Fraction(1, 25)
                container.mux(video.encode(frame))
            container.mux(video.encode(None))
        stream.codec_context.open(strict=False)
        size = stream.codec_context.frame_size or block
        numbers = count()
        for begin, samples in spans:
            wide = np.broadcast_to(samples, (CHANNELS[layout], samples.shape[-1]))
            for at in range(0, wide.shape[1], size):
                values = wide[:, at : at + size].T.reshape(1, -1).astype(np.float64)
                frame = av.AudioFrame.from_ndarray(values, format="dbl", layout=layout)
                off = jitter[next(numbers) % len(jitter)]
                frame.sample_rate, frame.time_base = rate, Fraction(1, rate)
                frame.pts = round((begin + off) * rate + at * drift)
                container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def level(waveform: np.ndarray) -> float:
    """Measure the amplitude of a tone, from its root mean square."""
    return float(np.sqrt(2 * (waveform.astype(np.float64) ** 2).mean()))


def onsets(waveform: np.ndarray, rate: int, silence: float = 0.02) -> list[float]:
    """Find where sound begins after silence of at least 50 ms (or at the beginning), in seconds."""
    heard = np.flatnonzero(np.abs(waveform) > silence)
    first = np.flatnonzero(np.diff(heard, prepend=-rate) > rate // 20)
    return (heard[first] / rate).tolist()


def remuxed(
    source: Path, target: Path, keep: Sequence[range] | None = None, shift: dict[int, float] | None = None
) -> Path:
    """Copy a sound file's packets: those whose number is in `keep`, from number n on later by `shift[n]` seconds."""
    with av.open(str(source)) as given, av.open(str(target), "w") as made:
        stream = made.add_stream_from_template(given.streams.audio[0])
        late = 0.0
        for number, packet in enumerate(given.demux(audio=0)):
            late = (shift or {}).get(number, late)
            if packet.dts is None or not (keep is None or any(number in some for some in keep)):
                continue
            packet.pts = packet.dts = packet.pts + round(late / packet.time_base)
            packet.stream = stream
            made.mux(packet)
    return target
