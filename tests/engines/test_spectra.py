"""Spectra of sounds as long as these are, in place of 300 seconds."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import transformers

from emoprefer_bench.engines.children.encoding import ShortSpectra

RATE = 16_000
OPTIONS = {"sampling_rate": RATE, "padding": "max_length", "return_attention_mask": True, "return_tensors": "pt"}


@pytest.fixture(scope="module")
def extractor():
    """The extractor of Qwen2.5-Omni and Qwen3-Omni, by their settings."""
    return transformers.WhisperFeatureExtractor(
        feature_size=128, sampling_rate=RATE, hop_length=160, n_fft=400, chunk_length=300
    )


def sound(samples: int) -> np.ndarray:
    """Noise that swells, so that every frame is another one."""
    noise = np.random.default_rng(samples).standard_normal(samples, dtype=np.float32)
    return noise * np.linspace(0.01, 0.3, samples, dtype=np.float32)


@pytest.mark.parametrize("lengths", [[300], [15_999], [16_000], [16_001], [64_000], [58_240, 7_777]])
def test_the_sounds_own_frames_are_the_same_to_the_bit(extractor, lengths):
    """And the mask has as many of them; what follows is hidden by it."""
    sounds = [sound(samples) for samples in lengths]
    short, long = (extract(sounds, **OPTIONS) for extract in (ShortSpectra(extractor), extractor))
    assert short["input_features"].shape[-1] < long["input_features"].shape[-1] / 10
    for number, samples in enumerate(lengths):
        frames = int(short["attention_mask"][number].sum())
        assert frames == int(long["attention_mask"][number].sum()) == -(-samples // 160)
        whole = long["input_features"][number, :, :frames]
        assert torch.equal(short["input_features"][number, :, :frames], whole)
        assert whole.std() > 0.1


def test_what_is_longer_than_the_models_take_is_cut_as_before(extractor):
    """At 300 seconds."""
    short = ShortSpectra(extractor)([sound(301 * RATE)], **OPTIONS)
    assert short["input_features"].shape[-1] == 30_000
