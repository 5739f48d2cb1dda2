from __future__ import annotations

import csv
import subprocess
import sys
from collections import Counter
from itertools import permutations
from pathlib import Path

import av
import numpy as np
import pytest

from emoprefer_bench.demo.__main__ import about, main, write_tables
from emoprefer_bench.demo.clips import LOOKS, make_clip, performance
from emoprefer_bench.demo.descriptions import STATE, describe
from emoprefer_bench.demo.face import EXPRESSIONS, SIZE, Expression, Moment, draw
from emoprefer_bench.demo.preferences import COLUMNS, preferences
from emoprefer_bench.demo.scenes import EMOTIONS, PLAIN, dice, scenes
from emoprefer_bench.demo.voice import DELIVERIES, SAMPLE_RATE, VOICES, speak

DEMO = Path(__file__).parents[2] / "dataset" / "demo"
SHORTEST = scenes()[17]


def committed(name: str) -> list[dict[str, str]]:
    """The rows of a committed table."""
    with (DEMO / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


ROWS = committed("preference_demo.csv")
DECIDED = [row for row in ROWS if row["preference"] != "same"]


def words(text: str) -> int:
    """The number of words."""
    return len(text.split())


def right_and_wrong(row: dict[str, str]) -> tuple[str, str]:
    """The preferred text and the other one."""
    return (row["a1"], row["a2"]) if row["preference"] == "a1" else (row["a2"], row["a1"])


def named(text: str) -> set[str]:
    """The emotions that a description names."""
    return {emotion for emotion in EMOTIONS if any(state in text for state in STATE[emotion])}


def shown(path: Path) -> list[np.ndarray]:
    """The frames of a clip: RGB, uint8."""
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def heard(path: Path) -> np.ndarray:
    """The sound of a clip: within [-1, 1]."""
    with av.open(str(path)) as container:
        return np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])


def test_tables_are_the_committed_ones_to_the_byte(tmp_path):
    """Making the tables again gives the committed bytes."""
    write_tables(tmp_path, scenes())
    for name in ("preference_demo.csv", "controlled.csv", "subtitles.csv"):
        assert (tmp_path / name).read_bytes() == (DEMO / name).read_bytes()


def test_readme_is_the_committed_one():
    """The README of the data set is made of its template and the scenes, and says what a score on it is worth."""
    text = (DEMO / "README.md").read_text(encoding="utf-8")
    assert text == about(scenes())
    assert "It measures the harness, not emotion" in text
    assert "Apache-2.0" in text
    assert "SCENES" not in text


def test_folder_is_small_and_complete():
    """Each scene has its clip, there is no other clip, and the folder stays under 1.5 MB."""
    assert {path.stem for path in (DEMO / "video").iterdir()} == {scene.name for scene in scenes()}
    assert sum(path.stat().st_size for path in DEMO.rglob("*") if path.is_file()) < 1_500_000


def test_same_scene_gives_the_same_bytes(tmp_path):
    """A clip made twice is the same to the byte, though another one was made in between."""
    first, other, second = (tmp_path / f"{n}.mp4" for n in range(3))
    make_clip(performance(SHORTEST), first)
    make_clip(performance(scenes()[2]), other)
    make_clip(performance(SHORTEST), second)
    assert first.read_bytes() == second.read_bytes()
    assert first.read_bytes() != other.read_bytes()


def test_committed_clip_shows_and_says_what_its_scene_does(tmp_path):
    """A clip made now looks and sounds like the committed one, whatever version encoded that."""
    made, kept = tmp_path / "made.mp4", DEMO / "video" / f"{SHORTEST.name}.mp4"
    make_clip(performance(SHORTEST), made)
    frames = zip(shown(made), shown(kept), strict=True)
    assert max(np.abs(one.astype(int) - other).mean() for one, other in frames) < 2
    assert np.corrcoef(heard(made), heard(kept))[0, 1] > 0.99


@pytest.mark.parametrize("scene", scenes(), ids=lambda scene: scene.name)
def test_every_clip_moves_and_speaks(scene):
    """Each committed clip has H.264 frames that change, AAC sound at 16 kHz that is no silence, and 2 to 4 seconds."""
    path = DEMO / "video" / f"{scene.name}.mp4"
    with av.open(str(path)) as container:
        video, audio = container.streams.video[0], container.streams.audio[0]
        assert (video.codec_context.name, audio.codec_context.name) == ("h264", "aac")
        assert (video.width, video.height, float(video.average_rate)) == (SIZE, SIZE, 25)
        assert (audio.rate, audio.layout.nb_channels) == (16_000, 1)
    frames, sound = shown(path), heard(path)
    assert 2 <= len(frames) / 25 <= 4
    assert abs(len(frames) / 25 - len(sound) / 16_000) < 0.2
    assert np.abs(frames[0].astype(int) - frames[20]).mean() > 1
    assert np.sqrt(np.mean(sound**2)) > 0.01


