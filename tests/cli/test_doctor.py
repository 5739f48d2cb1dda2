"""What `list` and `doctor` say of a machine."""

from __future__ import annotations

import json
import os
import re
import struct
import sys

import pytest

from emoprefer_bench.cli import doctor
from emoprefer_bench.cli import main as cli

MODELS = """
import emoprefer_bench

@emoprefer_bench.model(gpus=0, modality="text", prompts=())
def here(gpus):
    return emoprefer_bench.function(lambda question: "a1", name="here")

@emoprefer_bench.model(gpus=3)
def large(gpus):
    return emoprefer_bench.external("python worker.py", version="1", gpus=gpus)

@emoprefer_bench.model(gpus=0, closed=True)
def paid(gpus):
    return emoprefer_bench.gpt("gpt-x", gpus=gpus, key="NOT_SET_ANYWHERE")

@emoprefer_bench.model(gpus=0)
def wrong(gpus):
    return emoprefer_bench.external("python worker.py", gpus=gpus)

@emoprefer_bench.model(gpus=0)
def of_the_project(gpus, folder):
    raise AssertionError("never made")
"""


@pytest.fixture
def machine(pytester, monkeypatch):
    """A folder on a machine without GPUs and keys."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    for key, _ in doctor.KEYS:
        monkeypatch.delenv(key, raising=False)
    return pytester


def rows(lines: list[str]) -> dict[str, str]:
    """What the table of models says of each in its last column."""
    cells = [re.split(r"\s{2,}", line) for line in lines]
    return {row[0]: row[-1] for row in cells if len(row) == 5}


def test_the_list_says_what_can_run_here_and_what_the_rest_needs(machine):
    """Models of this folder's conftest.py, data sets, and prompts; nothing is run, and all of it fits."""
    machine.makeconftest(MODELS)
    machine.makepyfile(test_it="raise AssertionError('never collected')")
    (machine.path / "mine.csv").write_text("name,a1,a2,preference\n")
    result = machine.runpytest_subprocess(".", "--emoprefer-list", "--emoprefer-data", "mine=mine.csv")
    assert result.ret == 0
    said = rows(result.outlines)
    assert said["here"] == said["of_the_project"] == "yes"
    assert said["large"] == "needs 3 GPUs"
    assert said["paid"] == "needs an API key"
    assert "API keys that are not set: $NOT_SET_ANYWHERE" in result.outlines
    assert said["wrong"].startswith("needs external(")
    result.stdout.fnmatch_lines(["5 models, of which 2 can run here"])
    text = " ".join(result.outlines)
    assert re.search(r"data sets +demo +/\S+/preference_demo.csv +emoprefer +not here: ask for access", text)
    assert re.search(r"mine +/\S+/mine.csv, +without clips", text)
    assert re.search(r"prompts +S1 .* worded by default: ", text)
    assert [line for line in result.outlines if len(line) > 80 and "/" not in line] == []  # a path isn't broken


def test_the_command_lists_the_built_in_models_too(machine, capfd):
    """In a folder with nothing in it."""
    assert cli.main(["list"]) == 0
    said = rows(capfd.readouterr().out.splitlines())
    assert said["qwen25omni_7b"] == "needs 1 GPU"
    assert len(said) > 40


def test_the_doctor_says_how_to_mend_each_thing(machine, capsys):
    """What only some models need is no fault; a clip is really decoded."""
    assert cli.main(["doctor"]) == 0
    out = capsys.readouterr().out
    lines = out.splitlines()
    assert "-     no GPU: nvidia-smi lists none, or CUDA_VISIBLE_DEVICES hides them" in lines
    assert "-     OPENAI_API_KEY is not set: GPT would need it" in lines
    assert any(line.startswith("ok    decoding works: picture and sound of demo_01.mp4") for line in lines)
    assert lines[-1] == "ready; what a line with - lacks, some models need"
    assert [line for line in lines if len(line) > 80] == []


