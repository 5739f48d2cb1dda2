"""Asks tiny checkpoints through vLLM, one after another in one process: `python families_in_vllm.py JOBS RESULTS`.

JOBS is a file with a list of [name, `load` message, questions]; RESULTS becomes one with the messages of each name.
It is the child's own backend; only its process is shared, since importing vLLM takes longer than all else.
"""

from __future__ import annotations

import asyncio
import io
import json
import multiprocessing
import os
import sys
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"  # a fork of a process with threads would wait for them for ever

import vllm._custom_ops as vllm_kernels
import vllm.v1.engine.utils as vllm_processes

from emoprefer_bench.engines.children import vllm
from emoprefer_bench.protocol.worker import Ask, Reply

vllm_processes.get_mp_context = lambda: multiprocessing.get_context("fork")  # has vLLM imported already
vllm_kernels._supports_onednn = False  # oneDNN refuses tensors as Gemma 4's ears lay them out; torch's kernels don't


async def ask(message: dict[str, Any], questions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Load one model, ask it all questions, and end it."""
    backend = vllm.load(message)
    said = io.StringIO()
    reply = Reply(said)
    for number, question in enumerate(questions):
        await backend._answer(Ask(str(number), question), reply)
    backend._engine.shutdown(timeout=0.1)
    return [json.loads(line) for line in said.getvalue().splitlines()]


if __name__ == "__main__":
    jobs, results = Path(sys.argv[1]), Path(sys.argv[2])
    answers = {name: asyncio.run(ask(message, questions)) for name, message, questions in json.loads(jobs.read_text())}
    results.write_text(json.dumps(answers))
    os._exit(0)
