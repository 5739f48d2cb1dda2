"""A child that decodes clips, so that decoding overlaps with the models and a hostile file can't end the harness.

`python -m emoprefer_bench.media.child` speaks the engine protocol (docs/protocol.md). Its questions are {"video":
path or null, "audio": path or null, "plan": the fields of MediaPlan, "picture": bool, "sound": bool}; the text of an
answer is JSON: the fields of the protocol's clip that decoding gives.
"""

from __future__ import annotations

import itertools
import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import numpy as np

from emoprefer_bench.media.decode import Decoded, decode
from emoprefer_bench.media.plan import MediaError, MediaPlan
from emoprefer_bench.protocol.worker import OneByOne, serve

if TYPE_CHECKING:
    from collections.abc import Callable


def load(message: dict[str, Any]) -> OneByOne:
    """Be ready to decode into the spool folder of the `load` message."""
    return OneByOne({"engine": "pyav", "version": av.__version__}, _answerer(Path(message["spool"])))


def _answerer(spool: Path) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Answer into files of `spool`, new ones for each answer; who asked removes them."""
    stems = (f"{os.getpid()}-{number}" for number in itertools.count())

    def answer(question: dict[str, Any]) -> dict[str, Any]:
        started = time.perf_counter()
        video, audio = (Path(path) if path else None for path in (question["video"], question["audio"]))
        plan = MediaPlan(**question["plan"])
        decoded = decode(video, audio, plan, picture=question["picture"], sound=question["sound"])
        fields = _save(decoded, spool, next(stems))
        return {"text": json.dumps(fields), "seconds": {"preprocess": time.perf_counter() - started}}

    return answer


def _save(decoded: Decoded, spool: Path, stem: str) -> dict[str, Any]:
    """Save the arrays, and give the fields of the protocol's clip, with paths in place of arrays."""
    fields: dict[str, Any] = {name: getattr(decoded, name) for name in decoded.__slots__}
    for name in ("frames", "waveform"):
        if fields[name] is not None:
            path = spool / f"{stem}.{name}.npy"
            try:
                np.save(path, fields[name], allow_pickle=False)
            except OSError as error:
                path.unlink(missing_ok=True)
                raise MediaError(f"{path}: can't be written ({error.strerror}): make room there") from error
            fields[name] = str(path)
    return fields


if __name__ == "__main__":
    serve(load)
