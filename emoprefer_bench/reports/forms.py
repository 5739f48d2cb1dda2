"""Writes the forms of a run's report that the command line asks for, each from the document."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from emoprefer_bench.errors import EmopreferError

if TYPE_CHECKING:
    from emoprefer_bench.document.types import Document

FORMS = ("html", "markdown", "latex", "csv", "verdicts")


class FormError(EmopreferError):
    """A form that can't be written; the message says which file and why."""


def write(document: Document, wanted: dict[str, Path], transcripts: Path, *, embed_media: bool = False) -> list[str]:
    """Write each wanted form (`FORMS`, by name) to its path, with `embed_media` the page with the clips in it.

    Returns a line for each. Raises FormError.
    """
    makers: dict[str, Callable[[Path], str]] = {
        "html": lambda path: _page(document, transcripts, path, embed_media=embed_media),
        "markdown": lambda _: _text("markdown", document),
        "latex": lambda _: _text("latex", document),
        "csv": lambda _: _text("csv_table", document),
        "verdicts": lambda _: _text("csv_verdicts", document),
    }
    for name, path in wanted.items():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(makers[name](path), encoding="utf-8", newline="\n")
        except (OSError, FormError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise FormError(f"{path}: the {name} report can't be written ({reason})") from None
    return [f"{name}: {path}" for name, path in wanted.items()]


def _text(form: str, document: Document) -> str:
    from importlib import import_module  # noqa: PLC0415  # tabulate

    rendered: str = import_module(f"emoprefer_bench.reports.{form}").render(document)
    return rendered


def _page(document: Document, transcripts: Path, path: Path, *, embed_media: bool) -> str:
    from emoprefer_bench.reports import html  # noqa: PLC0415  # zlib and templates

    there = transcripts if transcripts.is_dir() else None
    return html.render(document, there, embed_media=embed_media, beside=path.absolute().parent)