def test_scenes_are_five_emotions_in_telling_and_in_plain_words():
    """There are twenty scenes with names of their own; the plain sentences are the same in every emotion."""
    cast = scenes()
    assert len({scene.name for scene in cast}) == 20
    assert Counter((scene.emotion, scene.plain) for scene in cast) == dict.fromkeys(
        ((emotion, plain) for emotion in EMOTIONS for plain in (False, True)), 2
    )
    for emotion in EMOTIONS:
        assert {scene.sentence for scene in cast if scene.plain and scene.emotion == emotion} == set(PLAIN)
    assert len({scene.sentence for scene in cast if not scene.plain}) == 10


def test_names_of_clips_keep_the_emotion_to_themselves():
    """No clip's name has the name of an emotion in it."""
    assert not [scene.name for scene in scenes() if any(emotion in scene.name for emotion in EMOTIONS)]


def test_rows_are_well_formed():
    """48 rows with known labels and clips, two different texts each, no row twice; several rows share a clip."""
    assert len(ROWS) == 48
    assert set(ROWS[0]) == set(COLUMNS)
    assert Counter(row["preference"] for row in ROWS) == {"a1": 20, "a2": 20, "same": 8}
    assert {row["name"] for row in ROWS} == {scene.name for scene in scenes()}
    assert all(row["a1"].strip() and row["a2"].strip() and row["a1"] != row["a2"] for row in ROWS)
    assert len({(row["name"], row["a1"], row["a2"]) for row in ROWS}) == 48
    assert set(Counter(row["name"] for row in ROWS).values()) == {2, 3}


def test_preferred_text_names_the_emotion_that_is_played_and_the_other_one_another():
    """The label of each row follows from what its texts say of the scene."""
    played = {scene.name: scene.emotion for scene in scenes()}
    for row in DECIDED:
        right, wrong = right_and_wrong(row)
        assert named(right) == {played[row["name"]]}
        assert len(named(wrong)) == 1
        assert named(wrong) != named(right)
    for row in ROWS:
        if row["preference"] == "same":
            assert named(row["a1"]) == named(row["a2"]) == {played[row["name"]]}


def test_longer_text_and_first_place_are_worth_nothing():
    """Among the decided rows `longer` and `always_a1` score near chance, alone and together, also by kind of words."""
    plain = {scene.name for scene in scenes() if scene.plain}
    for rows in (DECIDED, [row for row in DECIDED if row["name"] in plain]):
        longer = [words(right) > words(wrong) for right, wrong in map(right_and_wrong, rows)]
        first = [row["preference"] == "a1" for row in rows]
        assert 0.45 <= np.mean(longer) <= 0.55
        assert 0.45 <= np.mean(first) <= 0.55
        assert set(Counter(zip(longer, first, strict=True)).values()) == {len(rows) / 4}
    assert all(words(row["a1"]) != words(row["a2"]) for row in DECIDED)


def test_writers_and_emotions_are_worth_nothing():
    """Each writer wins half of its pairs, and each emotion meets each other one twice."""
    won = Counter(row["model1"] if row["preference"] == "a1" else row["model2"] for row in DECIDED)
    asked = Counter(row[column] for row in DECIDED for column in ("model1", "model2"))
    assert len(asked) == 4
    assert all(2 * won[writer] == asked[writer] for writer in asked)
    met = Counter((*named(right), *named(wrong)) for right, wrong in map(right_and_wrong, DECIDED))
    assert met == dict.fromkeys(permutations(EMOTIONS, 2), 2)


def test_each_clip_has_its_right_text_both_ways():
    """Of the decided pairs of a clip, one has the longer text right and one the shorter, one a1 and one a2."""
    for scene in scenes():
        rows = [row for row in DECIDED if row["name"] == scene.name]
        longer = {words(right) > words(wrong) for right, wrong in map(right_and_wrong, rows)}
        assert longer == {True, False}
        assert {row["preference"] for row in rows} == {"a1", "a2"}


