"""A batch of prompts, answered token by token; rows whose answers have ended leave it, and the others go on.

Only the child process of the transformers engine imports it.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from transformers import StoppingCriteria

from emoprefer_bench.engines.children import logits

if TYPE_CHECKING:
    from collections.abc import Mapping

    from emoprefer_bench.engines.children.generation import Draw


@dataclass(frozen=True)
class Stops:
    """What ends an answer: one of the tokens `ids`, or being `limit` tokens long."""

    ids: frozenset[int]
    limit: int

    def cut(self, tokens: list[int]) -> list[int]:
        """Return the tokens up to and with the first that ends an answer."""
        return tokens[: next((at + 1 for at, token in enumerate(tokens) if token in self.ids), len(tokens))]


class HalfEnded(StoppingCriteria):
    """Stops a batch when half of its answers have ended, each by a token of `ids`; prompts are `width` tokens."""

    def __init__(self, ids: frozenset[int], width: int) -> None:
        self._ids = torch.tensor(sorted(ids))
        self._width = width

    def __call__(self, input_ids: torch.Tensor, *_: Any, **__: Any) -> Any:
        """Return for each row of `input_ids`, of shape (rows, tokens), whether to stop: for all the same."""
        ended = torch.isin(input_ids[:, self._width :], self._ids.to(input_ids.device)).any(1)
        return torch.full_like(ended, bool(2 * ended.sum() >= len(ended)))


@torch.inference_mode()
def answer(
    model: Any, batch: Mapping[str, Any], draw: Draw, stops: Stops, *, may_leave: bool
) -> tuple[list[list[int]], Any]:
    """Return the tokens of each row's answer, up to and with the one that ended it, and the cache of the whole batch.

    `batch` are the arguments of `generate`. The cache holds all prompts, and of answers what was read before any row
    left. Rows `may_leave` where prompts are text alone: batches with media aren't taken apart.
    """
    width = batch["input_ids"].shape[1]
    leaving = [HalfEnded(stops.ids, width)] if may_leave else []
    rows, answers, whole = list(range(len(batch["input_ids"]))), dict[int, list[int]](), None
    while rows:
        with logits.last_alone(model):
            output = model.generate(
                **batch,
                max_new_tokens=width + stops.limit - batch["input_ids"].shape[1],
                logits_processor=[draw],
                stopping_criteria=leaving,
                return_dict_in_generate=True,
            )
        whole = whole or output.past_key_values
        said = output.sequences[:, width:].tolist()
        answers |= zip(rows, map(stops.cut, said), strict=True)
        go_on = [at for at, row in enumerate(rows) if len(said[0]) < stops.limit and answers[row][-1] not in stops.ids]
        if go_on:
            batch = _of_rows(batch, output, go_on)
            draw.keep(go_on)
        rows = [rows[at] for at in go_on]
    return [answers[row] for row in sorted(answers)], whole


def _of_rows(batch: Mapping[str, Any], output: Any, rows: list[int]) -> dict[str, Any]:
    """Return the arguments by which some rows of a batch go on where its output ends."""
    ids, mask = output.sequences[rows], batch["attention_mask"][rows]
    cache = copy.copy(output.past_key_values)
    cache.layers = [copy.copy(layer) for layer in cache.layers]
    cache.batch_select_indices(torch.tensor(rows))  # its layers may be on several GPUs
    new = mask.new_ones(len(rows), ids.shape[1] - mask.shape[1])
    return {"input_ids": ids, "attention_mask": torch.cat([mask, new], 1), "past_key_values": cache}
