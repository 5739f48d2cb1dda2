"""Where the time of a batch goes in the transformers child, and what it is spared there, in one process."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any
from unittest import mock

import torch

from emoprefer_bench.engines import declared
from emoprefer_bench.engines.children import logits, towers, transformers
from emoprefer_bench.engines.gpus import Gpus
from emoprefer_bench.pairs import Sampling
from emoprefer_bench.protocol.worker import Ask, Reply

from . import ask, films, throughput

WORDS = "Two descriptions of the clip follow. Which of them fits better, a1 or a2? " * 6
TOWERS = ("visual", "audio_tower")
SHORT, LONG = 1, 33  # tokens of answers: what the second takes longer is 32 steps


def check(folder: Path, checkpoint: Path, held: Gpus, *, cpu: bool) -> dict[str, Any]:
    """Time a batch of questions about one clip each, with transformers' own towers and logits, and with ours."""
    os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(held.ids)
    count, size = (2, (128, 96)) if cpu else (16, throughput.HD)
    pixels = throughput.TINY if cpu else {}
    engine = declared.transformers(str(checkpoint), gpus=held, batch_size=count, **pixels)
    assert engine.plan
    fields = ask.fields(films.film(folder / "clip.mp4", 3, size), engine.plan, folder)
    with mock.patch.object(towers, "hasten"):
        child = transformers.load({"model": str(checkpoint), "revision": None, "options": engine.options})
    spent = dict.fromkeys(TOWERS, 0.0)
    for path, part in child._model.named_modules():
        if (name := path.rpartition(".")[2]) in TOWERS:  # they have moved between versions of transformers
            part.forward = _stopped(part.forward, spent, name)
    with mock.patch.object(logits, "last_alone", contextlib.nullcontext):
        theirs = _reading(child, fields, count, spent)
    towers.hasten(child._model)
    ours = _reading(child, fields, count, spent)
    step = (_batch(child, fields, count, LONG) - ours["reading"]) / (LONG - SHORT)
    ratio = ours["reading"] / theirs["reading"]
    return {"rows": count, "transformers alone": theirs, "as here": ours, "ratio": ratio, "step": step}


def _reading(child: Any, fields: dict[str, Any], count: int, spent: dict[str, float]) -> dict[str, Any]:
    """Return the seconds in which a batch of prompts is read, once that is warm, and of that the towers'."""
    _batch(child, fields, count, SHORT)
    spent.update(dict.fromkeys(spent, 0.0))
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    reading = _batch(child, fields, count, SHORT)
    peak = torch.cuda.max_memory_allocated() if torch.cuda.is_available() else None
    return {"reading": reading, **spent, "bytes": peak}


def _stopped(forward: Callable[..., Any], spent: dict[str, float], name: str) -> Callable[..., Any]:
    """Have a part's time added up, once the card is done with it."""

    def timed(*args: Any, **kwargs: Any) -> Any:
        started = _now()
        made = forward(*args, **kwargs)
        spent[name] += _now() - started
        return made

    return timed


def _now() -> float:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


def _batch(child: Any, fields: dict[str, Any], count: int, tokens: int) -> float:
    """Answer one batch of prompts, in so many tokens each, and return the seconds it took."""
    question = ask.question(WORDS, "audiovideo", fields)
    sampling = {**asdict(Sampling(max_tokens=tokens)), "seed": 0}
    told = {"prompt": question.prompt, "modality": question.modality, "sampling": sampling, "clip": fields}
    rows = [child._encode(Ask(str(number), told), Reply(sys.stderr)) for number in range(count)]
    started = _now()
    child._generate(rows)
    return _now() - started
