from __future__ import annotations

import json
import os
import struct
import sys
from pathlib import Path

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


OMNI_7B = {
    "thinker_config": {
        "text_config": {
            "hidden_size": 3584, "num_hidden_layers": 28, "num_attention_heads": 28, "num_key_value_heads": 4,
            "max_position_embeddings": 32768, "sliding_window": 32768, "use_sliding_window": False,
        }
    }
}  # fmt: skip
QWEN3_8B = {
    "hidden_size": 4096, "num_hidden_layers": 36, "num_attention_heads": 32, "num_key_value_heads": 8, "head_dim": 128,
    "max_position_embeddings": 40960, "layer_types": ["full_attention"] * 36,
}  # fmt: skip


@pytest.mark.parametrize(
    ("config", "tokens", "token", "longest"),
    [
        (OMNI_7B, None, 28 * 2 * 4 * 128 * 2, 32768),
        (OMNI_7B, 16384, 57_344, 16384),
        (QWEN3_8B, None, 36 * 2 * 8 * 128 * 2, 40960),
        ({"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}, 100, 2 * 2 * 2 * 32 * 2, 100),
    ],
)
def test_what_is_kept_of_a_prompt(config, tokens, token, longest):
    """Keys and values of every layer, by the shapes of known models."""
    assert memory.cache_of(config, tokens) == memory.Cache(token, longest)


@pytest.mark.parametrize(
    "change",
    [
        {"sliding_window": 4096},
        {"kv_lora_rank": 512},
        {"layer_types": ["full_attention", "linear_attention"]},
        {"num_hidden_layers": None},
    ],
)
def test_nothing_is_said_of_models_that_keep_something_else(change):
    """A model is not refused for what it doesn't keep."""
    assert memory.cache_of({**QWEN3_8B, **change}) is None
    assert memory.cache_of(QWEN3_8B, -1) is None  # vLLM finds the longest that fits by itself


@pytest.mark.parametrize("size", [[8192, 16384], ["much"], None, {}])
def test_sizes_of_each_layer_break_nothing(size):
    """Gemma 3n's config has a list for what others have one number for; an estimate is no reason to fail."""
    names = ("intermediate_size", "moe_intermediate_size", "num_key_value_heads", "hidden_size", "num_hidden_layers")
    widest = memory.computing({**QWEN3_8B, "intermediate_size": 16384}, 100)
    if size == [8192, 16384]:
        assert memory.computing({**QWEN3_8B, "intermediate_size": size}, 100) == widest
    for name in names:
        assert memory.computing({**QWEN3_8B, name: size, "vocab_size": 1000}, 100) > 0
    assert memory.cache_of({**QWEN3_8B, "num_key_value_heads": size, "head_dim": size}) is None


def test_a_context_that_does_not_fit_says_which_does(weights, smi, monkeypatch):
    """The weights have room, a prompt as long as the context has none beside them: the message has the longest."""
    smi(gpu0=3072)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    folder = weights(BF16=memory.GIB)
    cache = memory.cache_of(OMNI_7B)
    with pytest.raises(TooLargeError, match=r"prompt of 32,768 tokens 1\.8 GiB, .* max_model_len=18724 or less"):
        check_fits(folder, None, cache=cache)
    check_fits(folder, None, cache=memory.cache_of(OMNI_7B, 18_724))


SIZES = {"intermediate_size": 18944, "vocab_size": 152064}
WHOLE = {"thinker_config": {"text_config": {**OMNI_7B["thinker_config"]["text_config"], **SIZES}}}


def configured(folder, config=WHOLE):
    """Write a checkpoint's config."""
    Path(folder, "config.json").write_text(json.dumps(config))
    return folder


def test_what_a_fixture_needs(weights):
    """Weights as loaded, a clip of 8,192 tokens of 56 KiB, and a layer over the tokens that are read at once."""
    folder = configured(weights(BF16=4 * memory.GIB))
    needed = memory.needs("vllm", folder, None, {"max_model_len": 16384})
    assert needed.weights == 8 * memory.GIB
    assert needed.clip == 8192 * 57_344
    assert needed.computing == 16384 * (5 * 3584 + 3 * 18944) * 2 + 2 * 4 * 256 * 152064
    assert str(needed) == "8.0 GiB of weights, 0.4 for a clip of 10 s, about 2.6 to compute with"
    batch = memory.needs("transformers", folder, None, {"batch_size": 2, "max_model_len": 4096})
    assert batch.clip == 2 * 4096 * 57_344
    assert batch.computing == needed.computing
    assert memory.needs("vllm", folder, None, {"max_num_batched_tokens": 8192}).computing < needed.computing


@pytest.mark.parametrize(
    ("free", "whole", "cures"),
    [
        ([20], True, []),
        ([13], True, ["max_model_len=21134 or less in its fixture"]),
        ([13], False, []),
        ([12], False, ["gpus=2 in its fixture", "a quantized checkpoint"]),
        ([6], True, ["gpus=3 in its fixture", "a quantized checkpoint"]),
        ([0], True, ["GPUs with free memory", "a quantized checkpoint"]),
    ],
)
def test_what_would_make_it_fit(weights, free, whole, cures):
    """By nine tenths of the free memory, as vLLM takes it; a context is shortened where the engine sets it aside."""
    needed = memory.needs("vllm", configured(weights(BF16=4 * memory.GIB)), None, {})
    assert needed.cures([gib * memory.GIB for gib in free], whole_context=whole) == cures


def test_what_may_not_fit_is_in_the_log(weights, smi, monkeypatch, caplog):
    """An estimate refuses nothing."""
    smi(gpu0=9216)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    check_fits(weights(BF16=4 * memory.GIB), None, cache=memory.cache_of(OMNI_7B, 4096), compute=2 * memory.GIB)
    assert "may not fit: 8.0 GiB of weights, 0.2 for a clip of 10 s, about 2.0 to compute with" in caplog.text
    assert "gpus=2" in caplog.text


def test_what_is_not_known_is_not_guessed(weights, monkeypatch):
    """No config beside the weights, or one that is no config."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    folder = weights(BF16=1000)
    assert memory.needs("vllm", folder, None, {}) is None
    Path(folder, "config.json").write_text("[]")
    assert memory.needs("vllm", folder, None, {}) is None
    assert memory.needs("vllm", "nobody/nothing", None, {}) is None


def test_what_a_model_speaks_with_is_not_loaded(weights):
    """The talker of Qwen's Omni models stays on the disk, so it needs no memory."""
    folder = weights(BF16=1000)
    header = json.dumps({"talker.w": {"dtype": "BF16", "shape": [50], "data_offsets": [0, 100]}}).encode()
    Path(folder, "talker.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + b"\0" * 100)
    assert weights_bytes(folder, None) == 2000


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
    assert weights_bytes(str(tmp_path / "model.gguf"), None) is None
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


@pytest.mark.parametrize(("free", "rows"), [(80, 16), (48, 16), (40, 8), (24, 2), (17, 1)])
def test_as_many_prompts_are_read_at_once_as_fit(weights, smi, monkeypatch, free, rows):
    """Of Qwen2.5-Omni-7B, 1.6 GiB each beside 16.6 GiB of weights; one where not even that fits."""
    folder = configured(weights(BF16=17_863_627_776 // 2))
    smi(gpu0=free * 1024)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    assert memory.batch_that_fits(folder, None, {}) == rows


def test_nobody_knows_what_fits(weights, smi, monkeypatch):
    """Without a GPU, without a config, and of a model that keeps something else than keys and values."""
    folder = weights(BF16=1000)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert memory.batch_that_fits(configured(folder), None, {}) == memory.BATCH
    smi(gpu0=80 * 1024)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    assert memory.batch_that_fits(folder, None, {}) == 16
    assert memory.batch_that_fits(configured(folder, {**SIZES, "sliding_window": 512}), None, {}) == memory.BATCH
    Path(folder, "config.json").unlink()
    assert memory.batch_that_fits(folder, None, {}) == memory.BATCH
