"""Random weights, and the files of a checkpoint."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from transformers import GenerationConfig, PreTrainedModel


def save(model: PreTrainedModel, tokenizer: Any, folder: Path, words: float = 4) -> None:
    """Write a model with random weights; see `scatter`."""
    scatter(model, words)
    stops = GenerationConfig(
        do_sample=True,  # as published checkpoints have it: an engine that didn't set its own would draw at random
        temperature=1.5,
        repetition_penalty=1.3,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    model.generation_config = stops
    if hasattr(model, "thinker"):
        model.thinker.generation_config = stops
    model.save_pretrained(folder)


def scatter(model: torch.nn.Module, words: float = 4) -> None:
    """Draw weights that are large enough for the answer to depend on every input, those of words `words` times so.

    Where a word is written by the weights that it is read by, it takes small ones, or the last word repeats itself.
    """
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.dim() >= 2:
                weight.copy_(torch.randn(weight.shape, generator=generator) / weight[0].numel() ** 0.5)
                weight.mul_(words if "embed" in name or "lm_head" in name else 1)
            elif "norm" in name or "ln_" in name:
                weight.fill_(1.0 if name.endswith("weight") else 0.0)
            else:
                weight.copy_(torch.randn(weight.shape, generator=generator) * 0.02)


def rename(folder: Path, pattern: str, replacement: str) -> None:
    """Give weights the names that published checkpoints have; vLLM knows no others."""
    file = folder / "model.safetensors"
    renamed = {re.sub(pattern, replacement, name): weight.contiguous() for name, weight in load_file(file).items()}
    save_file(renamed, file, metadata={"format": "pt"})
