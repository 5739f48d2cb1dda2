"""Patches that are cut from bytes hold the numbers of patches that are cut from scaled and normalised frames."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from transformers import Qwen2VLVideoProcessor, Qwen3VLVideoProcessor

from emoprefer_bench.engines.children import patches

BOUNDS = {"size": {"shortest_edge": 4 * 28 * 28, "longest_edge": 64 * 28 * 28}}
PROCESSORS = [(Qwen2VLVideoProcessor, {"patch_size": 14}), (Qwen3VLVideoProcessor, {"patch_size": 16})]


def clip(frames: int, height: int, width: int) -> np.ndarray:
    """Noise with another brightness in each channel and frame."""
    dice = np.random.default_rng(frames)
    noise = dice.integers(0, 120, (frames, height, width, 3))
    return (noise + np.arange(3) * 40 + np.arange(frames)[:, None, None, None]).astype(np.uint8)


def prepared(processor, videos, **options):
    """Return what the processor makes of videos."""
    settings = {"do_sample_frames": False, "return_tensors": "pt", **options}
    return processor(videos=videos, **settings)


@pytest.fixture
def both(request, monkeypatch):
    """A processor as transformers has it, and the same with patches cut first."""
    kind, options = request.param
    monkeypatch.setattr(kind, "_preprocess", kind._preprocess)  # and put back as it was
    before = type("Before", (kind,), {"_preprocess": getattr(kind._preprocess, "__wrapped__", kind._preprocess)})
    patches.cut_first()
    return before(**options, **BOUNDS), kind(**options, **BOUNDS)


@pytest.mark.parametrize("both", PROCESSORS, indirect=True, ids=["qwen2_vl", "qwen3_vl"])
@pytest.mark.parametrize("size", [(4, 100, 180), (5, 333, 77), (3, 56, 56), (2, 640, 360)], ids=str)
def test_the_same_to_the_bit(both, size):
    """Of frames that are enlarged, reduced, odd in number and size; scaled alone; and neither."""
    before, after = both
    for options in ({}, {"do_normalize": False}, {"do_normalize": False, "do_rescale": False}):
        expected, cut = (prepared(processor, [clip(*size)], **options) for processor in both)
        assert torch.equal(cut["video_grid_thw"], expected["video_grid_thw"])
        assert cut["pixel_values_videos"].dtype == expected["pixel_values_videos"].dtype
        assert torch.equal(cut["pixel_values_videos"], expected["pixel_values_videos"])
    assert not hasattr(before._preprocess, "cuts_first")
    assert after._preprocess.cuts_first


@pytest.mark.parametrize("both", PROCESSORS[:1], indirect=True, ids=["qwen2_vl"])
def test_several_clips_and_frames_that_are_no_bytes(both):
    """Clips of other sizes stay one behind the other; what isn't bytes goes the way that it went."""
    for videos in ([clip(2, 80, 120), clip(4, 120, 80)], [clip(2, 80, 120).astype(np.float32)]):
        expected, cut = (prepared(processor, videos)["pixel_values_videos"] for processor in both)
        assert torch.equal(cut, expected)


def test_a_second_call_changes_nothing(monkeypatch):
    """Processors are wrapped once."""
    for kind, _ in PROCESSORS:
        monkeypatch.setattr(kind, "_preprocess", kind._preprocess)
    patches.cut_first()
    wrapped = [kind._preprocess for kind, _ in PROCESSORS]
    patches.cut_first()
    assert [kind._preprocess for kind, _ in PROCESSORS] == wrapped
