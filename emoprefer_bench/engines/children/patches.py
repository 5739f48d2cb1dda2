"""Pictures are cut into patches while they are bytes, and are numbers of 32 bits only then: a quarter of the copying.

Both engines have the clips of Qwen's models prepared by transformers' video processors. Only child processes import
this.
"""

from __future__ import annotations

import logging
from functools import wraps
from typing import Any

import torch

from emoprefer_bench.engines.children.operators import declare_operators

PATCHES = "pixel_values_videos"
PREPROCESS = "_preprocess"
SCALING = ("do_rescale", "rescale_factor", "do_normalize", "image_mean", "image_std")

log = logging.getLogger(__name__)


def cut_first() -> None:
    """Have the video processors of Qwen's models scale and normalise patches in place of frames.

    They do so pixel by pixel, and so all numbers stay the same to the bit.
    """
    declare_operators()
    from transformers import Qwen2VLVideoProcessor, Qwen3VLVideoProcessor

    for processor in (Qwen2VLVideoProcessor, Qwen3VLVideoProcessor):
        preprocess = getattr(processor, PREPROCESS, None)
        if preprocess is None:
            log.warning("These transformers prepare pictures in another way; that may take longer than it needs")
        elif not hasattr(preprocess, "cuts_first"):
            setattr(processor, PREPROCESS, _cutting_first(preprocess))


def _cutting_first(preprocess: Any) -> Any:
    @wraps(preprocess)
    def cutting_first(self: Any, videos: list[torch.Tensor], **options: Any) -> Any:
        known = {*SCALING, "patch_size"} <= options.keys()
        if not known or any(video.dtype != torch.uint8 for video in videos):
            return preprocess(self, videos, **options)
        output = preprocess(self, videos, **{**options, "do_rescale": False, "do_normalize": False})
        patches = output[PATCHES]
        # A row is a patch: channel by channel the lines of its frames, each as long as the patch is wide.
        pictures = patches.view(len(patches), videos[0].shape[1], -1, options["patch_size"])
        scaled = self.rescale_and_normalize(pictures, *(options[name] for name in SCALING))
        output[PATCHES] = scaled.view(patches.shape)
        return output

    cutting_first.cuts_first = True  # type: ignore[attr-defined]
    return cutting_first
