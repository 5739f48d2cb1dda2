from __future__ import annotations

import ast
import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from emoprefer_bench.protocol import worker
from emoprefer_bench.protocol.worker import Ask, Inbox

SCRIPT = """
import os, subprocess, sys, time, zlib
from worker import OneByOne, serve

def load(message):
    if message["model"] == "broken":
        raise OSError("no such model;\\n look elsewhere")
    print("chatter while loading")
    os.write(1, b"chatter from C\\n")
    ready = {"engine": "echo", "version": "1", **message["options"]}
    return OneByOne(ready, answer)

def answer(question):
    prompt = question["prompt"]
    if prompt == "raise":
        raise ValueError("not this one")
    if prompt == "full":
        return {"text": "a1", "finish": "length", "tokens": {"output": 3}, "seconds": {"model": 0.5}}
    if prompt == "nonsense":
        return {"words": "a1"}
    if prompt == "cat":
        return repr(subprocess.run(["cat"], capture_output=True, text=True, timeout=60).stdout)
    if prompt == "fork":
        return str(subprocess.Popen(["sleep", "300"]).pid)
    if prompt == "busy":
        sum(zlib.crc32(bytes(50_000_000)) for _ in range(10_000))
    return prompt.upper()

if __name__ == "__main__":
    serve(load)
"""


@pytest.fixture
def script(tmp_path):
    """Write a user's script with worker.py copied beside it, and nothing else of the package."""
    shutil.copy(worker.__file__, tmp_path)
    (tmp_path / "script.py").write_text(SCRIPT)
    return tmp_path / "script.py"


@pytest.fixture
def child(start, script):
    """Start the script as a child that has not been sent anything."""
    return start("-I", "-c", f"import sys, runpy; sys.path.insert(0, {str(script.parent)!r}); "
                 f"runpy.run_path({str(script)!r}, run_name='__main__')")  # fmt: skip


@pytest.fixture
def echo(child):
    """Load the child."""
    assert child.load("echo")["type"] == "ready"
    return child


def prompts(*texts):
    """Make questions of prompts."""
    return [{"prompt": text} for text in texts]


def gone(processes, seconds=60):
    """Return whether all processes end within some seconds."""
    until = time.monotonic() + seconds
    while time.monotonic() < until and any(Path(f"/proc/{process}").exists() for process in processes):
        time.sleep(0.05)
    return not any(Path(f"/proc/{process}").exists() for process in processes)


def test_ready_carries_what_the_backend_says_and_has_defaults(child):
    """`ready` names protocol and engine; who says nothing of device and concurrency gets CPU and 1."""
    ready = child.load("echo", device="a GPU")
    assert ready == {
        "type": "ready", "protocol": 1, "engine": "echo", "version": "1", "device": "a GPU", "concurrency": 1,
    }  # fmt: skip


def test_text_is_an_answer(echo):
    """A returned string is sent as the text, with the time it took, whatever letters are in it."""
    (answer,) = echo.ask({"prompt": "größe\n\u2028"})
    assert (answer["type"], answer["text"], answer["finish"]) == ("answer", "GRÖSSE\n\u2028", "stop")
    assert answer["seconds"]["model"] >= 0


def test_a_dict_sets_every_field(echo):
    """A returned dict's fields stand in the answer as they are."""
    (answer,) = echo.ask({"prompt": "full"})
    del answer["id"]
    assert answer == {
        "type": "answer", "text": "a1", "finish": "length", "tokens": {"output": 3}, "seconds": {"model": 0.5},
    }  # fmt: skip


def test_an_exception_is_one_questions_error(echo):
    """What `answer` raises, or a dict without text, is that question's error; those behind it are answered."""
    answers = echo.ask(*prompts("raise", "nonsense", "fine"))
    assert [answer["type"] for answer in answers] == ["error", "error", "answer"]
    assert answers[0]["message"] == "ValueError: not this one"
    assert "not this one" in echo.log_end()


def test_an_exception_while_loading_is_sent_as_failed(child):
    """`failed` says why on one line, and the child ends."""
    assert child.load("broken") == {"type": "failed", "message": "OSError: no such model; look elsewhere"}
    assert child.receive() == {"type": "end"}


