"""The harness on a real engine and clips, against the engine alone and against a script that asks pass by pass.

Everything runs on tiny checkpoints of Qwen2.5-Omni, so what is compared is what the harness adds and saves. A model
that takes longer for an answer makes the first ratio smaller.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

TESTS = Path(__file__).parents[1]
sys.path.insert(0, str(TESTS))

from support import media_files  # noqa: E402  # lies beside this folder
from support.timed import Timed  # noqa: E402

from emoprefer_bench import prompts  # noqa: E402
from emoprefer_bench.cases import Case  # noqa: E402
from emoprefer_bench.data.datasets import Source  # noqa: E402
from emoprefer_bench.engines import declared  # noqa: E402
from emoprefer_bench.engines.gpus import Gpus  # noqa: E402
from emoprefer_bench.media.pool import Decoders  # noqa: E402
from emoprefer_bench.pairs import Clip, Question  # noqa: E402
from emoprefer_bench.trial.held import HeldClip  # noqa: E402
from emoprefer_bench.trial.seats import Slots  # noqa: E402
from emoprefer_bench.trial.times import Times  # noqa: E402
from emoprefer_bench.trial.trial import Settings, Trial  # noqa: E402

BATCH = 4
OPTIONS = {"max_tokens": 8, "min_pixels": 3136, "max_pixels": 12544}


def engine(kind: str, checkpoint: Path, **options: float) -> Any:
    """A judge that is a tiny Qwen2.5-Omni."""
    return getattr(declared, kind)(str(checkpoint), gpus=Gpus(), **OPTIONS, **options)


def make(folder: Path, clips: int) -> tuple[Path, Source]:
    """A checkpoint and a data set of so many clips, a pair each."""
    subprocess.run([sys.executable, TESTS / "support" / "checkpoints", folder, "omni"], check=True, capture_output=True)
    for number in range(clips):
        media_files.make_clip(
            folder / f"video/c{number}.mp4", frames=50 + number % 5, sound=2.0, size=(128, 96 + 2 * number)
        )
    rows = [f"c{number},calm {number},glad and lively {number},a1" for number in range(clips)]
    (folder / "pairs.csv").write_text("\n".join(["name,a1,a2,preference", *rows, ""]))
    return folder / "omni", Source("pairs", folder / "pairs.csv")


def harness(judge: Timed, source: Source, out: Path, selected: tuple[str, ...], rounds: int) -> Trial:
    """Run the cases."""
    chosen = [
        Case("judge", prompt, "pairs", "audiovideo", "judge" if prompt in ("S3", "S4") else None) for prompt in selected
    ]
    trial = Trial(Settings(out, {"pairs": source}, prompts.load(), rounds=rounds), "judge", chosen, {"judge": judge})
    trial.run(lambda headway: None)
    assert all(trial.result(case) and not trial.fault(case) for case in chosen), [trial.fault(case) for case in chosen]
    return trial


async def alone(judge: Any, asked: list[Question], log: Path) -> float:
    """Seconds that the engine takes for the same questions, all of them there at once and all clips decoded before."""
    decoders, held = Decoders(log), {}
    for question in asked:
        if question.clip and question.clip.name not in held:
            held[question.clip.name] = HeldClip(question.clip, decoders, 0)
    media = {name: await clip.fields(judge.plan, Times(), picture=True, sound=True) for name, clip in held.items()}
    async with judge.open(log) as session:
        slots, started = Slots(session.concurrency), time.perf_counter()

        async def one(place: int, question: Question) -> None:
            await slots.take(place)
            await session.answer(question, media[question.clip.name] if question.clip else None)
            slots.give()

        await asyncio.gather(*(one(place, question) for place, question in enumerate(asked)))
        seconds = time.perf_counter() - started
    await decoders.close()
    return seconds


async def baseline(judge: Any, scripts: list[list[list[Question]]], log: Path) -> tuple[float, int]:
    """Seconds, and clips decoded, of scripts, each a process of its own: in batches, every clip decoded each time.

    A script is a list of steps, and a step the questions of all pairs; loading the model is not counted. A plain script
    on transformers remembers nothing of a clip, so our child is kept from doing so by other names for the same clip;
    vLLM remembers by itself.
    """
    decoders, names, seconds = Decoders(log, 1), itertools.count(), 0.0
    for steps in scripts:
        async with judge.open(log) as session:
            started = time.perf_counter()
            for questions in steps:
                for first in range(0, len(questions), BATCH):
                    batch = questions[first : first + BATCH]
                    held = [HeldClip(question.clip or NOTHING, decoders, 0) for question in batch]
                    fields = [
                        await clip.fields(judge.plan, Times(), picture=True, sound=True) if question.clip else None
                        for clip, question in zip(held, batch, strict=True)
                    ]
                    if judge.kind == "transformers":
                        fields = [one and {**one, "digest": f"{one['digest']}{next(names)}"} for one in fields]
                    await asyncio.gather(*map(session.answer, batch, fields))
                    for clip in held:
                        clip.release()
            seconds += time.perf_counter() - started
    await decoders.close()
    return seconds, decoders.decoded


NOTHING = Clip("nothing")


def scripts_of(asked: list[Question], rounds: int) -> list[list[list[Question]]]:
    """What scripts ask that share nothing: one a prompt, which describes anew in each of its orders and rounds."""
    of = defaultdict(list)
    for question in asked:
        of[question.round, _template(question)].append(question)
    scripts = (["judge"], ["describe", "described"], ["describe", "compare"], ["describe", "reason", "conclude"])
    return [
        [
            of[number, name] if name == "describe" else of[number, name][order::2]
            for order in (0, 1)
            for number in range(rounds)
            for name in steps
        ]
        for steps in scripts
    ]


def _template(question: Question) -> str:
    pack, prompt = prompts.load(), question.prompt or ""
    starts = {
        "describe": pack.render("describe"),
        **{name: pack.render(full, **VALUES[full]).partition("\0")[0] for name, full in NAMES.items()},
    }
    fits = [name for name, start in starts.items() if prompt.startswith(start)]
    return max(fits, key=lambda name: len(starts[name]))


NAMES = {
    "judge": "judge",
    "described": "judge_described",
    "compare": "compare",
    "reason": "reason",
    "conclude": "conclude",
}
VALUES = {name: dict.fromkeys(("a1", "a2", "description", "reasoning"), "\0") for name in NAMES.values()}


def cached_share(out: Path) -> float | None:
    """The share of a clip's tokens that came from the cache, of every question about it but the first."""
    shares, of_clip = [], defaultdict(list)
    for shard in (out / "answers").glob("*.jsonl"):
        for row in map(json.loads, shard.open(encoding="utf-8")):
            if row["question"]["media"]:
                of_clip[row["question"]["media"]].append(row["tokens"])
    for told in of_clip.values():
        for tokens in sorted(told, key=lambda one: one.get("cached", 0))[1:]:
            media = tokens.get("audio", 0) + tokens.get("video", 0)
            shares.append(min(tokens.get("cached", 0), media) / media)
    return sum(shares) / len(shares) if shares else None