def test_texts_look_like_those_of_the_field():
    """The texts have openings, quotation marks, colons, doubled words, line breaks and letters that trip readers."""
    texts = [row[column] for row in ROWS for column in ("a1", "a2")]
    styled = [row for row in ROWS if {row["a1"][:8], row["a2"][:8]} == {"In the t", "In the v"}]
    assert len(styled) > len(ROWS) / 2
    for mark in ('"', ":", "\n", "The the", "é", "—"):
        assert any(mark in text for text in texts), mark
    assert min(map(words, texts)) < 25
    assert max(map(words, texts)) > 80


def test_long_descriptions_are_longer_than_short_ones():
    """Whoever writes, whatever the dice say: of one sentence, a long description has more words than any short one."""
    writers = ("text_writer", "video_writer", "audio_writer", "notes_writer")
    for scene in scenes():
        lengths = {
            long: [
                words(describe(scene.emotion, writer, scene.sentence, dice(seed), long=long))
                for writer in writers
                for seed in range(10)
            ]
            for long in (True, False)
        }
        assert min(lengths[True]) > max(lengths[False])


def test_rows_don_t_depend_on_what_was_made_before():
    """Asking for the rows twice gives the same rows."""
    assert preferences(scenes()) == preferences(scenes()) == ROWS


def test_subtitles_are_what_is_said():
    """The subtitle file has the sentence of each scene, one with a letter beyond ASCII."""
    rows = committed("subtitles.csv")
    assert [(row["name"], row["subtitle"]) for row in rows] == [(scene.name, scene.sentence) for scene in scenes()]
    assert any(not row["subtitle"].isascii() for row in rows)


@pytest.mark.parametrize(("louder", "softer"), [("angry", "neutral"), ("neutral", "sad"), ("happy", "sad")])
def test_emotions_differ_in_loudness(louder, softer):
    """The same sentence is spoken louder in anger than at ease, and fainter in sorrow."""
    level = {e: np.sqrt(np.mean(speak(PLAIN[0], VOICES[0], DELIVERIES[e]) ** 2)) for e in (louder, softer)}
    assert level[louder] > 1.3 * level[softer]


def test_speech_is_the_same_each_time_and_another_by_another_voice():
    """An utterance doesn't depend on those before it; voices differ; the sound stays within bounds."""
    first = speak(PLAIN[0], VOICES[0], DELIVERIES["neutral"])
    other = speak(PLAIN[0], VOICES[1], DELIVERIES["neutral"])
    assert np.array_equal(first, speak(PLAIN[0], VOICES[0], DELIVERIES["neutral"]))
    assert len(first) != len(other) or not np.allclose(first, other)
    assert np.abs(first).max() <= 1
    assert 1 < len(first) / SAMPLE_RATE < 4


def test_each_expression_is_drawn_differently():
    """No two emotions share a picture, and the mouth of one who talks is another than that of one who doesn't."""
    pictures = {emotion: np.asarray(draw(LOOKS[0], EXPRESSIONS[emotion], Moment())).astype(int) for emotion in EMOTIONS}
    for one, other in permutations(EMOTIONS, 2):
        assert np.abs(pictures[one] - pictures[other]).mean() > 0.5
    talking = np.asarray(draw(LOOKS[0], EXPRESSIONS["neutral"], Moment(talk=1))).astype(int)
    assert np.argwhere(np.abs(talking - pictures["neutral"]).sum(axis=2) > 60)[:, 0].min() > SIZE / 2


def test_expressions_blend():
    """Half of the way from rest to joy is half a smile; the ends are the ends."""
    rest, joy = Expression(), EXPRESSIONS["happy"]
    assert rest.towards(joy, 0) == rest
    assert rest.towards(joy, 1) == joy
    assert rest.towards(joy, 0.5).smile == pytest.approx(joy.smile / 2)


def test_help_says_what_it_makes(capsys):
    """`--help` names the folder, the size and the extra that is needed."""
    with pytest.raises(SystemExit):
        main(["--help"])
    said = " ".join(capsys.readouterr().out.split())
    assert "dataset/demo" in said
    assert "164 pairs" in said
    assert "[demo]" in said


def test_missing_package_is_named_with_its_cure(tmp_path):
    """Without a package of the extra, one sentence names it and the command, nothing is made, and the exit is 1."""
    code = (
        "import sys; sys.modules['espeakng_loader'] = None\n"
        "from importlib import util; find = util.find_spec\n"
        "util.find_spec = lambda name, *rest: None if name == 'espeakng_loader' else find(name, *rest)\n"
        f"from emoprefer_bench.demo.__main__ import main; main([{str(tmp_path / 'out')!r}])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert run.stderr == "The demo data set needs espeakng_loader: pip install 'emoprefer-bench[demo]'\n"
    assert not (tmp_path / "out").exists()
