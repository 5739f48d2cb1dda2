from __future__ import annotations

import json
import os
import struct
import sys

import pytest

from emoprefer_bench.engines.children import memory
from emoprefer_bench.engines.children.memory import TooLargeError, check_fits, free_memory, weights_bytes


@pytest.fixture
def smi(tmp_path, monkeypatch):
    """A driver with GPUs of so many MiB free, by their ids."""

    def install(**free):
        table = {name.removeprefix("gpu"): mebibytes for name, mebibytes in free.items()}
        program = tmp_path / "bin" / "nvidia-smi"
        program.parent.mkdir(exist_ok=True)
        lines = f"print('\\n'.join(str({table!r}[i]) for i in sys.argv[-1].split(',')))"
        program.write_text(f"#!{sys.executable}\nimport sys\n{lines}\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")

    return install


@pytest.fixture
def weights(tmp_path):
    """Make a checkpoint of files with so many weights of each type: a header, and behind it a hole in the file."""

    def make(**counts):
        folder = tmp_path / "checkpoint"
        folder.mkdir()
        for number, (kind, count) in enumerate(counts.items()):
            size = count * memory.BYTES.get(kind, 1)
            tensors = {"__metadata__": {}, "w": {"dtype": kind, "shape": [count // 2, 2], "data_offsets": [0, size]}}
            header = json.dumps(tensors).encode()
            with (folder / f"model-{number}.safetensors").open("wb") as file:
                file.write(struct.pack("<Q", len(header)) + header)
                file.truncate(8 + len(header) + size)
        return str(folder)

    return make


def test_weights_are_counted_as_they_will_be_loaded(weights):
    """32-bit weights take half once loaded, unless 32 bits are asked for; 8-bit ones stay what they are."""
    folder = weights(BF16=1000, F32=100, F8_E4M3=10)
    assert weights_bytes(folder, None) == 2000 + 200 + 10
    assert weights_bytes(folder, None, "float32") == 2000 + 400 + 10


def test_a_model_that_does_not_fit_says_what_it_needs(weights, smi, monkeypatch):
    """The message has the need, what is free, and what to do."""
    smi(gpu0=2048, gpu1=1024)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    folder = weights(BF16=2 * memory.GIB)
    with pytest.raises(TooLargeError, match=r"weights take 4\.0 GiB, and 3\.0 GiB are free on 2 GPUs.*gpus="):
        check_fits(folder, None)


def test_a_model_that_fits_passes(weights, smi, monkeypatch):
    """Two GPUs together have room for what one has none for."""
    smi(gpu0=2048, gpu1=2049)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    check_fits(weights(BF16=2 * memory.GIB), None)


def test_only_the_leased_gpus_count(smi):
    """The free memory of others is not this model's."""
    smi(gpu0=2048, gpu1=1024)
    assert free_memory("1") == [1 << 30]


def test_nothing_is_said_where_nothing_is_known(weights, monkeypatch, tmp_path):
    """Without a GPU, without its driver's program, or without weights at hand, nothing fails."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    check_fits(weights(BF16=memory.GIB), None)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert free_memory("0") == []
    assert weights_bytes("nobody/nothing", None) is None
    (tmp_path / "checkpoint" / "model-1.safetensors").write_bytes(b"\xff" * 99)
    assert weights_bytes(str(tmp_path / "checkpoint"), None) is None


def test_the_child_says_so_before_the_first_question(start, checkpoint, smi, monkeypatch):
    """Loading fails with that sentence, and loads nothing."""
    smi(gpu0=0)
    child = start("-c", SMALL_GPU)
    failed = child.load(checkpoint("text"))
    assert failed["type"] == "failed"
    assert "its weights take 0.0 GiB, and 0.0 GiB are free on 1 GPU." in failed["message"]


SMALL_GPU = """
import os
from emoprefer_bench.engines.children import transformers
from emoprefer_bench.protocol.worker import serve
os.environ["CUDA_VISIBLE_DEVICES"] = "0"
serve(transformers.load)
"""
