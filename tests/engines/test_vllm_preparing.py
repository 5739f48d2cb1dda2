"""What vLLM prepares of a clip, where our child spares it the silence behind a sound: the same for the model."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
from support.tethered import started

from emoprefer_bench.demo import JUDGE, JUDGE_PIXELS

SCRIPT = Path(__file__).parents[1] / "support" / "prepared_in_vllm.py"
WORDS = "Which description fits the clip better, a1 or a2? a1: She is glad. a2: She is afraid."
OPTIONS = {
    "min_pixels": JUDGE_PIXELS,
    "max_pixels": JUDGE_PIXELS,
    "max_model_len": 2304,
    "kv_cache_memory_bytes": 64 << 20,
}
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
    folder = tmp_path_factory.mktemp("prepared")
    asked = [{**question(WORDS, clip, modality, max_tokens=8)} for clip, modality in ASKED]
    (folder / "job.json").write_text(json.dumps([{"model": str(JUDGE), "revision": None, "options": OPTIONS}, asked]))
    command = [sys.executable, str(SCRIPT), str(folder / "job.json"), str(folder / "result.json")]
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "HF_HUB_OFFLINE": "1"}
    with (folder / "log").open("wb") as log, started(command, stdout=log, stderr=log, env=environment) as process:
        process.wait(900)
    assert (folder / "result.json").exists(), (folder / "log").read_text(errors="replace")[-4000:]
    return dict(zip(ASKED, json.loads((folder / "result.json").read_text()), strict=True))


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
