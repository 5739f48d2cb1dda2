"""Models that are declared where none is: what the message says."""

from __future__ import annotations

import sys

import pytest
from support.asking import answers, asked

import emoprefer_bench
from emoprefer_bench.engines import families
from emoprefer_bench.engines.engine import DeclarationError
from emoprefer_bench.engines.gpus import Gpus
from emoprefer_bench.protocol.parent import LoadError


@pytest.mark.parametrize("engine", [emoprefer_bench.vllm, emoprefer_bench.transformers])
@pytest.mark.parametrize(
    "name", ["./gone", "../gone", "/gone/qwen2", "~/gone", "gone/weights/qwen2", "qwen2-gone.gguf"]
)
def test_a_path_that_is_not_there_is_said_to_be_not_there(engine, name):
    """A hub's name has no such form, so nobody is sent to look for a family or a download."""
    with pytest.raises(DeclarationError, match=r"gone.*: there is no such file or folder \(looked for in /"):
        engine(name, gpus=Gpus())


def test_a_folder_without_a_config_is_said_to_hold_no_model(tmp_path):
    """As that above the checkpoints, which is what people name by mistake."""
    (tmp_path / "qwen2").mkdir()
    with pytest.raises(DeclarationError, match=r"qwen2: this folder has no config\.json, so it holds no model"):
        emoprefer_bench.vllm(str(tmp_path / "qwen2"), gpus=Gpus())


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ("{", r"its config\.json can't be read"),
        ("[]", r"its config\.json can't be read"),
        ('{"model_type": "unheard_of"}', "no adapter knows the model type 'unheard_of': name the family"),
    ],
)
def test_a_config_that_tells_nothing_is_one_sentence(tmp_path, config, sentence):
    """It starts with the folder."""
    (tmp_path / "config.json").write_text(config)
    with pytest.raises(DeclarationError, match=rf"^{tmp_path}: {sentence}"):
        emoprefer_bench.vllm(str(tmp_path), gpus=Gpus())


def test_a_home_folder_is_found(tmp_path, monkeypatch):
    """`~` is what people write; the engine gets the path."""
    (tmp_path / "qwen").mkdir()
    (tmp_path / "qwen/config.json").write_text('{"model_type": "qwen2"}')
    monkeypatch.setenv("HOME", str(tmp_path))
    engine = emoprefer_bench.vllm("~/qwen", gpus=Gpus())
    assert (engine.model, engine.settings["family"]) == (str(tmp_path / "qwen"), "text")


def test_a_worker_that_prints_among_its_messages_is_quoted(tmp_path):
    """Also while it loads, where it was said to have ended."""
    (tmp_path / "worker.py").write_text(
        "import sys\nprint('Loading shards 3/4', flush=True)\nsys.stdin.readline()\nsys.stdin.read()\n"
    )
    worker = emoprefer_bench.external(f"{sys.executable} {tmp_path}/worker.py", version="1")
    with pytest.raises(LoadError, match=r"not a message: 'Loading shards 3/4'; .* print to standard error, or"):
        answers(worker, tmp_path / "log", asked())


@pytest.mark.parametrize(
    ("family", "media", "cannot"),
    [
        ("text", "audiovideo", "see or hear"),
        ("text", "video", "see"),
        ("qwen25vl", "audiovideo", "hear"),
        ("qwen2audio", "video", "see"),
        ("qwen25omni", "audiovideo", None),
        ("text", "text", None),
    ],
)
def test_what_a_family_cannot_do_is_known(family, media, cannot):
    """By the media that it is to be given."""
    assert families.cannot(family, media) == cannot


def test_a_text_model_declared_to_see_is_told_that_it_cannot(bench, tmp_path):
    """Before anything is loaded, and by its name."""
    (tmp_path / "config.json").write_text('{"model_type": "qwen2"}')
    for name in ("c1", "c2"):
        (bench.data / f"video/{name}.mp4").write_bytes(b"")
    bench.pytester.makeconftest(
        "import emoprefer_bench\n"
        "@emoprefer_bench.model(gpus=0, modality='audiovideo', prompts=('S1',))\n"
        f"def reader(gpus): return emoprefer_bench.transformers({str(tmp_path)!r}, gpus=gpus)\n"
    )
    result = bench.run("-k", "reader and toy")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        ["reader is declared to take audiovideo, but its model can't see or hear: the family text takes text. Say so*"]
    )
