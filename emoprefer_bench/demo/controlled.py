"""Pairs that differ in one thing alone, so that a judge's eye for each is measured where the truth is known.

Each subset is a thing. In `emotion`, `intensity`, `contradiction` and `omission` one text is right and the other isn't;
in `quotation` and `length` both are as right as each other (`same`), and whoever prefers one of them goes by what was
added. The right text stands first in half of each subset.
"""

from __future__ import annotations

from itertools import permutations
from typing import TYPE_CHECKING

from emoprefer_bench.demo.descriptions import ASIDES, FACE, STATE, VOICE
from emoprefer_bench.demo.scenes import EMOTIONS, Emotion, Scene, dice

if TYPE_CHECKING:
    from collections.abc import Sequence

COLUMNS = ("name", "a1", "a2", "preference", "subset")
EQUAL = ("quotation", "length")
"""Subsets in which what was added makes no text better."""


def controlled(scenes: Sequence[Scene]) -> list[dict[str, str]]:
    """Return the rows: for each scene a pair of every subset, but for the intensity of those that show none."""
    others = _others(scenes)
    rows = []
    for subset, pairs in _subsets(scenes, others).items():
        first = [number % 2 == 0 for number in range(len(pairs))]
        dice(subset).shuffle(first)
        rows += [_row(subset, *pair, is_first) for pair, is_first in zip(pairs, first, strict=True)]
    return rows


def _others(scenes: Sequence[Scene]) -> dict[str, Emotion]:
    """Give each scene an emotion that it doesn't play, so that each meets each other one once."""
    left = {played: [other for emotion, other in permutations(EMOTIONS, 2) if emotion == played] for played in EMOTIONS}
    return {scene.name: left[scene.emotion].pop(0) for scene in scenes}


def _subsets(scenes: Sequence[Scene], others: dict[str, Emotion]) -> dict[str, list[tuple[Scene, str, str]]]:
    """By subset: each scene, its right (or plain) text, and the other one."""
    strong = [scene for scene in scenes if scene.emotion != "neutral"]
    return {
        "emotion": [(scene, _named(scene.emotion), _named(others[scene.name])) for scene in scenes],
        "intensity": [(scene, _felt(scene, "intensely"), _felt(scene, "faintly")) for scene in strong],
        "contradiction": [(scene, _cues(scene), _cues(scene, others[scene.name])) for scene in scenes],
        "omission": [(scene, _cues(scene), _unvoiced(scene)) for scene in scenes],
        "quotation": [(scene, _cues(scene), f'{_cues(scene)} The words are: "{scene.sentence}"') for scene in scenes],
        "length": [(scene, _cues(scene), " ".join([_cues(scene), *ASIDES[1:3]])) for scene in scenes],
    }


def _named(emotion: Emotion) -> str:
    """Name an emotion: as many words, whichever it is."""
    return f"The person in the clip is {STATE[emotion][0]}."


def _felt(scene: Scene, how: str) -> str:
    return f"The person in the clip is {how} {STATE[scene.emotion][0]} from beginning to end."


def _cues(scene: Scene, voice: Emotion | None = None) -> str:
    """Describe face and voice; the voice of another emotion, where one is named."""
    seen, felt = _seen_and_felt(scene)
    return f"{seen} The voice is {VOICE[voice or scene.emotion][0]}. {felt}"


def _unvoiced(scene: Scene) -> str:
    return " ".join(_seen_and_felt(scene))


def _seen_and_felt(scene: Scene) -> tuple[str, str]:
    face = dice(scene.name).choice(FACE[scene.emotion])
    return f"In the video, {face}.", f"All in all, the person comes across as {STATE[scene.emotion][0]}."


def _row(subset: str, scene: Scene, right: str, other: str, is_first: bool) -> dict[str, str]:  # noqa: FBT001  # as zipped
    texts = (right, other) if is_first else (other, right)
    preference = "same" if subset in EQUAL else "a1" if is_first else "a2"
    return dict(zip(COLUMNS, (scene.name, *texts, preference, subset), strict=True))
