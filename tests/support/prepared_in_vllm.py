"""Prepares clips in vLLM as our child does, and as vLLM would: `python prepared_in_vllm.py JOB RESULT`.

JOB is a file with [`load` message, questions]. RESULT becomes one with, for each question, `same` (by the name of each
tensor that vLLM made: whether it is the same to the bit, cut to where the model looks), `answers` (the child's own, and
the one behind 300 s of spectrum), and `loads` (how often the processor was loaded for it).
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

import torch
import transformers
import vllm.v1.engine.utils as vllm_processes
from vllm.multimodal import MULTIMODAL_REGISTRY

from emoprefer_bench.engines.children import vllm
from emoprefer_bench.protocol.worker import Ask, Reply

vllm_processes.get_mp_context = lambda: multiprocessing.get_context("fork")  # has vLLM imported already
LOADED: list[str] = []


def count_loads() -> None:
    """Have each loading of a processor noted."""
    original = transformers.ProcessorMixin.from_pretrained.__func__

    def noted(cls: type, *args: Any, **kwargs: Any) -> Any:
        LOADED.append(cls.__name__)
        return original(cls, *args, **kwargs)

    transformers.ProcessorMixin.from_pretrained = classmethod(noted)


def same(processor: Any, prompt: dict[str, Any]) -> dict[str, bool]:
    """Prepare a prompt with and without what our child adds, and compare."""
    items = processor.info.parse_mm_data(prompt["multi_modal_data"])
    whole = {name: value for name, value in prompt["mm_processor_kwargs"].items() if name != "audio_kwargs"}
    ours, theirs = (
        processor(prompt["prompt"], items, hf_processor_mm_kwargs=arguments)
        for arguments in (prompt["mm_processor_kwargs"], whole)
    )
    tensors, expected = ours["mm_kwargs"].get_data(), theirs["mm_kwargs"].get_data()
    found = {name: _equal(tensors[name], value) for name, value in expected.items() if name != "feature_attention_mask"}
    mask, long = tensors.get("feature_attention_mask"), expected.get("feature_attention_mask")
    if long is not None:
        width = mask.shape[-1]
        found["shorter"] = width < long.shape[-1] / 10
        found["mask"] = bool(torch.equal(mask, long[..., :width])) and not long[..., width:].any()
    return {**found, "tokens": ours["prompt_token_ids"] == theirs["prompt_token_ids"]}


def _equal(first: Any, second: Any) -> bool:
    return bool(torch.equal(torch.as_tensor(first), torch.as_tensor(second)))


async def answer(backend: vllm.Vllm, name: str, question: dict[str, Any]) -> dict[str, Any]:
    """Ask a question."""
    said = io.StringIO()
    await backend._answer(Ask(name, question), Reply(said))
    told: dict[str, Any] = json.loads(said.getvalue())
    return told


async def main(message: dict[str, Any], questions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Load a model, ask it all questions in both ways, and end it."""
    count_loads()
    backend = vllm.load(message)
    processor = MULTIMODAL_REGISTRY.create_processor(backend._engine.model_config)
    results, extractor = [], backend._extractor
    for number, question in enumerate(questions):
        LOADED.clear()
        answers = [await answer(backend, f"ours-{number}", question)]
        loads = len(LOADED)
        backend._extractor = None
        anew = {**question, "clip": {**question["clip"], "digest": question["clip"]["digest"] + "-anew"}}
        answers.append(await answer(backend, f"theirs-{number}", anew))
        backend._extractor = extractor
        prompt = backend._prompt(question)
        results.append({"same": same(processor, prompt), "answers": answers, "loads": loads})
    backend._engine.shutdown(timeout=0.1)
    return results


if __name__ == "__main__":
    job, result = Path(sys.argv[1]), Path(sys.argv[2])
    found = asyncio.run(main(*json.loads(job.read_text())))
    result.write_text(json.dumps(found))
    os._exit(0)
