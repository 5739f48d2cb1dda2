"""Weighs texts with tiny checkpoints in vLLM: `python weighed_in_vllm.py JOBS RESULTS`.

JOBS is a file with a list of [name, `load` message, questions]. RESULTS becomes one with, for each name and question,
`answer` (the child's own), `full` (the log-probabilities of the same tokens, each text behind its prompt computed
whole, nothing read from the cache), `most` (of how many rows log-probabilities were computed at once for it),
`requests` (for each that it took, how many tokens it had, and how many of them came from the cache) and `together`, the
same for all questions asked at once.
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
from vllm import SamplingParams
from vllm.v1.sample.sampler import Sampler

from emoprefer_bench.engines.children import vllm
from emoprefer_bench.protocol.worker import Ask, Reply

vllm_processes.get_mp_context = lambda: multiprocessing.get_context("fork")  # has vLLM imported already
vllm_kernels._supports_onednn = False  # oneDNN refuses tensors as Gemma 4's ears lay them out; torch's kernels don't
MOST = multiprocessing.Value("i", 0)  # shared with the engine's process
COMPUTE = Sampler.compute_logprobs


def _noting(logits: Any) -> Any:
    MOST.value = max(MOST.value, logits.shape[0])
    return COMPUTE(logits)


async def in_full(backend: vllm.Vllm, question: dict[str, Any], name: str) -> list[list[float]]:
    """Return what the texts of a question weigh where nothing is read from the cache."""
    prompt = backend._prompt(question)
    ids = backend._engine.get_tokenizer()(prompt.pop("prompt"))["input_ids"]
    logprobs = []
    for number, text in enumerate(backend._prompter.texts(question)):
        sampling = SamplingParams(max_tokens=1, prompt_logprobs=0, skip_reading_prefix_cache=True)
        asked = {**prompt, "prompt_token_ids": [*ids, *text]}
        output = await backend._send(asked, sampling, f"{name}-{number}", question["modality"])
        rows = zip(output.prompt_logprobs[-len(text) :], text, strict=True)
        logprobs.append([row[token].logprob for row, token in rows])
    return logprobs


async def weigh(message: dict[str, Any], questions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Load one model, ask it all questions one after the other and once more all at once, and end it."""
    Sampler.compute_logprobs = staticmethod(_noting)
    backend = vllm.load(message)
    send, requests = backend._weigher._send, []

    async def noted(*request: Any) -> Any:
        output = await send(*request)
        requests.append([len(output.prompt_token_ids), output.num_cached_tokens])
        return output

    backend._weigher._send = noted
    results = []
    for number, question in enumerate(questions):
        MOST.value, said = 0, io.StringIO()
        requests.clear()
        await backend._answer(Ask(str(number), question), Reply(said))
        results.append({"answer": json.loads(said.getvalue()), "most": MOST.value, "requests": [*requests]})
    said = io.StringIO()
    requests.clear()
    again = [Ask(f"again-{number}", question) for number, question in enumerate(questions)]
    await asyncio.gather(*(backend._answer(ask, Reply(said)) for ask in again))
    for answer in map(json.loads, said.getvalue().splitlines()):
        results[int(answer["id"].removeprefix("again-"))]["again"] = answer
    together = [*requests]
    for number, question in enumerate(questions):
        results[number]["full"] = await in_full(backend, question, f"full-{number}")
    backend._engine.shutdown(timeout=0.1)
    return [{**result, "ready": backend.ready, "together": together} for result in results]


if __name__ == "__main__":
    jobs, results = Path(sys.argv[1]), Path(sys.argv[2])
    answers = {name: asyncio.run(weigh(message, asked)) for name, message, asked in json.loads(jobs.read_text())}
    results.write_text(json.dumps(answers))
    os._exit(0)
