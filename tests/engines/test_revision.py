"""Which weights of the hub an engine loads: those that the key names, as the hub's own client would have left them."""

from __future__ import annotations

import asyncio
import shutil

import pytest
from huggingface_hub import constants
from support.asking import asked

import emoprefer_bench
from emoprefer_bench.engines.children import loaded
from emoprefer_bench.engines.gpus import Gpus

OLD, NEW = "a" * 40, "b" * 40
OPTIONS = {
    "transformers": {},
    "vllm": {"max_model_len": 512, "kv_cache_memory_bytes": 64 << 20},
}


@pytest.fixture
def repository(tmp_path, checkpoint, monkeypatch):
    """A model that was downloaded twice: its branch has moved on, and what it leads to now can't be loaded."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    folder = tmp_path / "models--org--tiny"
    (folder / "refs").mkdir(parents=True)
    (folder / "refs" / "main").write_text(OLD)
    shutil.copytree(checkpoint("text"), folder / "snapshots" / OLD)
    (folder / "snapshots" / NEW).mkdir()
    return folder


@pytest.mark.parametrize("kind", OPTIONS)
def test_an_engine_loads_the_commit_of_its_key(repository, tmp_path, kind):
    """Also where the branch moves on between the first question's key and the start; and it says what it loaded."""
    engine = getattr(emoprefer_bench, kind)("org/tiny", gpus=Gpus(), **OPTIONS[kind])
    assert engine.identity()["revision"] == OLD
    (launch,) = engine.launches(tmp_path / "log")
    assert launch.load["revision"] == OLD

    async def main():
        async with engine.open(tmp_path / "log") as session:
            (repository / "refs" / "main").write_text(NEW)
            return session.revision, await session.answer(asked(), None)

    revision, answer = asyncio.run(main())
    assert (revision, answer.finish) == (OLD, "length"), answer


def test_a_child_finds_out_what_it_loaded(repository, tmp_path):
    """By branch or commit; nothing for a folder, nor for a model that isn't there."""
    assert loaded.revision({"model": "org/tiny", "revision": None}) == OLD
    assert loaded.revision({"model": "org/tiny", "revision": OLD}) == OLD
    assert loaded.revision({"model": "org/tiny", "revision": "dev"}) is None
    assert loaded.revision({"model": "org/other", "revision": None}) is None
    assert loaded.revision({"model": str(repository / "snapshots" / OLD), "revision": None}) is None
