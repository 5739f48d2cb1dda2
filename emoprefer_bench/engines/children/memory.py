"""What a model needs of its GPUs, and whether it fits them, asked before it is loaded."""

from __future__ import annotations

import json
import logging
import math
import os
import subprocess
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

GIB = 1 << 30
BYTES = {"F64": 8, "F32": 4, "I64": 8, "I32": 4, "F16": 2, "BF16": 2, "I16": 2}  # all others have one
HALF = 2  # bytes of a weight that was stored in more, as both engines load it on a GPU unless told otherwise
READ_AT_ONCE = 16384  # tokens; vLLM's own on a large card, unless max_num_batched_tokens says otherwise
BATCH = 4  # the batch_size of transformers.py on a CPU, and where nobody knows what fits
BATCHES = (16, 8, 4, 2, 1)  # what it may be on GPUs, of which the largest was measured; more would wait in memory
DRAWN_AT_ONCE = 256  # answers, of which each has a number for every word of the vocabulary
CLIP_TOKENS = 8192  # a clip of 10 s and its question in Qwen2.5-Omni: 20 frames of 360 tokens at most, 250 of sound
SHARE = 0.9  # of the memory; vLLM takes no more unless gpu_memory_utilization says otherwise
SPOKEN = ("talker.", "token2wav.", "code2wav.")  # what Qwen's Omni models speak with; nobody loads it
# What a config has whose layers keep less of a token, or something else, than keys and values of all.
UNUSUAL = (
    "kv_lora_rank",
    "sliding_window",
    "layer_types",
    "attention_chunk_size",
    "linear_num_key_heads",
    "mamba_d_state",
)


log = logging.getLogger(__name__)


class TooLargeError(RuntimeError):
    """Weights that don't fit; the message says what they need and what is free."""


@dataclass(frozen=True)
class Cache:
    """What an engine keeps of a prompt: bytes a token, and how many tokens the longest prompt may have."""

    token: int
    tokens: int

    @property
    def bytes(self) -> int:
        """What it keeps of the longest."""
        return self.token * self.tokens


@dataclass(frozen=True)
class Needs:
    """What a model takes of its GPUs, in bytes: its weights, and what it computes with, which is an estimate.

    `cache` is what it keeps of the longest prompt, None where that can't be told from its config; `rows` are the
    prompts that it keeps at least.
    """

    weights: int
    computing: int
    cache: Cache | None = None
    rows: int = 1

    @property
    def clip(self) -> int:
        """What it keeps of clips of 10 s, or of its context if that is shorter."""
        return self.rows * self.cache.token * min(self.cache.tokens, CLIP_TOKENS) if self.cache else 0

    def __str__(self) -> str:
        """Say it in a line."""
        parts = [f"{self.weights / GIB:.1f} GiB of weights"]
        if self.cache:
            clips = f"{self.rows} clips" if self.rows > 1 else "a clip"
            parts.append(f"{self.clip / GIB:.1f} for {clips} of 10 s")
        return f"{', '.join(parts)}, about {self.computing / GIB:.1f} to compute with"

    def cures(self, free: list[int], *, whole_context: bool) -> list[str]:
        """Return what would make it fit GPUs with so many free bytes each; nothing where it fits.

        `whole_context`: its engine sets memory aside for the longest prompt, as vLLM does.
        """
        left = int(SHARE * sum(free)) - self.weights - self.computing
        if left >= self.clip:
            if whole_context and self.cache and left < self.cache.bytes:
                return [f"max_model_len={left // self.cache.token} or less in its fixture"]
            return []
        cards = math.ceil((self.weights + self.computing + self.clip) / (SHARE * max(free))) if max(free) else 0
        return [f"gpus={cards} in its fixture" if cards else "GPUs with free memory", "a quantized checkpoint"]


def needs(kind: str, model: str, revision: str | None, options: Mapping[str, Any]) -> Needs | None:
    """Return what a model needs with a fixture's options, in vLLM or transformers by the `kind` of its engine.

    None where its weights or its config aren't known.
    """
    weights, config = weights_bytes(model, revision, options.get("dtype")), config_of(model, revision)
    if not weights or config is None:
        return None
    cache = cache_of(config, options.get("max_model_len"))
    if kind == "vllm":
        return Needs(weights, computing(config, options.get("max_num_batched_tokens") or READ_AT_ONCE), cache)
    return _of_batch(weights, config, cache, options.get("batch_size") or 1)


