"""Tiny checkpoints of what is built as LLaVA is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import transformers
from sizes import TEXT, rounded, text_config
from weights import rename, save
from words import chat_template, llama_tokenizer, qwen_tokenizer

LLAMA = {**TEXT, "model_type": "llama", "max_position_embeddings": 4096, "num_key_value_heads": 2}
CLIP_VISION = {
    "model_type": "clip_vision_model",
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "projection_dim": 64,
}


def llava_next_video(folder: Path) -> None:
    """LLaVA-NeXT-Video: sees, in the way of LLaVA."""
    tokenizer = llama_tokenizer(["<image>", "<video>"])
    grid = {"image_grid_pinpoints": [[112, 224], [224, 112], [224, 224]]}
    config = transformers.LlavaNextVideoConfig(
        vision_config={**CLIP_VISION, "image_size": 112, "patch_size": 8},
        text_config={**LLAMA, "vocab_size": rounded(tokenizer)},
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        video_token_index=tokenizer.convert_tokens_to_ids("<video>"),
        image_seq_length=196,
        video_seq_length=49,
        **grid,
    )
    save(transformers.LlavaNextVideoForConditionalGeneration(config), tokenizer, folder)
    rename(folder, r"^(vision_tower)\.(?!vision_model)", r"\1.vision_model.")
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
    tokenizer = llama_tokenizer(["<image>", "<video>"])
    config = transformers.VideoLlavaConfig(
        vision_config={**CLIP_VISION, "image_size": 56, "patch_size": 14},
        text_config={**LLAMA, "vocab_size": rounded(tokenizer)},
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        video_token_index=tokenizer.convert_tokens_to_ids("<video>"),
        image_seq_length=16,
        video_seq_length=8 * 17,
    )
    save(transformers.VideoLlavaForConditionalGeneration(config), tokenizer, folder)
    size = {"size": {"shortest_edge": 56}, "crop_size": {"height": 56, "width": 56}}
    transformers.VideoLlavaProcessor(
        image_processor=transformers.VideoLlavaImageProcessor(**size),
        video_processor=transformers.VideoLlavaVideoProcessor(**size),
        tokenizer=tokenizer,
        patch_size=14,
        **_llava_processing(),
    ).save_pretrained(folder)


def internvl(folder: Path) -> None:
    """InternVL3.5: sees, each frame as so many tokens."""
    special = ["<img>", "</img>", "<IMG_CONTEXT>", "<video>"]
    named = dict(
        zip(["start_image_token", "end_image_token", "context_image_token", "video_token"], special, strict=True)
    )
    tokenizer = qwen_tokenizer(special, named)
    config = transformers.InternVLConfig(
        vision_config={
            "hidden_size": 64,
            "intermediate_size": 128,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "image_size": [56, 56],
            "patch_size": [14, 14],
        },
        text_config=text_config(tokenizer, model_type="qwen2"),
        image_token_id=tokenizer.convert_tokens_to_ids("<IMG_CONTEXT>"),
        image_seq_length=4,
    )
    save(transformers.InternVLForConditionalGeneration(config), tokenizer, folder)
    size = {"size": {"height": 56, "width": 56}}
    transformers.InternVLProcessor(
        transformers.GotOcr2ImageProcessor(**size),
        tokenizer,
        transformers.InternVLVideoProcessor(**size),
        image_seq_length=4,
        chat_template=chat_template(video="<video>\n"),
    ).save_pretrained(folder)


def _llava_processing() -> dict[str, Any]:
    return {
        "vision_feature_select_strategy": "default",
        "num_additional_image_tokens": 1,
        "chat_template": chat_template(video="<video>\n", turn="{role}: {body} "),
    }
