"""Damaged files of answers, and thousands of them: what can be read is found, what can't is asked again."""

from __future__ import annotations

import json
import os
import re
import resource
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from emoprefer_bench.pairs import Answer, Question, Sampling
from emoprefer_bench.trial import shards
from emoprefer_bench.trial.store import Store


def question(text="Which?"):
    """A question of no particular judge."""
    return Question({"engine": "test"}, text, "text", Sampling())


def written(folder, *texts, answer="a1"):
    """Store an answer to each question in a file of its own, in this order; the files."""
    made = []
    for text in texts:
        before = set(folder.glob("*.jsonl"))
        with Store(folder, fresh=True) as store:
            store.add(question(text), Answer(answer, tokens={"prompt": 3}, seconds={"model": 0.5}, device="CPU"))
        made += set(folder.glob("*.jsonl")) - before
    return made


def changed(line, **fields):
    """A stored line with other fields; None takes one away."""
    row = {**json.loads(line), **fields}
    kept = {name: value for name, value in row.items() if value is not None}
    return json.dumps(kept, separators=(",", ":")).encode() + b"\n"


DAMAGES = {
    "a NUL in the key": lambda line: line[:20] + b"\0" + line[21:],
    "invalid UTF-8 in the key": lambda line: line[:20] + b"\xff" + line[21:],
    "a key in capitals": lambda line: line.replace(line[8:72], line[8:72].upper()),
    "a short key": lambda line: line[:20] + line[40:],
    "invalid UTF-8 in the text": lambda line: line.replace(b"a1", b"\xffa"),
    "a NUL in the text": lambda line: line.replace(b"a1", b"\0a"),
    "cut inside, though it ends as one does": lambda line: line[:120] + b"}\n",
    "no text": lambda line: changed(line, text=None),
    "a null text": lambda line: line.replace(b'"text":"a1"', b'"text":null'),
    "no finish": lambda line: changed(line, finish=None),
    "an unknown finish": lambda line: changed(line, finish="tired"),
    "no tokens": lambda line: changed(line, tokens=None),
    "no seconds": lambda line: changed(line, seconds=None),
    "tokens in words": lambda line: changed(line, tokens={"prompt": "many"}),
    "tokens in a list": lambda line: changed(line, tokens=[3]),
    "seconds that never end": lambda line: line.replace(b'"model":0.5', b'"model":1e400'),
    "seconds beyond a float": lambda line: line.replace(b'"model":0.5', b'"model":1' + b"0" * 400),
    "more digits than Python reads": lambda line: line.replace(b'"prompt":3', b'"prompt":1' + b"0" * 5000),
    "nested too deep": lambda line: line.replace(b'"a1"', b"[" * 100_000 + b"]" * 100_000),
    "two lines in one": lambda line: line[:-1] + line,
    "zeros": lambda line: bytes(len(line) - 1) + b"\n",
    "nothing": lambda line: b"\n",
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_line_costs_its_own_answer_and_is_told_of_once(tmp_path, damage):
    """The answers before and behind it are found, its own is asked again, and a person is told where it lies."""
    first, middle, last = written(tmp_path, "first", "middle", "last")
    damaged = damage(middle.read_bytes())
    place = first.stat().st_size
    first.write_bytes(first.read_bytes() + damaged + last.read_bytes())
    middle.unlink()
    last.unlink()
    with Store(tmp_path) as store:
        found = [store.get(question(text).key) is not None for text in ("first", "middle", "last")]
        assert found == [True, False, True]
        assert store.get(question("middle").key) is None
        assert question("middle").key not in store
        (told,) = store.unreadable
        assert told.startswith(f"{first}, byte {place}: ")
        store.add(question("middle"), Answer("a2"))
        assert store.get(question("middle").key).text == "a2"
    with Store(tmp_path) as store:
        assert store.get(question("middle").key).text == "a2"


def test_what_is_no_file_is_told_of_and_left_alone(tmp_path):
    """A folder, a link to nowhere, a pipe, which would wait for ever, and a file of somebody else."""
    written(tmp_path, "one")
    (tmp_path / "20000101T000000-1-folder.jsonl").mkdir()
    (tmp_path / "20000101T000000-1-link.jsonl").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "20000101T000000-1-pipe.jsonl")
    with Store(tmp_path) as store:
        assert store.get(question("one").key) == Answer("a1", "stop", {"prompt": 3}, {"model": 0.5}, "CPU")
        assert [re.sub(r".*-(\w+)\.jsonl.*", r"\1", told) for told in store.unreadable] == ["folder", "link", "pipe"]


def test_a_file_that_vanishes_meanwhile_costs_what_it_held(tmp_path):
    """Taken away by a person while a run goes on."""
    one, _ = written(tmp_path, "one", "two")
    with Store(tmp_path) as store:
        one.unlink()
        assert store.get(question("one").key) is None
        assert store.get(question("two").key).text == "a1"
        assert len(store.unreadable) == 1


