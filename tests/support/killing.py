"""Kills runs at random moments and counts the cost: as a script, with FOLDER KILLS SEED, it prints JSON.

A run is a trial of three cases on engines that are real processes. It runs in a fork of this process, which has all
modules loaded, so that a hundred runs take seconds. What is killed is the fork (the parent of the engines) or an
engine's process; a campaign is a few killed runs in one folder and a last one that is left alone.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import random
import signal
import sys
import time
import traceback
import warnings
from collections import Counter
from pathlib import Path

from emoprefer_bench import prompts  # loaded once, before any fork
from emoprefer_bench.cases import Case
from emoprefer_bench.data import clips, tables  # noqa: F401  # loaded once, before any fork
from emoprefer_bench.data.datasets import Source
from emoprefer_bench.engines import session  # noqa: F401  # likewise
from emoprefer_bench.engines.engine import ChildEngine
from emoprefer_bench.protocol import worker  # likewise
from emoprefer_bench.scoring import case as scoring  # noqa: F401  # loaded once, before any fork
from emoprefer_bench.trial.trial import Settings, Trial

CONCURRENCY = 4
WHILE_ANSWERING = 0.8  # of the kills; the others come at any moment
ENGINES = 0.4
SECONDS = 0.05  # at most, until the kill
ROWS = 24
TIMES = ("seconds", "pace", "questions", "restarts")
ENGINE = """
import os, sys, time
sys.path.insert(0, {folder!r})
from worker import OneByOne, serve
def load(message):
    noted = os.open({noted!r}, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(noted, b"pid %d\\n" % os.getpid())
    def answer(question):
        seed = question["sampling"]["seed"]
        os.write(noted, b"asked %d\\n" % seed)
        time.sleep(0.002)
        text = "The person is glad." if "Describe" in question["prompt"] else ("a1", "a2", "same", "Hm.")[seed % 4]
        return dict(text=text, tokens=dict(prompt=len(question["prompt"]), output=len(text)))
    return OneByOne(dict(engine="fake", version="1", concurrency={concurrency}), answer)
serve(load)
"""


class Place:
    """A folder with a data set, an engine's script, and all that its runs leave."""

    def __init__(self, folder: Path, rows: int) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        self.noted, self.report = folder / "noted", folder / "report"
        engines = str(Path(worker.__file__).parent)
        (folder / "engine.py").write_text(ENGINE.format(folder=engines, noted=str(self.noted), concurrency=CONCURRENCY))
        lines = [f"c{row // 2},text {row},other {row * row},{('a1', 'a2', 'same')[row % 3]}" for row in range(rows)]
        (folder / "toy.csv").write_text("\n".join(["name,a1,a2,preference", *lines, ""]))

    def trial(self) -> Trial:
        """S1-S3 of a judge, and of another LLM for S3, so that engines are exchanged too."""
        command = (sys.executable, "-I", "-S", str(self.folder / "engine.py"))
        engine = ChildEngine("fake", "1", command, "fake")
        engines = dict.fromkeys(("judge", "llm"), engine)
        settings = Settings(self.folder / "out", {"toy": Source("toy", self.folder / "toy.csv")}, prompts.load())
        selected = [
            Case("judge", prompt, "toy", "text", "llm" if prompt == "S3" else None) for prompt in ("S1", "S2", "S3")
        ]
        return Trial(settings, "judge", selected, engines)

    def run(self, *, scored: bool) -> None:
        """Run to the end and, if it is to be scored, write what the report says of the cases, apart from times."""
        trial = self.trial()
        trial.run(lambda headway: None)
        if not scored:
            return
        results = [trial.result(case) for case in trial.cases]
        faults = [trial.fault(case) for case in trial.cases]
        kept = [{name: value for name, value in result.items() if name not in TIMES} for result in results]
        self.report.write_text(json.dumps([kept, faults]))

    def fork(self, *, scored: bool = False) -> int:
        """Run in a process of its own."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # numpy has threads; the fork uses none of them
            pid = os.fork()
        if pid == 0:
            gc.freeze()  # pictures of other tests can't be let go here: PyAV's threads are the parent's
            try:
                self.run(scored=scored)
            except BaseException:  # noqa: BLE001  # nothing of it may reach the code after the fork
                traceback.print_exc()
                os._exit(1)
            os._exit(0)
        return pid

    def stored(self) -> Counter[int]:
        """The questions whose answers are on disk, by seed."""
        lines = [line for shard in (self.folder / "out/answers").glob("*.jsonl") for line in shard.open("rb")]
        return Counter(int(json.loads(line)["key"][:8], 16) & 0x7FFFFFFF for line in lines if line.endswith(b"\n"))

    def notes(self, kind: str) -> list[int]:
        """What the engines noted: `pid` or `asked`."""
        lines = self.noted.read_text().splitlines() if self.noted.exists() else []
        return [int(line.split()[1]) for line in lines if line.startswith(kind) and len(line.split()) == 2]


def running(run: int) -> bool:
    """Whether a run has not ended yet."""
    return os.waitid(os.P_PID, run, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None


def ended(engine: int) -> bool:
    """Whether an engine's process has ended, also where nobody has asked how."""
    try:
        return Path(f"/proc/{engine}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def kill(place: Place, chance: random.Random, seconds: float, counts: Counter[str]) -> bool:
    """Start a run; kill its engine at times, and then itself. Returns whether it was still running."""
    loaded = len(place.notes("pid"))
    run = place.fork()
    if chance.random() < WHILE_ANSWERING:
        while len(place.notes("pid")) == loaded and running(run):
            time.sleep(0.003)
    time.sleep(chance.uniform(0, seconds))
    for engine in place.notes("pid")[loaded:][-1:] if chance.random() < ENGINES else ():
        with contextlib.suppress(ProcessLookupError):  # it has ended already
            os.kill(engine, signal.SIGKILL)
            counts["engines killed"] += 1
            time.sleep(chance.uniform(0, 2 * seconds))
    still = running(run)
    os.kill(run, signal.SIGKILL)
    os.waitpid(run, 0)
    counts["runs killed"] += still
    while not all(map(ended, place.notes("pid")[loaded:])):  # they end with their run, but not before what they are on
        time.sleep(0.003)
    return still


def campaign(place: Place, chance: random.Random, seconds: float, counts: Counter[str]) -> None:
    """Kill runs until one has nothing left to ask; count what was lost and what was asked for nothing."""
    still = True
    while still:
        before, asked, engines = place.stored(), len(place.notes("asked")), counts["engines killed"]
        still = kill(place, chance, seconds, counts)
        after, now = place.stored(), Counter(place.notes("asked")[asked:])
        unanswered, repeated = len(set(now) - set(after)), now.total() - len(now)
        in_flight = CONCURRENCY * (counts["engines killed"] - engines + 1)
        counts["killed between answers"] += still and len(after) > len(before)
        counts["lost"] += len(before - after)
        counts["asked again although stored"] += sum(now[seed] for seed in before)
        counts["asked twice beyond those in flight"] += max(0, unanswered + repeated - in_flight)
        counts["stored twice"] += after.total() - len(after)
    os.waitpid(place.fork(scored=True), 0)


def main(folder: Path, kills: int, seed: int) -> Counter[str]:
    """The counts of as many campaigns as it takes."""
    chance, counts = random.Random(seed), Counter({"lost": 0, "other reports": 0})  # noqa: S311  # no secret
    undisturbed = Place(folder / "undisturbed", ROWS)
    os.waitpid(undisturbed.fork(scored=True), 0)
    while counts["runs killed"] + counts["engines killed"] < kills:
        place = Place(folder / f"campaign{counts['campaigns']}", ROWS)
        campaign(place, chance, SECONDS, counts)
        counts["campaigns"] += 1
        counts["other reports"] += place.report.read_bytes() != undisturbed.report.read_bytes()
    return counts


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))))
