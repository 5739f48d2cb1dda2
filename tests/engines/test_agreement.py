"""Both engines on the same weights, in 32-bit floats: their log-probabilities differ by some 1e-5, their words don't.

The positions of tokens, in which they would differ, have tests of their own (test_positions.py).
"""

from __future__ import annotations

import pytest

SIZES = {"max_model_len": 2048, "kv_cache_memory_bytes": 64 << 20}
WORDS = ["Which fits, a1 or a2?", "Answer with exactly one of: a1, a2, same.", "Tone of voice?", "The person is sad."]


@pytest.mark.parametrize("modality", ["audiovideo", "audio", "video", "text"])
def test_engines_agree(loaded, question, modality):
    """The same questions about the same clips get the same words and count the same tokens."""
    asked = [
        question(words, clip, modality, max_tokens=12)
        for words in WORDS
        for clip in ("red-low", "red-high", "blue-low")
    ]
    first, second = loaded("transformers", "omni").ask(*asked), loaded("vllm", "omni", **SIZES).ask(*asked)
    assert [answer["text"] for answer in first] == [answer["text"] for answer in second]
    assert [answer["finish"] for answer in first] == [answer["finish"] for answer in second]
    for one, other in zip(first, second, strict=True):
        assert {**other["tokens"], **one["tokens"]} == other["tokens"]


def test_the_repetition_penalty_means_the_same(loaded, question):
    """Both count the tokens of the prompt, those of the clip among them, and of the answer."""
    asked = [question(words, "red-low", "audio", max_tokens=12, repetition_penalty=1.5) for words in WORDS]
    first, second = loaded("transformers", "omni").ask(*asked), loaded("vllm", "omni", **SIZES).ask(*asked)
    assert [answer["text"] for answer in first] == [answer["text"] for answer in second]


def test_the_presence_penalty_means_the_same(loaded, question):
    """Both take it off the tokens of the answer alone, and some words become others by it."""
    plain = [question(words, "red-low", "audio", max_tokens=24) for words in WORDS]
    asked = [question(words, "red-low", "audio", max_tokens=24, presence_penalty=2.0) for words in WORDS]
    first, second = loaded("transformers", "omni").ask(*asked), loaded("vllm", "omni", **SIZES).ask(*asked)
    assert [answer["text"] for answer in first] == [answer["text"] for answer in second]
    unpenalised = loaded("transformers", "omni").ask(*plain)
    assert [answer["text"] for answer in first] != [answer["text"] for answer in unpenalised]
