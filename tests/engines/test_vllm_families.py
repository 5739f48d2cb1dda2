"""Every family that vLLM has a tiny checkpoint of, in vLLM: what reaches the model, and that it counts."""

from __future__ import annotations

import pytest
from support.jobs_in_vllm import done_in_vllm, jobs

WORDS = "Which description fits the clip better, a1 or a2?"
SMALL = {"min_pixels": 3136, "max_pixels": 12544}
FAMILIES = {
    "qwen3_omni": ("audiovideo", {"audio": 39, "video": 27}, SMALL),
    "qwen25_vl": ("video", {"video": 48}, SMALL),
    "qwen3_vl": ("video", {"video": 48}, {}),
    "qwen2_audio": ("audio", {"audio": 75}, {}),
    "llava_next_video": ("video", {"video": 294}, {}),
    "internvl": ("video", {"video": 24}, {}),
    "gemma3n": ("audiovideo", {"audio": 188, "video": 6 * 256}, {}),
    "gemma4": ("audiovideo", {"audio": 75, "video": 6 * 64}, {}),
    "kimi_audio": ("audio", {"audio": 39}, {}),
}
# What the first clip is exchanged for: one that sounds different, and one that looks different.
OTHERS = {"audio": ["red-high"], "video": ["blue-low"], "audiovideo": ["red-high", "blue-low"]}


def asked(question, name):
    """Return the same question about one clip, and about others that differ from it."""
    modality = FAMILIES[name][0]
    return [question(WORDS, clip, modality, max_tokens=12) for clip in ("red-low", *OTHERS[modality])]


@pytest.fixture(scope="module")
def answers(checkpoint, question, tmp_path_factory):
    """Ask each about its clips."""
    of_each = {name: (options, asked(question, name)) for name, (_, _, options) in FAMILIES.items()}
    return done_in_vllm("families_in_vllm.py", jobs(checkpoint, of_each), tmp_path_factory.mktemp("vllm-families"))


@pytest.mark.parametrize("name", FAMILIES)
def test_media_reach_the_model(answers, name):
    """Each family counts its media, and another sound or another picture gets another answer."""
    assert all(answer["type"] == "answer" for answer in answers[name]), answers[name]
    first = answers[name][0]
    counted = {kind: count for kind, count in first["tokens"].items() if kind in ("audio", "video")}
    assert counted == FAMILIES[name][1]
    assert all(answer["text"] != first["text"] for answer in answers[name][1:])


def test_engines_agree_on_gemma_4(answers, loaded, question):
    """Both give it the same prompt, start of text and all, and get the same words from it, in a batch or alone.

    Not so Gemma 3n: vLLM embeds the ends of its pictures and sounds as words, transformers as its towers do.
    """
    others = loaded("transformers", "gemma4").ask(*asked(question, "gemma4"))
    assert [answer["text"] for answer in others] == [answer["text"] for answer in answers["gemma4"]]
    for one, other in zip(answers["gemma4"], others, strict=True):
        assert {**one["tokens"], **other["tokens"]} == one["tokens"]
