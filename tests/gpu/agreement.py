"""Tiny models of four families, on the GPU in float32 and bfloat16 beside the CPU in float32; and the demo's judge."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from support.media_files import make_clip

from emoprefer_bench.engines import declared
from emoprefer_bench.engines.gpus import Gpus
from emoprefer_bench.pairs import Answer
from emoprefer_bench.verdicts import read

from . import ask, throughput

MODALITIES = {
    "omni": ("audiovideo", "audio", "video", "text"),
    "qwen25_vl": ("video",),
    "qwen2_audio": ("audio",),
    "text": ("text",),
}
SMALL = {"min_pixels": 3136, "max_pixels": 12544}
PROMPTS = (ask.WORDS, "a1?", "Describe the clip.", "Is it a1, a2 or the same?")
TEXTS = ("a1", "The voice trembles, and she looks away.")
APART = 0.01  # nats a token: a card's matrix units may round float32 to 10 bits where its kernels let them
LEAST = 95.0  # percent of the demo that the judge has right; on a CPU in float32 it is 100


def check(folder: Path, checkpoint: Path, held: Gpus) -> dict[str, Any]:
    """Ask a checkpoint in three ways. Raises RuntimeError where they count tokens in different ways."""
    name = checkpoint.name
    pixels = SMALL if name in ("omni", "qwen25_vl") else {}
    ways = {"reference": (Gpus(), "float32"), "float32": (held, "float32"), "bfloat16": (held, "bfloat16")}
    engines = {
        way: declared.transformers(str(checkpoint), gpus=where, dtype=dtype, **pixels)
        for way, (where, dtype) in ways.items()
    }
    clip = make_clip(folder / "clip.mp4", frames=75, size=(112, 112), sound=3.0)
    plan = engines["reference"].plan
    fields = ask.fields(clip, plan, folder) if plan else None
    asked = [(ask.question(prompt, kind, fields), fields) for kind in MODALITIES[name] for prompt in PROMPTS]

    async def answers(way: str) -> list[Answer]:
        async with engines[way].open(folder / f"{way}.log") as session:
            return await ask.all_of(session, asked)

    async def main() -> dict[str, list[Answer]]:
        return dict(zip(ways, await asyncio.gather(*map(answers, ways)), strict=True))

    told = asyncio.run(main())
    counts = {way: [_media(answer) for answer in said] for way, said in told.items()}
    if any(count != counts["reference"] for count in counts.values()):
        raise RuntimeError(f"{name} counts tokens in different ways: {counts}")
    same = {way: _same(said, told["reference"]) for way, said in told.items() if way != "reference"}
    return {"questions": len(asked), "tokens": counts["reference"][0], "same_answers": same}


def check_vllm(folder: Path, checkpoint: Path, held: Gpus, *, cpu: bool) -> dict[str, Any]:
    """Have vLLM answer and weigh in float32, beside transformers on the CPU. Raises RuntimeError where they differ."""
    here = throughput.VLLM_HERE[cpu] | {"max_model_len": 2048, "dtype": "float32"}
    engines = {
        "reference": declared.transformers(str(checkpoint), gpus=Gpus(), dtype="float32", **SMALL),
        "vllm": declared.vllm(str(checkpoint), gpus=held, **SMALL, **here),
    }
    clip = make_clip(folder / "clip.mp4", frames=75, size=(112, 112), sound=3.0)
    plan = engines["reference"].plan
    assert plan
    fields = ask.fields(clip, plan, folder)
    kinds = MODALITIES[checkpoint.name]
    drawn = [(ask.question(prompt, kind, fields), fields) for kind in kinds for prompt in PROMPTS]
    weighed = [(ask.question(ask.WORDS, kind, fields, TEXTS), fields) for kind in kinds]

    async def answers(way: str) -> tuple[list[Answer], list[Answer]]:
        async with engines[way].open(folder / f"{way}.log") as session:
            return await ask.all_of(session, drawn), await ask.all_of(session, weighed)

    async def main() -> list[tuple[list[Answer], list[Answer]]]:
        return await asyncio.gather(*map(answers, engines))

    (reference, ours), (said, theirs) = asyncio.run(main())
    if [_media(answer) for answer in said] != [_media(answer) for answer in reference]:
        raise RuntimeError(f"the engines count tokens in different ways: {_media(reference[0])}, {_media(said[0])}")
    apart = max(_apart(one, other) for one, other in zip(ours, theirs, strict=True))
    if not apart <= APART:
        raise RuntimeError(f"log-probabilities differ by {apart:.2g}, of {APART} that they may")
    return {"questions": len(drawn), "same_answers": _same(said, reference), "weighed": len(weighed), "apart": apart}


def _apart(one: Answer, other: Answer) -> float:
    """Return by how much two answers that weigh the same texts differ at most."""
    return max(
        abs(ours - theirs)
        for texts in zip(one.logprobs or (), other.logprobs or (), strict=True)
        for ours, theirs in zip(*texts, strict=True)
    )


def _media(answer: Answer) -> dict[str, int]:
    return {name: answer.tokens[name] for name in ("prompt", "audio", "video") if name in answer.tokens}


def _same(said: list[Answer], reference: list[Answer]) -> float:
    return sum(ours.text == theirs.text for ours, theirs in zip(said, reference, strict=True)) / len(said)


def check_judge(folder: Path, held: Gpus, pairs: int | None, dtypes: tuple[str, ...]) -> dict[str, Any]:
    """Have the demo's judge watch it. Raises RuntimeError where it has less right than its card says."""

    async def right(dtype: str) -> float:
        engine = ask.judge(held, dtype=dtype, batch_size=16)
        asked = ask.demo(engine.plan, folder, pairs)
        async with engine.open(folder / f"{dtype}.log") as session:
            answers = await ask.all_of(session, [(question, clip) for question, clip, _ in asked])
        labels = [label for _, _, label in asked]
        hits = [read(answer).label == label for answer, label in zip(answers, labels, strict=True)]
        return 100 * sum(hits) / len(hits)

    shares = {dtype: asyncio.run(right(dtype)) for dtype in dtypes}
    if min(shares.values()) < LEAST:
        raise RuntimeError(f"the demo's judge has {shares} percent right, of {LEAST} that it should")
    return {"percent_right": shares}
