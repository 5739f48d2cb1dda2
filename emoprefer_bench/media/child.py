"""A child that decodes clips, so that decoding overlaps with the models and a hostile file can't end the harness.

`python -m emoprefer_bench.media.child` speaks the engine protocol (docs/protocol.md). Its answers are JSON.

- {"video": path or null, "audio": path or null, "plan": the fields of MediaPlan, "picture": bool, "sound": bool} is
  answered with the fields of the protocol's clip that decoding gives.
- {"look": {"video": path or null, "audio": path or null, "thorough": bool}} is answered with the fields of a Look.
- {"shrink": path} is answered with {"file": path}, the clip encoded anew for a page.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import numpy as np

from emoprefer_bench.media.decode import Decoded, decode
from emoprefer_bench.media.look import look_into
from emoprefer_bench.media.plan import MediaPlan
from emoprefer_bench.media.small import shrunk
from emoprefer_bench.protocol.worker import OneByOne, serve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def load(message: dict[str, Any]) -> OneByOne:
    """Be ready to decode into the spool folder of the `load` message."""
    return OneByOne({"engine": "pyav", "version": av.__version__}, _answerer(Path(message["spool"])))


class SpoolError(OSError):
    """What was decoded can't be saved; that is no fault of the clip's."""


def _answerer(spool: Path) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Answer into files of `spool`, new ones for each answer; who asked removes them."""
    stems = (f"{os.getpid()}-{number}" for number in itertools.count())

    def answer(question: dict[str, Any]) -> dict[str, Any]:
        started = time.perf_counter()
        if looked := question.get("look"):
            fields = asdict(look_into(_path(looked["video"]), _path(looked["audio"]), thorough=looked["thorough"]))
        elif shrink := question.get("shrink"):
            path, content = spool / f"{next(stems)}.mp4", shrunk(Path(shrink))
            with _writing(path):
                path.write_bytes(content)
            fields = {"file": str(path)}
        else:
            fields = _save(_decoded(question), spool, next(stems))
        return {"text": json.dumps(fields), "seconds": {"preprocess": time.perf_counter() - started}}

    return answer


def _decoded(question: dict[str, Any]) -> Decoded:
    video, audio, plan = _path(question["video"]), _path(question["audio"]), MediaPlan(**question["plan"])
    return decode(video, audio, plan, picture=question["picture"], sound=question["sound"])


def _path(path: str | None) -> Path | None:
    return Path(path) if path else None


def _save(decoded: Decoded, spool: Path, stem: str) -> dict[str, Any]:
    """Save the arrays, and give the fields of the protocol's clip, with paths in place of arrays."""
    fields: dict[str, Any] = {name: getattr(decoded, name) for name in decoded.__slots__}
    for name in ("frames", "waveform"):
        if fields[name] is not None:
            path = spool / f"{stem}.{name}.npy"
            with _writing(path):
                np.save(path, fields[name], allow_pickle=False)
            fields[name] = str(path)
    return fields


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        path.unlink(missing_ok=True)
        raise SpoolError(f"{path}: can't be written ({error.strerror}): make room there") from error


if __name__ == "__main__":
    serve(load)
