"""The transformers child with less memory than its card: two and a half times what its third question took.

Where there is no GPU, the limit is pretended: a batch counts as large as its tokens are many.
"""

from __future__ import annotations

import time
from typing import Any

import torch

from emoprefer_bench.engines.children import transformers
from emoprefer_bench.protocol.worker import serve

ROOM = 2.5  # one and two such questions fit, four don't
SETS = 3  # the first calls wake the card's libraries, which keep memory of their own
BUSY = 2.0  # seconds that the first question of the batch takes at least, so that the others wait behind it


class Limited:
    """Stands before `generate` of a model."""

    def __init__(self, generate: Any) -> None:
        self._generate = generate
        self._calls = 0
        self._room = 0.0

    def __call__(self, **batch: Any) -> Any:
        """Generate; the call number SETS sets the limit for those behind it."""
        self._calls += 1
        if self._calls == SETS + 1:
            time.sleep(BUSY)
        if torch.cuda.is_available():
            return self._on_gpu(batch)
        tokens = float(batch["input_ids"].numel())
        if self._calls == SETS:
            self._room = ROOM * tokens
        if self._calls > SETS and tokens > self._room:
            raise torch.OutOfMemoryError(f"pretended: {tokens:.0f} tokens, and room for {self._room:.0f}")
        return self._generate(**batch)

    def _on_gpu(self, batch: dict[str, Any]) -> Any:
        if self._calls != SETS:
            return self._generate(**batch)
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        before, reserved = torch.cuda.memory_allocated(), torch.cuda.memory_reserved()
        answered = self._generate(**batch)
        torch.cuda.empty_cache()
        room = reserved + ROOM * (torch.cuda.max_memory_allocated() - before)
        torch.cuda.set_per_process_memory_fraction(room / torch.cuda.get_device_properties(0).total_memory)
        return answered


def load(message: dict[str, Any]) -> Any:
    """Load as the engine does."""
    model = transformers.load(message)
    model._model.generate = Limited(model._model.generate)
    return model


if __name__ == "__main__":
    serve(load)
