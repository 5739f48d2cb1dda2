"""`listener`, a judge without an LLM: it hears the voice, reads what is said, and sees nothing. It is a heuristic.

What the voice is like (loudness, pitch, liveliness) is put into words. These words, what is said, and both
descriptions are each measured against seven emotions: their profile is how near their sentence embedding lies to that
of "The person is angry and furious." and the like. The description whose profile points more nearly where voice and
words point wins, and a small difference is `same`. The bounds between faint and loud, low and high were chosen on
synthetic voices: expect little of it on film. It has no position bias, since it measures each description by itself.

Run as `python -m emoprefer_bench.engines.children.listener`, it is an engine child that speaks docs/protocol.md.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from emoprefer_bench.engines.children.minilm import MiniLM, OverlongError
from emoprefer_bench.media.plan import MediaPlan
from emoprefer_bench.protocol.worker import OneByOne, serve

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from emoprefer_bench.pairs import Label

    Profile = Callable[[str], NDArray[np.float64]]

VERSION = "1"
"""To be raised with every change that can change a verdict."""
PLAN = MediaPlan(fps=None, min_frames=1, max_frames=1)
"""The sound at 16 kHz. It asks for no picture."""
PACKAGES = (("safetensors", "cpu"), ("tokenizers", "cpu"))
"""What must be installed, and the extra that brings it."""

EMOTIONS = (
    "happy and joyful",
    "sad and dejected",
    "angry and furious",
    "surprised and astonished",
    "afraid and worried",
    "disgusted and contemptuous",
    "calm and neutral",
)
MARGIN = 0.1
"""Two cosines that differ by less are the same."""

HOP, WINDOW = 0.01, 0.04
"""Seconds from one frame of the voice to the next, and that a frame lasts."""
SILENCE = 0.008
"""Root mean square below which nobody speaks."""
LOWEST, HIGHEST = 70, 450
"""Pitches that are looked for, in hertz."""
PERIODIC = 0.45
"""Normalised autocorrelation above which a frame has a pitch."""

# Upper bounds and words for what lies below them.
LOUDNESS = ((-24.5, "faint"), (-19.0, "of ordinary loudness"), (np.inf, "loud"))
PITCH = ((1.0, "toneless"), (110.0, "low"), (200.0, "medium-pitched"), (np.inf, "high-pitched"))
LIVELINESS = ((2.2, "monotone"), (4.0, "steady"), (np.inf, "lively"))
LOUD_MOODS = {
    "toneless": "agitated and emotional",
    "low": "tense and angry",
    "medium-pitched": "agitated and emotional",
    "high-pitched": "excited, delighted or surprised",
}
MOODS = {"faint": "sad and subdued", "of ordinary loudness": "calm and neutral"}


@dataclass(frozen=True, slots=True)
class Voice:
    """What was heard: frames (10 ms each) with voice, level (dB of full scale), pitch (Hz), pitch range (semitones)."""

    frames: int
    level: float
    pitch: float
    range: float


def hear(waveform: NDArray[np.float32], sample_rate: int) -> Voice:
    """Measure the voice in a mono waveform of shape (samples,) within [-1, 1].

    The pitch is the median over frames with a clear period, by autocorrelation; its range is from the 15th to the 85th
    percentile. Where nobody speaks, `frames` is 0.
    """
    window, hop = round(WINDOW * sample_rate), round(HOP * sample_rate)
    if len(waveform) < window:
        return Voice(0, -np.inf, 0.0, 0.0)
    frames = np.lib.stride_tricks.sliding_window_view(waveform.astype(np.float64), window)[::hop]
    voiced = frames[np.sqrt((frames**2).mean(axis=1)) > SILENCE]
    if not len(voiced):
        return Voice(0, -np.inf, 0.0, 0.0)
    level = 10 * np.log10((voiced**2).mean())
    pitches = _pitches(voiced, sample_rate)
    if not len(pitches):
        return Voice(len(voiced), float(level), 0.0, 0.0)
    low, median, high = np.percentile(pitches, (15, 50, 85))
    return Voice(len(voiced), float(level), float(median), float(12 * np.log2(high / low)))


def voice_words(voice: Voice) -> str:
    """Put a voice into words; nothing where nobody speaks."""
    if not voice.frames:
        return ""
    loudness, pitch = _word(voice.level, LOUDNESS), _word(voice.pitch, PITCH)
    mood = MOODS.get(loudness) or LOUD_MOODS[pitch]
    return f"The voice is {loudness}, {pitch} and {_word(voice.range, LIVELINESS)}; it sounds {mood}."


def judge(clues: list[str], a1: str, a2: str, profile: Profile) -> Label:
    """Which description points more nearly where the clues point. `profile` gives a text's direction among emotions."""
    direction = np.sum([profile(clue) for clue in clues], axis=0)
    gap = _cosine(direction, profile(_unquoted(a1))) - _cosine(direction, profile(_unquoted(a2)))
    if abs(gap) < MARGIN:
        return "same"
    return "a1" if gap > 0 else "a2"


