"""What it takes to make the tensors of a clip's sound: as long as it is, beside 300 seconds of it."""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import transformers

from emoprefer_bench.engines.children.encoding import ShortSpectra

if TYPE_CHECKING:
    from collections.abc import Callable

RATE = 16_000
TIMES = 15


def seconds(extract: Callable[..., Any], sound: np.ndarray) -> float:
    """The median time of making its spectrum."""
    taken = []
    for _ in range(TIMES):
        started = time.perf_counter()
        extract([sound], sampling_rate=RATE, padding="max_length", return_tensors="pt")
        taken.append(time.perf_counter() - started)
    return statistics.median(taken)


def main() -> None:
    """Print it for sounds of 4, 10 and 60 seconds, with one thread."""
    torch.set_num_threads(1)
    extractor = transformers.WhisperFeatureExtractor(
        feature_size=128, sampling_rate=RATE, hop_length=160, n_fft=400, chunk_length=300
    )
    for length in (4, 10, 60):
        sound = np.random.default_rng(0).standard_normal(length * RATE).astype(np.float32)
        long, short = seconds(extractor, sound), seconds(ShortSpectra(extractor), sound)
        print(
            f"spectrum of {length} s: {1000 * long:.0f} ms -> {1000 * short:.1f} ms, {long / short:.0f} times as fast"
        )
