"""A synthetic voice that speaks a sentence in an emotion, by eSpeak NG (package espeakng-loader)."""

from __future__ import annotations

import ctypes
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from emoprefer_bench.demo.scenes import Emotion

SAMPLE_RATE = 16_000
"""Samples a second, in hertz."""

# Values of enumerations in eSpeak NG's speak_lib.h.
_OUTPUT_TO_CALLBACK = 2
_POSITION_IN_CHARACTERS = 1
_TEXT_IS_UTF8 = 1
_RATE, _VOLUME, _PITCH, _RANGE = 1, 2, 3, 4

_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


@dataclass(frozen=True, slots=True)
class Delivery:
    """How a sentence is spoken: words a minute, volume (100 is usual), pitch and pitch range (0 to 99)."""

    rate: int
    volume: int
    pitch: int
    range: int


DELIVERIES: dict[Emotion, Delivery] = {
    "happy": Delivery(rate=180, volume=130, pitch=80, range=90),
    "sad": Delivery(rate=120, volume=45, pitch=25, range=15),
    "angry": Delivery(rate=210, volume=195, pitch=42, range=75),
    "surprised": Delivery(rate=155, volume=120, pitch=99, range=99),
    "neutral": Delivery(rate=160, volume=80, pitch=50, range=40),
}

VOICES = ("en-us+f4", "en-us+m3", "en-us+f1", "en-us+m1")
"""Voices that give the same bytes every time; others of eSpeak NG start from memory that nobody set."""


def speak(sentence: str, voice: str, delivery: Delivery) -> NDArray[np.float64]:
    """Speak a sentence: mono, shape (samples,), within [-1, 1], at `SAMPLE_RATE`."""
    import espeakng_loader  # type: ignore[import-untyped]  # noqa: PLC0415  # ships no types; only who speaks needs it

    with tempfile.TemporaryDirectory() as folder:
        # The library keeps state from one utterance to the next; a copy of the file is loaded as a library of its own.
        library = ctypes.CDLL(shutil.copy(espeakng_loader.get_library_path(), folder))
        data = Path(espeakng_loader.get_data_path()).parent
        rate = library.espeak_Initialize(_OUTPUT_TO_CALLBACK, 0, str(data).encode(), 0)
        pcm = _synthesise(library, sentence, voice, delivery)
    return _resampled(np.frombuffer(pcm, "<i2") / 32768, rate)


def _synthesise(library: ctypes.CDLL, sentence: str, voice: str, delivery: Delivery) -> bytes:
    """Return the utterance as 16-bit samples at the library's own rate."""
    chunks: list[bytes] = []

    def receive(samples: ctypes._Pointer[ctypes.c_short], count: int, _events: int) -> int:
        if samples and count > 0:
            chunks.append(ctypes.string_at(samples, 2 * count))
        return 0

    callback = _CALLBACK(receive)  # kept in a variable, since the library holds no reference to it
    library.espeak_SetSynthCallback(callback)
    library.espeak_SetVoiceByName(voice.encode())
    settings = {_RATE: delivery.rate, _VOLUME: delivery.volume, _PITCH: delivery.pitch, _RANGE: delivery.range}
    for parameter, value in settings.items():
        library.espeak_SetParameter(parameter, value, 0)
    text = sentence.encode() + b"\0"
    library.espeak_Synth(text, len(text), 0, _POSITION_IN_CHARACTERS, 0, _TEXT_IS_UTF8, None, None)
    library.espeak_Synchronize()
    return b"".join(chunks)


def _resampled(wave: NDArray[np.float64], rate: int) -> NDArray[np.float64]:
    """Bring the wave to `SAMPLE_RATE` by leaving out the frequencies which that rate can't hold."""
    count = len(wave) * SAMPLE_RATE // rate
    spectrum = np.fft.rfft(wave)[: count // 2 + 1]
    return np.clip(np.fft.irfft(spectrum, count) * count / len(wave), -1, 1)