def test_a_key_is_present_and_not_shown(machine, monkeypatch, capsys):
    """Whoever copies the screen into an issue gives nothing away."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    cli.main(["doctor"])
    out = capsys.readouterr().out
    assert "ok    OPENAI_API_KEY is set" in out
    assert "sk-secret" not in out


def test_gpus_that_the_driver_can_not_tell_of_are_to_be_mended(machine, monkeypatch, capsys):
    """Somebody named one, and there is no driver: status 1."""
    monkeypatch.setattr(doctor.gpus, "visible", lambda: ("0",))
    monkeypatch.setenv("PATH", "/nonexistent")
    assert cli.main(["doctor"]) == 1
    out = " ".join(capsys.readouterr().out.split())
    assert "BAD 1 GPU in CUDA_VISIBLE_DEVICES, but nvidia-smi fails" in out
    assert "1 thing to mend" in out


def test_a_clip_that_can_not_be_decoded_is_to_be_mended(machine, capsys):
    """A decoder that doesn't work here would fail every case."""
    folder = machine.mkdir("dataset") / "demo"
    (folder / "video").mkdir(parents=True)
    (folder / "preference_demo.csv").write_text("name,a1,a2,preference\nc,x,y,a1\n")
    (folder / "video" / "c.mp4").write_text("this is no film")
    assert cli.main(["doctor"]) == 1
    assert "BAD   decoding" in capsys.readouterr().out


LOCAL = """
import emoprefer_bench

@emoprefer_bench.model(gpus=1, modality="text")
def mine_small(gpus):
    return emoprefer_bench.transformers("./small", gpus=gpus, batch_size=1)

@emoprefer_bench.model(gpus=1, modality="text")
def mine_large(gpus):
    return emoprefer_bench.transformers("./large", gpus=gpus, batch_size=1)

@emoprefer_bench.model(gpus=2, modality="text")
def mine_on_two(gpus):
    return emoprefer_bench.transformers("./small", gpus=gpus)
"""
CARD = """#!{python}
import sys
print({csv!r} if "index" in sys.argv[2] else {free})
"""
GIB = 1 << 30


def checkpoint(folder, weights):
    """Write a config, and the header of so many weights of two bytes with a hole behind it."""
    config = {"model_type": "qwen2", "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2,
              "intermediate_size": 128, "vocab_size": 100, "max_position_embeddings": 4096}  # fmt: skip
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config))
    header = json.dumps({"w": {"dtype": "BF16", "shape": [weights], "data_offsets": [0, 2 * weights]}}).encode()
    with (folder / "model.safetensors").open("wb") as file:
        file.write(struct.pack("<Q", len(header)) + header)
        file.truncate(8 + len(header) + 2 * weights)


def test_the_doctor_says_what_each_model_needs_of_the_card(machine, monkeypatch, capsys):
    """Weights, a clip, what it computes with; whether that fits, and what to change where it doesn't."""
    for name, weights in (("small", GIB), ("large", 8 * GIB)):
        checkpoint(machine.path / name, weights)
    program = machine.mkdir("bin") / "nvidia-smi"
    program.write_text(CARD.format(python=sys.executable, csv="0, Card, 10240 MiB, 11264 MiB", free=10240))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    machine.makeconftest(LOCAL)
    assert cli.main(["doctor"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "ok mine_small: 2.0 GiB of weights, 0.0 for a clip of 10 s, about 0.0 to compute with; fits 1 GPU" in out
    assert "- mine_large: 16.0 GiB of weights" in out
    assert (
        "too large for 1 GPU with 10.0 GiB free: gpus=2 in its fixture, or a quantized checkpoint, or mine_small" in out
    )
    assert "it asks for 2 GPUs, and 1 are here" in out
    assert "- what these need is not known (their weights are not here, and the hub doesn't say): qwen25omni_7b," in out


@pytest.mark.parametrize(
    ("model", "told", "status"),
    [
        ("longer", "ok    longer answered two questions", 0),
        ("qwen25omni_7b", "BAD   qwen25omni_7b answered nothing: qwen25omni_7b-S1-demo was skipped:", 1),
        ("nobody", "BAD   there is no built-in model nobody; `emoprefer-bench list` has all of them", 1),
    ],
)
def test_a_model_is_asked_two_questions(machine, capsys, model, told, status):
    """It answers them, or the reason why not is told."""
    assert cli.main(["doctor", "--model", model]) == status
    assert " ".join(told.split()) in " ".join(capsys.readouterr().out.split())
