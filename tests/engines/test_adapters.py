from __future__ import annotations

import json
import subprocess
import sys

import pytest

from emoprefer_bench.engines import families
from emoprefer_bench.engines.adapters import split
from emoprefer_bench.engines.families import FAMILIES, adapter, family_of


@pytest.mark.parametrize("family", FAMILIES)
def test_every_model_type_leads_to_its_family(family):
    """A family is found from config.json, and no two families claim the same type."""
    for model_type in FAMILIES[family].model_types:
        assert family_of(model_type) == family


def test_an_unknown_model_type_is_no_text_model_in_disguise():
    """What no adapter knows is refused, and the message says what to do: a silent guess would drop the clip."""
    with pytest.raises(ValueError, match=r"'salmonn'.*family=.*external"):
        family_of("salmonn")


def test_an_unknown_family_is_refused():
    """A misspelt family is refused, and the message lists those there are."""
    with pytest.raises(ValueError, match=r"'qwen2omni'; there are .*qwen25omni"):
        adapter("qwen2omni")


@pytest.mark.parametrize("known", FAMILIES.values(), ids=FAMILIES)
def test_an_adapter_is_whole(known):
    """Who takes sound or picture has a token that stands for it and a plan to decode by; settings are plain JSON."""
    media = [modality for modality in known.modalities if modality != "text"]
    assert bool(known.audio_place) == any("audio" in modality for modality in media)
    assert bool(known.video_place) == any("video" in modality for modality in media)
    assert (known.plan is None) == (not media)
    assert (known.min_pixels is None) == (known.max_pixels is None)
    assert json.loads(json.dumps(known.settings())) == known.settings()


def test_the_reference_runs_omni_so():
    """Qwen2.5-Omni gets 2 frames a second, 4 to 768 of them, of 128 to 768 patches of 28 x 28 pixels."""
    omni = FAMILIES["qwen25omni"]
    assert (omni.plan.fps, omni.plan.min_frames, omni.plan.max_frames) == (2.0, 4, 768)
    size = omni.video_arguments()["size"]
    assert size == {"shortest_edge": 128 * 28 * 28, "longest_edge": 768 * 28 * 28}
    assert omni.audio_in_video


def test_frames_are_a_second_apart_where_vllm_says_so():
    """MiMo is told by vLLM that its frames are a second apart, and hears at 24 kHz: clips are decoded like that."""
    plan = FAMILIES["mimo_v25"].plan
    assert (plan.fps, plan.sample_rate) == (1.0, 24000)


def test_other_values_make_another_key():
    """A changed system prompt is part of what identifies a judge."""
    assert adapter("qwen25vl", system="Be brief.").settings() != FAMILIES["qwen25vl"].settings()


def test_settings_come_back_as_the_same_adapter():
    """What the parent sends of an adapter makes the same one in the child, beside the engine's own options."""
    sent = {**adapter("qwen25vl", max_pixels=50176).settings(), "max_model_len": 4096}
    ours, engine = split(sent)
    assert adapter(ours.pop("family"), **ours) == adapter("qwen25vl", max_pixels=50176)
    assert engine == {"max_model_len": 4096}


def test_what_came_later_is_in_no_key_unless_it_is_set():
    """A question's key holds of an adapter what it always held, and `frame_rate` where there is one."""
    assert set(FAMILIES["qwen25vl"].settings()) == {
        "family", "adapter", "system", "thinking", "min_pixels", "max_pixels",
    }  # fmt: skip
    changed = adapter("qwen25vl", frame_rate=2.0)
    assert changed.settings()["frame_rate"] == 2.0
    ours, engine = split(changed.settings())
    assert adapter(ours.pop("family"), **ours) == changed
    assert not engine


def test_a_system_sentence_that_has_no_place_is_refused():
    """A prompt without a place for it would drop it without a word."""
    with pytest.raises(ValueError, match="kimi_audio has no place for a system sentence"):
        adapter("kimi_audio", system="Be brief.")


def test_the_parent_can_afford_it():
    """Importing the adapters loads neither numpy nor torch: the parent does it at collection."""
    heavy = "sorted({'numpy', 'torch', 'transformers', 'vllm'} & set(sys.modules))"
    code = f"import sys, {families.__name__}; print({heavy})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
