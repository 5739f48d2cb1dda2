"""Qwen2.5-Omni-7B's shapes through both engines: loading, memory, clips a second, and the share of the roofline."""

from __future__ import annotations

import asyncio
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from emoprefer_bench.engines import declared
from emoprefer_bench.engines.gpus import Gpus

from . import ask, harness, machine, roofline

HD = (1280, 720)
TINY = {"min_pixels": 3136, "max_pixels": 12544}
VLLM_HERE = {  # whether on a CPU: what all have; on a card, graphs would take a minute to make (docs/gpu.md)
    True: {"max_model_len": 2048, "kv_cache_memory_bytes": 64 << 20},
    False: {"max_model_len": 16384, "enforce_eager": True},
}
VLLM = {  # by name: what is set beside the defaults; renderers have to do without the cache, see docs/gpu.md
    "lru": {},
    "renderers-4": {"renderer_num_workers": 4},
    "batched-65536": {"max_num_batched_tokens": 65536},
    "renderers-8": {"renderer_num_workers": 8},
    "renderers-2": {"renderer_num_workers": 2},
    "renderers-1": {"renderer_num_workers": 1, "mm_processor_cache_gb": 0},
    "batched-16384": {"max_num_batched_tokens": 16384},
}


def check(
    folder: Path, checkpoint: Path, held: Gpus, kind: str, seconds: int, *, cpu: bool, **options: Any
) -> dict[str, Any]:
    """Run S1 and S2 on clips of so many seconds, and hold the pace against what the card allows."""
    count, size = (2, (128, 96)) if cpu else (24 if seconds < 5 else 12, HD)
    small = {**TINY, "max_tokens": 4} if cpu else {"max_tokens": harness.DESCRIBED}
    if kind == "vllm":
        small |= VLLM_HERE[cpu]
    elif not cpu:
        small |= {"batch_size": 16}
    engine = getattr(declared, kind)(str(checkpoint), gpus=held, **small, **options)
    source = harness.clips(folder / "data", count, seconds, size)
    told = harness.measured(engine, source, folder / "out", held.ids, 4 if cpu else harness.DESCRIBED)
    card = roofline.card_named(str(machine.described()["card"]))
    if card and not cpu:
        picture = told["picture_tokens"]
        question = told["prompt_tokens"] - told["clip_tokens"]
        load = roofline.Load(clip=told["clip_tokens"], picture=picture, question=question)
        needs = roofline.needs(card, roofline.OMNI_7B, load)
        told |= {"roofline": {**asdict(needs), "clips": needs.clips}, "share": told["clips_per_second"] / needs.clips}
    return told


def weighing(folder: Path, checkpoint: Path, held: Gpus, kind: str, *, cpu: bool) -> dict[str, Any]:
    """Weigh two words behind each question of the demo, and have the same questions answered, once each is warm."""
    options = {**VLLM_HERE[cpu]} if kind == "vllm" else {"batch_size": 8}
    pixels = TINY if cpu else {}
    engine = getattr(declared, kind)(str(checkpoint), gpus=held, max_tokens=harness.JUDGED, **pixels, **options)
    pairs = 2 if cpu else 20
    drawn = ask.demo(engine.plan, folder, pairs)
    weighed = ask.demo(engine.plan, folder, pairs, ("a1", "a2"))

    async def main() -> dict[str, float]:
        async with engine.open(folder / "log") as session:
            spent = {}
            for name, asked in (("warm", drawn), ("answering", drawn), ("weighing", weighed)):
                started = time.perf_counter()
                answers = await ask.all_of(session, [(question, clip) for question, clip, _ in asked])
                spent[name] = time.perf_counter() - started
            if any(answer.logprobs is None for answer in answers):
                raise RuntimeError("a question was asked for weights, and came back without")
            return spent

    spent = asyncio.run(main())
    return {"questions": len(drawn), **spent, "ratio": spent["weighing"] / spent["answering"]}
