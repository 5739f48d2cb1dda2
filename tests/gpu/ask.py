"""Clips and questions to open engines, outside a run of the harness."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from support.watching import DEMO, PACK, rows

from emoprefer_bench.demo import JUDGE, JUDGE_PIXELS
from emoprefer_bench.engines import declared
from emoprefer_bench.engines.gpus import Gpus
from emoprefer_bench.media.decode import decode
from emoprefer_bench.media.plan import MediaPlan
from emoprefer_bench.pairs import Answer, Clip, Question, Sampling

WORDS = "Which description fits the clip better, a1 or a2?"
GREEDY = Sampling(max_tokens=16)


def fields(path: Path, plan: MediaPlan, folder: Path) -> dict[str, Any]:
    """Decode a clip, and return the protocol's fields of it, its arrays saved in the folder."""
    decoded = decode(path, None, plan, picture=True, sound=True)
    made = {name: getattr(decoded, name) for name in decoded.__slots__}
    for name in ("frames", "waveform"):
        made[name] = str(folder / f"{path.stem}-{name}.npy")
        np.save(made[name], getattr(decoded, name))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return {**made, "name": path.stem, "digest": digest, "video": str(path), "audio": None}


def question(prompt: str, modality: str, clip: dict[str, Any] | None, score: tuple[str, ...] | None = None) -> Question:
    """Make a question that draws an answer, or weighs the texts of `score`."""
    about = Clip(clip["name"], digest=clip["digest"]) if clip and modality != "text" else None
    return Question({}, prompt, modality, None if score else GREEDY, about, score=score)


async def all_of(session: Any, asked: Sequence[tuple[Question, dict[str, Any] | None]]) -> list[Answer]:
    """Ask all at once. Raises RuntimeError with the first that failed."""
    answers = await asyncio.gather(*(session.answer(each, clip if each.clip else None) for each, clip in asked))
    if failed := [answer.text for answer in answers if answer.finish == "error"]:
        raise RuntimeError(f"{len(failed)} of {len(answers)} questions failed: {failed[0]}")
    return list(answers)


def judge(gpus: Gpus, **options: Any) -> Any:
    """The small judge that watches the demo, in transformers."""
    pixels = {"min_pixels": JUDGE_PIXELS, "max_pixels": JUDGE_PIXELS}
    return declared.transformers(str(JUDGE), gpus=gpus, max_tokens=6, **pixels, **options)


def demo(plan: MediaPlan, folder: Path, count: int | None, score: tuple[str, ...] | None = None) -> list[Any]:
    """The first pairs of the demo in both orders: questions, their clips, and the labels of the pairs so turned."""
    asked, decoded = [], dict[Path, dict[str, Any]]()
    for row in rows(DEMO / "preference_demo.csv")[:count]:
        for turned in (row, row.turned):
            if row.clip not in decoded:
                decoded[row.clip] = fields(row.clip, plan, folder)
            prompt = PACK.render("judge", a1=turned.a1, a2=turned.a2)
            made = question(prompt, "audiovideo", decoded[row.clip], score)
            if made.sampling:
                made = replace(made, sampling=replace(made.sampling, max_tokens=6))
            asked.append((made, decoded[row.clip], turned.label))
    return asked
