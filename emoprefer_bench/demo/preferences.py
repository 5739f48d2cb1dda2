"""The pairs of the demo: the preferred description names the emotion that is played, the other one names another.

What a judge could use instead of the clip is balanced away among the pairs with a preference. Each emotion is played
against each other one equally often; and the longer text, the first place and every writer win half of their pairs,
the first two also jointly.
"""

from __future__ import annotations

from collections import Counter
from itertools import permutations
from typing import TYPE_CHECKING

from emoprefer_bench.demo.descriptions import Writer, describe
from emoprefer_bench.demo.scenes import EMOTIONS, Emotion, Scene, dice

if TYPE_CHECKING:
    from collections.abc import Sequence

COLUMNS = ("name", "a1", "a2", "preference", "model1", "model2")

TEXT: Writer = "text_writer"
VIDEO: Writer = "video_writer"
AUDIO: Writer = "audio_writer"
NOTES: Writer = "notes_writer"
DUELS: tuple[tuple[Writer, Writer], ...] = (
    (TEXT, VIDEO),
    (VIDEO, TEXT),
    (AUDIO, VIDEO),
    (TEXT, VIDEO),
    (VIDEO, TEXT),
    (NOTES, TEXT),
    (TEXT, VIDEO),
    (VIDEO, TEXT),
    (VIDEO, AUDIO),
    (TEXT, NOTES),
)
"""Who wins against whom; each once among the ten pairs whose longer and preferred text stand in the same places."""
DRAWS = 8
"""Pairs of equally right descriptions."""


def preferences(scenes: Sequence[Scene]) -> list[dict[str, str]]:
    """Return the rows of the preference file, 40 with a preference and 8 without, in an order that looks random."""
    rows = [*_decided(scenes), *_draws(scenes)]
    dice(len(rows)).shuffle(rows)
    return rows


def _decided(scenes: Sequence[Scene]) -> list[dict[str, str]]:
    rows = []
    met: Counter[tuple[bool, bool]] = Counter()
    for plain in (False, True):
        for number, (played, other) in enumerate(permutations(EMOTIONS, 2)):
            takes = [scene for scene in scenes if (scene.plain, scene.emotion) == (plain, played)]
            # The four arrangements take turns; with plain words, each is the opposite of that with telling words.
            longer, first = bool(number & 1) != plain, bool(number & 2) != plain
            writers = DUELS[(met[longer, first] + 3 * (number % 4)) % len(DUELS)]
            met[longer, first] += 1
            scene = takes[longer != first]  # so that each clip has its right text both ways
            rows.append(_decided_row(scene, other, writers, right_is_longer=longer, right_is_first=first))
    return rows


def _decided_row(
    scene: Scene, other: Emotion, writers: tuple[Writer, Writer], *, right_is_longer: bool, right_is_first: bool
) -> dict[str, str]:
    rng = dice(f"{scene.name} {other}")
    winner, loser = writers
    right = describe(scene.emotion, winner, scene.sentence, rng, long=right_is_longer)
    wrong = describe(other, loser, scene.sentence, rng, long=not right_is_longer)
    if right_is_first:
        return _row(scene, (right, wrong), "a1", (winner, loser))
    return _row(scene, (wrong, right), "a2", (loser, winner))


def _draws(scenes: Sequence[Scene]) -> list[dict[str, str]]:
    rows = []
    for number, scene in enumerate(scenes[1 : 2 * DRAWS : 2]):
        rng = dice(scene.name)
        long = bool(number % 2)
        first, second = DUELS[number]
        texts = [describe(scene.emotion, writer, scene.sentence, rng, long=long) for writer in (first, second)]
        rows.append(_row(scene, (texts[0], texts[1]), "same", (first, second)))
    return rows


def _row(scene: Scene, texts: tuple[str, str], preference: str, writers: tuple[Writer, Writer]) -> dict[str, str]:
    return dict(zip(COLUMNS, (scene.name, *texts, preference, *writers), strict=True))
