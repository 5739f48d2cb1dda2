"""Weighing texts with transformers: a prompt goes through the model once, and all texts behind it as one batch.

Only the child process of the transformers engine imports it.
"""

from __future__ import annotations

import copy
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping, Sequence

KEPT_PROMPTS = 2  # one about the clip, and the same without it


@dataclass(frozen=True)
class Read:
    """A prompt that the model has read.

    `logits`, of shape (vocabulary,), are those of the token behind it. `width` counts its tokens. `shift` is how far
    the position of a token behind it lies from its number, in families whose media count otherwise than by tokens
    (M-RoPE); None where the model counts by itself.
    """

    cache: Any
    logits: torch.Tensor
    width: int
    shift: int | None


class Prompts:
    """The last prompts that were read, since most texts are weighed behind the same ones."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Hashable, Read] = OrderedDict()

    def __contains__(self, key: Hashable) -> bool:
        return key in self._kept

    def get(self, key: Hashable, read: Callable[[], Read]) -> Read:
        """Return the prompt with this key, `read` now unless it was."""
        if key not in self._kept:
            while len(self._kept) >= KEPT_PROMPTS:
                self._kept.popitem(last=False)
            self._kept[key] = read()
        self._kept.move_to_end(key)
        return self._kept[key]

    def clear(self) -> None:
        """Make room."""
        self._kept.clear()


@torch.inference_mode()
def read(model: Any, tensors: Mapping[str, torch.Tensor], arguments: Mapping[str, Any]) -> Read:
    """Have a prompt read, a batch of one, in the family's own way to media and positions: as if for an answer."""
    output = model.generate(**tensors, **arguments, max_new_tokens=1, return_dict_in_generate=True, output_logits=True)
    shift = _shift(model)  # the model's state: the next prompt changes it
    return Read(output.past_key_values, output.logits[0][0], tensors["input_ids"].shape[1], shift)


@torch.inference_mode()
def weigh(model: Any, prompt: Read, texts: Sequence[Sequence[int]], at_once: int) -> list[list[float]]:
    """Return for each text, given as token ids, the log-probabilities of its tokens; `at_once` texts make a batch."""
    starts = range(0, len(texts), at_once)
    return [row for start in starts for row in _weigh(model, prompt, texts[start : start + at_once])]


def _weigh(model: Any, prompt: Read, texts: Sequence[Sequence[int]]) -> list[list[float]]:
    """Weigh a batch of texts. What they share is read once: the prompt is in the cache, repeated for each text."""
    count, longest = len(texts), max(map(len, texts))
    ids = torch.zeros(count, longest, dtype=torch.long)
    mask = torch.ones(count, prompt.width + longest, dtype=torch.long)
    for row, text in enumerate(texts):
        ids[row, : len(text)] = torch.tensor(text)
        mask[row, prompt.width + len(text) :] = 0
    cache = copy.deepcopy(prompt.cache)
    cache.batch_repeat_interleave(count)
    logits = model(
        input_ids=ids.to(model.device),
        attention_mask=mask.to(model.device),
        past_key_values=cache,
        use_cache=True,
        **_positions(model, prompt, count, longest),
    ).logits
    rows = zip(logits, texts, strict=True)
    return [_of_tokens(torch.cat([prompt.logits[None].to(row), row[: len(text) - 1]]), text) for row, text in rows]


def _of_tokens(logits: torch.Tensor, text: Sequence[int]) -> list[float]:
    """Return the log-probabilities of a text's tokens; `logits` has the shape (tokens, vocabulary)."""
    of_all = torch.log_softmax(logits.float(), -1)
    of_text: list[float] = of_all.gather(-1, torch.tensor(text, device=of_all.device)[:, None])[:, 0].tolist()
    return of_text


def _positions(model: Any, prompt: Read, count: int, longest: int) -> dict[str, torch.Tensor]:
    if prompt.shift is None:
        return {}
    first = prompt.width + prompt.shift
    positions = torch.arange(first, first + longest, device=model.device)
    return {"position_ids": positions.expand(3, count, -1)}


def _shift(model: Any) -> int | None:
    """Return by how much positions of text are shifted behind the media of the last prompt; None for other families."""
    parts: list[Any] = [model, getattr(model, "model", None)]
    deltas = [part.rope_deltas for part in parts if hasattr(part, "rope_deltas")]
    return int(deltas[0]) if deltas else None
