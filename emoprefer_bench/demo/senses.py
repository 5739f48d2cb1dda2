"""Scenes in which face and voice tell different things: they show which of the senses a judge uses.

In four of the scenes only the face tells an emotion and the voice is calm, in four it is the other way round, and in
four each tells an emotion of its own. All say the same plain sentence.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from emoprefer_bench.demo.descriptions import Writer, describe
from emoprefer_bench.demo.scenes import EMOTIONS, Emotion, dice

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from emoprefer_bench.demo.clips import Performance

COLUMNS = ("name", "a1", "a2", "preference", "subset")
SENTENCE = "The bus is late."
STRONG: tuple[Emotion, ...] = tuple(emotion for emotion in EMOTIONS if emotion != "neutral")
FACE, VOICE, BOTH = "face tells", "voice tells", "they disagree"
"""The subsets. A judge that lacks the sense which tells can only guess."""
CLASHES: tuple[tuple[Emotion, Emotion], ...] = (
    ("happy", "sad"),
    ("sad", "angry"),
    ("angry", "surprised"),
    ("surprised", "happy"),
)
"""Face and voice where they disagree."""
ORDER = 7
"""The first seed of an order in which the audit's other clip never fits."""
WRITERS: dict[str, Writer] = {FACE: "video_writer", VOICE: "audio_writer", BOTH: "text_writer"}


@dataclass(frozen=True, slots=True)
class Mixed:
    """A scene: what the face shows and what the voice tells. `number` counts from 0 and chooses the person who acts."""

    number: int
    subset: str
    face: Emotion
    voice: Emotion

    @property
    def name(self) -> str:
        """The clip's name. It keeps the emotions to itself, since a judge may see it."""
        return f"senses_{self.number + 1:02}"

    @property
    def acted(self) -> Performance:
        """How it is acted."""
        from emoprefer_bench.demo.clips import LOOKS, Performance  # noqa: PLC0415 - needs packages of the extra
        from emoprefer_bench.demo.face import EXPRESSIONS  # noqa: PLC0415
        from emoprefer_bench.demo.voice import DELIVERIES, VOICES  # noqa: PLC0415

        look, voice = LOOKS[self.number % len(LOOKS)], VOICES[self.number % len(VOICES)]
        return Performance(SENTENCE, look, EXPRESSIONS[self.face], voice, DELIVERIES[self.voice], self.name)


def mixed() -> list[Mixed]:
    """Return all scenes, one of each subset in turn."""
    takes = [
        take
        for emotion, clash in zip(STRONG, CLASHES, strict=True)
        for take in ((FACE, emotion, "neutral"), (VOICE, "neutral", emotion), (BOTH, *clash))
    ]
    return [Mixed(number, *take) for number, take in enumerate(takes)]  # type: ignore[arg-type]  # mypy widens takes


def rows(scenes: Sequence[Mixed]) -> list[dict[str, str]]:
    """Return the rows of the preference file, three for each clip, in an order that looks random.

    It is one in which the clip half of the data set further on, which the audit shows in a clip's place, tells another
    emotion, so that a judge which watches gains nothing by it.
    """
    made = [row for scene in scenes for row in _rows(scene)]
    dice(ORDER).shuffle(made)
    return made


def _rows(scene: Mixed) -> Iterable[dict[str, str]]:
    if scene.subset != BOTH:
        told = scene.face if scene.subset == FACE else scene.voice
        for number, other in enumerate(emotion for emotion in STRONG if emotion != told):
            yield _row(scene, told, other, number)
        return
    others = [emotion for emotion in STRONG if emotion not in (scene.face, scene.voice)]
    yield _row(scene, scene.face, others[0], 0)
    yield _row(scene, scene.voice, others[1], 1)
    yield {**_row(scene, scene.face, scene.voice, 2), "preference": "same"}


def _row(scene: Mixed, right: Emotion, wrong: Emotion, number: int) -> dict[str, str]:
    """Write a row; the right text stands first and second in turn."""
    rng = dice(f"{scene.name} {right} {wrong}")
    texts = [describe(emotion, WRITERS[scene.subset], SENTENCE, rng, long=False) for emotion in (right, wrong)]
    first = (scene.number // 3 + number) % 2 == 0
    a1, a2 = texts if first else reversed(texts)
    return dict(zip(COLUMNS, (scene.name, a1, a2, "a1" if first else "a2", scene.subset), strict=True))
