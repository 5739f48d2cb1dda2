"""Scenes to learn from: the demo's faces and voices, varied, with sentences that the demo doesn't have."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from emoprefer_bench.demo.clips import LOOKS, Performance
from emoprefer_bench.demo.face import EXPRESSIONS, Colour, Expression, Look
from emoprefer_bench.demo.scenes import EMOTIONS, Emotion, dice
from emoprefer_bench.demo.voice import DELIVERIES, VOICES, Delivery

if TYPE_CHECKING:
    from random import Random

WHO = ("My sister", "The neighbour", "Our teacher", "The driver", "A friend", "The waiter", "Her brother", "The doctor")
DOES = (
    "lives in the city", "reads the news", "has two chairs", "walks along the river", "takes the bus", "paints a door",
    "opens the window", "wrote a letter", "bought some bread", "works in a shop", "sits in the garden", "plays a song",
)  # fmt: skip
WHEN = ("", "", "today", "at noon", "every week", "after lunch", "in the evening", "on Tuesdays")
TELLING: dict[Emotion, tuple[str, ...]] = {
    "happy": ("This is the best news of my life!", "They said yes, it is just great!", "I could hug everybody here!"),
    "sad": ("I have lost my only friend.", "Nothing will ever be as it was.", "He left, and the house is empty."),
    "angry": ("Stop it at once, I am warning you!", "This is an outrage!", "Who broke it? Tell me right now!"),
    "surprised": ("Wow, where does this come from?", "Oh my, you are here already?", "I can't believe my eyes!"),
    "neutral": ("The form has four pages.", "Turn left behind the church.", "The shop is around the corner."),
}
SYLLABLES = (
    "a", "and", "be", "ca", "che", "di", "e", "er", "fo", "ge", "go", "have", "ho", "i", "is", "je", "ki", "lo", "me",
    "mi", "ne", "no", "of", "ou", "pa", "que", "ri", "sa", "she", "so", "ta", "the", "th", "ti", "u", "ve", "wa", "we",
    "y", "you",
)  # fmt: skip
TELLING_SHARE = 0.25
LONG_HAIR_VOICES = (VOICES[0], VOICES[2])
SHORT_HAIR_VOICES = (VOICES[1], VOICES[3])


@dataclass(frozen=True, slots=True)
class Lesson:
    """A scene to learn from: what the face shows and what the voice tells are named apart."""

    name: str
    face: Emotion
    voice: Emotion
    acted: Performance


def lesson(number: int, seed: str, sentences: int = 1) -> Lesson:
    """Return the scene of that number in the world of `seed`; each emotion comes once in five numbers."""
    rng = dice(f"{seed} {number}")
    emotion = EMOTIONS[number % len(EMOTIONS)]
    look = varied_look(rng.choice(LOOKS), rng)
    acted = Performance(
        " ".join(sentence(emotion, rng) for _ in range(sentences)),
        look,
        Expression().towards(EXPRESSIONS[emotion], rng.uniform(0.65, 1.1)),
        rng.choice(LONG_HAIR_VOICES if look.long_hair else SHORT_HAIR_VOICES),
        varied_delivery(DELIVERIES[emotion], rng),
        f"{seed} {number}",
    )
    return Lesson(f"{seed}_{number:04}", emotion, emotion, acted)


def lessons(count: int, seed: str) -> list[Lesson]:
    """Return scenes that take from two to five seconds: every third has two sentences."""
    longer = [lesson(number, f"{seed}_longer", 2) for number in range(count // 3)]
    return [*(lesson(number, seed) for number in range(count - len(longer))), *longer]


def sentence(emotion: Emotion, rng: Random) -> str:
    """Return something to say: plain words mostly, now and then words that tell the emotion."""
    if rng.random() < TELLING_SHARE:
        return rng.choice(TELLING[emotion])
    return " ".join(filter(None, (rng.choice(WHO), rng.choice(DOES), rng.choice(WHEN)))) + "."


def babble(rng: Random) -> str:
    """Return words that mean nothing, as quotations of sentences that nobody heard before."""
    words = [
        "".join(rng.choice(SYLLABLES) for _ in range(rng.choice((1, 1, 2, 2, 3)))) for _ in range(rng.randint(3, 6))
    ]
    return " ".join(words).capitalize() + rng.choice((".", "!", "?"))


def varied_look(look: Look, rng: Random) -> Look:
    """Shift every colour of a look a little."""
    skin, hair, iris, shirt, background = (
        _shifted(colour, rng) for colour in (look.skin, look.hair, look.iris, look.shirt, look.background)
    )
    return Look(skin, hair, iris, shirt, background, look.long_hair)


def varied_delivery(delivery: Delivery, rng: Random) -> Delivery:
    """Speak a little faster or slower, louder or fainter, higher or lower, livelier or flatter."""
    limits = {"rate": (80, 300), "volume": (20, 199), "pitch": (0, 99), "range": (0, 99)}
    changed = {}
    for field in fields(delivery):
        low, high = limits[field.name]
        changed[field.name] = round(min(high, max(low, getattr(delivery, field.name) * rng.uniform(0.88, 1.12))))
    return Delivery(**changed)


def _shifted(colour: Colour, rng: Random) -> Colour:
    red, green, blue = (max(0, min(255, part + rng.randint(-14, 14))) for part in colour)
    return red, green, blue