def test_another_protocol_is_refused(child):
    """A harness of another protocol is told so, and not misunderstood."""
    child.send({"type": "load", "protocol": 2, "model": "echo", "options": {}})
    assert "protocol 1, not 2" in child.receive()["message"]


def test_prints_go_to_the_log(echo):
    """What Python or C code prints on standard output lands in the log: messages alone are on the pipe."""
    assert echo.ask({"prompt": "a"})[0]["text"] == "A"
    assert "chatter while loading" in echo.log.read_text()
    assert "chatter from C" in echo.log.read_text()


def test_processes_it_starts_cannot_read_the_questions(echo):
    """A program started by an answer finds its standard input empty, and the questions behind it arrive."""
    first, second = echo.ask(*prompts("cat", "behind"))
    assert (first["text"], second["text"]) == ("''", "BEHIND")


@pytest.mark.parametrize("work", ["busy", "idle"])
def test_end_of_input_ends_the_whole_group(echo, work):
    """When the parent is gone, the child ends within seconds with what it started, also in the middle of C code."""
    sleeper = int(echo.ask({"prompt": "fork"})[0]["text"])
    assert sleeper in echo.group()
    if work == "busy":
        echo.send({"type": "ask", "id": "x", "question": {"prompt": "busy"}})
        time.sleep(0.3)
    echo.process.stdin.close()
    echo.process.wait(60)
    assert gone([sleeper])


def test_a_parent_that_no_longer_reads_ends_it(script):
    """An answer that nobody takes ends the child, though its input is still open."""
    load = {"type": "load", "protocol": 1, "model": "echo", "options": {}}
    with subprocess.Popen(
        [sys.executable, script.name], cwd=script.parent, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, text=True, start_new_session=True,
    ) as process:  # fmt: skip
        process.stdin.write(json.dumps(load) + "\n")
        process.stdin.flush()
        assert process.stdout.readline()
        process.stdout.close()
        process.stdin.write(json.dumps({"type": "ask", "id": "1", "question": {"prompt": "a"}}) + "\n")
        process.stdin.flush()
        assert process.wait(60) == -signal.SIGKILL


def test_a_line_that_is_no_message_ends_it(echo):
    """Garbage on the input ends the child, and the log shows the line."""
    echo.process.stdin.write('{"type": "ask"\n')
    echo.process.stdin.flush()
    assert echo.receive() == {"type": "end"}
    assert 'no message of the engine protocol: {"type": "ask"' in echo.log.read_text()


def test_started_by_hand_it_ends_alone(script):
    """A worker that doesn't lead its group, as in a shell's script, leaves the others in it alone."""
    command = f"{sys.executable} script.py </dev/null; echo survived"
    shell = subprocess.run(
        ["sh", "-c", command], cwd=script.parent, capture_output=True, text=True, timeout=150, check=True,
        start_new_session=True,
    )  # fmt: skip
    assert shell.stdout.endswith("survived\n")


def test_the_file_needs_nothing_but_python_38():
    """worker.py imports the standard library alone and is written in the grammar of Python 3.8."""
    tree = ast.parse(Path(worker.__file__).read_text(), feature_version=(3, 8))
    imported = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported |= {name.name.split(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add(node.module.split(".")[0])
    assert imported <= sys.stdlib_module_names


def test_the_inbox_keeps_order_and_counts():
    """`waiting` takes what is there, at most as many as asked for, and never blocks; `get` goes on behind it."""
    inbox = Inbox()
    assert inbox.waiting() == []
    for number in range(4):
        inbox.put(Ask(str(number), {}))
    assert [ask.id for ask in inbox.waiting(2)] == ["0", "1"]
    assert inbox.get().id == "2"
    assert [ask.id for ask in inbox.waiting()] == ["3"]


def test_one_line_squeezes_an_exception():
    """Messages are one line, though exceptions of libraries have many."""
    assert worker.one_line(ValueError("a\n\n   b")) == "ValueError: a b"
