"""What is left when runs are killed, interrupted, or run out of disk."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support import media_files
from support.processes import PATIENCE, signals_of_a_terminal

from emoprefer_bench.pairs import Answer, Question, Sampling
from emoprefer_bench.protocol import worker
from emoprefer_bench.trial.store import Store, StoreError

KILLS = 100
IN_FLIGHT = 2
TIMES = ("seconds", "pace", "questions", "restarts")

CHILD = """
import pathlib, sys, emoprefer_bench
from emoprefer_bench.engines.engine import ChildEngine

SCRIPT = str(pathlib.Path(__file__).with_name("engine.py"))

@emoprefer_bench.model(gpus=0, modality="text", prompts=("S1", "S2"))
def judge(gpus):
    return ChildEngine("fake", "1", (sys.executable, "-I", "-S", SCRIPT), "judge")

@emoprefer_bench.model(gpus=0, modality="text", prompts=("S1", "S2"))
def second(gpus):
    return ChildEngine("fake", "2", (sys.executable, "-I", "-S", SCRIPT), "second")
"""
ENGINE = """
import sys, time
sys.path.insert(0, {folder!r})
from worker import OneByOne, serve
def answer(question):
    with open({noted!r}, "a") as noted:
        noted.write(str(question["sampling"]["seed"]) + "\\n")
    time.sleep({seconds})
    return "a1" if question["sampling"]["seed"] % 2 else "a2"
serve(lambda message: OneByOne(dict(engine="fake", version="1", concurrency={in_flight}), answer))
"""


class Project:
    """A user's project with two judges in child processes, run by pytest in a process of its own."""

    def __init__(self, bench, seconds=0.05, rows=8):
        self.bench, self.path = bench, bench.pytester.path
        self.noted = self.path / "noted"
        bench.pytester.makeconftest(CHILD)
        self.pace(seconds, Path(worker.__file__).parent)
        lines = [f"c{row // 2},text {row},other {row},{('a1', 'a2')[row % 2]}" for row in range(rows)]
        (bench.data / "toy.csv").write_text("\n".join(["name,a1,a2,preference", *lines, ""]))

    def pace(self, seconds, folder):
        """Let the engine take so many seconds for an answer."""
        source = ENGINE.format(folder=str(folder), noted=str(self.noted), in_flight=IN_FLIGHT, seconds=seconds)
        (self.path / "engine.py").write_text(source)

    def start(self, *options, ignored=()):
        """Start pytest, with signals as from a terminal, but for those that are ignored."""
        chosen = ("-k", "toy and (judge or second)", *options)
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *self.bench.options, *chosen]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        with signals_of_a_terminal(*ignored):
            return subprocess.Popen(command, cwd=self.path, start_new_session=True, **pipes)

    def asked(self):
        """The questions that the engines were asked, by seed."""
        return self.noted.read_text().split() if self.noted.exists() else []

    def wait_for(self, count, run):
        """Wait until so many questions were asked, or the run has ended."""
        until = time.monotonic() + 600
        while time.monotonic() < until:
            if len(self.asked()) >= count or run.poll() is not None:
                return
            time.sleep(0.05)
        raise AssertionError(f"only {len(self.asked())} questions were asked")

    def cases(self):
        """The cases of the report without what tells times, by id."""
        report = self.bench.report()
        cases = sorted(report["cases"], key=lambda case: case["id"])
        return json.dumps([{name: value for name, value in case.items() if name not in TIMES} for case in cases])


