"""What vLLM prepares of a clip, where our child spares it the silence behind a sound: the same for the model."""

from __future__ import annotations

import pytest
from support.jobs_in_vllm import SIZES, done_in_vllm

from emoprefer_bench.demo import JUDGE, JUDGE_PIXELS

WORDS = "Which description fits the clip better, a1 or a2? a1: She is glad. a2: She is afraid."
OPTIONS = {"min_pixels": JUDGE_PIXELS, "max_pixels": JUDGE_PIXELS, **SIZES}
ASKED = [
    ("red-low", "audiovideo"),
    ("red-low", "audio"),
    ("red-low", "video"),
    ("red-high", "audiovideo"),
    ("1.84s-4", "audiovideo"),
    ("4.04s-6", "audiovideo"),
    ("4.04s-6", "audio"),
    ("12.6s-12", "audiovideo"),
]


@pytest.fixture(scope="module")
def results(question, tmp_path_factory):
    """Have the judge prepare and answer all in both ways."""
    asked = [{**question(WORDS, clip, modality, max_tokens=8)} for clip, modality in ASKED]
    job = [{"model": str(JUDGE), "revision": None, "options": OPTIONS}, asked]
    done = done_in_vllm("prepared_in_vllm.py", job, tmp_path_factory.mktemp("prepared"))
    return dict(zip(ASKED, done, strict=True))


@pytest.mark.parametrize("asked", ASKED, ids="-".join)
def test_a_clip_is_prepared_as_with_300_seconds_to_the_bit(results, asked):
    """Every tensor, the mask of the sound and the tokens of the prompt; the spectrum is a tenth as long at most."""
    same = results[asked]["same"]
    assert all(same.values()), same
    assert ("input_audio_features" in same and "shorter" in same) == ("audio" in asked[1])
    assert ("pixel_values_videos" in same) == ("video" in asked[1])


def test_answers_are_the_same(results):
    """Words and tokens; and not one answer to all."""
    told = [[(each["text"], each["tokens"]["prompt"]) for each in found["answers"]] for found in results.values()]
    assert all(ours == theirs for ours, theirs in told)
    assert len({ours for ours, _ in told}) > 3


def test_the_processor_is_loaded_once_for_all_rates(results):
    """Clips differ in how long a step of their frames takes; that has no tokenizer read from the disk again."""
    assert [found["loads"] for found in results.values()][1:] == [0] * (len(ASKED) - 1)