def _of_batch(weights: int, config: Mapping[str, Any], cache: Cache | None, rows: int) -> Needs:
    """Return what transformers needs for so many prompts about clips of 10 s at once."""
    return Needs(weights, computing(config, rows * CLIP_TOKENS), cache, rows)


def batch_that_fits(model: str, revision: str | None, options: Mapping[str, Any]) -> int:
    """Return how many prompts about clips of 10 s transformers can read at once in the GPUs' free memory, by estimate.

    What fits not even one is loaded all the same: most clips are shorter.
    """
    free = free_memory(os.environ.get("CUDA_VISIBLE_DEVICES", ""))
    weights = weights_bytes(model, revision, options.get("dtype")) if free else None
    config = config_of(model, revision) if weights else None
    cache = cache_of(config, options.get("max_model_len")) if config else None
    if not weights or config is None or cache is None:
        return BATCH
    each = (_of_batch(weights, config, cache, rows) for rows in BATCHES)
    return next((batch.rows for batch in each if not batch.cures(free, whole_context=False)), BATCHES[-1])


def computing(config: Mapping[str, Any], tokens: int) -> int:
    """Estimate the bytes that a model computes with while it reads so many tokens at once.

    Of a layer: the states before and after, queries, keys and values, and what its wide part makes of them, two bytes a
    number; and four bytes, twice, for every word that each of many answers may go on with. For 16 prompts of 2,632
    tokens in Qwen2.5-Omni-7B's shapes it says 6.6 GB; on an H200, transformers took 6.4 beside weights and cache.
    """
    text = _text(config)
    hidden, vocabulary = _greatest(text.get("hidden_size")), _greatest(text.get("vocab_size"))
    experts = _greatest(text.get("moe_intermediate_size")) * _greatest(text.get("num_experts_per_tok"))
    wide = max(_greatest(text.get("intermediate_size")), experts)
    return tokens * (5 * hidden + 3 * wide) * HALF + 2 * BYTES["F32"] * DRAWN_AT_ONCE * vocabulary


def _greatest(size: object) -> int:
    """A size that a config gives for all layers or, as Gemma 3n's does, for each; 0 for one that isn't given."""
    sizes = size if isinstance(size, list) else [size]
    return max((each for each in sizes if isinstance(each, int)), default=0)


def config_of(model: str, revision: str | None) -> dict[str, Any] | None:
    """Return a checkpoint's config.json, of a folder or of the hub; None where it can't be had."""
    from huggingface_hub import hf_hub_download

    folder = Path(model)
    try:
        path = folder / "config.json" if folder.exists() else hf_hub_download(model, "config.json", revision=revision)
        config: object = json.loads(Path(path).read_text())
    except Exception:  # noqa: BLE001  # whatever the hub's client raises: not knowing is no reason to fail
        return None
    return config if isinstance(config, dict) else None


def check_fits(
    model: str, revision: str | None, dtype: str | None = None, cache: Cache | None = None, compute: int = 0
) -> None:
    """Raise TooLargeError where the weights, or they and the cache of one prompt, exceed the free memory of the GPUs.

    Says nothing where there is no GPU, or where the weights' size can't be known. What a model needs beside these while
    it computes, `compute` bytes, is an estimate: where that has no room, a line in the log says so.
    """
    free = free_memory(os.environ.get("CUDA_VISIBLE_DEVICES", ""))
    needed = weights_bytes(model, revision, dtype) if free else None
    if not free or not needed:
        return
    room = f"{sum(free) / GIB:.1f} GiB are free on {len(free)} GPU{'s' if len(free) > 1 else ''}"
    left = sum(free) - needed
    if left < 0:
        raise TooLargeError(
            f"{model} doesn't fit: its weights take {needed / GIB:.1f} GiB, and {room}. Give its fixture more GPUs "
            "(gpus=...), take a smaller or quantized checkpoint, or end what else runs there (nvidia-smi)",
        )
    if cache and left < cache.bytes and _files(model, revision):  # what the hub says counts what isn't loaded, too
        raise TooLargeError(
            f"{model} doesn't fit: its weights take {needed / GIB:.1f} GiB, what it keeps of a prompt of "
            f"{cache.tokens:,} tokens {cache.bytes / GIB:.1f} GiB, and {room}. Set max_model_len={left // cache.token} "
            "or less in its fixture, give it more GPUs (gpus=...), or take a smaller checkpoint",
        )
    told = Needs(needed, compute, cache)
    if cures := told.cures(free, whole_context=cache is not None):
        log.warning("%s may not fit: %s, and %s. What would help: %s", model, told, room, ", or ".join(cures))
    else:
        log.info("%s: %s; %s", model, told, room)