def workers_of(pid):
    """The processes that a process started."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_a_hundred_kills_lose_no_answer_and_ask_nothing_twice(tmp_path):
    """Runs and engines are killed at random moments; the report is in the end what it would have been, to the byte."""
    script = Path(__file__).parents[1] / "support" / "killing.py"
    told = subprocess.run(
        [sys.executable, script, tmp_path / "runs", str(KILLS), "1"],
        capture_output=True,
        text=True,
        check=True,
        timeout=1500,
    )
    counts = json.loads(told.stdout)
    assert counts["runs killed"] + counts["engines killed"] >= KILLS
    assert counts["engines killed"] >= 10
    assert counts["killed between answers"] >= KILLS // 4, counts
    costs = (
        "lost",
        "asked again although stored",
        "asked twice beyond those in flight",
        "stored twice",
        "other reports",
    )
    assert {name: counts[name] for name in costs} == dict.fromkeys(costs, 0)


def test_killed_workers_and_controllers_of_xdist_lose_no_answer(bench):
    """Nine runs under -n 2 are killed, half of them after one of their workers; a last one ends as if undisturbed.

    The controller is killed with its workers; but in the ninth, alone: they end by themselves, within seconds.
    """
    chance = random.Random(3)  # noqa: S311  # no secret
    project = Project(bench, seconds=0.03, rows=32)
    for number in range(9):
        asked = len(project.asked())
        run = project.start("-n", "2", "--max-worker-restart", "0")
        project.wait_for(asked + chance.randint(1, 8), run) if number else time.sleep(chance.uniform(0.5, 3))
        with contextlib.suppress(ProcessLookupError, FileNotFoundError):  # it was done before it could be killed
            if number % 2:
                os.kill(chance.choice(workers_of(run.pid)), signal.SIGKILL)
                time.sleep(chance.uniform(0, 0.3))
            os.kill(run.pid, signal.SIGKILL) if number == 8 else os.killpg(run.pid, signal.SIGKILL)
        run.communicate(timeout=300)
    run = project.start("-n", "2")
    assert "4 passed" in run.communicate(timeout=600)[0]
    disturbed, asked = project.cases(), project.asked()
    assert len(set(asked)) <= len(asked) <= len(set(asked)) + 9 * 2 * IN_FLIGHT
    (bench.pytester.path / ".emoprefer").rename(bench.pytester.path / "disturbed")
    run = project.start()
    run.communicate(timeout=600)
    assert project.cases() == disturbed


@pytest.mark.parametrize(
    ("number", "ignored"), [(signal.SIGINT, ()), (signal.SIGTERM, ()), (signal.SIGTERM, (signal.SIGINT,))]
)
@pytest.mark.parametrize("options", [(), ("-n", "2")])
def test_a_signal_ends_a_run_within_seconds_and_what_was_scored_is_reported(bench, number, ignored, options):
    """The exit status is pytest's for an interrupt, the report says that it is incomplete, and the next run goes on.

    A job in the background ignores SIGINT from birth; SIGTERM ends it all the same.
    """
    project = Project(bench, seconds=0.2)
    run = project.start(*options, ignored=ignored)
    project.wait_for(12, run)
    started = time.monotonic()
    run.send_signal(number)
    out = run.communicate(timeout=300)[0]
    assert time.monotonic() - started < 10 * PATIENCE
    assert run.returncode == pytest.ExitCode.INTERRUPTED, out
    report = bench.report()
    assert not report["complete"]
    assert {case["outcome"] for case in report["cases"]} == {"interrupted"}
    assert any(case["rows"] for case in report["cases"])
    assert "(incomplete)" in out
    run = project.start()
    assert "4 passed" in run.communicate(timeout=300)[0]
    assert len(project.asked()) <= len(set(project.asked())) + 2 * IN_FLIGHT
    assert bench.report()["complete"]


SLOW = """
import time, emoprefer_bench

def slow(question):
    with open("noted", "a") as noted:
        noted.write(question.key + "\\n")
    time.sleep(0.3)
    return "a1"

@emoprefer_bench.model(gpus=0, modality="text", prompts=("S1",))
def judge(gpus):
    return emoprefer_bench.function(slow, name="slow", version="1")
"""


def test_a_function_in_the_background_is_ended_in_good_order(bench):
    """It is at work, in this very process, when SIGTERM comes: the next call isn't made, and nothing complains."""
    project = Project(bench)
    bench.pytester.makeconftest(SLOW)
    run = project.start(ignored=(signal.SIGINT,))
    project.wait_for(2, run)
    run.send_signal(signal.SIGTERM)
    out = run.communicate(timeout=300)[0]
    assert run.returncode == pytest.ExitCode.INTERRUPTED, out
    assert "(incomplete)" in out
    assert "Traceback" not in out
    assert "Task" not in out
    assert bench.report()["cases"][0]["outcome"] == "interrupted"
    assert len(project.asked()) < 8


