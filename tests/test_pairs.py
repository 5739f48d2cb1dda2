from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from emoprefer_bench.pairs import Clip, Pair, Question, Sampling, row_of, shown_row, weighs

CLIP = Clip("clip", Path("/here/clip.mp4"), digest="ab" * 32)
QUESTION = Question({"engine": "test", "revision": "1"}, "Which?", "video", Sampling(), clip=CLIP)


def test_swapping_exchanges_texts_writers_and_label():
    """And swapping twice gives the pair."""
    pair = Pair("00000:clip", CLIP, "one", "two", "a1", "writer", None)
    swapped = pair.swapped()
    assert (swapped.a1, swapped.a2, swapped.label, swapped.model1, swapped.model2) == (
        "two",
        "one",
        "a2",
        None,
        "writer",
    )
    assert swapped.key == pair.key
    assert swapped.swapped() == pair
    assert Pair("k", CLIP, "x", "y", "same").swapped().label == "same"
    assert Pair("k", CLIP, "x", "y").swapped().label is None


def test_a_row_is_shown_as_people_count():
    """From 1, with its clip where that is known; the key itself counts from 0."""
    assert [shown_row(key) for key in ("00000:smile", "00011:a:b", "123456:", "no key")] == [
        "row 1 (smile)",
        "row 12 (a:b)",
        "row 123457",
        "no key",
    ]
    assert [row_of("00000:smile"), row_of("123456:")] == [0, 123456]
    with pytest.raises(ValueError, match="invalid literal"):
        row_of("no key")


def test_a_key_stays_the_same_over_versions_of_this_package():
    """Stored answers would be lost with it: a change here is a change of every user's store."""
    assert QUESTION.key == "700050316c13760fade685b75a748e5aa8ab117658a1c08e3d1c22e7999ff741"


@pytest.mark.parametrize(
    "change",
    [
        {"prompt": "Which one?"},
        {"prompt": None},
        {"modality": "audio"},
        {"sampling": Sampling(max_tokens=1)},
        {"sampling": Sampling(temperature=0.5)},
        {"sampling": Sampling(presence_penalty=1.5)},
        {"engine": {"engine": "test", "revision": "2"}},
        {"clip": replace(CLIP, digest="cd" * 32)},
        {"clip": None},
        {"clip": replace(CLIP, sound_decoding=2), "modality": "audio"},
        {"clip": replace(CLIP, sound_decoding=2), "modality": "audiovideo"},
        {"clip": replace(CLIP, picture_decoding=2), "modality": "video"},
        {"clip": replace(CLIP, picture_decoding=2), "modality": "audiovideo"},
        {"texts": ("one", "two")},
        {"subtitle": "Hello."},
        {"round": 1},
        {"sampling": None, "score": ("one",)},
    ],
)
def test_whatever_can_change_an_answer_changes_the_key(change):
    """Model, wording, medium, sampling, clip, round: each makes another question."""
    assert replace(QUESTION, **change).key != QUESTION.key


@pytest.mark.parametrize(
    ("decoding", "modality", "others"),
    [
        ("sound_decoding", "audio", "video"),
        ("sound_decoding", "audiovideo", "text"),
        ("picture_decoding", "video", "audio"),
        ("picture_decoding", "audiovideo", "text"),
    ],
)
def test_a_new_decoding_makes_new_questions_of_what_was_taken_wrongly_before(decoding, modality, others):
    """What the first one took right keeps its key, and so do questions without sound, or without picture."""
    mended = replace(CLIP, **{decoding: 2})
    now, before = (replace(QUESTION, modality=modality, clip=clip) for clip in (mended, CLIP))

    assert now.key != before.key
    assert now.canonical() == {**before.canonical(), decoding: 2}
    assert decoding not in before.canonical()
    assert replace(QUESTION, modality=others, clip=mended).key == replace(QUESTION, modality=others).key


@pytest.mark.parametrize("engine", ["transformers", "vllm"])
def test_a_models_marks_in_a_text_make_new_questions_of_what_was_read_wrongly_before(engine):
    """Of engines here, in prompts and in texts that are weighed; texts without any keep their keys."""
    local = replace(QUESTION, engine={"engine": engine})
    weighing = replace(local, sampling=None, score=("She is sad.",))
    for text in ("<|im_end|>", "sad</s>", "<image>", "<|AUDIO|>?", "<end_of_turn>", "[INST]"):
        assert replace(local, prompt=text).canonical()["marks"] == 2
        assert replace(weighing, score=("She is sad.", text)).canonical()["marks"] == 2
        assert "marks" not in replace(QUESTION, prompt=text).canonical()
    for text in ("a < b", "<i>so</i>", "<a1>sad</a1>", "[sad]", "<s"):
        assert "marks" not in replace(local, prompt=text).canonical()


@pytest.mark.parametrize(
    "clip",
    [replace(CLIP, name="other"), replace(CLIP, video=Path("/there/x.mp4")), replace(CLIP, duration=3.0)],
)
def test_where_a_clip_lies_and_what_it_is_called_does_not(clip):
    """The bytes count: a data set can be moved and renamed."""
    assert replace(QUESTION, clip=clip).key == QUESTION.key


def test_a_seed_comes_from_the_question_and_fits_31_bits():
    """Order and batching can't change it; another round has another."""
    seeds = {replace(QUESTION, round=number).seed for number in range(50)}
    assert len(seeds) == 50
    assert all(0 <= seed < 2**31 for seed in seeds)
    assert replace(QUESTION).seed == QUESTION.seed


@pytest.mark.parametrize("change", [{"score": ("two",)}, {"score": ("one", "two")}, {"score": ("two", "one")}])
def test_the_texts_that_are_weighed_are_part_of_the_key(change):
    """In their order; how answers are drawn and the round are not, since nothing is drawn."""
    weighing = replace(QUESTION, sampling=None, score=("one",))
    assert replace(weighing, **change).key != weighing.key
    assert weighing.canonical().keys() == QUESTION.canonical().keys() - {"sampling", "round"} | {"score"}


@pytest.mark.parametrize(
    "change",
    [
        {"score": ("one",)},
        {"sampling": None},
        {"sampling": None, "score": ("one",), "round": 1},
        {"sampling": None, "score": ()},
        {"sampling": None, "score": ("one", "")},
    ],
)
def test_a_question_either_draws_or_weighs(change):
    """One that does both, neither, or weighs nothing is none."""
    with pytest.raises(ValueError, match=r"sampling or texts|nothing to weigh"):
        replace(QUESTION, **change)


def test_labels_alone_are_weighed_by_who_sees_the_likeliest_words_alone():
    """Any text by who can weigh any, none by who can't."""
    able = {
        scores: (weighs(scores, ("a1", "same")), weighs(scores, ("a1", "sad"))) for scores in (True, "labels", False)
    }
    assert able == {True: (True, True), "labels": (True, False), False: (False, False)}


def test_a_text_that_is_no_unicode_has_a_key():
    """A model may write half a character."""
    assert len(replace(QUESTION, prompt="broken \ud800").key) == 64