def overhead(kind: str, clips: int, runs: int) -> None:
    """Print lines: the harness against the engine alone, on the same questions, in turns.

    The model has one processor core, and the others are there for decoding and the harness, as beside a GPU.
    """
    os.environ["OMP_NUM_THREADS"] = "1"
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        checkpoint, source = make(folder, clips)
        ratios = []
        for number in range(runs):
            watched, out = Timed(engine(kind, checkpoint)), folder / f"out{number}"
            trial = harness(watched, source, out, ("S1", "S2"), 1)
            with_harness = watched.ended - watched.ready
            without = asyncio.run(alone(engine(kind, checkpoint), watched.asked, folder / "log"))
            ratios.append(with_harness / without)
            results = [trial.result(case) for case in trial.cases]
            print(
                f"{kind}, {clips} clips, {len(watched.asked)} questions: harness {with_harness:.1f} s, engine alone "
                f"{without:.1f} s, ratio {ratios[-1]:.2f}; cached on later questions {cached_share(out)};",
                *(f"{result['prompt']}: {result['pace']['bottleneck']} {result['seconds']}" for result in results),
                flush=True,
            )
        print(f"{kind}: harness over engine alone, median of {runs}: {statistics.median(ratios):.2f}", flush=True)
    del os.environ["OMP_NUM_THREADS"]


def against_script(kind: str, clips: int) -> None:
    """Print a line: S1-S4, both orders, two rounds, against scripts."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        checkpoint, source = make(folder, clips)
        watched = Timed(engine(kind, checkpoint, temperature=0.7))
        harness(watched, source, folder / "out", ("S1", "S2", "S3", "S4"), 2)
        scripts = scripts_of(watched.asked, 2)
        scripted, decodes = asyncio.run(baseline(engine(kind, checkpoint, temperature=0.7), scripts, folder / "log"))
        ours, questions = watched.ended - watched.ready, sum(len(step) for steps in scripts for step in steps)
        print(
            f"{kind}, {clips} clips, S1-S4 x 2 orders x 2 rounds: harness {ours:.1f} s, "
            f"{len(watched.asked)} questions; "
            f"scripts {scripted:.1f} s ({questions} questions, {decodes / clips:.0f} decodes a clip), "
            f"{scripted / ours:.1f} times as long",
            flush=True,
        )


if __name__ == "__main__":
    if sys.argv[1] == "overhead":
        overhead(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
    else:
        against_script(sys.argv[2], int(sys.argv[3]))