@pytest.mark.parametrize("options", [(), ("-n", "2")])
def test_an_interrupt_while_models_load_ends_them_too(bench, options):
    """Ctrl-C in the minutes in which nothing is answered yet: the run ends in seconds, and no engine loads on."""
    project = Project(bench)
    script = bench.pytester.path / "engine.py"
    script.write_text(LOADING + script.read_text())
    run = project.start(*options)
    project.wait_for(2, run)
    started = time.monotonic()
    run.send_signal(signal.SIGINT)
    out = run.communicate(timeout=60)[0]
    assert time.monotonic() - started < 20
    assert run.returncode == pytest.ExitCode.INTERRUPTED, out
    pids = project.asked()
    for _ in range(100):
        if not any(Path("/proc", pid).exists() for pid in pids):
            break
        time.sleep(0.05)
    assert not [pid for pid in pids if Path("/proc", pid).exists()]


# An engine that starts another process, and then loads for ever.
LOADING = """
import os, pathlib, subprocess, time
other = subprocess.Popen(["sleep", "300"])
with pathlib.Path(__file__).with_name("noted").open("a") as noted:
    noted.write(f"{os.getpid()}\\n{other.pid}\\n")
time.sleep(300)
"""


def test_an_engine_that_dies_on_the_way_is_told_of(bench):
    """Nothing is lost, so that the run passes; but it was slow for a reason, and the report and the terminal say it."""
    Project(bench, rows=2)
    script = bench.pytester.path / "engine.py"
    script.write_text(FRAGILE + script.read_text())
    run = bench.run("-k", "toy and judge", apart=True)
    run.assert_outcomes(passed=2)
    run.stdout.fnmatch_lines(["judge: its engine died once and was started again*logs*"])
    assert [case["restarts"] for case in bench.cases().values()] == [1, 1]
    again = bench.run("-k", "toy and judge", apart=True)
    assert "died" not in again.stdout.str()


FRAGILE = """
import os, pathlib, threading, time
def die():
    died, noted = pathlib.Path(__file__).with_name("died"), pathlib.Path(__file__).with_name("noted")
    while not noted.exists():
        time.sleep(0.01)
    if not died.exists():
        died.touch()
        os._exit(9)
threading.Thread(target=die, daemon=True).start()
"""


def test_a_full_disk_is_one_message_and_keeps_what_was_answered(tmp_path):
    """A real file system of 64 KiB: the message says what to do, and a run with more room asks only the rest."""
    with small_disk(tmp_path) as disk:
        store = Store(disk / "answers")
        with pytest.raises(StoreError, match=r"can't write an answer .* Everything answered before is kept"):
            fill(store)
        written = len(store)
        with contextlib.suppress(StoreError):
            store.close()
        assert 10 < written < 1000
        again = Store(disk / "answers")
        assert len(again) == written
        assert all(again.get(question(number).key) for number in range(written))
        again.close()


def test_a_run_onto_a_full_disk_says_so_for_every_case_and_goes_on_where_there_is_room(bench, tmp_path):
    """No case passes, none ends in a traceback, and the next run, in a copy of the folder, asks only the rest."""
    bench.pytester.makeconftest(TALKING)
    lines = [f"c{row},text {row},other {row},a1" for row in range(60)]
    (bench.data / "toy.csv").write_text("\n".join(["name,a1,a2,preference", *lines, ""]))
    with small_disk(tmp_path) as disk:
        full = bench.run("-k", "toy and judge", "--emoprefer-out", str(disk / "out"), apart=True)
        shutil.copytree(disk / "out", tmp_path / "room")
    full.assert_outcomes(failed=2)
    assert "Traceback" not in full.stdout.str()
    full.stdout.fnmatch_lines(["*can't write * Everything answered before is kept: make room or name another folder*"])
    stored, asked = stored_keys(tmp_path / "room/answers"), len(bench.asked())
    assert len(stored) > 10
    bench.run("-k", "toy and judge", "--emoprefer-out", str(tmp_path / "room"), apart=True).assert_outcomes(passed=2)
    assert not stored & set(bench.asked()[asked:])
    assert len(stored_keys(tmp_path / "room/answers")) == len(set(bench.asked()))


