"""Whether weights fit the GPUs, asked before they are loaded."""

from __future__ import annotations

import math
import os
import subprocess
from collections import Counter
from pathlib import Path

GIB = 1 << 30
BYTES = {"F64": 8, "F32": 4, "I64": 8, "I32": 4, "F16": 2, "BF16": 2, "I16": 2}  # all others have one
HALF = 2  # bytes of a weight that was stored in more, as both engines load it on a GPU unless told otherwise


class TooLargeError(RuntimeError):
    """Weights that don't fit; the message says what they need and what is free."""


def check_fits(model: str, revision: str | None, dtype: str | None = None) -> None:
    """Raise TooLargeError where the weights alone exceed the free memory of the GPUs.

    Says nothing where there is no GPU, or where the weights' size can't be known.
    """
    free = free_memory(os.environ.get("CUDA_VISIBLE_DEVICES", ""))
    needed = weights_bytes(model, revision, dtype) if free else None
    if free and needed and needed > sum(free):
        raise TooLargeError(
            f"{model} doesn't fit: its weights take {needed / GIB:.1f} GiB, and {sum(free) / GIB:.1f} GiB are free on "
            f"{len(free)} GPU{'s' if len(free) > 1 else ''}. Give its fixture more GPUs (gpus=...), take a smaller or "
            "quantized checkpoint, or end what else runs there (nvidia-smi)",
        )


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
    folder = Path(model)
    counts = _counts(sorted(folder.glob("*.safetensors"))) if folder.is_dir() else _counts_on_hub(model, revision)
    most = BYTES["F32"] if dtype == "float32" else HALF
    return sum(count * min(BYTES.get(kind, 1), most) for kind, count in counts.items()) or None


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
