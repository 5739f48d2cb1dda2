"""The answer files of the reference's code: a label and a verdict a row, read without unpickling anything.

Such a file (`.npz`) holds two string arrays in row order, `gt_labels` and `pred_labels`, of a1, a2 and same.
Source: zeroQiaoba/AffectGPT, folder EmoPrefer.
"""

from __future__ import annotations

import hashlib
import io
import sys
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from emoprefer_bench.errors import EmopreferError
from emoprefer_bench.pairs import LABELS, Label

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

ARRAYS = ("gt_labels", "pred_labels")
UNLABELLED = {"", "tie"}  # what stands in every row of a file that was made without labels
HEADERS: dict[tuple[int, int], Callable[..., Any]] = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
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
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if not labels or len(labels) != len(verdicts):
        raise ReplayError(
            f"{path}: has {len(labels)} labels and {len(verdicts)} predictions; each row should have both"
        )
    words = set(labels)
    return Answers(
        path,
        digest,
        [None] * len(labels) if len(words) == 1 and words <= UNLABELLED else _checked(path, "label", labels),
        _checked(path, "prediction", verdicts),
    )


def _arrays(path: Path) -> list[list[str]]:
    """The two arrays; of the archive, nothing but their members is read, and of these no more than they may have."""
    try:
        with zipfile.ZipFile(path) as archive:
            return [_strings(path, content) for content in _members(path, archive)]
    except ReplayError:
        raise
    except KeyError as error:
        raise ReplayError(f"{path}: {error.args[0]}; an answer file has {' and '.join(ARRAYS)}") from None
    except Exception as error:  # noqa: BLE001  # an archive that is made to can have any of its readers raise anything
        raise ReplayError(f"{path}: is no .npz file that can be read: {error!r:.200}") from None


def _members(path: Path, archive: zipfile.ZipFile) -> list[bytes]:
    members = [archive.getinfo(f"{name}.npy") for name in ARRAYS]
    size = sum(member.file_size for member in members)
    if size > LARGEST:
        raise ReplayError(f"{path}: unpacks to {size} bytes, more than any answer file needs: it is refused")
    contents = []
    for member in members:
        with archive.open(member) as file:
            contents.append(file.read(member.file_size))
    return contents


def _strings(path: Path, content: bytes) -> list[str]:
    """The strings of an array as numpy saves it (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html).

    Its header is held against what is there, before anything is made of it.
    """
    file = io.BytesIO(content)
    version = np.lib.format.read_magic(file)  # type: ignore[no-untyped-call]
    if version not in HEADERS:
        raise ValueError(f"numpy saves strings in version 1 or 2 of its format, and this has {version}")
    shape, _, dtype = HEADERS[version](file)
    if dtype.hasobject:
        raise ReplayError(
            f"{path}: holds pickled objects, and unpickling can run any program that a file's author put there, "
            f"so it is refused; save {' and '.join(ARRAYS)} as arrays of strings"
        )
    if dtype.kind != "U" or len(shape) != 1 or not dtype.itemsize:
        raise ReplayError(f"{path}: holds {dtype} of shape {shape!s:.80}; it should hold one string a row")
    start = file.tell()
    if shape[0] * dtype.itemsize != len(content) - start:
        raise ValueError(f"{shape[0]} strings are announced, and {len(content) - start} bytes are there")
    codes = np.frombuffer(content, np.dtype("u4").newbyteorder(dtype.byteorder), offset=start)
    if (codes > sys.maxunicode).any():  # numpy makes strings of them that Python can't hold
        raise ValueError("its strings hold what are no characters")
    return [str(word) for word in np.frombuffer(content, dtype, offset=start)]


def _checked(path: Path, what: str, words: Iterable[str]) -> list[Label]:
    known = {str(label): label for label in LABELS}
    labels: list[Label] = []
    for row, word in enumerate(words, 1):
        if word not in known:
            raise ReplayError(f"{path}, row {row}: the {what} is {word[:80]!r}; it should be a1, a2 or same")
        labels.append(known[word])
    return labels
