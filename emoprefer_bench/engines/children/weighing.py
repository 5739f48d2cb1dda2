"""Weighing texts with transformers: a prompt goes through the model once, and all texts behind it as one batch.

Only the child process of the transformers engine imports it.
"""

from __future__ import annotations

import copy
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from transformers.cache_utils import DynamicLayer

from emoprefer_bench.engines.children.logits import last_alone

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping, Sequence

KEPT_PROMPTS = 2  # one about the clip, and the same without it
KEPT_TOKENS = 4096  # as many prompts more as have fewer tokens together: those of models that read little


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


@dataclass
class Said:
    """What a model keeps of a batch that it has just answered.

    `cache` holds the prompts and what was said behind them; `mask`, of shape (rows, tokens), tells which tokens of the
    former are a row's own, and which padding. `logits`, of shape (rows, vocabulary), are those of the first tokens
    said. `shifts` are each row's, as in Read.
    """

    cache: Any
    logits: torch.Tensor
    mask: torch.Tensor
    shifts: Sequence[int | None]

    def forget(self) -> None:
        """Make room: no prompt can be had of it any more."""
        self.cache = None


class Prompts:
    """The last prompts that were read, since most texts are weighed behind the same ones."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Hashable, Read] = OrderedDict()

    def kept(self, key: Hashable) -> Read | None:
        """Return the prompt with this key, if it is among them."""
        if key in self._kept:
            self._kept.move_to_end(key)
        return self._kept.get(key)

    def keep(self, key: Hashable, read: Callable[[], Read]) -> Read:
        """Have a prompt read and keep it; those that weren't asked for longest make room."""
        while len(self._kept) >= KEPT_PROMPTS and sum(kept.width for kept in self._kept.values()) > KEPT_TOKENS:
            self._kept.popitem(last=False)
        self._kept[key] = read()
        return self._kept[key]

    def clear(self) -> None:
        """Make room."""
        self._kept.clear()


@torch.inference_mode()
def read(model: Any, tensors: Mapping[str, torch.Tensor], arguments: Mapping[str, Any]) -> Read:
    """Have a prompt read, a batch of one, in the family's own way to media and positions: as if for an answer."""
    with last_alone(model):
        output = model.generate(
            **tensors, **arguments, max_new_tokens=1, return_dict_in_generate=True, output_logits=True
        )
    (shift,) = shifts(model, 1)
    return Read(output.past_key_values, output.logits[0][0], tensors["input_ids"].shape[1], shift)


@torch.inference_mode()
def read_for_answer(said: Said, row: int) -> Read | None:
    """Return a prompt of a batch that was answered, as if it had been read alone.

    None where that can't be had: where it was forgotten, of a family whose layers forget what lies far back, or, in a
    padded row, of one whose positions aren't counted by tokens.
    """
    mask, shift = said.mask[row], said.shifts[row]
    if said.cache is None:
        return None
    if (shift is not None and not mask.all()) or any(type(layer) is not DynamicLayer for layer in said.cache.layers):
        return None
    cache = copy.copy(said.cache)
    cache.layers = [copy.copy(layer) for layer in said.cache.layers]
    own = mask.nonzero()[:, 0]
    for layer in cache.layers:
        layer.keys = layer.keys[row : row + 1, :, own.to(layer.keys.device)]
        layer.values = layer.values[row : row + 1, :, own.to(layer.values.device)]
    return Read(cache, said.logits[row], len(own), shift)


@torch.inference_mode()
def weigh(model: Any, prompt: Read, texts: Sequence[Sequence[int]], at_once: int) -> list[list[float]]:
    """Return for each text, given as token ids, the log-probabilities of its tokens; `at_once` texts make a batch.

    The last token of a text needn't be read, and what comes before it is read once for all texts that have it.
    """
    beginnings = sorted({tuple(text[:-1]) for text in texts}, key=len)
    logits: dict[tuple[int, ...], torch.Tensor] = {(): prompt.logits[None]}
    for batch in _batches([beginning for beginning in beginnings if beginning], at_once, model.device.type):
        logits |= zip(batch, _logits(model, prompt, batch), strict=True)
    return [_of_tokens(logits[tuple(text[:-1])], text) for text in texts]


def _batches(beginnings: list[tuple[int, ...]], at_once: int, device: str) -> list[list[tuple[int, ...]]]:
    """Part what is to be read, the shortest first; where padding costs, on a CPU, none is over twice the first."""
    batches: list[list[tuple[int, ...]]] = []
    for beginning in beginnings:
        fits = batches and len(batches[-1]) < at_once
        if fits and not (device == "cpu" and len(beginning) > 2 * len(batches[-1][0])):
            batches[-1].append(beginning)
        else:
            batches.append([beginning])
    return batches


def _logits(model: Any, prompt: Read, batch: Sequence[Sequence[int]]) -> list[torch.Tensor]:
    """Return the logits behind the prompt and behind each token of a row: for each, of shape (1 + tokens, vocabulary).

    What the rows share is read already: the prompt is in the cache, repeated for each of them.
    """
    count, longest = len(batch), max(map(len, batch))
    ids = torch.zeros(count, longest, dtype=torch.long)
    mask = torch.ones(count, prompt.width + longest, dtype=torch.long)
    for row, tokens in enumerate(batch):
        ids[row, : len(tokens)] = torch.tensor(tokens)
        mask[row, prompt.width + len(tokens) :] = 0
    cache = copy.deepcopy(prompt.cache)
    cache.batch_repeat_interleave(count)
    logits = model(
        input_ids=ids.to(model.device),
        attention_mask=mask.to(model.device),
        past_key_values=cache,
        use_cache=True,
        **_positions(model, prompt, count, longest),
    ).logits
    first = prompt.logits[None].to(logits)
    return [torch.cat([first, row[: len(tokens)]]) for row, tokens in zip(logits, batch, strict=True)]


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


def shifts(model: Any, rows: int) -> list[int | None]:
    """Return for each row of the batch that a model has just read by how much positions behind its media are shifted.

    None for other families. The next batch changes it.
    """
    parts: list[Any] = [model, getattr(model, "model", None)]
    deltas = [part.rope_deltas for part in parts if hasattr(part, "rope_deltas")]
    return [int(delta) for delta in deltas[0]] if deltas else [None] * rows
