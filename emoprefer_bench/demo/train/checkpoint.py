"""The small judge's checkpoint before it has learned anything: tokenizer, processor, configuration, and weights.

The architecture is Qwen2.5-Omni's; only the numbers are smaller, no smaller than vLLM's kernels allow: heads of 32.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors.torch import load_file, save_file
from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers
from transformers.models.qwen2.tokenization_qwen2 import PRETOKENIZE_REGEX

from emoprefer_bench.demo.scenes import EMOTIONS, dice
from emoprefer_bench.demo.train.questions import Kind, Shown, Teacher
from emoprefer_bench.engines.families import adapter

WIDTH = 96
VOCABULARY = 1240
TEXT = {
    "hidden_size": WIDTH,
    "intermediate_size": 3 * WIDTH,
    "num_hidden_layers": 4,
    "num_attention_heads": 3,
    "num_key_value_heads": 3,
    "max_position_embeddings": 32768,
    "rms_norm_eps": 1e-6,
    "rope_parameters": {"rope_type": "default", "mrope_section": [4, 6, 6], "rope_theta": 1e6},
    "tie_word_embeddings": False,
    "bos_token_id": None,
}
VISION = {
    "depth": 2,
    "hidden_size": 64,
    "intermediate_size": 192,
    "num_heads": 2,
    "out_hidden_size": WIDTH,
    "patch_size": 14,
    "spatial_merge_size": 2,
    "temporal_patch_size": 2,
    "window_size": 112,
    "fullatt_block_indexes": [1],
    "tokens_per_second": 25,
}
AUDIO = {
    "num_mel_bins": 128,
    "encoder_layers": 2,
    "encoder_attention_heads": 2,
    "encoder_ffn_dim": 192,
    "d_model": 64,
    "n_window": 100,
    "output_dim": WIDTH,
}
TALKER = {  # never built, but its configuration is written out
    "intermediate_size": 128,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 32,
    "vocab_size": 64,
}
PLACES = {
    "image_token": "<|IMAGE|>",
    "audio_token": "<|AUDIO|>",
    "video_token": "<|VIDEO|>",
    "vision_bos_token": "<|vision_bos|>",
    "vision_eos_token": "<|vision_eos|>",
    "audio_bos_token": "<|audio_bos|>",
    "audio_eos_token": "<|audio_eos|>",
}
TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}{{ '\\n' }}"
    "{% if message.content is string %}{{ message.content }}{% else %}{% for part in message.content %}"
    "{% if part.type == 'video' %}<|vision_bos|><|VIDEO|><|vision_eos|>{% endif %}"
    "{% if part.type == 'audio' %}<|audio_bos|><|AUDIO|><|audio_eos|>{% endif %}"
    "{% if part.type == 'text' %}{{ part.text }}{% endif %}"
    "{% endfor %}{% endif %}<|im_end|>{{ '\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant{{ '\\n' }}{% endif %}"
)


def build(folder: Path, teacher: Teacher, seed: int) -> None:
    """Write a checkpoint with random weights that both engines load."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = _tokenizer(teacher)
    config = configuration(tokenizer, TEXT, VISION, AUDIO)
    torch.manual_seed(seed)
    model = transformers.Qwen2_5OmniForConditionalGeneration(config)
    _initialise(model)
    greedy = transformers.GenerationConfig(
        do_sample=False, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id
    )
    model.generation_config = model.thinker.generation_config = greedy
    model.save_pretrained(folder)
    written = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    named = {**written, "architectures": ["Qwen2_5OmniModel"]}  # as published; both engines look for this name
    (folder / "config.json").write_text(json.dumps(named, indent=1), encoding="utf-8")
    torch.save({"Nobody": {"bos_token": 0}}, folder / "spk_dict.pt")  # transformers wants one beside the weights
    _processor(tokenizer).save_pretrained(folder)


