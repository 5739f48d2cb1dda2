"""What a judge on a cluster costs, and what it loses when parts of it are killed: Ray on loopback, with fake GPUs."""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import fleet
from support import fleet_runs as runs
from support.cluster import Running, running
from support.media_files import make_clip

from emoprefer_bench.engines.engine import ChildEngine
from emoprefer_bench.media.plan import MediaPlan
from emoprefer_bench.pairs import Clip, Question, Sampling

NODES = 3
QUESTIONS = 2000  # for processor time
WORDS = "word " * 200  # about as long as two descriptions with what is asked about them
PACED = 480
DRIVER = """
import sys
sys.path.insert(0, {tests!r})
from pathlib import Path
from support import fleet_runs as runs
cluster = runs.Cluster({address!r}, {replicas})
engine = runs.light_engine(Path({folder!r}))
runs.Run(runs.FleetEngine(engine, cluster, 1), Path({folder!r}, "log"), count=100_000).ask()
"""


def seconds_of(pid: int) -> float:
    """The processor time that a process has taken."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def processor_time(cluster: Running, folder: Path) -> None:
    """Print what bridge, actors and this process take of a processor for a question, with many in flight."""
    script = folder / "sleeper.py"
    script.write_text(fleet.SLEEPER.format(seconds=0, room=64))
    engine = runs.on(cluster, ChildEngine("x", "1", (sys.executable, "-I", "-S", str(script)), "m"), NODES)

    async def main() -> dict[str, float]:
        async with engine.open(folder / "log") as session:
            gate = asyncio.Semaphore(session.concurrency)

            async def ask(number: int) -> None:
                async with gate:
                    clip = Clip(f"{number // 8}", digest=f"{number // 8}")
                    question = Question({"engine": "x"}, f"{number} {WORDS}", "text", Sampling(), clip)
                    await session.answer(question, runs.fields(clip))

            run = runs.Run(None, folder / "log")
            await asyncio.to_thread(runs.seconds_until, lambda: len(run.replicas()) == NODES)
            await asyncio.gather(*map(ask, range(200)))
            actors, engines = zip(*run.replicas(), strict=True)
            kinds = {"pytest's side": [os.getpid()], "bridge": [session.pid], "actors": actors, "engines": engines}
            before = {kind: sum(map(seconds_of, pids)) for kind, pids in kinds.items()}
            await asyncio.gather(*map(ask, range(QUESTIONS)))
            return {kind: sum(map(seconds_of, pids)) - before[kind] for kind, pids in kinds.items()}

    took = asyncio.run(main())
    shown = ", ".join(f"{kind} {1000 * seconds / QUESTIONS:.2f} ms" for kind, seconds in took.items())
    print(f"processor time a question, {NODES} replicas: {shown}")


def paces(cluster: Running, folder: Path) -> None:
    """Print what three replicas answer in the time that one takes."""
    for room in (1, 8):
        script = folder / f"sleeper-{room}.py"
        script.write_text(fleet.SLEEPER.format(seconds=fleet.SECONDS, room=room))
        sleeper = ChildEngine("x", "1", (sys.executable, "-I", "-S", str(script)), "m")
        pace = {}
        for count in (1, NODES):
            log = folder / f"log-{room}-{count}"
            pace[count] = asyncio.run(_pace(runs.on(cluster, sleeper, count), log, count, 40 * count * room))
        share = pace[NODES] / pace[1] / NODES
        print(
            f"{room} at once: {pace[1]:.2f} a second, {NODES} replicas {pace[NODES]:.2f}: {share:.0%} of {NODES} times"
        )


async def _pace(engine: runs.FleetEngine, log: Path, count: int, questions: int) -> float:
    """How many questions a second are answered once all replicas are there."""
    async with engine.open(log) as session:
        run = runs.Run(None, log)
        await asyncio.to_thread(runs.seconds_until, lambda: len(run.replicas()) == count)
        return await fleet.asked(session, questions)


def media(cluster: Running, folder: Path) -> None:
    """Print what goes through the object store for clips of a second and of three."""
    for seconds in (1, 3):
        path = make_clip(folder / f"{seconds}.mp4", frames=25 * seconds, size=(320, 240), sound=float(seconds))
        clip = Clip(f"{seconds}", path, digest=hashlib.sha256(path.read_bytes()).hexdigest())
        for how in ({}, {"shared": False}):
            log = folder / f"log-{seconds}-{len(how)}"
            engine = runs.on(cluster, runs.light_engine(folder, plan=MediaPlan(2.0, 4, 64)), NODES, **how)
            asyncio.run(_ask_about(engine, log, clip))
            put = [int(size) for size in re.findall(r"is shipped: (\d+) bytes", log.read_text())]
            placed = "not shared" if how else "shared"
            print(f"clip of {seconds} s, {path.stat().st_size} bytes, {placed}: put {len(put)} times, {sum(put)} bytes")


async def _ask_about(engine: runs.FleetEngine, log: Path, clip: Clip) -> None:
    async with engine.open(log) as session:
        asked = [runs.question(number, clip) for number in range(60)]
        answers = await asyncio.gather(*(session.answer(each, runs.fields(clip)) for each in asked))
        assert all(answer.tokens["frames"] for answer in answers)


@contextmanager
def fault(name: str, cluster: Running, **ways: object) -> Iterator[Callable[..., None]]:
    """Ask, have something done on the way, and print what came of it."""
    with tempfile.TemporaryDirectory() as folder:
        run = runs.Run(runs.on(cluster, runs.light_engine(Path(folder)), NODES, **ways), Path(folder, "log"), count=500)

        def measure(during: Callable[[runs.Run], object], **how: object) -> None:
            run.ask(during, after=100, **how)
            counts = Counter(Path(folder, "noted").read_text().splitlines())
            twice = sum(count == 2 for count in counts.values())
            errors = sum(answer.finish == "error" for answer in run.answers.values())
            print(
                f"{name}: {len(run.answers) - errors} of {run.count} answered, {errors} failed, {twice} asked twice, "
                f"{sum(count > 2 for count in counts.values())} more often, {run.silence:.1f} s of silence"
            )

        yield measure


def faults(cluster: Running) -> None:
    """Print what is lost when parts are killed, the head at last."""
    with fault("nothing", cluster) as measure:
        measure(lambda run: None)
    with fault("an engine", cluster) as measure:
        measure(lambda run: runs.kill(run.replicas()[0][1]))
    with fault("an actor", cluster) as measure:
        measure(lambda run: runs.kill(run.replicas()[0][0]))
    with fault("a question that kills its engine", cluster) as measure:
        measure(lambda run: None, poison=300)
    with fault("the bridge", cluster) as measure:
        measure(lambda run: runs.kill(run.bridge()))
    driver(cluster)
    with fault("a node, and another comes", cluster, silence=10) as measure:
        measure(lambda run: (cluster.tell("kill 0"), cluster.tell("add")))
    with fault("the head", cluster, silence=10) as measure:
        measure(lambda run: cluster.tell("kill_head"))


def driver(cluster: Running) -> None:
    """Print how long processes stay when the run is killed."""
    with tempfile.TemporaryDirectory() as folder:
        tests = str(Path(__file__).parents[1])
        program = DRIVER.format(tests=tests, address=cluster.address, replicas=NODES, folder=folder)
        with subprocess.Popen([sys.executable, "-c", program]) as process:
            log = Path(folder, "log")
            run = runs.Run(None, log)
            runs.seconds_until(lambda: log.exists() and len(run.replicas()) == NODES and Path(folder, "noted").exists())
            time.sleep(1)
            pids = [pid for pids in run.replicas() for pid in pids]
            runs.kill(process.pid)
            gone = runs.seconds_until(lambda: not any(map(runs.alive, pids)))
    print(f"the run itself: actors and engines are gone {gone:.1f} s later")


def main() -> None:
    """Start a cluster and print everything."""
    with tempfile.TemporaryDirectory() as folder, running(NODES, Path(folder, "ray.log")) as cluster:
        os.environ.update(cluster.client)
        for measure in (processor_time, paces, media):
            with tempfile.TemporaryDirectory() as own:
                measure(cluster, Path(own))
        faults(cluster)


if __name__ == "__main__":
    main()
