"""The scenes in which face and voice tell different things."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import av
import pytest

from emoprefer_bench.demo.__main__ import write_senses
from emoprefer_bench.demo.descriptions import STATE
from emoprefer_bench.demo.scenes import EMOTIONS, PLAIN, TELLING
from emoprefer_bench.demo.senses import BOTH, COLUMNS, FACE, SENTENCE, VOICE, mixed, rows

SENSES = Path(__file__).parents[2] / "dataset" / "demo" / "senses"
SCENES = {scene.name: scene for scene in mixed()}
ROWS = rows(mixed())


def named(text: str) -> str:
    """Return the emotion that a description names."""
    (emotion,) = [emotion for emotion in EMOTIONS if any(state in text for state in STATE[emotion])]
    return emotion


def test_the_table_is_the_committed_one_to_the_byte(tmp_path):
    """Making it again gives the committed bytes."""
    write_senses(tmp_path, mixed())
    assert (tmp_path / "preference_senses.csv").read_bytes() == (SENSES / "preference_senses.csv").read_bytes()


def test_there_are_four_scenes_of_each_subset_and_three_rows_of_each_scene():
    """In one only the face tells, in one only the voice, in one both, and not the same."""
    assert Counter(scene.subset for scene in SCENES.values()) == {FACE: 4, VOICE: 4, BOTH: 4}
    assert Counter(row["name"] for row in ROWS) == dict.fromkeys(SCENES, 3)
    for scene in SCENES.values():
        calm = {FACE: scene.voice, VOICE: scene.face}.get(scene.subset)
        assert calm in ("neutral", None)
        assert scene.face != scene.voice
    assert SENTENCE not in PLAIN
    assert not any(SENTENCE in sentences for sentences in TELLING.values())


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['name']} {row['preference']}")
def test_the_label_follows_from_what_the_scene_tells(row):
    """The preferred text names what is told and the other one doesn't; where both are told, both are as good."""
    assert tuple(row) == COLUMNS
    scene = SCENES[row["name"]]
    told = {emotion for emotion in (scene.face, scene.voice) if emotion != "neutral"}
    assert row["subset"] == scene.subset
    if row["preference"] == "same":
        assert {named(row["a1"]), named(row["a2"])} == told
    else:
        right, wrong = (row["a1"], row["a2"]) if row["preference"] == "a1" else (row["a2"], row["a1"])
        assert named(right) in told
        assert named(wrong) not in {*told, "neutral"}


def test_the_audits_other_clip_never_fits():
    """The clip half of the data set further on tells none of a clip's emotions."""
    felt = {name: {scene.face, scene.voice} - {"neutral"} for name, scene in SCENES.items()}
    clips = list(dict.fromkeys(row["name"] for row in ROWS))
    assert not any(felt[name] & felt[clips[(place + 6) % 12]] for place, name in enumerate(clips))


def test_the_first_place_is_worth_nothing():
    """In each subset as many texts are preferred in the first place as in the second."""
    for subset in (FACE, VOICE, BOTH):
        won = Counter(row["preference"] for row in ROWS if row["subset"] == subset)
        assert won["a1"] == won["a2"]


@pytest.mark.parametrize("name", SCENES)
def test_clips_are_small_and_speak(name):
    """Each is a short file of up to 40 kB with picture and sound."""
    path = SENSES / "video" / f"{name}.mp4"
    assert path.stat().st_size <= 40_000
    with av.open(str(path)) as container:
        assert container.streams.video[0].frames > 25
        assert container.streams.audio[0].duration > 16_000
