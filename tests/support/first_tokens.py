"""Asks a tiny checkpoint and looks at how surely it answers: `python first_tokens.py ENGINE JOBS RESULTS`.

JOBS is a file with a list of [name, `load` message, questions]. RESULTS becomes one with, for each name and question,
the tokens of the answer, and the log-probabilities of the first by token id: all of them in transformers, those of the
most probable in vLLM.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import sys
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"  # a fork of a process with threads would wait for them for ever

Answers = list[tuple[list[int], dict[int, float]]]


async def in_vllm(message: dict[str, Any], questions: list[dict[str, Any]]) -> Answers:
    """Load one model, ask it all questions, and end it."""
    from emoprefer_bench.engines.children import vllm  # noqa: PLC0415  # it takes seconds

    backend = vllm.load(message)
    sampling = vllm._sampling(questions[0]["sampling"], skip_special_tokens=True)
    sampling.logprobs = 20
    answers: Answers = []
    for number, question in enumerate(questions):
        outputs = backend._engine.generate(backend._prompt(question), sampling, str(number))
        answer = [output async for output in outputs][-1].outputs[0]
        await backend._prove_positions()
        first = {token: value.logprob for token, value in answer.logprobs[0].items()}
        answers.append((list(answer.token_ids), first))
    backend._engine.shutdown(timeout=0.1)
    return answers


def in_transformers(message: dict[str, Any], questions: list[dict[str, Any]]) -> Answers:
    """Load one model and ask it all questions."""
    from emoprefer_bench.engines.children import transformers  # noqa: PLC0415  # likewise

    backend = transformers.load(message)
    answers: Answers = []
    for question in questions:
        _, tensors, _ = backend._encoder.encode(question)
        arguments = {**tensors, **backend._encoder.generation_arguments(question)}
        output = backend._model.generate(
            **arguments,
            max_new_tokens=question["sampling"]["max_tokens"],
            output_logits=True,
            return_dict_in_generate=True,
        )
        ids = output.sequences[0, tensors["input_ids"].shape[1] :].tolist()
        answers.append((ids, dict(enumerate(output.logits[0][0].log_softmax(-1).tolist()))))
    return answers


def main(engine: str, jobs: Path, results: Path) -> None:
    """Ask all."""
    ask = in_transformers
    if engine == "vllm":
        import vllm.v1.engine.utils as vllm_processes  # noqa: PLC0415  # likewise

        vllm_processes.get_mp_context = lambda: multiprocessing.get_context("fork")  # has vLLM imported already
        ask = lambda message, questions: asyncio.run(in_vllm(message, questions))  # noqa: E731
    answers = {name: ask(message, questions) for name, message, questions in json.loads(jobs.read_text())}
    results.write_text(json.dumps(answers))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
    os._exit(0)