def emotion_profile(model: MiniLM) -> Profile:
    """The function from a text to its nearness to each emotion, shape (7,), less their mean. It remembers texts."""
    anchors = np.array([model.embed(f"The person is {emotion}.") for emotion in EMOTIONS])

    @lru_cache(maxsize=4096)
    def profile(text: str) -> NDArray[np.float64]:
        nearness: NDArray[np.float64] = (anchors @ model.embed(text)).astype(np.float64)
        centred: NDArray[np.float64] = nearness - nearness.mean()
        return centred

    return profile


def answer(question: dict[str, Any], profile: Profile) -> dict[str, Any]:
    """Answer a question of docs/protocol.md. Raises ValueError where it holds nothing to judge, or to judge by."""
    if not question["texts"]:
        raise ValueError("listener compares two descriptions and reads no prompt: its fixture needs prompts=()")
    clip = question["clip"] or {}
    voice = Voice(0, 0.0, 0.0, 0.0)
    if clip.get("waveform"):
        voice = hear(np.load(clip["waveform"], allow_pickle=False), clip["sample_rate"])
    said = question["subtitle"]
    clues = [clue for clue in (voice_words(voice), f'The person says: "{said}"' if said else "") if clue]
    if not clues:
        raise ValueError("listener has neither a voice to hear nor a subtitle to read: use the modality audio+subtitle")
    tokens = {"audio": voice.frames} if voice.frames else {}
    a1, a2 = question["texts"]
    try:
        return {"text": judge(clues, a1, a2, profile), "tokens": tokens}
    except OverlongError as error:
        return {"text": str(error), "finish": "overlong", "tokens": tokens}


def load(message: dict[str, Any]) -> OneByOne:
    """Load the embedding. Raises ValueError for options, of which there are none."""
    if message.get("options"):
        raise ValueError(f"listener takes no options, but was given {', '.join(sorted(message['options']))}")
    profile = emotion_profile(MiniLM())
    return OneByOne({"engine": "listener", "version": VERSION}, lambda question: answer(question, profile))


def _pitches(frames: NDArray[np.float64], sample_rate: int) -> NDArray[np.float64]:
    """The pitch in hertz of each frame that has one."""
    window = frames.shape[1]
    centred = frames - frames.mean(axis=1, keepdims=True)
    power = np.abs(np.fft.rfft(centred, 2 * window)) ** 2
    similarity = np.fft.irfft(power)[:, :window]
    shortest, longest = sample_rate // HIGHEST, sample_rate // LOWEST
    periods = similarity[:, shortest:longest].argmax(axis=1) + shortest
    clear = similarity[np.arange(len(frames)), periods] > PERIODIC * similarity[:, 0]
    pitches: NDArray[np.float64] = sample_rate / periods[clear]
    return pitches


def _word(value: float, scale: tuple[tuple[float, str], ...]) -> str:
    return next(word for bound, word in scale if value < bound)


def _cosine(vector: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    return float(vector @ other / np.sqrt((vector @ vector) * (other @ other)))


def _unquoted(text: str) -> str:
    """The text without quotations, which only repeat what is said."""
    return re.sub(r'"[^"]*"|“[^”]*”', "", text)


if __name__ == "__main__":
    serve(load)
