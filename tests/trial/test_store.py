from __future__ import annotations

import json
import os
import subprocess
import sys
import threading

import pytest

from emoprefer_bench.pairs import Answer, Question, Sampling
from emoprefer_bench.trial.store import Store, StoreError


def question(text="Which?", **changes):
    """A question of no particular judge."""
    return Question(
        **{"engine": {"engine": "test"}, "prompt": text, "modality": "text", "sampling": Sampling(), **changes}
    )


def test_an_answer_is_there_in_the_next_run(tmp_path):
    """What was added is found by the key of an equal question after reopening."""
    store = Store(tmp_path)
    store.add(question(), Answer("a1, \N{SNOWMAN} \n", "stop", {"prompt": 3}, {"model": 0.5}))
    assert store.get(question().key) == Answer("a1, \N{SNOWMAN} \n", "stop", {"prompt": 3}, {"model": 0.5})
    store.close()
    again = Store(tmp_path)
    assert again.get(question().key) == Answer("a1, \N{SNOWMAN} \n", "stop", {"prompt": 3}, {"model": 0.5})
    assert again.get(question("Who?").key) is None
    assert len(again) == 1
    again.close()


WEIGHED = Answer("", tokens={"prompt": 3}, logprobs=((-0.1, -1e-17, -0.30000000000000004), None, (0.0,)))


def weighing():
    """A question that weighs three texts."""
    return question(sampling=None, score=("one", "two", "three"))


def test_what_was_weighed_is_there_in_the_next_run_to_the_bit(tmp_path):
    """Also what could only be bounded."""
    with Store(tmp_path) as store:
        store.add(weighing(), WEIGHED)
        assert store.get(weighing().key) == WEIGHED
    with Store(tmp_path) as again:
        assert again.get(weighing().key) == WEIGHED


@pytest.mark.parametrize(
    "damage", [("-0.1", "0.1"), ("-0.1", "-1e999"), ("-0.1", "NaN"), ("null,", ""), ("[0.0]", "[]"), ("[0.0]", "0.0")]
)
def test_what_no_weighing_gives_is_asked_again(tmp_path, damage):
    """A line that was damaged into something that is no logarithm of a probability, or of other texts."""
    with Store(tmp_path) as store:
        store.add(weighing(), WEIGHED)
    (shard,) = tmp_path.glob("*.jsonl")
    damaged = shard.read_text().replace(*damage)
    assert damaged != shard.read_text()
    shard.write_text(damaged)
    with Store(tmp_path) as again:
        assert again.get(weighing().key) is None
        assert "this line is no answer" in again.unreadable[0]


def test_fresh_reads_nothing_and_keeps_everything(tmp_path):
    """--emoprefer-fresh asks again without deleting what there is."""
    first = Store(tmp_path)
    first.add(question(), Answer("old"))
    first.close()
    fresh = Store(tmp_path, fresh=True)
    assert question().key not in fresh
    fresh.add(question(), Answer("new"))
    fresh.close()
    assert len(list(tmp_path.glob("*.jsonl"))) == 2


def test_a_torn_last_line_is_left_out(tmp_path):
    """A line that was cut short at any byte costs that answer alone, and later runs write on."""
    store = Store(tmp_path)
    store.add(question("one"), Answer("a1"))
    store.add(question("two"), Answer("a2"))
    store.close()
    (shard,) = tmp_path.glob("*.jsonl")
    whole = shard.read_bytes()
    second = whole.index(b"\n") + 1
    for end in (second, second + 1, second + 40, second + 80, len(whole) - 2, len(whole) - 1):
        shard.write_bytes(whole[:end])
        reopened = Store(tmp_path)
        assert reopened.get(question("one").key) == Answer("a1")
        assert reopened.get(question("two").key) is None
        reopened.close()


def test_shards_of_several_writers_are_merged(tmp_path):
    """Two processes that write at once never share a file."""
    one, two = Store(tmp_path), Store(tmp_path)
    one.add(question("one"), Answer("a1"))
    two.add(question("two"), Answer("a2"))
    one.close()
    two.close()
    both = Store(tmp_path)
    assert [both.get(question(text).key).text for text in ("one", "two")] == ["a1", "a2"]
    both.close()


