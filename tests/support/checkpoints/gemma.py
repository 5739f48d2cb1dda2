"""Tiny checkpoints of the Gemma families."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import transformers
from sizes import HIDDEN, TEXT
from weights import save
from words import chat_template, gemma_tokenizer

MEDIA_WORDS = 8  # tokens that Gemma 3n embeds with its towers, of picture and of sound each
GEMMA_TEXT: dict[str, Any] = {
    **TEXT,
    "num_hidden_layers": 4,
    "layer_types": ["sliding_attention", "full_attention"] * 2,
    "num_kv_shared_layers": 2,
    "head_dim": 32,
    "hidden_size_per_layer_input": 32,
    "sliding_window": 64,
}


def gemma3n(folder: Path) -> None:
    """Gemma 3n: hears, and sees images of 256 tokens each."""
    places = {
        "boi_token": "<start_of_image>",
        "boa_token": "<start_of_audio>",
        "eoi_token": "<end_of_image>",
        "image_token": "<image_soft_token>",
        "eoa_token": "<end_of_audio>",
        "audio_token": "<audio_soft_token>",
    }
    tokenizer = gemma_tokenizer(_gemma3n_tokens(places), places)
    ids = {f"{name}_id": tokenizer.convert_tokens_to_ids(token) for name, token in places.items()}
    text = ids["eoi_token_id"]  # the size of the vocabulary of words: what follows are tokens of media
    words = {"vocab_size": MEDIA_WORDS}
    config = transformers.Gemma3nConfig(
        text_config={
            **GEMMA_TEXT,
            "vocab_size": len(tokenizer),
            "vocab_size_per_layer_input": text,
            "altup_num_inputs": 2,
            "laurel_rank": 8,
        },
        vision_config={**words, "vocab_offset": text, "model_args": {"channel_multiplier": 0.1}},
        audio_config={
            **words,
            "vocab_offset": text + MEDIA_WORDS,
            "hidden_size": HIDDEN,
            "conf_num_attention_heads": 2,
            "conf_num_hidden_layers": 1,
            "sscp_conv_channel_size": [16, 8],
        },
        **ids,
    )
    save(transformers.Gemma3nForConditionalGeneration(config), tokenizer, folder, words=0.1)
    size = {"height": 256, "width": 256}
    transformers.Gemma3nProcessor(
        transformers.Gemma3nAudioFeatureExtractor(),
        transformers.SiglipImageProcessor(size=size, do_normalize=False),
        tokenizer,
        chat_template=_gemma_template("<start_of_turn>{role}\n{body}<end_of_turn>\n", "<%s_soft_token>"),
    ).save_pretrained(folder)


def gemma4(folder: Path) -> None:
    """Gemma 4: hears, and sees frames with the time of each."""
    places = {
        "image_token": "<|image|>",
        "audio_token": "<|audio|>",
        "boi_token": "<|image>",
        "eoi_token": "<image|>",
        "boa_token": "<|audio>",
        "eoa_token": "<audio|>",
    }
    tokenizer = gemma_tokenizer([*places.values(), "<|video|>", "<|turn>", "<turn|>"], places)
    ids = {f"{name}_id": tokenizer.convert_tokens_to_ids(token) for name, token in places.items()}
    size = -(-len(tokenizer) // 64) * 64
    config = transformers.Gemma4Config(
        text_config={
            **GEMMA_TEXT,
            "vocab_size": size,
            "vocab_size_per_layer_input": size,
            "global_head_dim": 64,
            "final_logit_softcapping": 30.0,
        },
        vision_config={
            "hidden_size": HIDDEN,
            "intermediate_size": 128,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "num_key_value_heads": 2,
            "head_dim": 32,
            "position_embedding_size": 1024,
            "default_output_length": 280,
        },
        audio_config={
            "hidden_size": HIDDEN,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "subsampling_conv_channels": [128, 8],
            "output_proj_dims": HIDDEN,
        },
        video_token_id=tokenizer.convert_tokens_to_ids("<|video|>"),
        eoa_token_index=ids.pop("eoa_token_id"),
        **ids,
    )
    save(transformers.Gemma4ForConditionalGeneration(config), tokenizer, folder, words=0.1)
    transformers.Gemma4Processor(
        transformers.Gemma4AudioFeatureExtractor(),
        transformers.Gemma4ImageProcessor(),
        tokenizer,
        transformers.Gemma4VideoProcessor(),
        chat_template=_gemma_template("<|turn>{role}\n{body}<turn|>\n", "<|%s|>"),
    ).save_pretrained(folder)


def _gemma3n_tokens(places: dict[str, str]) -> list[str]:
    """Order its special tokens as the published vocabulary does: words, then picture's, then sound's."""
    start_picture, start_sound, *others = places.values()
    words = ["<start_of_turn>", "<end_of_turn>", start_picture, start_sound]
    picture, sound = (
        [*own, *(f"<{kind}_{number}>" for number in range(MEDIA_WORDS - len(own)))]
        for kind, own in (("picture", others[:2]), ("sound", others[2:]))
    )
    return [*words, *picture, *sound]


def _gemma_template(turn: str, place: str) -> str:
    media = {kind: place % kind for kind in ("image", "audio", "video")}
    return chat_template(**media, turn=turn, answerer="model", start="{{ bos_token }}")