def test_an_answer_of_ten_megabytes_is_read_back_in_a_moment(tmp_path):
    """Ten times as long takes about ten times as long, not a hundred times."""
    seconds = {}
    for size in (1 << 20, 10 << 20):
        with Store(tmp_path / str(size)) as store:
            store.add(question(), Answer("x" * size))
            started = time.perf_counter()
            assert len(store.get(question().key).text) == size
            seconds[size] = time.perf_counter() - started
    assert seconds[10 << 20] < 40 * seconds[1 << 20] + 0.1


def test_a_clock_that_went_back_makes_no_older_answer_the_newer_one(tmp_path, monkeypatch):
    """A question that was asked again is answered by its last answer, though that one's file has an earlier hour."""
    written(tmp_path, "one", answer="old")
    real = time.strftime
    monkeypatch.setattr(time, "strftime", lambda form, *given: real(form, *given or (time.gmtime(0),)))
    written(tmp_path, "one", answer="new")
    monkeypatch.undo()
    written(tmp_path, "one", answer="newest")
    with Store(tmp_path) as store:
        assert store.get(question("one").key).text == "newest"
    assert len(list(tmp_path.glob("*.jsonl"))) == 3


@pytest.fixture
def few(monkeypatch):
    """Files are merged when they are more than ten, so that a test has not to make hundreds."""
    monkeypatch.setattr(shards, "MOST_FILES", 10)


def test_thousands_of_files_take_few_descriptors(tmp_path):
    """Where they can't be merged: a process of its own may have no more than 64 descriptors, and finds all answers."""
    folders = [str(Path(__file__).parent), str(Path(__file__).parents[1])]
    script = f"import sys; sys.path[:0] = {folders}; import test_shards; test_shards.few_descriptors(sys.argv[1])"
    ran = subprocess.run([sys.executable, "-c", script, tmp_path], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr


def few_descriptors(folder):
    """What that process does."""
    tmp_path = Path(folder)
    shards.is_local = lambda folder: False
    (line,) = [path.read_bytes() for path in written(tmp_path, "0")]
    for number in range(1, 3000):
        other = line.replace(question("0").key.encode(), question(str(number)).key.encode())
        (tmp_path / f"20000101T000000-1-{number:08}.jsonl").write_bytes(other)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(list(Path("/proc/self/fd").iterdir())) + 64, hard))
    try:
        with Store(tmp_path) as store:
            assert all(store.get(question(str(number)).key) for number in range(3000))
            store.add(question("new"), Answer("a2"))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert len(list(tmp_path.glob("*.jsonl"))) == 3001


def test_many_files_become_one(tmp_path, few):
    """All answers are found in it, the later of two; what was cut short is gone, what was damaged stays."""
    texts = [str(number) for number in range(12)]
    made = written(tmp_path, *texts)
    written(tmp_path, "3", answer="later")
    made[5].write_bytes(made[5].read_bytes() + b'{"key":"cut short')
    made[6].write_bytes(made[6].read_bytes() + b"damaged\n")
    (tmp_path / "20000101T000000-1-ab.jsonl.partial").write_text("of a killed process")
    made_by_this_process(tmp_path)
    with Store(tmp_path) as store:
        answers = [store.get(question(text).key).text for text in texts]
        assert len(store.unreadable) == 1
    assert answers == ["later" if text == "3" else "a1" for text in texts]
    (merged,) = tmp_path.iterdir()
    assert b"cut short" not in merged.read_bytes()
    assert len(merged.read_bytes().splitlines()) == 14


def made_by_this_process(folder):
    """Rename the files as if processes that have ended had made them."""
    for path in folder.glob("*.jsonl"):
        path.rename(path.with_name(path.name.replace(f"-{os.getpid()}-", "-999999999-")))


