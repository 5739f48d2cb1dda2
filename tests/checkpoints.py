"""Tiny checkpoints of real architectures with random weights: `python checkpoints.py FOLDER NAME...`.

Each is built in under two seconds, without a download. Their answers mean nothing, but they react to sound, picture and
text, and both engines load them. Sizes are as small as vLLM's kernels allow: heads of 32 numbers, and M-RoPE sections
that sum to half of that.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors.torch import load_file, save_file
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import AddedToken, GenerationConfig, PreTrainedModel, PreTrainedTokenizerFast, Qwen2Tokenizer
from transformers.models.qwen2.tokenization_qwen2 import PRETOKENIZE_REGEX

SENTENCES = [
    "The person in the video is happy, sad, angry, surprised, neutral or worried.",
    "Which description fits the clip better, a1 or a2? Answer with exactly one of: a1, a2, same.",
    "Facial expression, tone of voice, body language, and what is said.",
    "system user assistant\n",
]
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
LLAMA = {**TEXT, "model_type": "llama", "max_position_embeddings": 4096, "num_key_value_heads": 2}
MROPE = {"rope_type": "default", "mrope_section": [4, 6, 6], "rope_theta": 1e6}
VISION = {
    "depth": 2,
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_heads": 2,
    "out_hidden_size": HIDDEN,
    "patch_size": 14,
    "spatial_merge_size": 2,
    "temporal_patch_size": 2,
    "window_size": 112,
    "fullatt_block_indexes": [1],
}
VISION3 = {
    "depth": 2,
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_heads": 2,
    "out_hidden_size": HIDDEN,
    "patch_size": 16,
    "num_position_embeddings": 64,
    "deepstack_visual_indexes": [0, 1],
}
HALVES: dict[str, Any] = {
    "image_mean": [0.5] * 3,
    "image_std": [0.5] * 3,
    "patch_size": 16,
    "temporal_patch_size": 2,
    "merge_size": 2,
}
CLIP_VISION = {
    "model_type": "clip_vision_model",
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "projection_dim": 64,
}
AUDIO = {
    "num_mel_bins": 128,
    "encoder_layers": 2,
    "encoder_attention_heads": 2,
    "encoder_ffn_dim": 128,
    "d_model": 64,
}


def omni(folder: Path) -> None:
    """Qwen2.5-Omni: hears, sees, and takes both interleaved."""
    places = {
        "image_token": "<|IMAGE|>",
        "audio_token": "<|AUDIO|>",
        "video_token": "<|VIDEO|>",
        "vision_bos_token": "<|vision_bos|>",
        "vision_eos_token": "<|vision_eos|>",
        "audio_bos_token": "<|audio_bos|>",
        "audio_eos_token": "<|audio_eos|>",
    }
    tokenizer = _qwen_tokenizer(list(places.values()), places)
    ids = {name: tokenizer.convert_tokens_to_ids(token) for name, token in places.items()}
    config = transformers.Qwen2_5OmniConfig(
        enable_audio_output=False,
        thinker_config={
            "audio_config": {**AUDIO, "n_window": 100, "output_dim": HIDDEN},
            "vision_config": {**VISION, "tokens_per_second": 25},
            "text_config": _text(tokenizer, rope_parameters=dict(MROPE), pad_token_id=tokenizer.pad_token_id),
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
        talker_config={  # never built, but its config is written out
            "hidden_size": HIDDEN,
            "embedding_size": HIDDEN,
            "intermediate_size": 128,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "num_key_value_heads": 1,
            "head_dim": 32,
            "vocab_size": 64,
        },
    )
    model = transformers.Qwen2_5OmniForConditionalGeneration(config)
    _save(model, tokenizer, folder)
    written = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**written, "architectures": ["Qwen2_5OmniModel"]}))
    torch.save({"Nobody": {"bos_token": 0}}, folder / "spk_dict.pt")
    template = _chat_template(
        video="<|vision_bos|><|VIDEO|><|vision_eos|>", audio="<|audio_bos|><|AUDIO|><|audio_eos|>"
    )
    transformers.Qwen2_5OmniProcessor(*_qwen_vision(), _ears(300), tokenizer, chat_template=template).save_pretrained(
        folder
    )


def qwen25_vl(folder: Path) -> None:
    """Qwen2.5-VL: sees."""
    tokenizer = _qwen_tokenizer(["<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>"])
    config = transformers.Qwen2_5_VLConfig(
        text_config=_text(tokenizer, rope_parameters=dict(MROPE)),
        vision_config={**VISION, "tokens_per_second": 2},
        **_vision_ids(tokenizer),
    )
    _save(transformers.Qwen2_5_VLForConditionalGeneration(config), tokenizer, folder)
    images, videos = _qwen_vision()
    template = _chat_template(video="<|vision_start|><|video_pad|><|vision_end|>")
    transformers.Qwen2_5_VLProcessor(images, tokenizer, videos, chat_template=template).save_pretrained(folder)


def qwen3_vl(folder: Path) -> None:
    """Qwen3-VL: sees, and reads the time of each frame."""
    tokenizer = _qwen_tokenizer(["<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>"])
    config = transformers.Qwen3VLConfig(
        text_config=_text(tokenizer, head_dim=32, rope_parameters={**MROPE, "mrope_interleaved": True}),
        vision_config=VISION3,
        **_vision_ids(tokenizer),
    )
    _save(transformers.Qwen3VLForConditionalGeneration(config), tokenizer, folder)
    images = transformers.Qwen2VLImageProcessor(size={"shortest_edge": 4096, "longest_edge": 65536}, **HALVES)
    videos = transformers.Qwen3VLVideoProcessor(size={"shortest_edge": 4096, "longest_edge": 131072}, **HALVES)
    template = _chat_template(video="<|vision_start|><|video_pad|><|vision_end|>")
    transformers.Qwen3VLProcessor(images, tokenizer, videos, chat_template=template).save_pretrained(folder)


def qwen3_omni(folder: Path) -> None:
    """Qwen3-Omni: hears, sees, and takes both interleaved; its layers are mixtures of experts."""
    places = {
        "image_token": "<|image_pad|>",
        "audio_token": "<|audio_pad|>",
        "video_token": "<|video_pad|>",
        "vision_bos_token": "<|vision_start|>",
        "vision_eos_token": "<|vision_end|>",
        "audio_bos_token": "<|audio_start|>",
        "audio_eos_token": "<|audio_end|>",
    }
    tokenizer = _qwen_tokenizer(list(places.values()), places)
    ids = {name: tokenizer.convert_tokens_to_ids(token) for name, token in places.items()}
    experts = {"moe_intermediate_size": 32, "num_experts": 4, "num_experts_per_tok": 2, "norm_topk_prob": True}
    rope = {**MROPE, "mrope_interleaved": True}
    sliced = {"n_window": 50, "n_window_infer": 800, "conv_chunksize": 500, "downsample_hidden_size": 16}
    config = transformers.Qwen3OmniMoeConfig(
        enable_audio_output=False,
        thinker_config={
            "audio_config": {**AUDIO, **sliced, "output_dim": HIDDEN},
            "vision_config": {**VISION3, "image_size": 128, "apply_vit_abs_pos_embed": True},
            "text_config": _text(tokenizer, head_dim=32, rope_parameters=rope, **experts),
            "audio_token_id": ids["audio_token"],
            "image_token_id": ids["image_token"],
            "video_token_id": ids["video_token"],
            "audio_start_token_id": ids["audio_bos_token"],
            "audio_end_token_id": ids["audio_eos_token"],
            "vision_start_token_id": ids["vision_bos_token"],
            "vision_end_token_id": ids["vision_eos_token"],
            "position_id_per_seconds": 13,
            "user_token_id": 0,
        },
    )
    _save(transformers.Qwen3OmniMoeForConditionalGeneration(config), tokenizer, folder)
    images = transformers.Qwen2VLImageProcessor(size={"shortest_edge": 4096, "longest_edge": 65536}, **HALVES)
    videos = transformers.Qwen2VLVideoProcessor(size={"shortest_edge": 4096, "longest_edge": 16384}, **HALVES)
    template = _chat_template(
        video="<|vision_start|><|video_pad|><|vision_end|>", audio="<|audio_start|><|audio_pad|><|audio_end|>"
    )
    transformers.Qwen3OmniMoeProcessor(images, videos, _ears(300), tokenizer, chat_template=template).save_pretrained(
        folder
    )


def internvl(folder: Path) -> None:
    """InternVL3.5: sees, each frame as so many tokens."""
    special = ["<img>", "</img>", "<IMG_CONTEXT>", "<video>"]
    named = dict(
        zip(["start_image_token", "end_image_token", "context_image_token", "video_token"], special, strict=True)
    )
    tokenizer = _qwen_tokenizer(special, named)
    config = transformers.InternVLConfig(
        vision_config={
            "hidden_size": 64,
            "intermediate_size": 128,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "image_size": [56, 56],
            "patch_size": [14, 14],
        },
        text_config=_text(tokenizer, model_type="qwen2"),
        image_token_id=tokenizer.convert_tokens_to_ids("<IMG_CONTEXT>"),
        image_seq_length=4,
    )
    _save(transformers.InternVLForConditionalGeneration(config), tokenizer, folder)
    size = {"size": {"height": 56, "width": 56}}
    transformers.InternVLProcessor(
        transformers.GotOcr2ImageProcessor(**size),
        tokenizer,
        transformers.InternVLVideoProcessor(**size),
        image_seq_length=4,
        chat_template=_chat_template(video="<video>\n"),
    ).save_pretrained(folder)


def qwen2_audio(folder: Path) -> None:
    """Qwen2-Audio: hears."""
    tokenizer = _qwen_tokenizer(["<|audio_bos|>", "<|AUDIO|>", "<|audio_eos|>"])
    config = transformers.Qwen2AudioConfig(
        audio_config={**AUDIO, "max_source_positions": 1500},
        text_config=_text(tokenizer, model_type="qwen2", use_sliding_window=False),
        audio_token_index=tokenizer.convert_tokens_to_ids("<|AUDIO|>"),
    )
    _save(transformers.Qwen2AudioForConditionalGeneration(config), tokenizer, folder)
    _rename(folder, r"^language_model\.model\.model\.", "language_model.model.")
    template = _chat_template(audio="Audio 1: <|audio_bos|><|AUDIO|><|audio_eos|>\n")
    transformers.Qwen2AudioProcessor(_ears(30), tokenizer, chat_template=template).save_pretrained(folder)


def llava_next_video(folder: Path) -> None:
    """LLaVA-NeXT-Video: sees, in the way of LLaVA."""
    tokenizer = _llama_tokenizer(["<image>", "<video>"])
    grid = {"image_grid_pinpoints": [[112, 224], [224, 112], [224, 224]]}
    config = transformers.LlavaNextVideoConfig(
        vision_config={**CLIP_VISION, "image_size": 112, "patch_size": 8},
        text_config={**LLAMA, "vocab_size": _rounded(tokenizer)},
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        video_token_index=tokenizer.convert_tokens_to_ids("<video>"),
        image_seq_length=196,
        video_seq_length=49,
        **grid,
    )
    _save(transformers.LlavaNextVideoForConditionalGeneration(config), tokenizer, folder)
    _rename(folder, r"^(vision_tower)\.(?!vision_model)", r"\1.vision_model.")
    size = {"size": {"shortest_edge": 112}, "crop_size": {"height": 112, "width": 112}}
    transformers.LlavaNextVideoProcessor(
        video_processor=transformers.LlavaNextVideoVideoProcessor(**size),
        image_processor=transformers.LlavaNextImageProcessor(**size, **grid),
        tokenizer=tokenizer,
        patch_size=8,
        **_llava_processing(),
    ).save_pretrained(folder)


def video_llava(folder: Path) -> None:
    """Video-LLaVA: sees; only transformers runs it."""
    tokenizer = _llama_tokenizer(["<image>", "<video>"])
    config = transformers.VideoLlavaConfig(
        vision_config={**CLIP_VISION, "image_size": 56, "patch_size": 14},
        text_config={**LLAMA, "vocab_size": _rounded(tokenizer)},
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        video_token_index=tokenizer.convert_tokens_to_ids("<video>"),
        image_seq_length=16,
        video_seq_length=8 * 17,
    )
    _save(transformers.VideoLlavaForConditionalGeneration(config), tokenizer, folder)
    size = {"size": {"shortest_edge": 56}, "crop_size": {"height": 56, "width": 56}}
    transformers.VideoLlavaProcessor(
        image_processor=transformers.VideoLlavaImageProcessor(**size),
        video_processor=transformers.VideoLlavaVideoProcessor(**size),
        tokenizer=tokenizer,
        patch_size=14,
        **_llava_processing(),
    ).save_pretrained(folder)


def text(folder: Path) -> None:
    """Qwen2: reads."""
    tokenizer = _qwen_tokenizer([])
    tokenizer.chat_template = _chat_template()
    config = transformers.Qwen2Config(**_text(tokenizer))
    _save(transformers.Qwen2ForCausalLM(config), tokenizer, folder)
    tokenizer.save_pretrained(folder)


def _chat_template(video: str = "", audio: str = "", turn: str = "<|im_start|>{role}\n{body}<|im_end|>\n") -> str:
    """Write a chat template: the turns in order, and in each the media where they stand."""
    parts = {"video": video, "audio": audio}
    body = "{% if message.content is string %}{{ message.content }}{% else %}{% for part in message.content %}"
    for kind, place in parts.items():
        body += "{% if part.type == '" + kind + "' %}" + place.replace("\n", "{{ '\\n' }}") + "{% endif %}"
    body += "{% if part.type == 'text' %}{{ part.text }}{% endif %}{% endfor %}{% endif %}"
    turns = turn.replace("\n", "{{ '\\n' }}").replace("{role}", "{{ message.role }}").replace("{body}", body)
    opening = turn.partition("{body}")[0].replace("\n", "{{ '\\n' }}").replace("{role}", "assistant")
    return (
        "{% for message in messages %}" + turns + "{% endfor %}{% if add_generation_prompt %}" + opening + "{% endif %}"
    )


def _vocabulary() -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Learn a byte-level BPE of some five hundred tokens."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PRETOKENIZE_REGEX), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=500, initial_alphabet=alphabet, special_tokens=[], show_progress=False)
    tokenizer.train_from_iterator(SENTENCES * 4, trainer)
    learned = json.loads(tokenizer.to_str())["model"]
    return learned["vocab"], [(first, second) for first, second in learned["merges"]]


def _qwen_tokenizer(special: list[str], named: dict[str, str] | None = None) -> Qwen2Tokenizer:
    vocabulary, merges = _vocabulary()
    tokenizer = Qwen2Tokenizer(
        vocab=vocabulary,
        merges=merges,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        extra_special_tokens=named or {},
        model_max_length=32768,
    )
    base = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    tokenizer.add_tokens([AddedToken(token, special=True, normalized=False) for token in base + special])
    return tokenizer


def _llama_tokenizer(special: list[str]) -> PreTrainedTokenizerFast:
    """Stand in for Llama's sentencepiece: byte-level, but with its special tokens and its start of text."""
    learned, merges = _vocabulary()
    vocabulary = {token: number for number, token in enumerate(["<unk>", "<s>", "</s>", *learned])}
    inner = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    inner.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", 1)]
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=inner,
        unk_token="<unk>",
        bos_token="<s>",
        eos_token="</s>",
        pad_token="<unk>",
        model_max_length=4096,
    )
    tokenizer.add_tokens([AddedToken(token, special=True, normalized=False) for token in special])
    tokenizer.image_token, tokenizer.video_token = special
    return tokenizer


