"""Writes the forms of a run's report that the command line asks for, each from the document."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from emoprefer_bench.trial.trial import Settings

Document = dict[str, Any]
FORMS = ("html", "markdown", "latex", "csv")


class FormError(Exception):
    """A form that can't be written; the message says which file and why."""


def write(document: Document, wanted: dict[str, Path], transcripts: Path) -> list[str]:
    """Write each wanted form (`FORMS`, by name) to its path; returns a line for each. Raises FormError."""
    makers: dict[str, Callable[[Path], str]] = {
        "html": lambda path: _page(document, transcripts, path),
        "markdown": lambda _: _text("markdown", document),
        "latex": lambda _: _text("latex", document),
        "csv": lambda _: _text("csv_table", document),
    }
    for name, path in wanted.items():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(makers[name](path), encoding="utf-8", newline="\n")
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise FormError(f"{path}: the {name} report can't be written ({reason})") from None
    return [f"{name}: {path}" for name, path in wanted.items()]


def write_predictions(document: Document, settings: Settings, path: Path) -> list[str]:
    """Write what each judge prefers, with a zip beside; with several cases, each to a file with its id in the name.

    Controls and variants make no predictions. Returns a line for each file. Raises FormError.
    """
    from emoprefer_bench.data import datasets  # noqa: PLC0415  # pandas
    from emoprefer_bench.reports import predictions  # noqa: PLC0415  # pandas

    made = [case for case in document["cases"] if "scores" in case and case["modality"] and not case["variant"]]
    told = []
    for case in made:
        target = path if len(made) == 1 else path.with_name(f"{path.stem}-{case['id']}{path.suffix}")
        source = settings.sources[case["dataset"]]
        try:
            read = datasets.read(source, sound=False, picture=False, subtitles=False, limit=settings.limit)
            zipped = predictions.write(target, predictions.predictions(case, read.pairs))
        except (OSError, predictions.PredictionsError, datasets.DatasetError) as error:
            raise FormError(f"{target}: the predictions can't be written: {error}") from None
        told.append(f"predictions: {target}, {zipped}")
    return told


def _text(form: str, document: Document) -> str:
    from importlib import import_module  # noqa: PLC0415  # tabulate

    rendered: str = import_module(f"emoprefer_bench.reports.{form}").render(document)
    return rendered


def _page(document: Document, transcripts: Path, path: Path) -> str:
    from emoprefer_bench.reports import html  # noqa: PLC0415  # zlib and templates

    return html.render(document, transcripts if transcripts.is_dir() else None, beside=path.absolute().parent)
