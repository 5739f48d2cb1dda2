"""What the towers that look and listen are spared: the same arithmetic, in fewer and larger steps.

Only the child process of the transformers engine imports it.

- The towers of Qwen's models look at a picture in windows of 8 x 8 patches, and at sound by the second. Without
  flash-attn, transformers takes the windows one by one: a clip of 3 s at 720p has 135 in each of 28 layers, a batch of
  16 clips 60,000, and a fast GPU waits for Python. What has "flash" in its name is told where the windows end instead,
  and so is ours.
- They take in patches, cut beforehand, by a convolution that meets each patch once: a product of two matrices, which
  libraries for convolutions can be slow at.
"""

from __future__ import annotations

import inspect
from collections import defaultdict
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import torch
from torch.nn.functional import linear, scaled_dot_product_attention

if TYPE_CHECKING:
    from collections.abc import Callable

WINDOWS = "windows_as_flash_has_them"
REPLACED = "sdpa"  # transformers' own choice where flash-attn isn't asked for


def hasten(model: Any) -> None:
    """Have a model's towers go through windows and patches so; not where its fixture chose how to attend."""
    from transformers import AttentionInterface  # brings torchvision in, which may need help before (operators.py)

    AttentionInterface.register(WINDOWS, attend)
    for part in model.modules():
        if _by_windows(part):
            part.config._attn_implementation = WINDOWS  # noqa: SLF001  # the public way asks for the package flash-attn
        if isinstance(part, torch.nn.Conv3d) and not hasattr(part, "_hf_hook"):  # that brings patches to another GPU
            part.forward = _by_product(part)  # type: ignore[assignment, method-assign]


def _by_windows(part: Any) -> bool:
    """Whether a part, of transformers' own, is told where windows end and attends to them in its usual way."""
    if not type(part).__module__.startswith("transformers.models."):  # a checkpoint's own code asks in ways of its own
        return False
    told = "cu_seqlens" in inspect.signature(part.forward).parameters
    return told and getattr(getattr(part, "config", None), "_attn_implementation", None) == REPLACED


def attend(
    _module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    *,
    scaling: float,
    cu_seq_lens_q: torch.Tensor | None = None,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """Return what each patch makes of those in its window, of shape (1, patches, heads, width).

    Query, key and value have the shape (1, heads, patches, width). The windows begin and end at `cu_seq_lens_q`, of
    shape (windows + 1,). Without it, as where a caller goes window by window after all, these are one.
    """
    if cu_seq_lens_q is None:
        whole = scaled_dot_product_attention(query, key, value, attention_mask, scale=scaling)
        return whole.transpose(1, 2), None
    made = torch.empty_like(query[0].transpose(0, 1))
    for rows in _places(tuple(cu_seq_lens_q.tolist()), query.device):
        queries, keys, values = (tensor[0][:, rows].transpose(0, 1) for tensor in (query, key, value))
        made[rows] = scaled_dot_product_attention(queries, keys, values, scale=scaling).transpose(1, 2)
    return made[None], None


@lru_cache(4)  # windows, whole frames, sound: each is the same in all layers that go by it
def _places(bounds: tuple[int, ...], device: torch.device) -> list[torch.Tensor]:
    """Return for each length that windows have where their patches are, of shape (windows, length)."""
    starts = defaultdict[int, list[int]](list)
    for start, end in pairwise(bounds):
        starts[end - start].append(start)
    return [(torch.tensor(own)[:, None] + torch.arange(length)).to(device) for length, own in starts.items()]


def _by_product(convolution: torch.nn.Conv3d) -> Callable[[torch.Tensor], torch.Tensor]:
    """Return what convolves pictures; where these are no larger than what it sees at once, by a product of matrices."""
    convolve, weight = convolution.forward, convolution.weight

    def forward(patches: torch.Tensor) -> torch.Tensor:
        if patches.shape[1:] != weight.shape[1:] or any(convolution.padding):
            return convolve(patches)
        return linear(patches.flatten(1), weight.flatten(1), convolution.bias)[:, :, None, None, None]

    return forward
