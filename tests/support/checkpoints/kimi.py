"""A tiny checkpoint of Kimi-Audio, whose parts lie in two folders and whose tokenizer is tiktoken's."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors.torch import load_file, save_file
from sizes import AUDIO, HIDDEN, TEXT
from weights import scatter
from words import learn

# vLLM knows the special tokens by these numbers, so that the vocabulary is as long as the published one.
SPECIAL = {
    "<|im_msg_end|>": 151645,
    "<|im_media_begin|>": 151661,
    "<|im_media_end|>": 151663,
    "<|im_kimia_text_blank|>": 151666,
    "<|im_kimia_user_msg_start|>": 151670,
    "<|im_kimia_assistant_msg_start|>": 151671,
}
VOCABULARY = 151680
WHISPER = "whisper-large-v3"
# The published checkpoint brings such a file, since transformers doesn't know the model.
CONFIGURATION = """from transformers import Qwen2Config


class KimiAudioConfig(Qwen2Config):
    model_type = "moonshot_kimia"
"""


def kimi_audio(folder: Path) -> None:
    """Kimi-Audio: hears, by a Whisper encoder; only vLLM runs it."""
    ranks = _tokenizer(folder)
    config = transformers.Qwen2Config(**TEXT, vocab_size=VOCABULARY, tie_word_embeddings=True, eos_token_id=151645)
    model = transformers.Qwen2ForCausalLM(config)
    model.vq_adaptor = torch.nn.ModuleDict(
        {
            "layers_0": torch.nn.Linear(4 * HIDDEN, HIDDEN),
            "layers_3": torch.nn.Linear(HIDDEN, HIDDEN),
            "layers_4_norm": torch.nn.LayerNorm(HIDDEN),
        }
    )
    scatter(model, words=1)
    with torch.no_grad():
        model.model.embed_tokens.weight[ranks : min(SPECIAL.values())] = 0  # never said, since no text stands for them
    model.save_pretrained(folder)
    file = folder / "model.safetensors"
    renamed = {_published(name): weight for name, weight in load_file(file).items()}
    save_file(renamed, file, metadata={"format": "pt"})
    _configure(folder, config)
    _whisper(folder / WHISPER)


def _tokenizer(folder: Path) -> int:
    """Write tiktoken's file of words, and return how many there are."""
    letters = {letter: byte for byte, letter in _bytes().items()}
    words = sorted(learn()[0].items(), key=lambda item: item[1])
    lines = [f"{base64.b64encode(bytes(letters[c] for c in word)).decode()} {rank}" for word, rank in words]
    (folder / "tiktoken.model").write_text("\n".join(lines))
    added = {str(number): {"content": token, "special": True} for token, number in SPECIAL.items()}
    (folder / "tokenizer_config.json").write_text(json.dumps({"added_tokens_decoder": added}))
    return len(words)


def _bytes() -> dict[int, str]:
    """Return the letter that a byte-level vocabulary writes for each byte."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in plain]
    return {**{byte: chr(byte) for byte in plain}, **{byte: chr(256 + n) for n, byte in enumerate(others)}}


def _published(name: str) -> str:
    for ours, theirs in (("layers_4_norm", "layers.4"), ("layers_", "layers."), ("vq_adaptor", "model.vq_adaptor")):
        name = name.replace(ours, theirs)
    return name


def _configure(folder: Path, config: Any) -> None:
    (folder / "configuration_moonshot_kimia.py").write_text(CONFIGURATION)
    written = {
        **config.to_dict(),
        "architectures": ["MoonshotKimiaForCausalLM"],
        "auto_map": {"AutoConfig": "configuration_moonshot_kimia.KimiAudioConfig"},
        "model_type": "moonshot_kimia",
        "kimia_adaptor_input_dim": 4 * HIDDEN,
    }
    (folder / "config.json").write_text(json.dumps(written))


def _whisper(folder: Path) -> None:
    sizes = {**AUDIO, "decoder_layers": 1, "decoder_attention_heads": 2, "decoder_ffn_dim": 64, "vocab_size": 64}
    ids = dict.fromkeys(("pad_token_id", "bos_token_id", "eos_token_id", "decoder_start_token_id"), 0)
    model = transformers.WhisperModel(transformers.WhisperConfig(**sizes, **ids))
    scatter(model)
    model.save_pretrained(folder)
    file = folder / "model.safetensors"
    heard = {f"model.{name}": weight for name, weight in load_file(file).items() if name.startswith("encoder.")}
    save_file(heard, file, metadata={"format": "pt"})
    transformers.WhisperFeatureExtractor(feature_size=128).save_pretrained(folder)
