"""Clips as parts of a page: small ones as they are, others encoded anew (small.py), by the decoders."""

from __future__ import annotations

import asyncio
import base64
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from emoprefer_bench.media.plan import MIME_TYPES, SOUND_ENDINGS
from emoprefer_bench.media.pool import DecodeError, Decoders

if TYPE_CHECKING:
    from collections.abc import Sequence

SMALL = 150_000  # bytes


def addresses(files: Sequence[Path]) -> list[str]:
    """Give each clip as a `data:` address. A large one becomes a small MP4 (small.py).

    A large file that can't be decoded stays as it is. Raises OSError where one can't be read.
    """
    large = [file for file in files if file.stat().st_size > SMALL]
    small = asyncio.run(_shrunk(large)) if large else {}
    return [small.get(file) or _address(MIME_TYPES.get(file.suffix.lower(), "video/mp4"), file) for file in files]


async def _shrunk(files: Sequence[Path]) -> dict[Path, str]:
    """The addresses of those of the files that can be decoded."""
    with tempfile.TemporaryDirectory() as folder:
        decoders = Decoders(Path(folder) / "decoder.log")
        try:
            addresses = await asyncio.gather(*(_encoded_anew(file, decoders) for file in files))
        finally:
            await decoders.close()
    return {file: address for file, address in zip(files, addresses, strict=True) if address}


async def _encoded_anew(file: Path, decoders: Decoders) -> str | None:
    try:
        small = await decoders.shrink(file)
    except DecodeError:
        return None
    address = _address("audio/mp4" if file.suffix.lower() in SOUND_ENDINGS else "video/mp4", small)
    small.unlink()
    return address


def _address(kind: str, file: Path) -> str:
    return f"data:{kind};base64,{base64.b64encode(file.read_bytes()).decode('ascii')}"
