"""Tiny checkpoints of the Qwen families."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
import transformers
from sizes import AUDIO, HIDDEN, text_config
from weights import rename, save
from words import chat_template, qwen_tokenizer

from emoprefer_bench.demo.train.checkpoint import PLACES, TEMPLATE, configuration

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


def omni(folder: Path) -> None:
    """Qwen2.5-Omni: hears, sees, and takes both interleaved."""
    tokenizer = qwen_tokenizer(list(PLACES.values()), PLACES)
    config = configuration(
        tokenizer,
        text_config(tokenizer, rope_parameters=dict(MROPE)),
        {**VISION, "tokens_per_second": 25},
        {**AUDIO, "n_window": 100, "output_dim": HIDDEN},
    )
    model = transformers.Qwen2_5OmniForConditionalGeneration(config)
    save(model, tokenizer, folder)
    written = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**written, "architectures": ["Qwen2_5OmniModel"]}))
    torch.save({"Nobody": {"bos_token": 0}}, folder / "spk_dict.pt")
    processor = transformers.Qwen2_5OmniProcessor(*_qwen_vision(), _ears(300), tokenizer, chat_template=TEMPLATE)
    processor.save_pretrained(folder)


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
    tokenizer = qwen_tokenizer(list(places.values()), places)
    ids = {name: tokenizer.convert_tokens_to_ids(token) for name, token in places.items()}
    experts = {"moe_intermediate_size": 32, "num_experts": 4, "num_experts_per_tok": 2, "norm_topk_prob": True}
    rope = {**MROPE, "mrope_interleaved": True}
    sliced = {"n_window": 50, "n_window_infer": 800, "conv_chunksize": 500, "downsample_hidden_size": 16}
    config = transformers.Qwen3OmniMoeConfig(
        enable_audio_output=False,
        thinker_config={
            "audio_config": {**AUDIO, **sliced, "output_dim": HIDDEN},
            "vision_config": {**VISION3, "image_size": 128, "apply_vit_abs_pos_embed": True},
            "text_config": text_config(tokenizer, head_dim=32, rope_parameters=rope, **experts),
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
    save(transformers.Qwen3OmniMoeForConditionalGeneration(config), tokenizer, folder)
    images = transformers.Qwen2VLImageProcessor(size={"shortest_edge": 4096, "longest_edge": 65536}, **HALVES)
    videos = transformers.Qwen2VLVideoProcessor(size={"shortest_edge": 4096, "longest_edge": 16384}, **HALVES)
    template = chat_template(
        video="<|vision_start|><|video_pad|><|vision_end|>", audio="<|audio_start|><|audio_pad|><|audio_end|>"
    )
    transformers.Qwen3OmniMoeProcessor(images, videos, _ears(300), tokenizer, chat_template=template).save_pretrained(
        folder
    )


def qwen25_vl(folder: Path) -> None:
    """Qwen2.5-VL: sees."""
    tokenizer = qwen_tokenizer(["<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>"])
    config = transformers.Qwen2_5_VLConfig(
        text_config=text_config(tokenizer, rope_parameters=dict(MROPE)),
        vision_config={**VISION, "tokens_per_second": 2},
        **_vision_ids(tokenizer),
    )
    save(transformers.Qwen2_5_VLForConditionalGeneration(config), tokenizer, folder)
    images, videos = _qwen_vision()
    template = chat_template(video="<|vision_start|><|video_pad|><|vision_end|>")
    transformers.Qwen2_5_VLProcessor(images, tokenizer, videos, chat_template=template).save_pretrained(folder)


def qwen3_vl(folder: Path) -> None:
    """Qwen3-VL: sees, and reads the time of each frame."""
    tokenizer = qwen_tokenizer(["<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>"])
    config = transformers.Qwen3VLConfig(
        text_config=text_config(tokenizer, head_dim=32, rope_parameters={**MROPE, "mrope_interleaved": True}),
        vision_config=VISION3,
        **_vision_ids(tokenizer),
    )
    save(transformers.Qwen3VLForConditionalGeneration(config), tokenizer, folder)
    images = transformers.Qwen2VLImageProcessor(size={"shortest_edge": 4096, "longest_edge": 65536}, **HALVES)
    videos = transformers.Qwen3VLVideoProcessor(size={"shortest_edge": 4096, "longest_edge": 131072}, **HALVES)
    template = chat_template(video="<|vision_start|><|video_pad|><|vision_end|>")
    transformers.Qwen3VLProcessor(images, tokenizer, videos, chat_template=template).save_pretrained(folder)


def qwen2_audio(folder: Path) -> None:
    """Qwen2-Audio: hears."""
    tokenizer = qwen_tokenizer(["<|audio_bos|>", "<|AUDIO|>", "<|audio_eos|>"])
    config = transformers.Qwen2AudioConfig(
        audio_config={**AUDIO, "max_source_positions": 1500},
        text_config=text_config(tokenizer, model_type="qwen2", use_sliding_window=False),
        audio_token_index=tokenizer.convert_tokens_to_ids("<|AUDIO|>"),
    )
    save(transformers.Qwen2AudioForConditionalGeneration(config), tokenizer, folder)
    rename(folder, r"^language_model\.model\.model\.", "language_model.model.")
    template = chat_template(audio="Audio 1: <|audio_bos|><|AUDIO|><|audio_eos|>\n")
    transformers.Qwen2AudioProcessor(_ears(30), tokenizer, chat_template=template).save_pretrained(folder)


def text(folder: Path) -> None:
    """Qwen2: reads."""
    tokenizer = qwen_tokenizer([])
    tokenizer.chat_template = chat_template()
    config = transformers.Qwen2Config(**text_config(tokenizer))
    save(transformers.Qwen2ForCausalLM(config), tokenizer, folder)
    tokenizer.save_pretrained(folder)


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
