"""What weighing costs beside asking: time, memory, and how much of a clip is read anew for each text.

The small judge on the demo, with sound and picture, in each engine. *S1* asks which text fits, in both orders. *L1*
weighs both texts with the clip and without, which serves both orders; *P1* weighs three words behind the prompts of S1.
Clips have other names in each turn, so that nothing of them is in a cache.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from emoprefer_bench import Gpus, prompts
from emoprefer_bench.data.datasets import Source, read
from emoprefer_bench.demo import JUDGE, JUDGE_PIXELS
from emoprefer_bench.engines import declared
from emoprefer_bench.media.pool import Decoders
from emoprefer_bench.pairs import LABELS, Answer, Clip, Pair, Question, Sampling
from emoprefer_bench.trial.held import HeldClip
from emoprefer_bench.trial.seats import Slots
from emoprefer_bench.trial.times import Times

DEMO = Source("demo", Path(__file__).parents[2] / "dataset" / "demo" / "preference_demo.csv")
OPTIONS = {"max_tokens": 64, "min_pixels": JUDGE_PIXELS, "max_pixels": JUDGE_PIXELS}
SIZES = {"transformers": {"batch_size": 8}, "vllm": {"max_model_len": 4096}}
WAYS = ("S1", "L1", "P1")
PACK = prompts.load()
TICKS = os.sysconf("SC_CLK_TCK")


def questions(way: str, turn: int, pairs: list[Pair]) -> list[Question]:
    """What is asked about the pairs of one clip; what is asked without it differs from turn to turn, too."""
    clip, both = pairs[0].clip, [order for pair in pairs for order in (pair, pair.swapped())]
    judging, describe = [PACK.render("judge", a1=pair.a1, a2=pair.a2) for pair in both], PACK.render("describe")
    if way == "S1":
        return [Question({}, prompt, "audiovideo", Sampling(max_tokens=64), clip) for prompt in judging]
    if way == "P1":
        return [Question({}, prompt, "audiovideo", None, clip, score=LABELS) for prompt in judging]
    texts = dict.fromkeys(text for pair in pairs for text in (pair.a1, pair.a2))
    asked: list[tuple[str, str, Clip | None]] = [(describe, "audiovideo", clip), (f"{turn} {describe}", "text", None)]
    return [Question({}, prompt, kind, None, about, score=(text,)) for text in texts for prompt, kind, about in asked]


class Meter:
    """What the processes of a child took: seconds on the wall and of processors, and the greatest memory, in MB."""

    def __init__(self, group: int) -> None:
        listed = subprocess.run(["ps", "-eo", "pid=,pgid="], capture_output=True, text=True, check=True).stdout
        self._of_group = [
            Path("/proc", pid) for pid, found in map(str.split, listed.splitlines()) if found == f"{group}"
        ]
        for process in self._of_group:
            (process / "clear_refs").write_text("5")  # its peak is what it has now (man proc_pid_clear_refs)
        self._started, self._spent = time.perf_counter(), self._seconds()

    def _seconds(self) -> float:
        """Seconds of processors, as system and as user (man proc_pid_stat)."""
        stats = [(process / "stat").read_text().rpartition(")")[2].split() for process in self._of_group]
        return sum(int(stat[11]) + int(stat[12]) for stat in stats) / TICKS

    def read(self) -> dict[str, float]:
        """What it took since this meter was made."""
        lines = [line for process in self._of_group for line in (process / "status").read_text().splitlines()]
        peak = sum(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024
        return {"wall": time.perf_counter() - self._started, "processor": self._seconds() - self._spent, "memory": peak}


def by_clip(clips: int) -> list[list[Pair]]:
    """The pairs of so many of the demo's clips, of each clip together."""
    pairs = sorted(read(DEMO, sound=True, picture=True, subtitles=False).pairs, key=lambda pair: pair.clip.name)
    return [list(of_clip) for _, of_clip in itertools.groupby(pairs, key=lambda pair: pair.clip)][:clips]


async def turns(
    kind: str, of_clips: list[list[Pair]], folder: Path, count: int
) -> tuple[dict[str, list[dict[str, float]]], list[float]]:
    """Ask all that each way asks about the demo, so many times in turns; the first turn isn't counted.

    Returns what each way took, and of each text but a clip's first the share of the clip's tokens from the cache.
    """
    judge = getattr(declared, kind)(str(JUDGE), gpus=Gpus(), **OPTIONS, **SIZES[kind])
    decoders = Decoders(folder / "decoders.log")
    held = [HeldClip(pairs[0].clip, decoders, place) for place, pairs in enumerate(of_clips)]
    media = [await clip.fields(judge.plan, Times(), picture=True, sound=True) for clip in held]
    taken: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
    shares: list[float] = []
    async with judge.open(folder / "log") as session:
        for turn, way in itertools.product(range(count + 1), WAYS):
            named = [{**fields, "digest": f"{fields['digest']} {turn} {way}"} for fields in media]
            asked = [questions(way, turn, pairs) for pairs in of_clips]
            meter = Meter(session._child._process.pid)
            told = await _answers(session, asked, named)
            if turn:
                taken[way].append(meter.read())
            if turn and way == "L1":
                shares += [share for answers in told for share in _cached(answers)]
    await decoders.close()  # and what it decoded is gone
    return taken, shares


async def _answers(session: Any, asked: list[list[Question]], media: list[dict[str, Any]]) -> list[list[Answer]]:
    """Ask all, as many at once as the engine wants, the first clips first; answers by clip."""
    slots = Slots(session.concurrency)

    async def answer(place: int, question: Question) -> Answer:
        await slots.take(place)
        answer: Answer = await session.answer(question, media[place] if question.clip else None)
        slots.give()
        assert answer.finish != "error", answer.text
        return answer

    numbered = [(place, question) for place, about in enumerate(asked) for question in about]
    async with asyncio.TaskGroup() as group:
        told = iter([group.create_task(answer(place, question)) for place, question in numbered])
    return [[next(told).result() for _ in about] for about in asked]


def _cached(answers: list[Answer]) -> list[float]:
    """The share of a clip's tokens that came from the cache, for each question about it but the one that read it."""
    counts = sorted((answer.tokens for answer in answers if answer.tokens.get("audio")), key=lambda one: one["cached"])
    return [min(1.0, one["cached"] / (one["audio"] + one["video"])) for one in counts[1:]]


def main(kind: str, clips: int, count: int) -> None:
    """Print lines: each way of weighing beside S1, and what came from the cache."""
    os.environ["OMP_NUM_THREADS"] = "1"  # threads that wait by spinning would count as work
    with tempfile.TemporaryDirectory() as folder:
        taken, shares = asyncio.run(turns(kind, by_clip(clips), Path(folder), count))
    for way in WAYS:
        medians = {name: statistics.median(one[name] for one in taken[way]) for name in ("wall", "processor", "memory")}
        pairs = list(zip(taken[way], taken["S1"], strict=True))
        ratios = {name: [one[name] / other[name] for one, other in pairs] for name in medians}
        told = (
            f"{name} {medians[name]:.1f}, {statistics.median(found):.2f} of S1 ({min(found):.2f} to {max(found):.2f})"
            for name, found in ratios.items()
        )
        print(f"{kind}, {way}, {clips} clips, {count} turns: {'; '.join(told)}", flush=True)
    least, mean = min(shares), statistics.mean(shares)
    print(
        f"{kind}: L1 took at least {least:.0%} of a clip from the cache for texts but the first, {mean:.0%} on average"
    )
    del os.environ["OMP_NUM_THREADS"]


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
