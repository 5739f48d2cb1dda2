"""What texts weigh in vLLM with its prefix cache read, held to what they weigh without."""

from __future__ import annotations

import pytest
from support.jobs_in_vllm import done_in_vllm, jobs

BLOCK = 32
WORDS = "Describe how the person feels."
SHARED = "She is sad, and what she says is not meant. " * 3
TEXTS = ["He smiles.", SHARED + "It is all over.", SHARED + "It begins.", "a1", "a2"]
SMALL = {"min_pixels": 3136, "max_pixels": 12544}
# Of the questions below, that for the second of two texts with one beginning, and that for the first once more.
SHARING, AGAIN = -len(TEXTS), -1
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
    of_each = {name: (options, asked(question, name)) for name, (_, options) in FAMILIES.items()}
    return done_in_vllm("weighed_in_vllm.py", jobs(checkpoint, of_each), tmp_path_factory.mktemp("weighed"))


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


def test_rows_that_the_cache_went_past_were_among_them(results):
    """Those before a text, where the prompt ends with a block, and those within: of another's beginning, or its own."""
    whole = [result for result in results["omni"] if result["answer"]["tokens"]["prompt"] % BLOCK == 0]
    assert any(0 in cached_behind(result) for result in whole)
    assert max(cached_behind(results["omni"][SHARING])) > 0
    assert max(cached_behind(results["omni"][AGAIN])) > 0


def cached_behind(result):
    """How many tokens of a text came from the cache in each request; below 0 where the prompt's own end didn't."""
    width = result["answer"]["tokens"]["prompt"]
    return [cached - width for length, cached in result["requests"] if length > width]


def test_engines_agree(results, loaded, question):
    """Both give the same texts the same weight, behind every clip and prompt."""
    told = loaded("transformers", "omni").ask(*asked(question, "omni"))
    for other, result in zip(told, results["omni"], strict=True):
        for row, expected in zip(other["logprobs"], result["answer"]["logprobs"], strict=True):
            assert row == pytest.approx(expected, abs=1e-4)


def test_the_clip_comes_from_the_cache_for_every_text_but_the_first(results):
    """Nine tenths of it and more; what it takes stands in front."""
    alone = [result["answer"]["tokens"] for result in results["omni"][-len(TEXTS) - 2 :]]
    for tokens in alone[1:]:
        assert tokens["cached"] >= 0.9 * (tokens["audio"] + tokens["video"]), tokens


def test_questions_that_come_together_have_their_prompt_read_together(results):
    """Texts of one clip, each a question: fewer readings of the prompt than questions about it."""
    width = results["omni"][-1]["answer"]["tokens"]["prompt"]
    alike = [result for result in results["omni"] if result["answer"]["tokens"]["prompt"] == width]
    readings = [sum(length == width for length, _ in result["requests"]) for result in alike]
    assert len(alike) >= len(TEXTS) + 2
    assert min(readings) == 1
    assert sum(length == width for length, _ in results["omni"][-1]["together"]) < sum(readings)


def test_no_more_rows_are_computed_at_once_than_a_text_has(results):
    """And the rest of its first block, and the row of each text that is drawn from."""
    longest = max(len(row) for result in results["omni"] for row in result["full"])
    for name in FAMILIES:
        assert max(result["most"] for result in results[name]) <= longest + BLOCK, name
