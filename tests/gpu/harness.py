"""S1 and S2 in both orders by the harness itself, on clips that are made here, timed from when the model is loaded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from support.timed import Timed

from emoprefer_bench import prompts
from emoprefer_bench.cases import Case
from emoprefer_bench.data.datasets import Source
from emoprefer_bench.pairs import Question
from emoprefer_bench.trial.trial import Settings, Trial

from . import films, machine

DESCRIBED, JUDGED = 150, 4
"""Tokens of an answer. Random weights never end one, and a judge's is short."""
PARTS = ("decoding", "preprocess", "model", "waiting")


def shortened(description: int) -> Callable[[Question], Question]:
    """Return what has each question answered in as many tokens as such an answer has."""

    def change(question: Question) -> Question:
        judging = "a1" in question.prompt and "a2" in question.prompt
        tokens = JUDGED if judging else description
        return replace(question, sampling=replace(question.sampling, max_tokens=tokens))

    return change


def clips(folder: Path, count: int, seconds: int, size: tuple[int, int]) -> Source:
    """Make a data set of so many clips that look alike, and a pair each."""
    films.sisters(films.film(folder / "first.mp4", seconds, size), folder / "video", count)
    rows = [f"c{number},calm {number},glad and lively {number},a1" for number in range(count)]
    (folder / "pairs.csv").write_text("\n".join(["name,a1,a2,preference", *rows, ""]))
    return Source("pairs", folder / "pairs.csv")


def measured(
    engine: Any, source: Source, out: Path, ids: tuple[str, ...], description: int = DESCRIBED
) -> dict[str, Any]:
    """Run both cases, and return clips a second and where the time went."""
    timed = Timed(engine, shortened(description))
    cases = [Case("judge", prompt, "pairs", "audiovideo") for prompt in ("S1", "S2")]
    trial = Trial(Settings(out, {"pairs": source}, prompts.load()), "judge", cases, {"judge": timed})
    with machine.Watch(ids) as watch:
        trial.run(lambda headway: None)
    if not timed.answers:
        raise RuntimeError(trial.fault(cases[0]) or "nothing was asked")
    if failed := [answer.text for answer in timed.answers if answer.finish == "error"]:
        raise RuntimeError(f"{len(failed)} of {len(timed.answers)} questions failed: {failed[:1]}")
    seconds = timed.done - timed.ready
    count = len(list(source.csv.parent.glob("video/*.mp4")))
    spent = [(trial.result(case) or {}).get("seconds", {}) for case in cases]
    parts = {name: sum(each.get(name, 0.0) for each in spent) for name in PARTS}
    prompt = max(answer.tokens.get("prompt", 0) for answer in timed.answers)
    media = max(answer.tokens.get("audio", 0) + answer.tokens.get("video", 0) for answer in timed.answers)
    return {
        "clips_per_second": count / seconds,
        "seconds": seconds,
        "loading": timed.ready - timed.opened,
        "questions": len(timed.answers),
        "clip_tokens": media,
        "prompt_tokens": prompt,
        "picture_tokens": max(answer.tokens.get("video", 0) for answer in timed.answers),
        "seconds_by_part": parts,
        "busy": watch.busy(timed.ready, timed.done),
        "peak_bytes": watch.peak,
    }
