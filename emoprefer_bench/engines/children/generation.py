"""Batched generation with transformers in which a row's answer doesn't depend on the rows beside it.

Only the child process of the transformers engine imports it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from transformers import LogitsProcessor, TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from emoprefer_bench.protocol.worker import Ask


SPECTRA = ("input_features", "feature_attention_mask")
"""What goes by time in its last dimension: as wide as the sound is long, and padded at the right."""


def take_alike(waiting: list[Ask], limit: int) -> list[Ask]:
    """Take up to `limit` questions out of `waiting` that can go through the model together, the oldest among them.

    They share modality and sampling, all but the seed; those about the oldest question's clip go first. Questions that
    weigh texts share the whole prompt, clip and all.
    """

    def kind(ask: Ask) -> tuple[Any, ...]:
        question = ask.question
        if question.get("score"):
            return prompt_of(question)
        return question["modality"], {**question["sampling"], "seed": None}

    def clip(ask: Ask) -> str:
        return str(ask.question["clip"] and ask.question["clip"]["digest"])

    first = waiting[0]
    alike = [ask for ask in waiting if kind(ask) == kind(first)]
    taken = sorted(alike, key=lambda ask: clip(ask) != clip(first))[:limit]
    ids = {ask.id for ask in taken}
    waiting[:] = [ask for ask in waiting if ask.id not in ids]
    return taken


def take_behind(waiting: list[Ask], answered: Ask) -> list[Ask]:
    """Take all questions out of `waiting` that weigh texts behind the prompt of the one that was `answered`."""
    taken = [
        ask for ask in waiting if ask.question.get("score") and prompt_of(ask.question) == prompt_of(answered.question)
    ]
    ids = {ask.id for ask in taken}
    waiting[:] = [ask for ask in waiting if ask.id not in ids]
    return taken


def prompt_of(question: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return what a model reads before it answers, as far as the question says it."""
    return question["modality"], question["prompt"], question["clip"]


def collate(rows: Sequence[Mapping[str, torch.Tensor]], pad_id: int) -> dict[str, torch.Tensor]:
    """Join encoded prompts, each a batch of one, into one batch: what goes by token is padded at the left.

    Media tensors are joined along their first dimension, where every processor puts clips (or patches of clips);
    spectra of sounds that take longer or shorter are padded at the right, where their mask says that nothing is.
    """
    width = max(row["input_ids"].shape[1] for row in rows)
    batch: dict[str, torch.Tensor] = {}
    for name, value in rows[0].items():
        values = [row[name] for row in rows]
        if name in SPECTRA:
            longest = max(row.shape[-1] for row in values)
            values = [torch.nn.functional.pad(row, (0, longest - row.shape[-1])) for row in values]
        elif value.shape == rows[0]["input_ids"].shape:
            filler = pad_id if name == "input_ids" else 0
            values = [torch.nn.functional.pad(row, (width - row.shape[1], 0), value=filler) for row in values]
        batch[name] = torch.cat(values)
    return batch


def joinable(row: Mapping[str, torch.Tensor]) -> tuple[tuple[str, torch.Size], ...]:
    """Return what must be equal for rows to be joined by `collate`: the shapes of their media."""
    by_token = row["input_ids"].shape
    media = [(name, value) for name, value in sorted(row.items()) if name in SPECTRA or value.shape != by_token]
    return tuple((name, value.shape[1:-1] if name in SPECTRA else value.shape[1:]) for name, value in media)


class Draw(LogitsProcessor):
    """Makes the most probable token the one that was drawn, so that greedy decoding samples.

    Adding independent Gumbel noise to log-probabilities and taking the greatest is an exact draw from them. Each row
    has a generator of its own, from the question's seed. A temperature of 0 adds nothing. The repetition penalty is
    that of CTRL (Keskar et al., arXiv 1909.05858, section 4.1), over the tokens of prompt and answer, not over padding;
    the presence penalty, behind it, is OpenAI's, over the tokens of the answer. Both are as vLLM has them.

    `mask`, of shape (rows, tokens), tells which tokens of the batch are a prompt's, and which padding. Scores have the
    shape (rows, vocabulary). `first` are those of the first token, before any of this.
    """

    first: torch.Tensor

    def __init__(self, sampling: dict[str, Any], seeds: Sequence[int], mask: torch.Tensor) -> None:
        self._repetition = float(sampling["repetition_penalty"])
        self._presence = float(sampling["presence_penalty"])
        self._greedy = not sampling["temperature"]
        self._mask = mask
        self._width = mask.shape[1]
        self._generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        self._warpers = [] if self._greedy else _warpers(sampling)

    def keep(self, rows: Sequence[int]) -> None:
        """Go on with these rows of the batch alone."""
        self._mask = self._mask[rows]
        self._generators = [self._generators[row] for row in rows]

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Return the scores of the next token, with penalty, limits and noise in them."""
        if input_ids.shape[1] == self._width:
            self.first = scores.clone()
        scores = scores.float()
        if self._repetition != 1:
            self._penalise_repetition(input_ids, scores)
        if self._presence:
            scores -= self._presence * torch.zeros_like(scores).scatter_(1, input_ids[:, self._width :], 1.0)
        for warper in self._warpers:
            scores = warper(input_ids, scores)
        return scores if self._greedy else scores + self._noise(scores)

    def _penalise_repetition(self, input_ids: torch.Tensor, scores: torch.Tensor) -> None:
        for row, (ids, mask) in enumerate(zip(input_ids, self._mask.to(input_ids.device), strict=True)):
            seen = torch.cat([ids[: self._width][mask], ids[self._width :]])
            score = scores[row, seen]
            scores[row, seen] = torch.where(score < 0, score * self._repetition, score / self._repetition)

    def _noise(self, scores: torch.Tensor) -> torch.Tensor:
        # The generators are the CPU's on every device, so that a seed means the same everywhere.
        waits = [torch.empty(scores.shape[1]).exponential_(generator=generator) for generator in self._generators]
        return -torch.stack(waits).log().to(scores.device)


def _warpers(sampling: dict[str, Any]) -> list[LogitsProcessor]:
    warpers: list[LogitsProcessor] = [TemperatureLogitsWarper(sampling["temperature"])]
    if sampling["top_k"] > 0:
        warpers.append(TopKLogitsWarper(sampling["top_k"]))
    if sampling["top_p"] < 1:
        warpers.append(TopPLogitsWarper(sampling["top_p"]))
    return warpers
