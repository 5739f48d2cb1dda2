"""The parent's side of the protocol, against small workers that are real processes."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
import time
from pathlib import Path

import pytest
import uvloop

from emoprefer_bench.engines.engine import ChildEngine
from emoprefer_bench.engines.gpus import Gpus
from emoprefer_bench.pairs import Question, Sampling
from emoprefer_bench.protocol import worker as worker_module
from emoprefer_bench.protocol.parent import LoadError

WORKER = """
import os, sys, time, json
sys.path.insert(0, {folder!r})
from worker import OneByOne, serve
log = open({log!r}, "a")
log.write(str(os.getpid()) + "\\n"); log.flush()
def answer(question):
    prompt = question["prompt"]
    log.write(prompt + "\\n"); log.flush()
    {body}
def load(message):
    {load}
    return OneByOne(dict(engine="test", version="1", device="toaster", concurrency=4), answer)
serve(load)
"""


class Worker:
    """A worker script, and what it noted: process ids and prompts."""

    def __init__(self, folder, body="return prompt.upper()", load="pass"):
        self.script = folder / "script.py"
        self.log = folder / "noted"
        source = WORKER.format(folder=str(Path(worker_module.__file__).parent), log=str(self.log), body=body, load=load)
        self.script.write_text(source.replace("from worker", "from worker"))
        self.engine = ChildEngine("test", "1", (sys.executable, str(self.script)), "model", timeout=300.0)
        self.errors = folder / "stderr.log"

    def noted(self):
        """Everything it noted."""
        return self.log.read_text().split()

    def pids(self):
        """The processes that noted themselves."""
        return [int(line) for line in self.noted() if line.isdigit()]

    def ask(self, *prompts, engine=None):
        """The answers to all prompts, asked at once."""

        async def main():
            async with (engine or self.engine).open(self.errors) as session:
                return await asyncio.gather(*(session.answer(question(prompt), None) for prompt in prompts))

        return asyncio.run(main())


def question(prompt):
    """A question with this prompt."""
    return Question({"engine": "test"}, prompt, "text", Sampling())


def gone(pid):
    """Whether the process ends, if it is given time."""
    for _ in range(600):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.1)
    return False


def test_questions_are_answered_and_the_child_ends_with_its_session(tmp_path):
    """Many in flight, each answer to its own question."""
    worker = Worker(tmp_path)
    answers = worker.ask(*[f"q{number}" for number in range(20)])
    assert [answer.text for answer in answers] == [f"Q{number}" for number in range(20)]
    assert {answer.finish for answer in answers} == {"stop"}
    assert gone(worker.pids()[0])


def test_what_a_library_prints_is_no_message(tmp_path):
    """Standard output belongs to the protocol, whatever the model's code prints there."""
    worker = Worker(tmp_path, body="print('loading...'); os.system('echo shell'); return 'fine'")
    assert worker.ask("x")[0].text == "fine"
    assert {"loading...", "shell"} <= set(worker.errors.read_text().split())


def test_a_failed_question_leaves_the_others_alone(tmp_path):
    """An exception in the worker is that question's error, with its text."""
    worker = Worker(tmp_path, body="return str(1 / (prompt != 'bad'))")
    good, bad = worker.ask("good", "bad")
    assert (good.text, good.finish) == ("1.0", "stop")
    assert bad.finish == "error"
    assert "ZeroDivisionError" in bad.text


def test_a_model_that_cannot_be_loaded_is_one_sentence(tmp_path):
    """The child's own reason reaches the user."""
    worker = Worker(tmp_path, load="raise RuntimeError('no such weights: fetch them first')")
    with pytest.raises(LoadError, match="no such weights: fetch them first"):
        worker.ask("x")


def test_a_child_that_dies_loading_shows_the_end_of_its_log(tmp_path):
    """Its last words are in the message."""
    worker = Worker(tmp_path, load="print('out of luck', file=sys.stderr, flush=True); os._exit(3)")
    with pytest.raises(LoadError, match=r"(?s)ended while it was loading.*out of luck"):
        worker.ask("x")


def test_a_program_that_is_not_there_is_named(tmp_path):
    """A wrong path of an interpreter is said plainly."""
    engine = ChildEngine("test", "1", (str(tmp_path / "python"),), "model")
    with pytest.raises(LoadError, match=r"can't start .*python"):
        Worker(tmp_path).ask("x", engine=engine)


