"""Descriptions of an emotion in the manner of four invented writers, each from what it looks at.

The wording has what descriptions in the field have: quotation marks, colons, line breaks, and now and then a doubled
word.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from random import Random

    from emoprefer_bench.demo.scenes import Emotion

Writer = Literal["text_writer", "video_writer", "audio_writer", "notes_writer"]

FACE: dict[Emotion, tuple[str, ...]] = {
    "happy": (
        "the corners of the mouth are drawn up into a wide smile and the teeth show",
        "the cheeks are rosy and the eyes narrow with pleasure",
        "the whole face beams, with lifted cheeks and a broad grin",
    ),
    "sad": (
        "the corners of the mouth droop and the eyes look down, half closed",
        "the inner ends of the eyebrows are drawn up and a tear runs down the cheek",
        "the face looks downcast, with heavy eyelids and wet eyes",
    ),
    "angry": (
        "the eyebrows are drawn together and the eyes glare",
        "the face is flushed, the brow is furrowed and the lips are tight",
        "there is a hard stare under lowered eyebrows, and the teeth are bared",
    ),
    "surprised": (
        "the eyes are wide open and the eyebrows are raised high",
        "the jaw drops and the mouth stays open",
        "the eyebrows shoot up, and the eyes become round above an open mouth",
    ),
    "neutral": (
        "the face is at rest and the gaze is steady",
        "neither the brows nor the corners of the mouth move much",
        "the features stay relaxed, without a smile or a frown",
    ),
}
VOICE: dict[Emotion, tuple[str, ...]] = {
    "happy": ("bright, high and lively", "cheerful and quick, with a swinging melody"),
    "sad": ("low, slow and faint", "weak and flat, almost without melody"),
    "angry": ("loud, harsh and fast", "raised and sharp, close to shouting"),
    "surprised": ("very high, with a sudden rise in pitch", "exclaiming, with great leaps in pitch"),
    "neutral": ("even, of ordinary loudness and pitch", "calm and matter-of-fact, at an ordinary pace"),
}
STATE: dict[Emotion, tuple[str, ...]] = {
    "happy": ("happy and delighted", "cheerful and full of joy"),
    "sad": ("sad and dejected", "full of sorrow"),
    "angry": ("angry and indignant", "furious"),
    "surprised": ("surprised and astonished", "amazed, even startled"),
    "neutral": ("calm and neutral", "composed, without a strong emotion"),
}
ASIDES = (
    "The the background is plain, and nothing else in the picture draws attention away from the person.",
    "There is one person in front of the camera — nobody else is seen or heard from beginning to end.",
    "The expression builds up within the first second, and it stays the same until the end of the clip.",
    "Nothing is known about what came before this moment, so the judgement rests on this clip alone.",
)


def describe(emotion: Emotion, writer: Writer, sentence: str, rng: Random, *, long: bool) -> str:
    """Write a description which says that the person who speaks `sentence` feels `emotion`.

    Of the same sentence, every long description has more words than every short one.
    """
    face, other_face = rng.sample(FACE[emotion], 2)
    voice, state = rng.choice(VOICE[emotion]), rng.choice(STATE[emotion])
    if writer == "notes_writer":
        lines = [f"Face: {face}.", f"Voice: {voice}.", f'Words: "{sentence}"', f"Emotion: {state}."]
        return "\n".join([*lines[:3], f"Also: {other_face}.", *_asides(rng), lines[3]] if long else lines[::3])
    opening = {
        "text_writer": f'In the text, the subtitle reads: "{sentence}" This is said by someone who is {state}.',
        "video_writer": f"In the video, {face}, which suggests that the person is {state}.",
        "audio_writer": f"In the audio, the voice is {voice}, so the speaker seems to be {state}.",
    }[writer]
    if not long:
        return opening
    evidence = {
        "text_writer": f"The tone supports this reading: it is {voice}. As for the picture, {face}.",
        "video_writer": f'Moreover, {other_face}. The voice, which says "{sentence}", is {voice}.',
        "audio_writer": f'The words are: "{sentence}" While they are spoken, {face}.',
    }[writer]
    return " ".join([opening, evidence, *_asides(rng), f"All in all, the person comes across as {state}."])


def _asides(rng: Random) -> list[str]:
    """Choose up to two sentences that fit every clip and say nothing about emotion."""
    return rng.sample(ASIDES, rng.randint(0, 2))
