"""Where an MP4 file says that a track pauses: editors leave such notes where nothing was put between two cuts.

FFmpeg heeds a pause at the beginning, and plays the beginning of the track in any other.
"""

from __future__ import annotations

import os
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MOST_BOXES = 100_000
LARGEST = 1 << 20  # bytes read of one box
EMPTY = -1


def pauses(path: Path, number: int) -> list[tuple[float, float]]:
    """Give begin and end (seconds) of each pause of a file's sound track, counted from 0, but not at its beginning."""
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        for film in _boxes(file, 0, size, b"moov"):
            scale = next((_scale(head) for head in _read(file, *film, b"mvhd")), 0)
            sounding = [
                track
                for track in _boxes(file, *film, b"trak")
                if any(head[8:12] == b"soun" for head in _read(file, *track, b"mdia", b"hdlr"))
            ]
            if scale and number < len(sounding):
                edits = next(_read(file, *sounding[number], b"edts", b"elst"), b"")
                return [(at / scale, (at + length) / scale) for at, length in _empty(edits)]
    return []


def _empty(edits: bytes) -> Iterator[tuple[int, int]]:
    """Where the empty edits of a list lie behind others, and how long they are."""
    wide, at, begun = (8 if edits[:1] == b"\1" else 4), 0, False
    for entry in range(8, len(edits), 2 * wide + 4):
        length = int.from_bytes(edits[entry : entry + wide], "big")
        empty = int.from_bytes(edits[entry + wide : entry + 2 * wide], "big", signed=True) == EMPTY
        if empty and begun:
            yield at, length
        at, begun = at + length, begun or not empty


def _scale(head: bytes) -> int:
    """How many units of a film's clock make a second."""
    at = 20 if head[:1] == b"\1" else 12
    return int.from_bytes(head[at : at + 4], "big")


def _read(file: IO[bytes], begin: int, end: int, kind: bytes, *inner: bytes) -> Iterator[bytes]:
    """Give the content of the boxes of a kind, or of those within them."""
    for first, last in _boxes(file, begin, end, kind):
        if inner:
            yield from _read(file, first, last, *inner)
        else:
            file.seek(first)
            yield file.read(min(last - first, LARGEST))


def _boxes(file: IO[bytes], begin: int, end: int, kind: bytes) -> Iterator[tuple[int, int]]:
    """Give the boxes of a kind that lie side by side: where the content begins and ends."""
    for _ in range(MOST_BOXES):
        file.seek(begin)
        head = file.read(16)
        size, length = int.from_bytes(head[:4], "big"), 8
        if size == 1:
            size, length = int.from_bytes(head[8:], "big"), 16
        size = size or end - begin  # 0: to the end
        if size < length or begin + length > end:
            return
        if head[4:8] == kind:
            yield begin + length, min(begin + size, end)
        begin += size