def _text(tokenizer: Any, **more: Any) -> dict[str, Any]:
    ids = {"bos_token_id": None, "eos_token_id": tokenizer.eos_token_id}
    return {**TEXT, **ids, "vocab_size": _rounded(tokenizer), "tie_word_embeddings": False, **more}


def _rounded(tokenizer: Any) -> int:
    return -(-len(tokenizer) // 64) * 64


def _vision_ids(tokenizer: Any) -> dict[str, Any]:
    names = {
        "image_token_id": "<|image_pad|>",
        "video_token_id": "<|video_pad|>",
        "vision_start_token_id": "<|vision_start|>",
        "vision_end_token_id": "<|vision_end|>",
    }
    ids = {name: tokenizer.convert_tokens_to_ids(token) for name, token in names.items()}
    return {**ids, "tie_word_embeddings": False}


def _qwen_vision() -> tuple[Any, Any]:
    patches = {"patch_size": 14, "temporal_patch_size": 2, "merge_size": 2}
    images = transformers.Qwen2VLImageProcessor(size={"shortest_edge": 3136, "longest_edge": 12845056}, **patches)
    videos = transformers.Qwen2VLVideoProcessor(size={"shortest_edge": 3136, "longest_edge": 12544}, **patches)
    return images, videos


def _ears(seconds: int) -> Any:
    return transformers.WhisperFeatureExtractor(
        feature_size=128,
        sampling_rate=16000,
        hop_length=160,
        n_fft=400,
        chunk_length=seconds,
        return_attention_mask=True,
    )


def _llava_processing() -> dict[str, Any]:
    return {
        "vision_feature_select_strategy": "default",
        "num_additional_image_tokens": 1,
        "chat_template": _chat_template(video="<video>\n", turn="{role}: {body} "),
    }


def _save(model: PreTrainedModel, tokenizer: Any, folder: Path) -> None:
    _scatter(model)
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


def _scatter(model: PreTrainedModel) -> None:
    """Draw weights that are large enough for the answer to depend on every input."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.dim() >= 2:
                weight.copy_(torch.randn(weight.shape, generator=generator) / weight[0].numel() ** 0.5)
                weight.mul_(4 if "embed" in name or "lm_head" in name else 1)
            elif "norm" in name or "ln_" in name:
                weight.fill_(1.0 if name.endswith("weight") else 0.0)
            else:
                weight.copy_(torch.randn(weight.shape, generator=generator) * 0.02)


def _rename(folder: Path, pattern: str, replacement: str) -> None:
    """Give weights the names that published checkpoints have; vLLM knows no others."""
    file = folder / "model.safetensors"
    renamed = {re.sub(pattern, replacement, name): weight.contiguous() for name, weight in load_file(file).items()}
    save_file(renamed, file, metadata={"format": "pt"})


CHECKPOINTS = {
    build.__name__: build
    for build in (
        omni, qwen3_omni, qwen25_vl, qwen3_vl, qwen2_audio, llava_next_video, video_llava, internvl, text
    )
}  # fmt: skip


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    for name in sys.argv[2:] or CHECKPOINTS:
        (folder / name).mkdir(parents=True)
        CHECKPOINTS[name](folder / name)
