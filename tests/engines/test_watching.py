"""What only a judge that hears and sees can show: that what reaches a model means what is in the clip.

The judge is the tiny Qwen2.5-Omni that comes with the package, in both engines. A score is the percentage of right
verdicts over both orders, where `same` is half right: chance is 50. A change of clips that matters has to cost points,
and one that doesn't has to cost none.
"""

from __future__ import annotations

import os
from dataclasses import replace

import numpy as np
import pytest
from support.watching import DEMO, Row, Watcher, half_the_frames, remixed, rows, with_frames, with_sound

from emoprefer_bench.demo import JUDGE, JUDGE_PIXELS
from emoprefer_bench.demo.descriptions import describe
from emoprefer_bench.demo.scenes import EMOTIONS, dice, scenes
from emoprefer_bench.demo.senses import BOTH, FACE, VOICE
from emoprefer_bench.demo.train.films import film
from emoprefer_bench.demo.train.questions import WRITERS
from emoprefer_bench.demo.train.world import lessons

PIXELS = {"min_pixels": JUDGE_PIXELS, "max_pixels": JUDGE_PIXELS}
OPTIONS = {
    "transformers": {"batch_size": 8},
    "vllm": {"max_model_len": 4096, "kv_cache_memory_bytes": 256 << 20},
}
ALL = rows(DEMO / "preference_demo.csv")
SOME = ALL[:16]
SENSES = rows(DEMO / "senses" / "preference_senses.csv")
EMOTION = {scene.name: scene.emotion for scene in scenes()}
CLIPS = sorted({row.clip for row in ALL})
NEXT = dict(zip(CLIPS, [*CLIPS[1:], CLIPS[0]], strict=True))
"""For each clip another one, in which another emotion is played."""


@pytest.fixture(scope="module")
def watching(start, tmp_path_factory):
    """Start the judge in an engine, once for all tests."""
    running: dict[str, Watcher] = {}

    def get(engine: str) -> Watcher:
        if engine not in running:
            child = start("-m", f"emoprefer_bench.engines.children.{engine}")
            ready = child.load(JUDGE, **PIXELS, **OPTIONS[engine])
            assert ready["type"] == "ready", f"{ready} {child.log_end()}"
            running[engine] = Watcher(child, tmp_path_factory.mktemp("clips"))
        return running[engine]

    return get


@pytest.fixture(scope="module")
def judge(watching):
    """The judge in transformers, whose positions it learned with."""
    return watching("transformers")


@pytest.mark.parametrize(("modality", "least"), [("audiovideo", 95), ("audio", 85), ("video", 85)])
def test_it_judges_the_demo_in_both_engines_alike(judge, watching, modality, least):
    """With both senses and with either alone, on clips that it never saw; the engines differ by 3 points at most."""
    scores = [watcher.score(ALL, modality) for watcher in (judge, watching("vllm"))]
    assert min(scores) >= least
    assert abs(scores[0] - scores[1]) <= 3


def test_it_judges_fresh_scenes(judge, tmp_path):
    """A hundred scenes of another seed, made here: it doesn't know the demo by heart."""
    made = lessons(100, "fresh")
    asked = []
    for scene, clip in zip(made, film(made, tmp_path, os.cpu_count() or 1, print), strict=True):
        rng = dice(scene.name)
        other = rng.choice([emotion for emotion in EMOTIONS if emotion != scene.face])
        right, wrong = (
            describe(emotion, rng.choice(WRITERS), scene.acted.sentence, rng, long=rng.random() < 0.5)
            for emotion in (scene.face, other)
        )
        asked.append(Row(clip, right, wrong, "a1"))
    assert judge.score(asked) >= 95
    for modality in ("audio", "video"):
        assert judge.score(asked[:40], modality) >= 85


def test_without_the_clip_it_guesses(judge):
    """The texts alone give nothing away."""
    assert 40 <= judge.score(ALL, "text") <= 60