def export(blank: Path, weights: Mapping[str, torch.Tensor], folder: Path) -> None:
    """Write a checkpoint with these weights of the thinker, in half precision."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in blank.iterdir():
        if file.suffix != ".safetensors":
            shutil.copyfile(file, folder / file.name)
    named = {f"thinker.{name}": weight.half().contiguous() for name, weight in weights.items()}
    expected = load_file(blank / "model.safetensors").keys()
    if named.keys() != expected:
        raise ValueError(f"these are not the weights of {blank}: {sorted(named.keys() ^ expected)}")
    save_file(named, folder / "model.safetensors", metadata={"format": "pt"})


def _tokenizer(teacher: Teacher) -> transformers.Qwen2Tokenizer:
    """Learn a byte-level vocabulary of whole words, mostly, from the questions that will be asked."""
    learner = Tokenizer(models.BPE())
    learner.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PRETOKENIZE_REGEX), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    learner.train_from_iterator(
        _corpus(teacher),
        trainers.BpeTrainer(vocab_size=VOCABULARY, initial_alphabet=alphabet, special_tokens=[], show_progress=False),
    )
    learned = json.loads(learner.to_str())["model"]
    tokenizer = transformers.Qwen2Tokenizer(
        vocab=learned["vocab"],
        merges=[tuple(pair) for pair in learned["merges"]],  # type: ignore[misc]  # pairs, whatever its types say
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        extra_special_tokens=PLACES,
        model_max_length=32768,
    )
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", *PLACES.values()]
    tokenizer.add_tokens([transformers.AddedToken(token, special=True, normalized=False) for token in special])
    return tokenizer


def _corpus(teacher: Teacher) -> list[str]:
    rng = dice("vocabulary")
    kinds: tuple[Kind, ...] = ("judge", "judge_described", "compare", "account", "fits", "name")
    asked = [
        teacher.ask(kind, Shown("audiovideo", emotion, emotion), rng)
        for kind in kinds
        for emotion in EMOTIONS
        for _ in range(20)
    ]
    spoken = [f"{lines.prompt}\n{lines.answer}" for lines in asked]
    return [*spoken, *[f"system\n{adapter('qwen25omni').system}\nuser\nassistant\n"] * len(spoken)]


def configuration(
    tokenizer: transformers.Qwen2Tokenizer, text: dict[str, Any], vision: dict[str, Any], audio: dict[str, Any]
) -> transformers.Qwen2_5OmniConfig:
    """Put together the settings of a small Qwen2.5-Omni from those of its parts; the talker is never built."""
    ids = {name: tokenizer.convert_tokens_to_ids(token) for name, token in PLACES.items()}
    size = -(-len(tokenizer) // 64) * 64
    ends = {"eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id}
    return transformers.Qwen2_5OmniConfig(
        enable_audio_output=False,
        thinker_config={
            "audio_config": audio,
            "vision_config": vision,
            "text_config": {**text, **ends, "vocab_size": size},
            "audio_token_index": ids["audio_token"],
            "image_token_index": ids["image_token"],
            "video_token_index": ids["video_token"],
            "audio_start_token_id": ids["audio_bos_token"],
            "audio_end_token_id": ids["audio_eos_token"],
            "vision_start_token_id": ids["vision_bos_token"],
            "vision_end_token_id": ids["vision_eos_token"],
            "position_id_per_seconds": 25,
            "seconds_per_chunk": 2,
            "user_token_id": 0,
            "pad_token_id": tokenizer.pad_token_id,
        },
        talker_config={**TALKER, "hidden_size": text["hidden_size"], "embedding_size": text["hidden_size"]},
    )


def _initialise(model: torch.nn.Module) -> None:
    """Draw small weights, so that each layer passes on about as much as it gets."""
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.dim() > 1:
                words = "embed_tokens" in name or "lm_head" in name
                weight.normal_(0, 0.02 if words else weight[0].numel() ** -0.5)
            else:
                weight.fill_(1.0 if name.endswith("weight") else 0.0)


def _processor(tokenizer: transformers.Qwen2Tokenizer) -> Any:
    patches = {"patch_size": 14, "temporal_patch_size": 2, "merge_size": 2}
    ears = transformers.WhisperFeatureExtractor(
        feature_size=128,
        sampling_rate=16000,
        hop_length=160,
        n_fft=400,
        chunk_length=300,
        return_attention_mask=True,
    )
    return transformers.Qwen2_5OmniProcessor(
        transformers.Qwen2VLImageProcessor(size={"shortest_edge": 3136, "longest_edge": 12845056}, **patches),
        transformers.Qwen2VLVideoProcessor(size={"shortest_edge": 3136, "longest_edge": 12544}, **patches),
        ears,
        tokenizer,
        chat_template=TEMPLATE,
    )
