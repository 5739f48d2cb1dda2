"""Whether a file is as long as its own header says. Reads a few bytes of it, and decodes nothing.

FFmpeg plays what there is of a file that was cut off, and gives the duration of that. WAV, AVI, Matroska (WebM), Ogg
and MP3 say in bytes how long they are, or their last part is. MP4 and FLAC count packets and samples: containers.py.
"""

from __future__ import annotations

import os
import struct
from typing import IO, TYPE_CHECKING

from emoprefer_bench.media.plan import MediaError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

STREAMED = 0x7FFFF000  # a RIFF size from here on, or of 0, is that of a writer who couldn't go back to fill it in
UNKNOWN = 0xFFFFFFFF
HEAD = 8  # bytes of the kind and size of a part of RIFF
LONGEST_KIND = 4  # bytes of an element of EBML
MOST_PARTS = 100_000  # looked at, in a file that has ever so many
OGG_PAGE = 65_307  # bytes, the longest
EBML, SEGMENT = 0x1A45DFA3, 0x18538067


def check(path: Path) -> None:
    """Raise MediaError for a file that ends before its header says it does. One that doesn't say is whole."""
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        promised = _promised(file, size)
    if promised > size:
        raise MediaError(f"{path}: ends early, {size:,} of {promised:,} bytes are there: copy it again")


def _promised(file: IO[bytes], size: int) -> int:
    """How many bytes there should be; 0 where nothing says."""
    head = file.read(12)
    form: Callable[[IO[bytes], int], int] | None = None
    if head[:4] in (b"RIFF", b"RF64", b"BW64"):
        form = _avi if head[8:] == b"AVI " else _wav
    elif head[:4] == EBML.to_bytes(4, "big"):
        form = _matroska
    elif head[:4] == b"OggS":
        form = _ogg
    elif head[:3] == b"ID3" or head[:1] == b"\xff":
        form = _mp3
    return form(file, size) if form else 0


def _wav(file: IO[bytes], _size: int) -> int:
    """The end of the samples. What may follow them is no sound."""
    at, large = 12, 0
    for _ in range(MOST_PARTS):
        file.seek(at)
        head = file.read(8)
        if len(head) < HEAD:
            break
        kind, length = struct.unpack("<4sI", head)
        if kind == b"ds64":
            large = int.from_bytes(file.read(16)[8:], "little")  # the size of the samples, where 32 bits can't say it
        elif kind == b"data":
            length = large if length == UNKNOWN else 0 if length >= STREAMED else length
            return at + 8 + length
        at += 8 + length + length % 2
    return 0


def _avi(file: IO[bytes], size: int) -> int:
    """The end of the last of the RIFF parts, of which a long film has several."""
    at = 0
    while at < size:
        file.seek(at)
        kind, length = struct.unpack("<4sI", file.read(8).ljust(8, b"\0"))
        if kind != b"RIFF" or length == 0 or length >= STREAMED:
            break
        at += 8 + length
    return at


def _matroska(file: IO[bytes], size: int) -> int:
    """The end of the segment, or (of a live recording) of the last part in it whose size is known."""
    at = 0
    for _ in range(MOST_PARTS):
        file.seek(at)
        kind, length, begins = _element(file.read(16))
        if not kind:
            break
        if length is not None:
            at += begins + length
        elif kind == SEGMENT:
            at += begins
        else:
            break
        if at >= size:
            break
    return at


def _element(head: bytes) -> tuple[int, int | None, int]:
    """Read an element of EBML: its kind (0 for none), its size (None: unknown), and how long its head is."""
    named = _width(head[:1])
    sized = _width(head[named : named + 1])
    if not named or not sized or named > LONGEST_KIND or len(head) < named + sized:
        return 0, None, 0
    length = int.from_bytes(head[named : named + sized], "big") & ((1 << 7 * sized) - 1)
    unknown = length == (1 << 7 * sized) - 1
    return int.from_bytes(head[:named], "big"), None if unknown else length, named + sized


def _width(first: bytes) -> int:
    """How many bytes a number of EBML has, by its first one; 0 where it is none."""
    return 9 - first[0].bit_length() if first and first[0] else 0


def _ogg(file: IO[bytes], size: int) -> int:
    """The end of the last page."""
    begin = max(0, size - OGG_PAGE)
    file.seek(begin)
    end = file.read(OGG_PAGE)
    page = end.rfind(b"OggS")
    if page < 0:
        return 0
    count = end[page + 26] if len(end) > page + 26 else 0
    lengths = end[page + 27 : page + 27 + count]
    return begin + page + 27 + count + sum(lengths)


def _mp3(file: IO[bytes], _size: int) -> int:
    """The end of the frames, where an encoder left a note of their size (Xing's or LAME's) in the first of them."""
    file.seek(0)
    head = file.read(10)
    begin = 0
    if head[:3] == b"ID3":
        begin = 10 + sum((byte & 0x7F) << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0), strict=False))
    file.seek(begin)
    frame = file.read(64)
    at = max(frame.find(b"Xing"), frame.find(b"Info"))
    if frame[:1] != b"\xff" or at < 0:
        return 0
    flags = int.from_bytes(frame[at + 4 : at + 8], "big")
    after = at + 8 + 4 * (flags & 1)
    return begin + int.from_bytes(frame[after : after + 4], "big") if flags & 2 else 0
