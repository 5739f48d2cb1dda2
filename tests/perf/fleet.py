"""What three replicas of a model answer in the time that one takes: children that sleep over each question."""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from emoprefer_bench.engines.engine import ChildEngine, Session
from emoprefer_bench.pairs import Clip, Question, Sampling
from emoprefer_bench.trial.seats import Slots

SECONDS = 0.5  # that a question takes, however many a child is asked at once
QUESTIONS, ABOUT_A_CLIP = 120, 8
SLEEPER = """
import json, sys, threading, time
sys.stdin.readline()
lock = threading.Lock()
def say(**message):
    with lock:
        print(json.dumps(message), flush=True)
def answer(asked):
    time.sleep({seconds})
    say(type="answer", id=asked["id"], text="a1")
say(type="ready", protocol=1, engine="sleeper", version="1", concurrency={room})
for line in sys.stdin:
    threading.Thread(target=answer, args=(json.loads(line),), daemon=True).start()
"""


async def pace(engine: ChildEngine, log: Path) -> float:
    """How many questions a second are answered."""
    async with engine.open(log) as session:
        return await asked(session, QUESTIONS)


async def asked(session: Session, questions: int) -> float:
    """The same of an open session, asked as the runner asks: the clip that came first first."""
    slots = Slots(session.concurrency)

    async def ask(number: int) -> None:
        clip = Clip(f"{number // ABOUT_A_CLIP}", digest=f"{number // ABOUT_A_CLIP}")
        await slots.take(number // ABOUT_A_CLIP)
        await session.answer(Question({"engine": "x"}, f"{number}?", "text", Sampling(), clip), None)
        slots.give()

    started = time.perf_counter()
    await asyncio.gather(*(ask(number) for number in range(questions)))
    return questions / (time.perf_counter() - started)


def replicas(room: int) -> None:
    """Print the pace of one child and of three, each with `room` for so many questions."""
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder, "sleeper.py")
        script.write_text(SLEEPER.format(seconds=SECONDS, room=room))
        sleeper = ChildEngine("x", "1", (sys.executable, "-I", "-S", str(script)), "m")
        engines = {count: replace(sleeper, options={"data_parallel": count}) for count in (1, 3)}
        paces = {count: asyncio.run(pace(engine, Path(folder, "log"))) for count, engine in engines.items()}
    share = paces[3] / paces[1] / 3
    print(f"{room} at once: {paces[1]:.2f} a second, three replicas {paces[3]:.2f}: {share:.0%} of three times as many")


def main() -> None:
    """Print both."""
    for room in (1, 8):
        replicas(room)


if __name__ == "__main__":
    main()