def test_a_dead_child_is_started_again_and_loses_no_question(tmp_path):
    """It dies once in the middle; every question is answered all the same."""
    died = repr(str(tmp_path / "died"))
    once = f"prompt == 'q3' and not os.path.exists({died})"
    body = f"open({died}, 'x').close() or os._exit(9) if {once} else None; return prompt"
    worker = Worker(tmp_path, body=body)
    answers = worker.ask(*[f"q{number}" for number in range(8)])
    assert [answer.text for answer in answers] == [f"q{number}" for number in range(8)]
    assert len(worker.pids()) == 2


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_questions_that_come_as_a_child_dies_are_not_lost(tmp_path, loop):
    """Nor where the loop refuses to write to it before its end was read, as uvloop does."""
    worker = Worker(tmp_path)

    async def main():
        async with worker.engine.open(worker.errors) as session:
            asked = []
            for number in range(400):
                if number % 200 == 20:
                    os.kill(session.pid, signal.SIGKILL)
                asked.append(asyncio.ensure_future(session.answer(question(f"q{number}"), None)))
                await asyncio.sleep(0.001)
            return await asyncio.gather(*asked)

    with asyncio.Runner(loop_factory=loop) as runner:
        answers = runner.run(main())
    assert [answer.text for answer in answers] == [f"Q{number}" for number in range(400)]


def test_the_question_that_kills_the_child_is_found_out(tmp_path):
    """It fails after its second attempt; the others are answered."""
    worker = Worker(tmp_path, body="os._exit(9) if prompt == 'q3' else None; return prompt")
    answers = worker.ask(*[f"q{number}" for number in range(8)])
    assert [answer.finish for answer in answers] == ["stop"] * 3 + ["error"] + ["stop"] * 4
    assert "exit status 9" in answers[3].text
    assert worker.noted().count("q3") == 2


def test_a_child_that_falls_silent_is_started_again_and_the_question_given_up(tmp_path):
    """A hang is a time-out, one more attempt, and then an error."""
    worker = Worker(tmp_path, body="time.sleep(3600) if prompt == 'hang' else None; return prompt")
    engine = ChildEngine("test", "1", worker.engine.command, "model", timeout=3.0)
    (hung,) = worker.ask("hang", engine=engine)
    assert hung.finish == "error"
    assert "answered nothing for 3 s" in hung.text
    assert worker.ask("fine", engine=engine)[0].text == "fine"
    assert all(gone(pid) for pid in worker.pids())


def test_a_child_that_sends_garbage_is_as_good_as_dead(tmp_path):
    """A line that is no message ends the child, not the run."""
    script = tmp_path / "garbage.py"
    script.write_text(
        "import json; input(); print(json.dumps(dict(type='ready', protocol=1, engine='x', version='1')), flush=True)\n"
        "input(); print('{]', flush=True); input()"
    )
    engine = ChildEngine("test", "1", (sys.executable, str(script)), "model")
    (answer,) = Worker(tmp_path).ask("x", engine=engine)
    assert answer.finish == "error"
    assert "not a message" in answer.text


def test_the_child_gets_its_gpus_and_nothing_more(tmp_path):
    """CUDA_VISIBLE_DEVICES is the lease; without one it is empty."""
    worker = Worker(tmp_path, body="return os.environ['CUDA_VISIBLE_DEVICES'] or 'none'")
    leased = ChildEngine("test", "1", worker.engine.command, "model", gpus=Gpus(("2", "5")))
    assert worker.ask("x", engine=leased)[0].text == "2,5"
    assert worker.ask("x")[0].text == "none"


def test_a_child_ends_when_its_parent_is_killed(tmp_path):
    """SIGKILL of the parent leaves nothing behind, also what the child itself had started."""
    worker = Worker(
        tmp_path,
        body="os.kill(os.getppid(), 9); time.sleep(3600)",
        load="import subprocess; log.write(str(subprocess.Popen(['sleep', '3600']).pid) + '\\n'); log.flush()",
    )
    pid = os.fork()
    if pid == 0:
        gc.freeze()  # pictures of other tests can't be let go here: PyAV's threads are the parent's
        worker.ask("x")
        os._exit(0)
    os.waitpid(pid, 0)
    pids = worker.pids()
    assert len(pids) == 2
    assert all(gone(pid) for pid in pids)