def stored_keys(folder):
    """The keys of the answers in a folder that a store can read."""
    lines = [line for shard in folder.glob("*.jsonl") for line in shard.read_bytes().splitlines(keepends=True)]
    return {json.loads(line)["key"] for line in lines if line.endswith(b"\n")}


# A process that may write only where its user may: of root's powers, the one to write everywhere is taken away.
AS_WRITTEN = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-dac_override,-dac_read_search"]


@contextlib.contextmanager
def read_only(folder):
    """Within, nothing below the folder can be written by AS_WRITTEN, nor by any user but root."""
    paths = [folder, *folder.rglob("*")]
    for path in paths:
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        yield
    finally:
        for path in paths:
            path.chmod(0o755 if path.is_dir() else 0o644)


def as_written(bench, *options):
    """Run pytest without root's power to write everywhere."""
    powers = AS_WRITTEN if os.geteuid() == 0 else []
    command = [*powers, sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *bench.options, *options]
    return subprocess.run(command, cwd=bench.pytester.path, capture_output=True, text=True, timeout=120, check=False)


def test_a_folder_that_cannot_be_written_stops_no_run_that_asks_nothing(bench):
    """Somebody else's `.emoprefer`, with all that a run leaves: pytest works, and a run that would ask says why not."""
    bench.run("-k", "toy and judge and S1").assert_outcomes(passed=1)
    out = bench.pytester.path / ".emoprefer"
    for name in ("requests", "judges"):
        (out / name).touch()
    (bench.pytester.path / "test_own.py").write_text("def test_own(): pass\n")
    with read_only(out):
        own = as_written(bench, "test_own.py")
        again = as_written(bench, "-k", "toy and judge and S1")
        more = as_written(bench, "-k", "toy and judge and S2", "-n", "1")
    assert own.returncode == 0
    assert "1 passed" in own.stdout
    for run in (again, more):
        assert run.returncode == pytest.ExitCode.USAGE_ERROR, run.stdout
        assert "can't be written (Permission denied), so no answer would be kept" in run.stdout + run.stderr
        assert "Traceback" not in run.stdout + run.stderr
        assert "INTERNALERROR" not in run.stdout + run.stderr
    assert len(bench.asked()) == 6, "nothing was asked whose answer could not be kept"


def test_a_file_in_the_place_of_the_folder_stops_no_run_that_asks_nothing(bench):
    """`.emoprefer` is a file here, as an --emoprefer-out that was mistyped may be."""
    (bench.pytester.path / ".emoprefer").write_text("mine")
    (bench.pytester.path / "test_own.py").write_text("def test_own(): pass\n")
    bench.run("test_own.py", apart=True).assert_outcomes(passed=1)
    run = bench.run("-k", "toy and judge and S1", apart=True)
    assert run.ret == pytest.ExitCode.USAGE_ERROR
    run.stderr.fnmatch_lines(
        ["*--emoprefer-out .emoprefer: */.emoprefer can't be written (File exists), so no answer*name another folder"]
    )
    assert "Traceback" not in run.stdout.str() + run.stderr.str()


TALKING = """
import pathlib, emoprefer_bench

ASKED = pathlib.Path(__file__).with_name("asked.txt")

def answer(question):
    with ASKED.open("a") as noted:
        noted.write(question.key + "\\n")
    return "a1 " + "because of the voice " * 20

@emoprefer_bench.model(gpus=0, modality="text", prompts=("S1", "S2"))
def judge(gpus):
    return emoprefer_bench.function(answer, name="judge", durable=True)
"""


def test_a_clip_that_breaks_off_in_the_middle_costs_its_own_verdicts_alone(bench):
    """Its head is whole, so that the data set has no fault; the decoder finds out, and the other clips are judged."""
    bench.pytester.makeconftest(LOOKING)
    for number in range(3):
        media_files.make_clip(bench.data / f"video/c{number}.mp4", size=(256, 192), options={"movflags": "+faststart"})
    media_files.damage(bench.data / "video/c1.mp4", 0.3, 200_000)
    lines = [f"c{row},text {row},other {row},a1" for row in range(3)]
    (bench.data / "toy.csv").write_text("\n".join(["name,a1,a2,preference", *lines, ""]))
    bench.run("-k", "looking and S1 and toy", apart=True)
    (case,) = bench.cases().values()
    assert case["verdicts"][0]["forward_provenance"] == ["parsed", "error", "parsed"]
    assert "c1.mp4" in next(iter(case["faults"]))


