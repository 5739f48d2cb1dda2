"""Scripts of this folder that run vLLM in a process of their own, with the child's own backend."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from support.tethered import started

SIZES = {"max_model_len": 2304, "kv_cache_memory_bytes": 64 << 20}


def jobs(checkpoint: Callable[[str], Path], asked: Mapping[str, tuple[dict[str, Any], list[Any]]]) -> list[list[Any]]:
    """Make a list of [name, `load` message, questions] of options and questions by the names of tiny checkpoints."""
    return [
        [name, {"model": str(checkpoint(name)), "revision": None, "options": {**options, **SIZES}}, questions]
        for name, (options, questions) in asked.items()
    ]


def done_in_vllm(script: str, job: object, folder: Path) -> Any:
    """Run a script on a job and return its result, both in JSON; they and its log lie in `folder`."""
    given, result = folder / "job.json", folder / "result.json"
    given.write_text(json.dumps(job))
    command = [sys.executable, str(Path(__file__).with_name(script)), str(given), str(result)]
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "HF_HUB_OFFLINE": "1"}
    with (folder / "log").open("wb") as log, started(command, stdout=log, stderr=log, env=environment) as process:
        process.wait(1500)
    assert result.exists(), (folder / "log").read_text(errors="replace")[-4000:]
    return json.loads(result.read_text())
