"""Scenes played and filmed: an mp4 with picture (H.264) and sound (AAC)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import av
import numpy as np

from emoprefer_bench.demo.face import EXPRESSIONS, SIZE, Expression, Look, Moment, draw
from emoprefer_bench.demo.scenes import dice
from emoprefer_bench.demo.voice import DELIVERIES, SAMPLE_RATE, VOICES, Delivery, speak

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from av.container import OutputContainer
    from numpy.typing import NDArray
    from PIL import Image

    from emoprefer_bench.demo.scenes import Scene

FRAME_RATE = 25
"""Frames a second."""
LEAD_IN = 0.2
LEAD_OUT = 0.5
BLINK = 3
"""Frames that a blink lasts."""

_BROWN, _BLUE, _GREEN = (74, 50, 32), (60, 100, 145), (72, 112, 74)
LOOKS = (
    Look((241, 203, 172), (92, 56, 32), _BLUE, (62, 84, 134), (206, 196, 178), long_hair=True),
    Look((126, 84, 60), (32, 28, 28), _BROWN, (150, 66, 62), (188, 204, 186), long_hair=False),
    Look((224, 174, 138), (30, 28, 32), _BROWN, (74, 114, 86), (200, 190, 206), long_hair=True),
    Look((238, 196, 164), (158, 116, 64), _GREEN, (92, 92, 98), (176, 196, 214), long_hair=False),
    Look((172, 120, 86), (48, 32, 26), _BROWN, (160, 112, 52), (186, 200, 204), long_hair=True),
    Look((216, 166, 130), (124, 64, 34), _GREEN, (70, 98, 116), (210, 200, 190), long_hair=False),
    Look((108, 70, 50), (38, 26, 24), _BROWN, (98, 76, 128), (204, 200, 176), long_hair=True),
    Look((244, 210, 184), (58, 44, 38), _BLUE, (52, 60, 72), (192, 206, 196), long_hair=False),
)
"""The cast. Those with long hair speak with a woman's voice."""


@dataclass(frozen=True, slots=True)
class Performance:
    """How a sentence is acted: by whom, with which face and which voice. `chance` decides on blinks and glances."""

    sentence: str
    look: Look
    expression: Expression
    voice: str
    delivery: Delivery
    chance: int | str


def performance(scene: Scene) -> Performance:
    """Return how a scene of the demo is acted."""
    return Performance(
        scene.sentence,
        LOOKS[scene.number % len(LOOKS)],
        EXPRESSIONS[scene.emotion],
        VOICES[scene.number % len(VOICES)],
        DELIVERIES[scene.emotion],
        scene.number,
    )


def make_clip(acted: Performance, path: Path) -> None:
    """Film it and write an mp4. The same performance gives the same bytes with the same library versions."""
    sound = _sound(acted)
    _write(path, _frames(acted, sound), sound)


def _sound(acted: Performance) -> NDArray[np.float64]:
    """Speak the sentence, with silence around it; the clip lasts whole frames."""
    speech = speak(acted.sentence, acted.voice, acted.delivery)
    seconds = LEAD_IN + len(speech) / SAMPLE_RATE + LEAD_OUT
    sound = np.zeros(math.ceil(seconds * FRAME_RATE) * SAMPLE_RATE // FRAME_RATE)
    start = round(LEAD_IN * SAMPLE_RATE)
    sound[start : start + len(speech)] = speech
    return sound


def _frames(acted: Performance, sound: NDArray[np.float64]) -> Iterator[Image.Image]:
    """Draw the pictures: the face goes from rest to the emotion in the first second; the mouth follows the loudness."""
    rng = dice(acted.chance)
    loudness = np.sqrt(np.mean(sound.reshape(-1, SAMPLE_RATE // FRAME_RATE) ** 2, axis=1))
    talk = np.convolve(loudness / loudness.max(), [0.25, 0.5, 0.25], "same")
    blink, glance = rng.randrange(20, 50), rng.uniform(-1, 1)
    for number, opening in enumerate(talk.tolist()):
        seconds = number / FRAME_RATE
        expression = Expression().towards(acted.expression, _eased((seconds - 0.1) / 0.6))
        closed = blink <= number < blink + BLINK and expression.eyes <= 1
        yield draw(acted.look, expression, Moment(seconds, opening, glance * math.sin(1.7 * seconds), closed))


def _eased(share: float) -> float:
    """Clip a share to 0..1 and let it start and end gently."""
    clipped = min(1.0, max(0.0, share))
    return clipped * clipped * (3 - 2 * clipped)


def _write(path: Path, frames: Iterable[Image.Image], sound: NDArray[np.float64]) -> None:
    """Encode without time stamps or encoder names, and in one thread, so that the bytes depend on the content alone."""
    with av.open(str(path), "w", options={"fflags": "+bitexact", "movflags": "+faststart"}) as container:
        _add_streams(container)
        for frame in frames:
            container.mux(
                container.streams.video[0].encode(av.VideoFrame.from_ndarray(np.asarray(frame), format="rgb24"))
            )
        container.mux(container.streams.video[0].encode(None))
        for portion in _audio_frames(sound):
            container.mux(container.streams.audio[0].encode(portion))
        container.mux(container.streams.audio[0].encode(None))


def _add_streams(container: OutputContainer) -> None:
    video = container.add_stream("libx264", rate=FRAME_RATE, options={"crf": "24", "preset": "medium"})
    video.width = video.height = SIZE
    video.pix_fmt = "yuv420p"
    video.codec_context.thread_count = 1
    audio = container.add_stream("aac", rate=SAMPLE_RATE, layout="mono", options={"b": "48000"})
    for stream in (video, audio):
        stream.codec_context.flags |= av.codec.context.Flags.bitexact


def _audio_frames(sound: NDArray[np.float64]) -> list[av.AudioFrame]:
    """Cut the sound into the portions that the encoder takes."""
    pcm = np.round(sound * 32767).astype(np.int16)
    frame = av.AudioFrame.from_ndarray(pcm[None], format="s16", layout="mono")
    frame.sample_rate = SAMPLE_RATE
    frame.pts = 0
    resampler = av.AudioResampler(format="fltp", layout="mono", rate=SAMPLE_RATE, frame_size=1024)
    return [*resampler.resample(frame), *resampler.resample(None)]