LOOKING = """
import emoprefer_bench
from emoprefer_bench.media.plan import MediaPlan
from emoprefer_bench.pairs import Answer

@emoprefer_bench.model(gpus=0, modality="video")
def looking(gpus):
    return emoprefer_bench.function(
        lambda question: Answer("a1", tokens={"video": 1}), name="looking", plan=MediaPlan(2.0, 2, 8), durable=True
    )
"""


@contextlib.contextmanager
def small_disk(folder):
    """A file system of 64 KiB: a tmpfs for root, else a limit on the size of files."""
    disk = folder / "disk"
    disk.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk], capture_output=True, check=False
    ).returncode:
        import resource  # noqa: PLC0415

        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, before[1]))
        try:
            yield disk
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
            signal.signal(signal.SIGXFSZ, ignored)
        return
    try:
        yield disk
    finally:
        subprocess.run(["umount", disk], check=True)


def fill(store):
    """Add answers for ever."""
    for number in itertools.count():
        store.add(question(number), Answer("a1" * 100))


def question(number):
    """A question of no particular judge."""
    return Question({"engine": "test"}, f"Which? {number}", "text", Sampling())


# What an engine that weighs does: a text's log-probabilities follow from the question alone.
WEIGHER = """
import hashlib, json, sys, time
sys.path.insert(0, {folder!r})
from worker import OneByOne, serve
def answer(question):
    told = json.dumps([question["prompt"], question["score"]])
    with open({noted!r}, "a") as noted:
        noted.write(hashlib.sha256(told.encode()).hexdigest() + "\\n")
    time.sleep({seconds})
    weighed = [hashlib.sha256((told + text).encode()).digest()[:3] for text in question["score"]]
    return dict(logprobs=[[-byte / 64 for byte in each] for each in weighed])
serve(lambda message: OneByOne(dict(engine="fake", version="1", scores=True, concurrency={in_flight}), answer))
"""


def test_killed_runs_lose_nothing_that_was_weighed(bench):
    """A run of L1 and P1 is killed in the middle, three times; what was weighed is there to the bit in the next one."""
    project = Project(bench, seconds=0.1)
    weighing = CHILD.replace('"text", prompts=("S1", "S2")', '"text+subtitle", prompts=("L1", "P1")')
    assert weighing != CHILD
    bench.pytester.makeconftest(weighing)
    (bench.data / "subtitles.csv").write_text("name,subtitle\n" + "".join(f"c{n},Sentence {n}.\n" for n in range(4)))
    settings = {"folder": str(Path(worker.__file__).parent), "noted": str(project.noted)}
    script = bench.pytester.path / "engine.py"
    script.write_text(WEIGHER.format(**settings, seconds=0.1, in_flight=IN_FLIGHT))
    select = ("-k", "toy and judge")
    for _ in range(3):
        asked, stored = len(project.asked()), stored_keys(bench.pytester.path / ".emoprefer/answers")
        run = project.start(*select)
        project.wait_for(asked + 10, run)
        os.killpg(run.pid, signal.SIGKILL)
        run.communicate(timeout=300)
        assert run.returncode == -signal.SIGKILL, "it had ended before it could be killed"
        assert stored < stored_keys(bench.pytester.path / ".emoprefer/answers")
    run = project.start(*select)
    assert "2 passed" in run.communicate(timeout=600)[0]
    disturbed, asked = project.cases(), project.asked()
    assert len(set(asked)) == WEIGHED
    assert len(asked) <= WEIGHED + 3 * IN_FLIGHT
    (bench.pytester.path / ".emoprefer").rename(bench.pytester.path / "disturbed")
    run = project.start(*select)
    run.communicate(timeout=600)
    assert project.cases() == disturbed


WEIGHED = 16 + 16 + 16  # each row's two texts with the subtitle and without it, and both orders of its labels
