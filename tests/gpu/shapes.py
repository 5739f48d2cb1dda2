"""Qwen2.5-Omni-7B as its config.json has it, with random weights: a checkpoint that costs what the real one costs.

Sizes: https://huggingface.co/Qwen/Qwen2.5-Omni-7B/blob/main/config.json (the thinker; the talker is never loaded).
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from emoprefer_bench.engines.children.operators import declare_operators

from . import HERE

TEXT = {
    "hidden_size": 3584, "intermediate_size": 18944, "num_hidden_layers": 28, "num_attention_heads": 28,
    "num_key_value_heads": 4, "vocab_size": 152064, "max_position_embeddings": 32768,
}  # fmt: skip
VISION = {
    "depth": 32, "hidden_size": 1280, "intermediate_size": 3420, "num_heads": 16, "out_hidden_size": 3584,
    "fullatt_block_indexes": [7, 15, 23, 31],
}  # fmt: skip
AUDIO = {
    "d_model": 1280, "encoder_layers": 32, "encoder_attention_heads": 20, "encoder_ffn_dim": 5120, "output_dim": 3584,
}  # fmt: skip
SECTIONS = [16, 24, 24]
SHARD = 4 << 30  # bytes
DEVIATION = 0.02  # of a weight, as models are initialised


def tiny(folder: Path, *names: str) -> None:
    """Build the tiny checkpoints of the tests. Raises RuntimeError with the reason where that fails."""
    command = [sys.executable, str(HERE.parent / "support" / "checkpoints"), str(folder), *names]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    if ran.returncode:
        raise RuntimeError(f"the tiny checkpoints can't be built: {ran.stderr.strip()[-500:]}")


def small(folder: Path) -> int:
    """Make of the tiny Qwen2.5-Omni beside it what stands in place of the large one, and return its bytes."""
    _copy(folder)
    return draw(folder)


def omni_7b(folder: Path) -> int:
    """Write a checkpoint of the 7B's shapes into a new folder, its weights drawn on the GPU; return its bytes."""
    _copy(folder)
    config = json.loads((folder / "config.json").read_text())
    thinker = config["thinker_config"]
    thinker["text_config"] |= TEXT
    thinker["text_config"].pop("layer_types", None)
    for name in ("rope_parameters", "rope_scaling"):
        if isinstance(thinker["text_config"].get(name), dict):
            thinker["text_config"][name]["mrope_section"] = SECTIONS
    thinker["vision_config"] |= VISION
    thinker["audio_config"] |= AUDIO
    (folder / "config.json").write_text(json.dumps(config))
    return draw(folder)


def _copy(folder: Path) -> None:
    """Copy all of the tiny Qwen2.5-Omni but its weights."""
    shutil.copytree(folder.parent / "tiny" / "omni", folder, ignore=shutil.ignore_patterns("*.safetensors"))


def draw(folder: Path) -> int:
    """Write random weights, bfloat16, for the config.json of a folder; return their bytes."""
    import torch

    declare_operators()
    import transformers
    from safetensors.torch import save_file

    config = transformers.Qwen2_5OmniConfig.from_pretrained(folder)
    with torch.device("meta"):
        model = transformers.Qwen2_5OmniForConditionalGeneration(config)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    shard: dict[str, Any] = {}
    held, total, places = 0, 0, {}
    shapes = list(model.state_dict().items())
    for number, (name, shape) in enumerate(shapes):
        weight = torch.empty(shape.shape, dtype=torch.bfloat16, device=device)
        fixed = 1.0 if re.search(r"norm\w*\.weight$|ln_\w+\.weight$", name) else 0.0 if name.endswith("bias") else None
        shard[name] = (weight.normal_(std=DEVIATION) if fixed is None else weight.fill_(fixed)).cpu()
        held += weight.nbytes
        if held >= SHARD or number == len(shapes) - 1:
            file = f"model-{number:05}.safetensors"
            save_file(shard, folder / file, metadata={"format": "pt"})
            places |= dict.fromkeys(shard, file)
            total, held, shard = total + held, 0, {}
    index = {"metadata": {"total_size": total}, "weight_map": places}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    return total
