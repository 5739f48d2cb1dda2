"""The report as one HTML file that needs no network: pictures, tables, and a browser of pairs.

What models wrote is hostile until proven otherwise. It is nothing but data here: JSON in which no character means
anything to HTML, made text by scripts that only ever set text. The content security policy lets exactly the page's own
script and style run, by their digests, and lets nothing be fetched but clips that lie beside the page, or in a folder
that whoever reads it chooses.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import zlib
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from emoprefer_bench.reports.page import embedded
from emoprefer_bench.reports.page.pairs import Browsable, browsable
from emoprefer_bench.reports.page.summary import summary

if TYPE_CHECKING:
    from emoprefer_bench.document.types import Document

SCRIPTS = (
    "dom.js",
    "charts.js",
    "scores.js",
    "agreement.js",
    "together.js",
    "crossing.js",
    "weighing.js",
    "run.js",
    "filters.js",
    "clips.js",
    "pair.js",
    "browser.js",
    "main.js",
)
MEANT_TO_HTML = str.maketrans({character: f"\\u{ord(character):04x}" for character in "<>&"})
PACK = 2_000_000  # characters of text a block, so that a browser never reads for long at a stretch


def write(document: Document, path: Path, transcripts: Path | None = None, *, embed_media: bool = False) -> None:
    """Write the page, with links to clips relative to it. Raises FormError for transcripts of another run."""
    path.parent.mkdir(parents=True, exist_ok=True)
    page = render(document, transcripts, embed_media=embed_media, beside=path.parent.absolute())
    path.write_text(page, encoding="ascii", newline="\n")


def render(
    document: Document,
    transcripts: Path | None = None,
    *,
    embed_media: bool = False,
    beside: Path | None = None,
) -> str:
    """Give the page, in ASCII.

    `transcripts` is the run's folder of that name: without it the browser of pairs has verdicts but no texts. Clips are
    linked, relative to the folder `beside` where it is given; with `embed_media` they are in the page, small. Raises
    FormError for transcripts of another run.
    """
    pairs = browsable(document, transcripts, beside)
    script = '"use strict";\n(() => {\n' + "\n".join(_read(name) for name in SCRIPTS) + "})();\n"
    style = _read("page.css")
    values = {
        "policy": _policy(script, style),
        "style": style,
        "script": script,
        "report": json.dumps(summary(document)).translate(MEANT_TO_HTML),
        "packs": "\n".join(_packs(pairs)),
        "clips": "\n".join(_clips(pairs)) if embed_media else "",
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda field: values[field[1]], _read("page.html"))


def _policy(script: str, style: str) -> str:
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src '{_digest(script)}'",
            f"style-src '{_digest(style)}'",
            "img-src data:",
            "media-src 'self' file: data: blob:",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode("ascii")).digest()).decode("ascii")


def _read(name: str) -> str:
    """Read a data file of the page: in ASCII, so that whatever encoding it is served in, the digests hold."""
    return (resources.files("emoprefer_bench.reports.page") / name).read_text(encoding="ascii")


def _packs(pairs: Browsable) -> Iterator[str]:
    """Give the index, and then all texts in blocks: JSON, deflated (zlib), in base64."""
    yield _pack(pairs.index)
    block: list[str] = []
    size = 0
    for text in pairs.numbers:
        block.append(text)
        size += len(text)
        if size > PACK:
            yield _pack(block)
            block, size = [], 0
    yield _pack(block)


def _pack(value: object) -> str:
    packed = zlib.compress(json.dumps(value, separators=(",", ":")).encode("ascii"), 9)
    return f'<script type="text/plain" class="pack">{base64.b64encode(packed).decode("ascii")}</script>'


def _clips(pairs: Browsable) -> Iterator[str]:
    files = {number: file for number, file in enumerate(pairs.files) if file and file.is_file()}
    for number, address in zip(files, embedded.addresses(list(files.values())), strict=True):
        yield f'<script type="text/plain" id="clip-{number}">{address}</script>'
