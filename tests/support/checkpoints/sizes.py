"""Sizes as small as vLLM's kernels allow: heads of 32 numbers, and M-RoPE sections that sum to half of that."""

from __future__ import annotations

from typing import Any

HIDDEN = 64
TEXT = {
    "hidden_size": HIDDEN,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "max_position_embeddings": 32768,
    "rms_norm_eps": 1e-6,
}
AUDIO = {
    "num_mel_bins": 128,
    "encoder_layers": 2,
    "encoder_attention_heads": 2,
    "encoder_ffn_dim": 128,
    "d_model": 64,
}


def text_config(tokenizer: Any, **more: Any) -> dict[str, Any]:
    """Return the settings of a language model with that vocabulary."""
    ids = {"bos_token_id": None, "eos_token_id": tokenizer.eos_token_id}
    return {**TEXT, **ids, "vocab_size": rounded(tokenizer), "tie_word_embeddings": False, **more}


def rounded(tokenizer: Any) -> int:
    """Return the size of a vocabulary that tensor cores like."""
    return -(-len(tokenizer) // 64) * 64
