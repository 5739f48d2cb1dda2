"""What several prompts of a batch begin with is read once for all of them.

Questions about a clip begin alike, and so do those that give a text LLM one account. Only the child process of the
transformers engine imports this.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import torch
from transformers.cache_utils import DynamicCache, DynamicLayer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

WORTH = 0.8
"""What share of a batch's tokens, padding and all, may be left to read for it to be worth a reading more."""


def shared(prompts: Sequence[list[int]]) -> int:
    """Return how many tokens at the beginning of each prompt to read apart, once for all prompts that have them.

    All beginnings are equally long, so that none needs padding. 0 where they wouldn't save enough.
    """
    lengths = {_alike(*neighbours) for neighbours in pairwise(sorted(prompts))}

    def to_read(length: int) -> int:
        beginnings = {tuple(prompt[:length]) for prompt in prompts}
        return len(beginnings) * length + len(prompts) * max(len(prompt) - length for prompt in prompts)

    shortest = min(map(len, prompts))  # the last token of a prompt is never read apart
    best = min((length for length in lengths if 0 < length < shortest), key=to_read, default=0)
    return best if to_read(best) <= WORTH * to_read(0) else 0


def _alike(first: list[int], second: list[int]) -> int:
    """Return how many tokens both begin with."""
    differ = (at for at, (a, b) in enumerate(zip(first, second, strict=False)) if a != b)
    return next(differ, min(len(first), len(second)))


def can_be_apart(model: Any, batch: Mapping[str, torch.Tensor]) -> bool:
    """Whether beginnings can be read apart.

    They can where prompts are text alone, and the model counts positions by tokens and looks back at all of them.
    """
    text = batch.keys() == {"input_ids", "attention_mask"}
    by_number = not any(hasattr(part, "rope_deltas") for part in (model, getattr(model, "model", None)))
    layers = DynamicCache(config=model.config).layers
    return text and by_number and all(type(layer) is DynamicLayer for layer in layers)


def rearranged(batch: Mapping[str, torch.Tensor], length: int) -> dict[str, torch.Tensor]:
    """Return the batch with the padding at the left of its rows behind the first `length` tokens of each."""
    padding = (batch["attention_mask"] == 0).sum(1).tolist()
    return {
        name: torch.stack(
            [
                torch.cat([row[left : left + length], row[:left], row[left + length :]])
                for row, left in zip(tensor, padding, strict=True)
            ]
        )
        for name, tensor in batch.items()
    }


def read_once(model: Any, batch: dict[str, torch.Tensor]) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Return a batch of prompts, and with it the cache of what was read of them apart, as `generate` takes both.

    The batch comes padded at the left. Behind what was read apart, padding is between the two parts of each prompt.
    """
    mask = batch["attention_mask"].bool()
    length = shared([row[own].tolist() for row, own in zip(batch["input_ids"], mask, strict=True)])
    if not length:
        return batch, {}
    batch = rearranged(batch, length)
    return batch, {"past_key_values": read(model, batch["input_ids"][:, :length])}


@torch.inference_mode()
def read(model: Any, ids: torch.Tensor) -> DynamicCache:
    """Return the cache of beginnings for a batch; `ids`, of shape (rows, tokens), are theirs, many of them alike."""
    distinct, rows = torch.unique(ids.to(model.device), dim=0, return_inverse=True)
    output = model.generate(
        input_ids=distinct,
        attention_mask=torch.ones_like(distinct),
        max_new_tokens=1,
        return_dict_in_generate=True,
    )
    cache: DynamicCache = output.past_key_values
    cache.batch_select_indices(rows.cpu())  # its layers may be on several GPUs
    return cache
