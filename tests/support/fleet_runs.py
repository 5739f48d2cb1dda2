"""Questions to a judge on a cluster of this machine, whose engine is light and notes what it is asked."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from emoprefer_bench.engines.engine import ChildEngine
from emoprefer_bench.engines.fleet import Cluster, FleetEngine
from emoprefer_bench.pairs import Answer, Clip, Question, Sampling
from emoprefer_bench.protocol import worker
from support.cluster import Running

REPLICAS, ROOM = 2, 4
IN_FLIGHT = ROOM + 1  # questions that a replica has at most: those with its engine, and one that is prepared
QUESTIONS = 150
PATIENCE = 120  # seconds; a busy machine is no reason to fail
# Notes what it is asked, takes its time, and is killed by one question. It is asked by many threads at once.
ENGINE = """
import os, signal, sys, threading, time
sys.path.insert(0, {protocol!r})
from worker import serve
class Slow:
    def __init__(self, options):
        if options.get("fail"):
            raise ValueError(options["fail"])
        self.ready = dict(engine="slow", version="1", device="toy", concurrency={room})
    def run(self, inbox, reply):
        while True:
            threading.Thread(target=self.answer, args=(inbox.get(), reply), daemon=True).start()
    def answer(self, ask, reply):
        prompt, clip = ask.question["prompt"], ask.question["clip"] or dict()
        noted = os.open({noted!r}, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(noted, (prompt + chr(10)).encode())
        os.close(noted)
        if "poison" in prompt:
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(0.1)
        tokens = {{name: os.path.getsize(clip[name]) for name in ("frames", "waveform") if clip.get(name)}}
        text = " ".join(name for name in os.environ if "RAY" in name) if "environment" in prompt else prompt
        reply.answer(ask.id, text, "stop", tokens)
serve(lambda message: Slow(message["options"]))
"""


def light_engine(folder: Path, **settings: Any) -> ChildEngine:
    """Declare such an engine; it notes what it is asked in the file `noted` of the folder."""
    script = folder / "engine.py"
    script.write_text(ENGINE.format(protocol=str(Path(worker.__file__).parent), noted=str(folder / "noted"), room=ROOM))
    return ChildEngine("external", "1", (sys.executable, str(script)), "slow", **settings)


def question(number: int, clip: Clip | None = None, word: str = "is") -> Question:
    """The question of a number about a clip, or about one of which each four share a digest."""
    about = clip or Clip(f"{number // 4}", digest=f"{number // 4}")
    return Question({"engine": "x"}, f"{number} {word}", "audiovideo" if clip else "text", Sampling(), about)


def fields(clip: Clip) -> dict[str, Any]:
    """A clip as it is asked about."""
    path = clip.video and str(clip.video)
    return {"name": clip.name, "digest": clip.digest, "video": path, "audio": None}


class Run:
    """Questions to a judge on the cluster, asked when all its replicas are there.

    `during` is called once the first of them were answered.
    """

    def __init__(self, engine: FleetEngine | None, log: Path, count: int = QUESTIONS) -> None:
        self.engine, self.log, self.count = engine, log, count
        self.answers: dict[int, Answer] = {}
        self.silence = 0.0

    def replicas(self) -> list[tuple[int, ...]]:
        """The processes of the replicas that came, in their order: each an actor and its engine."""
        found = re.findall(r"processes \[(\d+), (\d+)\]", self.log.read_text())
        return [tuple(map(int, pids)) for pids in found]

    def bridge(self) -> int:
        """The process of the bridge."""
        return self.session.pid

    def ask(
        self, during: Callable[[Run], Any] | None = None, after: int = 20, poison: int | None = None
    ) -> dict[int, Answer]:
        """Ask all; returns the answers by their numbers. `silence` is the longest time without one, in seconds."""

        async def main() -> None:
            async with self.engine.open(self.log) as self.session:
                wanted = self.engine._cluster.replicas
                await asyncio.to_thread(seconds_until, lambda: len(self.replicas()) == wanted)
                last = time.monotonic()
                gate = asyncio.Semaphore(self.session.concurrency)

                async def one(number: int) -> None:
                    nonlocal last
                    async with gate:
                        asked = question(number, word="poison" if number == poison else "is")
                        self.answers[number] = await self.session.answer(asked, fields(asked.clip))
                        self.silence = max(self.silence, time.monotonic() - last)
                        last = time.monotonic()

                asked = [asyncio.create_task(one(number)) for number in range(self.count)]
                if during:
                    await asyncio.to_thread(seconds_until, lambda: len(self.answers) >= after)
                    await asyncio.to_thread(during, self)
                await asyncio.wait_for(asyncio.gather(*asked), PATIENCE)

        asyncio.run(main())
        return self.answers

    def whole(self, *but: int) -> bool:
        """Every question was answered with what was asked, but for some."""
        wrong = {n: a for n, a in self.answers.items() if (a.text, a.finish) != (f"{n} is", "stop") and n not in but}
        assert wrong == {}, wrong
        return len(self.answers) == self.count


def again(noted: Path) -> tuple[int, int]:
    """How many questions an engine was asked more than once, and how often the most frequent was."""
    counts = Counter(noted.read_text().splitlines())
    return sum(count > 1 for count in counts.values()), max(counts.values())


def kill(pid: int) -> None:
    """End a process as nothing else does."""
    os.kill(pid, signal.SIGKILL)


def alive(pid: int) -> bool:
    """Whether a process is there, and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def seconds_until(condition: Callable[[], bool], limit: float = PATIENCE) -> float:
    """How long something takes to be so."""
    started = time.monotonic()
    while not condition():
        assert time.monotonic() < started + limit
        time.sleep(0.02)
    return time.monotonic() - started


def on(cluster: Running, engine: ChildEngine, replicas: int = REPLICAS, **ways: Any) -> FleetEngine:
    """The engine on the cluster, a GPU a replica."""
    return FleetEngine(engine, Cluster(cluster.address, replicas, ways, cluster.seen), 1)