@pytest.mark.parametrize("finish", ["error", "refused"])
def test_what_may_come_out_otherwise_is_not_kept(tmp_path, finish):
    """An error or a refusal is asked again next time."""
    store = Store(tmp_path)
    store.add(question(), Answer("", finish))
    assert question().key not in store
    store.close()


def test_an_answer_is_in_the_file_before_add_returns(tmp_path):
    """A process killed right after `add` loses nothing."""
    script = (
        "import os, signal, sys; from pathlib import Path\n"
        "from emoprefer_bench.pairs import *; from emoprefer_bench.trial.store import Store\n"
        "q = Question({'engine': 'test'}, 'Which?', 'text', Sampling())\n"
        "Store(Path(sys.argv[1])).add(q, Answer('a1')); os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", script, tmp_path], check=False)
    store = Store(tmp_path)
    assert store.get(question().key) == Answer("a1")
    store.close()


def test_a_folder_that_cannot_be_written_is_one_clear_message(tmp_path):
    """The message names the folder and what to do."""
    (tmp_path / "answers").write_text("a file where the folder should be")
    store = Store(tmp_path / "answers")
    with pytest.raises(StoreError, match=r"answers: can't write an answer .* --emoprefer-out"):
        store.add(question(), Answer("a1"))


def test_a_full_disk_keeps_what_was_written(tmp_path, monkeypatch):
    """A write that the disk took only half of is an error now and a torn line later."""
    store = Store(tmp_path)
    store.add(question("one"), Answer("a1"))
    real = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda fd, line, at: real(fd, line[:20], at))
    with pytest.raises(StoreError, match="Everything answered before is kept"):
        store.add(question("two"), Answer("a2"))
    monkeypatch.undo()
    assert question("two").key not in store
    store.close()
    again = Store(tmp_path)
    assert again.get(question("one").key) == Answer("a1")
    again.close()


def test_a_row_says_what_was_asked(tmp_path):
    """A person who opens the file finds the question beside its answer."""
    store = Store(tmp_path)
    store.add(question("Which of the two?"), Answer("a1"))
    store.close()
    (shard,) = tmp_path.glob("*.jsonl")
    assert json.loads(shard.read_text())["question"]["prompt"] == "Which of the two?"


def test_an_answer_is_on_the_disk_within_a_second_though_no_other_follows(tmp_path, monkeypatch):
    """A model may think for an hour about the next question; the machine may lose power meanwhile."""
    synced = threading.Event()
    real = os.fsync
    monkeypatch.setattr(os, "fsync", lambda descriptor: (real(descriptor), synced.set()))
    store = Store(tmp_path)
    store.add(question(), Answer("a1"))
    assert synced.wait(1.0)
    store.close()


def test_a_disk_that_fails_later_stops_the_run_at_the_next_answer(tmp_path, monkeypatch):
    """A network file system may say only when it is flushed that it is full."""
    store = Store(tmp_path)
    monkeypatch.setattr(os, "fsync", lambda descriptor: os.strerror(0) and os.close(-1))
    store.add(question("one"), Answer("a1"))
    with pytest.raises(StoreError, match="can't write an answer"):
        store.flush()
    with pytest.raises(StoreError, match="can't write an answer"):
        store.add(question("two"), Answer("a1"))
    monkeypatch.undo()
    with pytest.raises(StoreError):
        store.close()


def test_answers_longer_than_a_block_and_shards_of_many_runs_are_found(tmp_path):
    """What is read in pieces is put together again."""
    for number in range(5):
        with Store(tmp_path) as store:
            store.add(question(str(number)), Answer(str(number) * 10_000, device="a GPU"))
    with Store(tmp_path) as store:
        assert [store.get(question(str(n)).key).text for n in range(5)] == [str(n) * 10_000 for n in range(5)]
        assert store.get(question("0").key).device == "a GPU"
