"""Whether a run can write what it is to write, found out before anything is asked."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from emoprefer_bench.plugin import options

if TYPE_CHECKING:
    import pytest

INSIDE = ("answers", "transcripts", "logs")


def why_not(config: pytest.Config) -> str | None:
    """What of the options can't be written, or makes no sense, in a sentence; or None."""
    folder, option = Path(config.invocation_params.dir), config.option
    out = folder / option.emoprefer_out
    for inside in (out, *(out / name for name in INSIDE if (out / name).exists())):
        if reason := _of_folder(inside):
            return (
                f"--emoprefer-out {option.emoprefer_out}: {inside} can't be written ({reason}), so no answer would be "
                "kept: name another folder"
            )
    if option.emoprefer_embed_media and not option.emoprefer_html:
        return "--emoprefer-embed-media is about the page: give --emoprefer-html PATH too"
    files = {"json": option.emoprefer_json, "predictions": option.emoprefer_predictions}
    files = {form: folder / path for form, path in files.items() if path} | options.forms(config)
    for form, path in files.items():
        if reason := of_file(path):
            return f"--emoprefer-{form} {path}: can't be written ({reason}): name another file"
    return None


def of_file(path: Path) -> str | None:
    """Why a file can't be written, or None. Makes the folders that it stands in."""
    if path.is_dir():
        return "it is a folder"
    if path.exists() and not os.access(path, os.W_OK):
        return "it may not be changed"
    return _of_folder(path.parent)


def _of_folder(folder: Path) -> str | None:
    """Why no file can be made in a folder, or None. Makes the folder if need be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return None
    except OSError as error:
        return error.strerror or type(error).__name__
