"""The judges of a run by what their answers are kept under: two that would be given each other's are refused."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from dataclasses import asdict
from pathlib import Path

from emoprefer_bench.engines.engine import Engine


def twin(ledger: Path, name: str, engine: Engine) -> str | None:
    """Say in one sentence which judge of this run has the identity of the engine under another name, or None.

    All processes of a run write their judges into the file `ledger`: each first writes and then reads, so that of two
    at the same moment at least one finds the other. A disk that takes no such file is no reason to ask nothing.
    """
    if not engine.durable:
        return None
    identity = engine.identity() or engine.identity_once_loaded(None)
    kept = json.dumps([identity, asdict(engine.sampling)], sort_keys=True)
    digest = hashlib.sha256(kept.encode(errors="surrogatepass")).hexdigest()
    for other in _written(ledger, digest, name):
        if other == name:
            return None
        return (
            f"{name} can't be told from {other}: both declare the same engine, model, version and settings, so each "
            "would be given the other's answers. Take one out, or give each a version= (name=, revision=) of its own"
        )
    return None


def _written(ledger: Path, digest: str, name: str) -> list[str]:
    """The names under which this identity was written, the first one first, after adding this one."""
    with contextlib.suppress(OSError):
        ledger.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(ledger, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
        with os.fdopen(descriptor, "r+b", buffering=0) as file:
            line = f"{digest} {name}\n".encode()
            if line not in file.readlines():
                file.write(line)
            file.seek(0)
            lines = file.read().decode().splitlines()
        return [line.partition(" ")[2] for line in lines if line.startswith(digest)]
    return []
