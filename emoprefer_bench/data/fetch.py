"""Getting the gated data from the Hugging Face hub with the user's own access, and noting what was got.

Nothing of it may be passed on, which is why every user fetches it. A connection that breaks goes on within the file; a
fetch that is started again gets the files that are missing.
Layout of the repository: zeroQiaoba/AffectGPT, README (folders `video` and `audio`, `subtitle_chieng.csv`).
"""

from __future__ import annotations

import hashlib
import json
import re
from fnmatch import fnmatch
from typing import TYPE_CHECKING, Any

from emoprefer_bench.errors import EmopreferError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

REPOSITORY = "MERChallenge/MER2025"
WANTED = ("video/*", "audio/*", "*.csv")
NOTE = "fetched.json"
SHOWN = 10


class FetchError(EmopreferError):
    """The data could not be got; the message says why and what to do."""


def fetch(folder: Path, wanted: Sequence[str] = WANTED, repository: str = REPOSITORY) -> dict[str, Any]:
    """Get the files whose names match one of `wanted` into `folder`, and note them in `fetched.json` there.

    The token is the user's own (`hf auth login`, or HF_TOKEN), the server huggingface.co, or HF_ENDPOINT. Returns what
    is noted: `repository`, `revision`, and for each of `files` its `sha256` and `bytes`. Raises FetchError.
    """
    try:
        import huggingface_hub as hub  # noqa: PLC0415  # an extra
    except ImportError:
        raise FetchError("fetching needs huggingface_hub: pip install 'emoprefer-bench[hub]'") from None
    try:
        info = hub.HfApi().dataset_info(repository)
        names = [file.rfilename for file in info.siblings or ()]
        chosen = [name for name in names if any(fnmatch(name, pattern) for pattern in wanted)]
        if chosen:
            hub.snapshot_download(
                repository, repo_type="dataset", revision=info.sha, local_dir=folder, allow_patterns=list(wanted)
            )
    except Exception as error:  # noqa: BLE001  # what the hub's HTTP library raises has no public base
        raise FetchError(_why(repository, error)) from None
    if not chosen:
        raise FetchError(f"{repository} has no file named like {' or '.join(wanted)}; it has {_some(names)}")
    return _noted(folder, repository, str(info.sha), chosen)


def archives(noted: dict[str, Any]) -> list[str]:
    """Those of the noted files that hold others, and have to be unpacked by hand."""
    return [name for name in noted["files"] if re.search(r"\.(zip|z\d\d|tar|gz|tgz|7z|rar)(\.\d+)?$", name)]


def _noted(folder: Path, repository: str, revision: str, names: list[str]) -> dict[str, Any]:
    files = {}
    for name in sorted(names):
        with (folder / name).open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        files[name] = {"sha256": digest, "bytes": (folder / name).stat().st_size}
    noted = {"repository": repository, "revision": revision, "files": files}
    # Written last, so that its existence means that everything in it was fetched whole.
    (folder / NOTE).write_text(json.dumps(noted, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return noted


def _why(repository: str, error: Exception) -> str:
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status in (401, 403, 404):
        return (
            f"the hub refuses {repository} to you ({status}): open https://huggingface.co/datasets/{repository} and "
            "ask for access; when it is granted, log in here by `hf auth login` (or set HF_TOKEN) and fetch again"
        )
    said = " ".join(str(error).split())[:300] or type(error).__name__
    return f"{repository} could not be got ({said}): fetch again, what is here already is kept"


def _some(names: list[str]) -> str:
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "") or "no file"
