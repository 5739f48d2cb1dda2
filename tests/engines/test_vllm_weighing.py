"""What texts weigh in vLLM with its prefix cache read, held to what they weigh without."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
from support.tethered import started

SCRIPT = Path(__file__).parents[1] / "support" / "weighed_in_vllm.py"
BLOCK = 32
WORDS = "Describe how the person feels."
SHARED = "She is sad, and what she says is not meant. " * 3
TEXTS = ["He smiles.", SHARED + "It is all over.", SHARED + "It begins.", "a1", "a2"]
SMALL = {"min_pixels": 3136, "max_pixels": 12544}
SIZES = {"max_model_len": 2304, "kv_cache_memory_bytes": 64 << 20}
FAMILIES = {
    "omni": (["audiovideo", "audio", "video"], SMALL),
}


def asked(question, name):
    """Questions to one checkpoint: prompts about its clips, prompts of every length to a block, and texts alone."""
    of_clips = [
        {**question(WORDS, clip, modality), "score": TEXTS}
        for modality in FAMILIES[name][0]
        for clip in ("red-low", "red-high" if modality == "audio" else "blue-low", "red-low")
    ]
    lengths = [{**question(WORDS + " a1" * extra), "score": TEXTS[:3]} for extra in range(BLOCK // 2 + 1)]
    one_by_one = [{**question(WORDS, "slow", "audiovideo"), "score": [text]} for text in (*TEXTS, *TEXTS[:2])]
    return [*of_clips, *lengths, *one_by_one]


@pytest.fixture(scope="module")
def results(checkpoint, question, tmp_path_factory):
    """Have all weighed."""
    folder = tmp_path_factory.mktemp("weighed")
    jobs = []
    for name, (_, options) in FAMILIES.items():
        message = {"model": str(checkpoint(name)), "revision": None, "options": {**options, **SIZES}}
        jobs.append([name, message, asked(question, name)])
    (folder / "jobs.json").write_text(json.dumps(jobs))
    command = [sys.executable, str(SCRIPT), str(folder / "jobs.json"), str(folder / "results.json")]
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "HF_HUB_OFFLINE": "1"}
    with (folder / "log").open("wb") as log, started(command, stdout=log, stderr=log, env=environment) as process:
        process.wait(1500)
    assert (folder / "results.json").exists(), (folder / "log").read_text(errors="replace")[-4000:]
    return json.loads((folder / "results.json").read_text())


@pytest.mark.parametrize("name", FAMILIES)
def test_texts_weigh_the_same_as_without_the_cache(results, name):
    """In turn, and all at once while all of it is in the cache.

    To 1e-5 in 32-bit floats: the last bits of a row depend on how many are multiplied with it.
    """
    assert results[name][0]["ready"]["scores"]
    for result in results[name]:
        assert result["answer"]["type"] == "answer", result["answer"]
        for told in (result["answer"], result["again"]):
            for row, full in zip(told["logprobs"], result["full"], strict=True):
                assert row == pytest.approx(full, abs=1e-5)


def test_prompts_of_every_length_were_among_them(results):
    """Also of a multiple of a block, where the cache goes on to the row before the text."""
    assert 0 in {result["answer"]["tokens"]["prompt"] % BLOCK for result in results["omni"]}


def test_the_clip_comes_from_the_cache_for_every_text_but_the_first(results):
    """Nine tenths of it and more; what it takes stands in front."""
    alone = [result["answer"]["tokens"] for result in results["omni"][-len(TEXTS) - 2 :]]
    for tokens in alone[1:]:
        assert tokens["cached"] >= 0.9 * (tokens["audio"] + tokens["video"]), tokens


def test_no_more_rows_are_computed_at_once_than_a_text_has(results):
    """And the rest of its first block, and the row of each text that is drawn from."""
    longest = max(len(row) for result in results["omni"] for row in result["full"])
    for name in FAMILIES:
        assert max(result["most"] for result in results[name]) <= longest + BLOCK, name
