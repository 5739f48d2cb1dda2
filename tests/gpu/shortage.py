"""Out of memory: a batch that doesn't fit is halved, a question that doesn't fit is that question's error alone."""

from __future__ import annotations

import asyncio
import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from emoprefer_bench.engines import declared
from emoprefer_bench.engines.gpus import Gpus
from emoprefer_bench.pairs import Answer, Question

from . import ask, machine

BATCH = 4
LETTERS = "bcdefghi"
HALVED = re.compile(r"A batch of [34] exceeds the GPU's memory; going on with [12]$", re.MULTILINE)


def check(folder: Path, checkpoint: Path, held: Gpus, *, cpu: bool) -> dict[str, Any]:
    """Ask what fits, a batch that doesn't, and a question that doesn't. Raises RuntimeError for what is wrong."""
    before = machine.free(held.ids)
    told = asyncio.run(_asked(folder, checkpoint, held, 300 if cpu else 9_000))
    if not HALVED.search((folder / "log").read_text(errors="replace")):
        raise RuntimeError("no batch exceeded the memory, so nothing was shown")
    if any(answer.finish == "error" for answer in told["batch"] + told["after"]):
        raise RuntimeError(f"questions that fit alone failed: {told['batch'] + told['after']}")
    if told["large"][0].finish != "error" or "exceeds the GPU's memory" not in told["large"][0].text:
        raise RuntimeError(f"a question that doesn't fit came back as {told['large'][0]}")
    if not machine.is_back(before, held.ids):
        raise RuntimeError("the child ended, and its memory is not back")
    return {"limit": "pretended" if cpu else "the card's", "halved": True, "said": told["large"][0].text}


async def _asked(folder: Path, checkpoint: Path, held: Gpus, tokens: int) -> dict[str, list[Answer]]:
    # Attention is to fill the memory, with the square of the tokens: torch's own way to attend would save it.
    options: dict[str, Any] = {"batch_size": BATCH, "dtype": "float32", "attn_implementation": "eager"}
    engine = declared.transformers(str(checkpoint), gpus=held, **options)
    engine = replace(engine, command=(sys.executable, "-m", "tests.gpu.limited"))
    async with engine.open(folder / "log") as session:

        async def ask_for(counts: list[int]) -> list[Answer]:
            questions = [_long(count, letter) for count, letter in zip(counts, LETTERS, strict=False)]
            return list(await asyncio.gather(*(session.answer(question, None) for question in questions)))

        (short,), (longer,) = await ask_for([100]), await ask_for([1100])  # the first also wakes the card's libraries
        each = (longer.tokens["prompt"] - short.tokens["prompt"]) / 1000  # tokens a word
        words = int(tokens / each)
        await ask_for([words])  # sets the limit
        batch = await ask_for([words + number % 2 for number in range(2 * BATCH)])  # a full one waits behind the first
        large = await ask_for([int(3.5 * words)])
        return {"batch": batch, "large": large, "after": await ask_for([words])}


def _long(words: int, letter: str) -> Question:
    """Make a question of so many words that begins unlike the others, since what is alike would be read once."""
    return ask.question(f"{letter} " + "a1 " * words, "text", None)
