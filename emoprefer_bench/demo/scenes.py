"""The twenty scenes of the demo: who says what, and in which emotion.

In half of the scenes the words tell the emotion. In the other half the same two plain sentences are said in all five
emotions, so that a judge which uses the words alone can't tell them apart.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Literal

Emotion = Literal["happy", "sad", "angry", "surprised", "neutral"]

EMOTIONS: tuple[Emotion, ...] = ("happy", "sad", "angry", "surprised", "neutral")

TELLING: dict[Emotion, tuple[str, str]] = {
    "happy": ("We won, we really won! What a wonderful day!", "I got the job, and I am over the moon!"),
    "sad": ("I miss her, and she is never coming back.", "Everything I loved is gone now."),
    "angry": ("How dare you! Get out of my house!", "You lied to me, and I have had enough of it!"),
    "surprised": ("Oh! I did not expect that at all!", "What? How on earth is that possible?"),
    "neutral": ("The meeting is at ten, as on every Monday.", "I put the keys on the table, as usual."),
}
PLAIN = ("The train leaves from platform two.", "The café opens at nine in the morning.")


@dataclass(frozen=True, slots=True)
class Scene:
    """One clip to be made. `number` counts from 0 and chooses the person who acts."""

    number: int
    emotion: Emotion
    sentence: str
    plain: bool

    @property
    def name(self) -> str:
        """The clip's name. It keeps the emotion to itself, since a judge may see it."""
        return f"demo_{self.number + 1:02}"


def dice(seed: int | str) -> random.Random:
    """Return a source of choices that look random and are the same each time."""
    return random.Random(seed)  # noqa: S311 - variety, no secret


def scenes() -> list[Scene]:
    """Return all scenes, telling words and plain words in turn."""
    takes = [
        (emotion, sentences[take], plain)
        for take in range(2)
        for plain in (False, True)
        for emotion in EMOTIONS
        for sentences in (PLAIN if plain else TELLING[emotion],)
    ]
    return [Scene(number, *take) for number, take in enumerate(takes)]