def test_with_another_clip_it_is_wrong(judge):
    """The judge follows what it is shown: of another clip, the right text is no better than the wrong one."""
    assert all(EMOTION[clip.stem] != EMOTION[other.stem] for clip, other in NEXT.items())
    assert judge.score([replace(row, clip=NEXT[row.clip]) for row in ALL]) <= 55


@pytest.mark.parametrize(
    ("modality", "change"),
    [
        pytest.param("video", with_frames(lambda frames: frames[:, ::-1]), id="upside down"),
        pytest.param("video", with_frames(np.zeros_like), id="black"),
        pytest.param("audio", with_sound(np.zeros_like), id="silent"),
        pytest.param("audio", with_sound(lambda sound: sound[::2]), id="twice as fast"),
    ],
)
def test_a_spoilt_clip_costs_points(judge, modality, change):
    """A harness that did this to clips would be found out."""
    assert judge.score(SOME, modality, change) <= judge.score(SOME, modality) - 15


@pytest.mark.parametrize(
    ("modality", "change"),
    [
        pytest.param("video", with_frames(lambda frames: frames[::-1]), id="backwards"),
        pytest.param("video", half_the_frames, id="half the frames"),
        pytest.param("audiovideo", half_the_frames, id="half the frames, with sound"),
    ],
)
def test_what_changes_no_face_and_no_voice_costs_little(judge, modality, change):
    """An expression is the same backwards and at half the rate, and the face suffices: this judge can't tell these."""
    assert judge.score(SOME, modality, change) >= judge.score(SOME, modality) - 15


def test_silence_is_no_voice(judge):
    """Silence in place of the voice costs points, for no scene was silent; the face still tells more than chance."""
    assert 65 <= judge.score(SOME, change=with_sound(np.zeros_like)) <= 95


def test_sound_and_picture_both_count(judge):
    """With another clip's sound, or picture, half of what it is given speaks for another emotion."""
    whole = judge.score(SOME)
    mixed = {
        "sound": lambda row: lambda own: replace(own, waveform=judge.decoded(NEXT[row.clip]).waveform),
        "picture": lambda row: lambda own: replace(judge.decoded(NEXT[row.clip]), waveform=own.waveform),
    }
    for part, change in mixed.items():
        scores = [judge.score([row], change=change(row)) for row in SOME]
        assert np.mean(scores) <= whole - 10, part


@pytest.mark.parametrize(("subset", "sense", "other"), [(FACE, "video", "audio"), (VOICE, "audio", "video")])
def test_only_the_sense_that_tells_is_right(judge, subset, sense, other):
    """Where the voice is calm, who hears alone can only guess, and the reverse; both senses together find out."""
    asked = [row for row in SENSES if row.subset == subset]
    assert judge.score(asked, sense) >= 85
    assert judge.score(asked, other) <= 65
    assert judge.score(asked) >= 75


def test_what_each_sense_tells_counts_where_they_disagree(judge):
    """A text that fits the face or the voice beats one that fits neither."""
    assert judge.score([row for row in SENSES if row.subset == BOTH]) >= 70


def test_a_batch_changes_no_verdict(judge):
    """Asked one at a time and eight at a time, the verdicts are the same."""
    assert judge.verdicts(SOME[:8], at_once=1) == judge.verdicts(SOME[:8])


@pytest.mark.parametrize(
    ("layout", "rate", "codec"),
    [("stereo", 16000, "aac"), ("mono", 44100, "aac"), ("stereo", 44100, "flac"), ("5.1", 48000, "flac")],
)
def test_the_same_sound_in_other_files_gives_the_same_verdicts(judge, tmp_path, layout, rate, codec):
    """The same sound in every channel, or at another rate, is no other voice.

    5.1 is kept whole: AAC leaves out most of the channel for effects, which makes the mean 1.4 dB fainter.
    """
    copies = {row.clip: remixed(row.clip, tmp_path / row.clip.name, layout, rate, codec) for row in SOME}
    copied = [replace(row, clip=copies[row.clip]) for row in SOME]
    assert judge.score(copied, "audio") == pytest.approx(judge.score(SOME, "audio"), abs=4)