HOLDING = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from test_shards import question
from emoprefer_bench.pairs import Answer
from emoprefer_bench.trial import shards
from emoprefer_bench.trial.store import Store
store = Store(Path({folder!r}))
store.add(question("held"), Answer("a1"))
print("ready", flush=True)
sys.stdin.readline()
store.add(question("held later"), Answer("a2"))
"""


def holding(folder, script=HOLDING):
    """A process that has the folder open and has written into it."""
    source = script.format(tests=str(Path(__file__).parent), folder=str(folder))
    process = subprocess.Popen([sys.executable, "-c", source], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    return process


def test_what_a_running_process_has_is_left_alone(tmp_path, few):
    """As long as another run has the folder open, nothing is merged; when it was killed, all it wrote is."""
    written(tmp_path, *map(str, range(12)))
    made_by_this_process(tmp_path)
    running = holding(tmp_path)  # which itself merges what it finds
    written(tmp_path, *map(str, range(12, 24)))
    made_by_this_process(tmp_path)
    before = sorted(tmp_path.iterdir())
    Store(tmp_path).close()
    assert sorted(tmp_path.iterdir()) == before
    running.stdin.write("\n")
    running.communicate()
    with Store(tmp_path) as store:
        for text in (*map(str, range(24)), "held", "held later"):
            assert store.get(question(text).key), text
    assert len(list(tmp_path.iterdir())) == 1


OF_01 = """
import os, sys
from pathlib import Path
path = Path({folder!r}, f"29990101T000000-{{os.getpid()}}-abcdefab.jsonl")
descriptor = os.open(path, os.O_RDWR | os.O_CREAT)
print("ready", flush=True)
sys.stdin.readline()
os.write(descriptor, Path({folder!r}, "line").read_bytes())
"""


def test_what_a_process_of_version_0_1_writes_is_left_alone(tmp_path, few):
    """It holds no lock, but it has its file open, and its number is in the name."""
    (tmp_path / "line").write_bytes(written(tmp_path / "elsewhere", "one")[0].read_bytes())
    running = holding(tmp_path, OF_01)
    written(tmp_path, *map(str, range(12)))
    made_by_this_process(tmp_path)
    Store(tmp_path).close()
    assert len(list(tmp_path.glob("*.jsonl"))) == 2
    running.stdin.write("\n")
    running.communicate()
    with Store(tmp_path) as store:
        assert store.get(question("one").key)


def test_where_another_machine_may_write_nothing_is_merged(tmp_path, few, monkeypatch):
    """A network file system may grant every machine every lock; and one without locks grants none."""
    written(tmp_path, *map(str, range(12)))
    made_by_this_process(tmp_path)
    monkeypatch.setattr(shards, "LOCAL", frozenset({"nfs4 is not among them"}))
    with Store(tmp_path) as store:
        assert len(store) == 12
    assert len(list(tmp_path.iterdir())) == 12
    monkeypatch.undo()
    monkeypatch.setattr(shards, "MOST_FILES", 10)
    monkeypatch.setattr(shards.fcntl, "flock", no_locks)
    with Store(tmp_path) as store:
        assert len(store) == 12
        store.add(question("new"), Answer("a1"))
    assert len(list(tmp_path.iterdir())) == 13


def no_locks(descriptor, operation):
    """What a file system without locks says."""
    raise OSError(37, "No locks available")


KILLED = """
import os, signal, sys
from pathlib import Path
from emoprefer_bench.trial import shards
from emoprefer_bench.trial.store import Store
shards.MOST_FILES = 10
left = int(sys.argv[2])
def counted(real):
    def call(*given, **named):
        global left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*given, **named)
    return call
for owner, name in ((os, "fsync"), (Path, "rename"), (Path, "unlink"), (shards, "_append")):
    setattr(owner, name, counted(getattr(owner, name)))
Store(Path(sys.argv[1])).close()
"""


@pytest.mark.parametrize("left", [0, 3, 12, 13, 14, 15, 16, 20])
def test_a_process_killed_while_it_merges_loses_nothing(tmp_path, few, left):
    """While it copies, before and after the new file has its name, and between the removals of the old ones."""
    written(tmp_path, *map(str, range(12)))
    written(tmp_path, "3", answer="later")
    made_by_this_process(tmp_path)
    ended = subprocess.run([sys.executable, "-c", textwrap.dedent(KILLED), tmp_path, str(left)], check=False)
    assert ended.returncode == -9
    with Store(tmp_path) as store:
        answers = [store.get(question(str(number)).key).text for number in range(12)]
    assert answers == ["later" if number == 3 else "a1" for number in range(12)]


@pytest.mark.parametrize("name", ["fsync", "rename", "unlink"])
def test_a_merge_that_fails_leaves_all_as_it_was(tmp_path, few, monkeypatch, name):
    """A full disk, or files of another user: the run goes on with the files there are."""
    written(tmp_path, *map(str, range(12)))
    made_by_this_process(tmp_path)
    before = sorted(tmp_path.iterdir())
    owner = os if name == "fsync" else shards.Path
    real = getattr(owner, name)

    def fails(*given, **named):
        if name == "unlink" and given[0] not in before:
            return real(*given, **named)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(owner, name, fails)
    with Store(tmp_path) as store:
        assert len(store) == 12
    monkeypatch.undo()
    assert sorted(tmp_path.iterdir()) == before


def test_a_run_says_where_its_store_is_damaged_and_asks_again(bench):
    """Once, in one line, also without a terminal summary of its own, and in workers."""
    bench.run("-k", "toy and judge and S1").assert_outcomes(passed=1)
    (shard,) = (bench.pytester.path / ".emoprefer/answers").glob("*.jsonl")
    lines = shard.read_bytes().splitlines(keepends=True)
    shard.write_bytes(b"".join([lines[0][:90] + b"}\n", *lines[1:]]))
    run = bench.run("-k", "toy and judge and S1")
    run.assert_outcomes(passed=1)
    run.stdout.fnmatch_lines([f"*{shard.name}, byte 0: this line is no answer; what it held is asked again"])
    assert run.stdout.str().count("this line is no answer") == 1
    assert bench.cases()["judge-S1-toy"]["questions"] == {"asked": 1, "stored": 5}