def cache_of(config: Mapping[str, Any], tokens: int | None = None) -> Cache | None:
    """Return what is kept of a prompt of so many tokens, by default as many as a model's config.json allows.

    Keys and values of every layer, two bytes a number. None for a model of which something else is kept, or not of
    every layer, and for a length that isn't given in plain.
    """
    text = _text(config)
    heads = text.get("num_attention_heads")
    kept = text.get("num_key_value_heads", heads)
    hidden, layers = text.get("hidden_size"), text.get("num_hidden_layers")
    size = text.get("head_dim") or (hidden // heads if isinstance(heads, int) and isinstance(hidden, int) else None)
    given = layers, kept, size, tokens or text.get("max_position_embeddings")
    numbers = [each for each in given if isinstance(each, int) and each > 0]
    if len(numbers) < len(given) or _unusual(text):
        return None
    *token, longest = numbers
    return Cache(2 * math.prod(token) * HALF, longest)


def _unusual(text: Mapping[str, Any]) -> bool:
    """Whether a layer keeps less than all keys and values; `use_sliding_window` may say that none slides."""
    given = {name for name in UNUSUAL if text.get(name)}
    if text.get("use_sliding_window") is False:
        given.discard("sliding_window")
    if set(text.get("layer_types") or ()) <= {"full_attention"}:
        given.discard("layer_types")
    return bool(given)


def _text(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the part of a config that is the language model's."""
    for name in ("thinker_config", "text_config", "llm_config"):
        if isinstance(inner := config.get(name), dict):
            return _text(inner)
    return config


def free_memory(ids: str) -> list[int]:
    """Return the free bytes of the GPUs whose ids, parted by commas, CUDA_VISIBLE_DEVICES has; none for no GPUs."""
    if not ids:
        return []
    query = ["nvidia-smi", "--query-gpu=memory.free", "--format=csv,noheader,nounits", "-i", ids]
    try:
        listed = subprocess.run(query, capture_output=True, text=True, timeout=30, check=True).stdout  # noqa: S603  # ids of the lease
    except (OSError, subprocess.SubprocessError):
        return []
    return [int(line) << 20 for line in listed.split() if line.isdigit()]


def weights_bytes(model: str, revision: str | None, dtype: str | None = None) -> int | None:
    """Return the bytes that the weights take once loaded, or None where that can't be known."""
    files = _files(model, revision)
    counts = _counts(files) if files or Path(model).exists() else _counts_on_hub(model, revision)
    most = BYTES["F32"] if dtype == "float32" else HALF
    return sum(count * min(BYTES.get(kind, 1), most) for kind, count in counts.items()) or None


def _files(model: str, revision: str | None) -> list[Path]:
    """Return the files of the weights, of a folder or of a model of the hub that was downloaded."""
    folder = Path(model)
    if not folder.exists():
        from huggingface_hub import try_to_load_from_cache

        try:
            config = try_to_load_from_cache(model, "config.json", revision=revision)
        except ValueError:  # no name of a model
            return []
        folder = Path(config).parent if isinstance(config, str) else folder
    return sorted(folder.glob("*.safetensors")) if folder.is_dir() else []


def _counts(files: list[Path]) -> Counter[str]:
    """Return how many weights of each type the files hold, by their headers; both engines bring the library.

    Nothing for files that it can't read: loading them will say why.
    """
    from safetensors import SafetensorError, safe_open

    counts: Counter[str] = Counter()
    for path in files:
        try:
            with safe_open(path, framework="np") as file:
                for name in file.keys():  # noqa: SIM118  # it is no dict
                    if name.startswith(SPOKEN):
                        continue
                    tensor = file.get_slice(name)
                    counts[tensor.get_dtype()] += math.prod(tensor.get_shape())
        except (OSError, SafetensorError):
            return Counter()
    return counts


def _counts_on_hub(model: str, revision: str | None) -> Counter[str]:
    """Return the same for a model of the hub, by what the hub says; nothing where it can't be reached."""
    from huggingface_hub import HfApi

    try:
        known = HfApi().model_info(model, revision=revision, timeout=10, expand=["safetensors"]).safetensors
    except Exception:  # noqa: BLE001  # whatever its client raises: not knowing the size is no reason to fail
        return Counter()
    return Counter(known.parameters) if known else Counter()
