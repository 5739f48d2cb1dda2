"""Towers that take windows and patches all at once: the numbers that transformers has, in far fewer steps."""

from __future__ import annotations

from itertools import pairwise
from unittest import mock

import pytest
import torch
import transformers

from emoprefer_bench.engines.children import logits, towers

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # the libraries' own

TAKES_WINDOWS = {
    "omni": transformers.Qwen2_5OmniThinkerForConditionalGeneration,
    "qwen25_vl": transformers.Qwen2_5_VLForConditionalGeneration,
    "qwen3_vl": transformers.Qwen3VLForConditionalGeneration,
    "qwen3_omni": transformers.Qwen3OmniMoeThinkerForConditionalGeneration,
}
GRIDS = [[2, 10, 14], [3, 6, 8]]  # no multiples of a window: three lengths of them, in an order of their own


def _loaded(folder, name, **options):
    return TAKES_WINDOWS[name].from_pretrained(folder, dtype=torch.float32, **options)


def _seen(model):
    """What the tower makes of two clips of noise."""
    visual = getattr(model, "visual", None) or model.model.visual
    config = visual.config
    numbers = config.in_channels * config.temporal_patch_size * config.patch_size**2
    patches = torch.randn(sum(t * h * w for t, h, w in GRIDS), numbers, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        return visual(patches, grid_thw=torch.tensor(GRIDS)).pooler_output


@pytest.mark.parametrize("name", TAKES_WINDOWS)
def test_towers_see_the_same_in_fewer_steps(checkpoint, name):
    """A tower of each kind: equal to 1e-5, and no longer a call for each window."""
    model = _loaded(checkpoint(name), name)
    attention = "torch.nn.functional.scaled_dot_product_attention"
    with mock.patch(attention, wraps=torch.nn.functional.scaled_dot_product_attention) as alone:
        expected = _seen(model)
    towers.hasten(model)
    with mock.patch.object(towers, "scaled_dot_product_attention", wraps=towers.scaled_dot_product_attention) as joint:
        seen = _seen(model)
    torch.testing.assert_close(seen, expected, atol=1e-5, rtol=1e-5)
    assert 0 < joint.call_count < alone.call_count


@pytest.mark.parametrize("name", ["omni", "qwen3_omni"])
def test_sound_is_heard_the_same(checkpoint, name):
    """Windows of a second or more, the last of them shorter; two sounds of different lengths."""
    model = _loaded(checkpoint(name), name)
    spectra = torch.randn(2, model.config.audio_config.num_mel_bins, 500, generator=torch.Generator().manual_seed(0))
    mask = torch.ones(2, 500, dtype=torch.long)
    mask[1, 330:] = 0

    def heard():
        with torch.inference_mode():
            return model.get_audio_features(spectra, feature_attention_mask=mask).pooler_output

    expected = heard()
    towers.hasten(model)
    with mock.patch.object(towers, "scaled_dot_product_attention", wraps=towers.scaled_dot_product_attention) as joint:
        torch.testing.assert_close(heard(), expected, atol=1e-5, rtol=1e-5)
    assert joint.called


def test_windows_keep_to_themselves():
    """Each patch sees its own window alone, whatever the lengths and their order: held to attention by the formula."""
    bounds = [0, 4, 5, 9, 12, 16, 17]
    query, key, value = torch.randn(3, 1, 2, bounds[-1], 8, generator=torch.Generator().manual_seed(0))
    got, _ = towers.attend(None, query, key, value, None, scaling=0.5, cu_seq_lens_q=torch.tensor(bounds))
    for start, end in pairwise(bounds):
        own = slice(start, end)
        weights = torch.softmax(query[0, :, own] @ key[0, :, own].mT * 0.5, -1)
        torch.testing.assert_close(got[0, own], (weights @ value[0, :, own]).transpose(0, 1))


def test_a_caller_that_goes_window_by_window_is_served():
    """As code of older versions does: what it passes is one window."""
    query, key, value = torch.randn(3, 1, 2, 6, 8, generator=torch.Generator().manual_seed(0))
    alone, _ = towers.attend(None, query, key, value, None, scaling=0.5)
    told, _ = towers.attend(None, query, key, value, None, scaling=0.5, cu_seq_lens_q=torch.tensor([0, 6]))
    torch.testing.assert_close(alone, told)


def test_another_way_to_attend_stays(checkpoint):
    """What a fixture asks for by `attn_implementation` is what runs; what reads has no windows and stays, too."""
    chosen = _loaded(checkpoint("omni"), "omni", attn_implementation="eager")
    towers.hasten(chosen)
    assert chosen.visual.config._attn_implementation == "eager"
    usual = _loaded(checkpoint("omni"), "omni")
    towers.hasten(usual)
    ways = [usual.visual.config, usual.audio_tower.config, usual.config.text_config]
    assert [config._attn_implementation for config in ways] == [towers.WINDOWS, towers.WINDOWS, "sdpa"]


def test_a_convolution_that_slides_still_slides():
    """It is a product only where each patch is met once."""
    convolution = torch.nn.Conv3d(1, 2, (2, 2, 2), stride=1)
    pictures = torch.randn(3, 1, 2, 4, 4, generator=torch.Generator().manual_seed(0))
    expected = convolution(pictures)
    towers.hasten(torch.nn.Sequential(convolution))
    assert torch.equal(convolution(pictures), expected)


@pytest.mark.parametrize("name", ["omni", "qwen25_vl"])
def test_only_the_last_token_has_logits(checkpoint, name):
    """Of prompts that are being read for their answers; the same ones, and all again behind that."""
    model = _loaded(checkpoint(name), name)
    ids = torch.tensor([[3, 5, 7, 9, 11]])
    told = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "max_new_tokens": 1, "do_sample": False}
    told |= {"return_dict_in_generate": True, "output_logits": True}
    head = model.get_output_embeddings()
    counted = []
    head.register_forward_hook(lambda _, __, made: counted.append(made.shape[1]))
    expected = model.generate(**told).logits[0]
    with logits.last_alone(model):
        got = model.generate(**told).logits[0]
    torch.testing.assert_close(got, expected, atol=1e-5, rtol=1e-5)
    assert counted[-1] == 1
    with torch.inference_mode():
        assert model(ids).logits.shape[1] == 5


class Odd(torch.nn.Module):
    """A model of somebody's own: without a head that it names, or one that takes all rows' tokens in one go."""

    def __init__(self, *, named):
        super().__init__()
        self.head = torch.nn.Linear(4, 8)
        self.named = named

    def get_output_embeddings(self):
        """Return the head, if it is told."""
        return self.head if self.named else None

    def forward(self, states):
        """Return logits."""
        return self.head(states)


@pytest.mark.parametrize("named", [True, False])
def test_models_of_another_make_are_left_alone(named):
    """Nothing is cut where it can't be known what the last token is."""
    model, states = Odd(named=named), torch.ones(6, 4)
    with logits.last_alone(model):
        assert model(states).shape == (6, 8)
        assert model(states[None]).shape == ((1, 1, 8) if named else (1, 6, 8))
    assert model(states[None]).shape == (1, 6, 8)
