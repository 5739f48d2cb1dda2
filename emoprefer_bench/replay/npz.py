"""The answer files of the reference's code: a label and a verdict a row, read without unpickling anything.

Such a file (`.npz`) holds two string arrays in row order, `gt_labels` and `pred_labels`, of a1, a2 and same.
Source: zeroQiaoba/AffectGPT, folder EmoPrefer.
"""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from emoprefer_bench.errors import EmopreferError
from emoprefer_bench.pairs import LABELS, Label

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

ARRAYS = ("gt_labels", "pred_labels")
UNLABELLED = {"", "tie"}  # what stands in every row of a file that was made without labels
LARGEST = 64 * 2**20  # bytes; 10,000 rows take 320,000


class ReplayError(EmopreferError):
    """A file can't be scored; the message says which, in which row, and what is wrong."""


@dataclass(frozen=True, slots=True)
class Answers:
    """An answer file. `labels` are None throughout where it was made without labels; `digest` is its SHA-256."""

    path: Path
    digest: str
    labels: Sequence[Label | None]
    verdicts: Sequence[Label]


def read(path: Path) -> Answers:
    """Read an answer file. Raises ReplayError."""
    labels, verdicts = _arrays(path)
    if not labels or len(labels) != len(verdicts):
        raise ReplayError(
            f"{path}: has {len(labels)} labels and {len(verdicts)} predictions; each row should have both"
        )
    words = set(labels)
    return Answers(
        path,
        hashlib.sha256(path.read_bytes()).hexdigest(),
        [None] * len(labels) if len(words) == 1 and words <= UNLABELLED else _checked(path, "label", labels),
        _checked(path, "prediction", verdicts),
    )


def _arrays(path: Path) -> list[list[str]]:
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(archive.getinfo(f"{name}.npy").file_size for name in ARRAYS)
        if size > LARGEST:
            raise ReplayError(f"{path}: unpacks to {size} bytes, more than any answer file needs: it is refused")
        with np.load(path, allow_pickle=False) as arrays:
            return [_strings(path, arrays[name]) for name in ARRAYS]
    except KeyError as error:
        raise ReplayError(f"{path}: {error.args[0]}; an answer file has {' and '.join(ARRAYS)}") from None
    except (OSError, ValueError, EOFError, MemoryError, NotImplementedError, zipfile.BadZipFile, zlib.error) as error:
        if "pickle" in str(error):
            raise ReplayError(
                f"{path}: holds pickled objects, and unpickling can run any program that a file's author put there, "
                f"so it is refused; save {' and '.join(ARRAYS)} as arrays of strings"
            ) from None
        raise ReplayError(f"{path}: is no .npz file that can be read: {error}") from None


def _strings(path: Path, array: np.ndarray[tuple[int, ...], np.dtype[np.str_]]) -> list[str]:
    if array.dtype.kind != "U" or array.ndim != 1:
        raise ReplayError(f"{path}: holds {array.dtype} of shape {array.shape}; it should hold one string a row")
    return [str(word) for word in array]


def _checked(path: Path, what: str, words: Iterable[str]) -> list[Label]:
    known = {str(label): label for label in LABELS}
    found: list[Label] = []
    for row, word in enumerate(words, 1):
        if word not in known:
            raise ReplayError(f"{path}, row {row}: the {what} is {word[:80]!r}; it should be a1, a2 or same")
        found.append(known[word])
    return found
