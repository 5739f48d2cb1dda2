"""Loggers: what other tools are given of a run."""

from __future__ import annotations

import json
import os
import struct
import sys

import pytest
from wandb.proto.wandb_internal_pb2 import Record

OURS = """
import json

def log(document, folder):
    with (folder / "logged.jsonl").open("a") as file:
        file.write(json.dumps([case["id"] for case in document["cases"]]) + "\\n")
    return f"ours: {len(document['cases'])} cases"

def fails(document, folder):
    raise RuntimeError("the server is asleep")
"""


@pytest.fixture
def loggers(bench, monkeypatch):
    """A package of somebody else's with two loggers, one of which fails."""
    site = bench.pytester.mkdir("site")
    (site / "theirs.py").write_text(OURS)
    info = site / "theirs-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\nVersion: 1\n")
    (info / "entry_points.txt").write_text(
        "[emoprefer_bench.loggers]\ntheirs = theirs:log\nasleep = theirs:fails\nbroken = theirs:nothing\n"
    )
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, (str(site), os.environ.get("PYTHONPATH")))))
    monkeypatch.syspath_prepend(site)
    return bench


def logged(path):
    """What a file of W&B says of its run: its configuration, and what was logged, by name.

    The file is a log of LevelDB's form behind seven bytes: in blocks of 32 KiB, each record with a checksum (4 bytes),
    its length (2), and which part of a record it is (1: all, 2: the first, 3: a middle one, 4: the last).
    """
    content, place, whole, records = path.read_bytes(), 7, b"", []
    while len(content) - place >= 7:
        left = 32768 - place % 32768
        if left < 7:
            place += left
            continue
        length, part = struct.unpack_from("<HB", content, place + 4)
        whole += content[place + 7 : place + 7 + length]
        place += 7 + length
        if part in (1, 4):
            records.append(Record.FromString(whole))
            whole = b""
    named = lambda items: {item.key or ".".join(item.nested_key): item.value_json for item in items}  # noqa: E731
    config = {name: value for record in records for name, value in named(record.run.config.update).items()}
    values = {name: value for record in records for name, value in named(record.history.item).items()}
    return config, values


@pytest.mark.parametrize("workers", [(), ("-n", "2")])
def test_a_run_is_logged_to_weights_and_biases_offline(bench, monkeypatch, workers):
    """By its own library, once, in a folder beside the report: every score with its interval, as the report has it."""
    for name in [name for name in os.environ if name.startswith("WANDB_")]:
        monkeypatch.delenv(name)
    result = bench.run("-k", "toy", "--emoprefer-log", "wandb", *workers, apart=True)
    assert result.ret == 0
    (folder,) = (bench.pytester.path / ".emoprefer/wandb").glob("offline-run-*")
    result.stdout.fnmatch_lines([f"wandb: {folder}; to upload it: wandb sync {folder}"])
    (file,) = folder.glob("*.wandb")
    config, values = logged(file)
    assert {"manifest", "datasets", "judges"} <= set(config)
    cases = bench.cases()
    for name, case in cases.items():
        assert values[f"{name}/outcome"] == '"passed"'
        for metric, score in case["scores"].items():
            low, high = score["interval"] or (None, None)
            for key, value in ((metric, score["mean"]), (f"{metric}_low", low), (f"{metric}_high", high)):
                assert (f"{name}/{key}" in values) == (value is not None)
                assert value is None or float(values[f"{name}/{key}"]) == pytest.approx(value)
    assert len(cases) == 7


def test_a_logger_of_another_package_is_given_the_report_and_its_folder(loggers):
    """Once a run, though workers ask; a run that asked nothing isn't logged."""
    result = loggers.run("-k", "toy", "--emoprefer-log", "theirs", "-n", "2")
    result.stdout.fnmatch_lines(["ours: 7 cases"])
    lines = (loggers.pytester.path / ".emoprefer/logged.jsonl").read_text().splitlines()
    assert list(map(json.loads, lines)) == [list(loggers.cases())]
    loggers.run("-k", "emoprefer and judge", "--emoprefer-log", "theirs")
    assert len((loggers.pytester.path / ".emoprefer/logged.jsonl").read_text().splitlines()) == 1


def test_a_logger_that_fails_stops_neither_the_report_nor_another(loggers):
    """Status 4, as for a form of the report that can't be written, and a line that says it."""
    result = loggers.run("-k", "toy", "--emoprefer-log", "asleep", "--emoprefer-log", "theirs")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stdout.fnmatch_lines(
        ["--emoprefer-log asleep: the run could not be logged: RuntimeError: the server is asleep", "ours: 7 cases"]
    )
    assert len(loggers.cases()) == 7


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nowhere", "*--emoprefer-log nowhere: no such logger; there are *wandb*"),
        ("broken", "*--emoprefer-log broken: theirs:nothing can't be loaded: AttributeError: *"),
    ],
)
def test_a_logger_that_is_not_there_is_refused_before_anything_is_asked(loggers, name, message):
    """In a sentence, with status 4."""
    result = loggers.run("-k", "toy", "--emoprefer-log", name)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([message])
    assert not (loggers.pytester.path / "asked.txt").exists()


def test_what_the_logger_needs_is_said(bench, monkeypatch):
    """Without W&B's library, how to get it."""
    monkeypatch.setitem(sys.modules, "wandb", None)
    monkeypatch.delitem(sys.modules, "emoprefer_bench.reports.wandb", raising=False)
    result = bench.run("-k", "toy", "--emoprefer-log", "wandb")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*pip install 'emoprefer-bench?wandb?'*"])
