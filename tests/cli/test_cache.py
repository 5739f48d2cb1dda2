"""The answers on disk, listed and pruned."""

from __future__ import annotations

import importlib.metadata
import json
import os
import time
from pathlib import Path

import pytest

from emoprefer_bench.cli import main as cli
from emoprefer_bench.pairs import Answer, Clip, Question, Sampling
from emoprefer_bench.trial import shards
from emoprefer_bench.trial.store import Store

DAY = 86_400


def question(number: int, model: str, clip: str | None = None) -> Question:
    """One of many questions to a model."""
    identity = {"engine": "vllm", "version": "1.0", "model": model}
    return Question(identity, f"question {number}", "video", Sampling(), clip=clip and Clip(clip, digest=clip))


def written(folder: Path, *questions: Question) -> Path:
    """A file of answers to these questions, as a process that has ended left it."""
    before = set(folder.glob("*.jsonl"))
    with Store(folder) as store:
        for asked in questions:
            store.add(asked, Answer("a1"))
    (path,) = set(folder.glob("*.jsonl")) - before
    return path.rename(path.with_name(path.name.replace(f"-{os.getpid()}-", "-999999999-")))


@pytest.fixture
def out(tmp_path) -> Path:
    """A folder of a run: 20 answers of `old` in a file of last year, 3 of `new` about clips, and a line cut short."""
    folder = tmp_path / "out"
    old = written(folder / "answers", *(question(number, "old") for number in range(20)))
    os.utime(old, (time.time() - 365 * DAY,) * 2)
    clips = enumerate(("one", "one", "two"))
    new = written(folder / "answers", *(question(number, "new", clip) for number, clip in clips))
    with new.open("ab") as file:
        file.write(b'{"key": "cut sh')
    for clip in ("one", "two"):
        with (folder / "clips.jsonl").open("a") as noted:
            files = json.dumps([[str(tmp_path / "sets" / clip / "video" / "c.mp4"), 1, 2, 3, 4]])
            noted.write(json.dumps({"files": files, "digest": clip}) + "\n")
    return folder


def left(folder: Path) -> dict[str, int]:
    """How many answers a run would still find of each model."""
    with Store(folder / "answers") as store:
        clips = ("one", "one", "two")
        return {
            "old": sum(question(number, "old").key in store for number in range(20)),
            "new": sum(question(number, "new", clip).key in store for number, clip in enumerate(clips)),
        }


def test_answers_are_listed_by_model_and_engine_with_their_age(out, capsys):
    """The largest last."""
    assert cli.main(["cache", str(out)]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert rows[0] == ["model", "engine", "answers", "MB", "oldest", "newest"]
    assert rows[2:] == [
        ["new", "vllm", "1.0", "3", "0.0", "0", "h", "0", "h"],
        ["old", "vllm", "1.0", "20", "0.0", "365", "d", "365", "d"],
    ]


@pytest.mark.parametrize(
    ("options", "gone", "staying"),
    [
        (["--model", "old"], 20, {"old": 0, "new": 3}),
        (["--model", "new"], 3, {"old": 20, "new": 0}),
        (["--older", "30"], 20, {"old": 0, "new": 3}),
        (["--older", "400"], 0, {"old": 20, "new": 3}),
        (["--clips", "sets/one"], 2, {"old": 20, "new": 1}),
        (["--clips", "sets/one", "--model", "old"], 0, {"old": 20, "new": 3}),
    ],
)
def test_what_is_described_is_taken_away_and_nothing_else(out, monkeypatch, capsys, options, gone, staying):
    """By model, age and data set; a line that was cut short stays, since it may be being written."""
    monkeypatch.chdir(out.parent)
    assert cli.main(["cache", str(out), *options, "--prune"]) == 0
    assert capsys.readouterr().out.startswith(f"{gone} answers taken away")
    assert left(out) == staying
    assert any(b"cut sh" in path.read_bytes() for path in (out / "answers").iterdir())
    assert list((out / "answers").glob(f"*{shards.PARTIAL}")) == []


def test_pruned_files_stay_as_old_as_they_were(out, tmp_path):
    """Or the next prune by age would miss what is left in them."""
    for path in (out / "answers").iterdir():
        os.utime(path, (time.time() - 100 * DAY,) * 2)
    before = {path.name: path.stat().st_mtime for path in (out / "answers").iterdir()}
    cli.main(["cache", str(out), "--clips", str(tmp_path / "sets" / "two"), "--prune"])
    assert left(out) == {"old": 20, "new": 2}
    assert {path.name: path.stat().st_mtime for path in (out / "answers").iterdir()} == before


def test_what_a_running_process_has_open_is_not_touched(out, capsys):
    """A run that reads or writes holds the folder."""
    with Store(out / "answers"):
        assert cli.main(["cache", str(out), "--model", "old", "--prune"]) == 1
        assert "a run has it open, so nothing was taken away" in capsys.readouterr().err
    assert left(out) == {"old": 20, "new": 3}


def test_where_other_machines_may_write_nothing_is_pruned(out, monkeypatch, capsys):
    """A lock there may be seen by nobody."""
    monkeypatch.setattr(shards, "is_local", lambda folder: False)
    assert cli.main(["cache", str(out), "--model", "old", "--prune"]) == 1
    assert "other machines may write to" in capsys.readouterr().err
    assert left(out) == {"old": 20, "new": 3}


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["nowhere"], "there is no such folder"),
        (["--prune"], "prune what? Give --model, --clips or --older"),
    ],
)
def test_what_can_not_be_done_is_one_sentence(out, monkeypatch, capsys, options, told):
    """Above all, nobody loses all answers by one word."""
    monkeypatch.chdir(out)
    (out / ".emoprefer").symlink_to(out)
    assert cli.main(["cache", *options]) == 2
    assert told in capsys.readouterr().err
    assert left(out) == {"old": 20, "new": 3}


def test_the_command_says_its_version(capsys):
    """That of the installed package."""
    with pytest.raises(SystemExit) as end:
        cli.main(["--version"])
    assert end.value.code == 0
    assert capsys.readouterr().out == f"emoprefer-bench {importlib.metadata.version('emoprefer-bench')}\n"
