"""Where the time of a case goes, by the clock: what its questions waited for, and what that makes a second."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from emoprefer_bench.pairs import Answer

if TYPE_CHECKING:
    from emoprefer_bench.document.types import Bottleneck, Spent

PARTS = ("elapsed", "decoding", "preprocess", "model", "waiting")


@dataclass(slots=True)
class Times:
    """What was asked for a case in this run, and how long it took.

    `seconds` counts `decoding` (processor time of the decoders), `preprocess` and `model` (as the engine told them, the
    sums over questions, which overlap) and `waiting` (by the clock: the model had nothing to do, for want of a clip).
    A clip or an answer that several cases share counts for the one that asked first.
    """

    asked: int = 0
    tokens: Counter[str] = field(default_factory=Counter)
    seconds: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    _busy: float = 0.0
    _open: int = 0
    _since: float = 0.0

    @contextmanager
    def asking(self) -> Iterator[None]:
        """The time in which at least one question of the case is with the model."""
        if not self._open:
            self._since = time.perf_counter()
        self._open += 1
        try:
            yield
        finally:
            self._open -= 1
            if not self._open:
                self._busy += time.perf_counter() - self._since

    def count(self, answer: Answer) -> None:
        """Count an answer that was asked for now."""
        self.asked += 1
        self.tokens.update(answer.tokens)
        for name, seconds in answer.seconds.items():
            self.seconds[name] += seconds

    def described(self) -> Spent:
        """The `seconds` and the `pace` of a case in the report; rates are None where nothing was asked."""
        elapsed = self._busy + self.seconds["waiting"]
        seconds = {"elapsed": elapsed, **self.seconds} if self.asked else {}
        return {
            "seconds": {name: round(seconds[name], 3) for name in PARTS if name in seconds},
            "pace": {
                "questions": _ratio(self.asked, elapsed),
                "output_tokens": _ratio(self.tokens["output"], elapsed),
                "cached": _ratio(self.tokens["cached"], self.tokens["prompt"]),
                "bottleneck": self._bottleneck(),
            },
        }

    def _bottleneck(self) -> Bottleneck | None:
        """What most of the elapsed time went into; the time with the model is split as the engine tells it."""
        if not self.asked:
            return None
        total = self.seconds["preprocess"] + self.seconds["model"]
        preparing = self._busy * self.seconds["preprocess"] / total if total else 0.0
        parts: dict[Bottleneck, float] = {
            "model": self._busy - preparing,
            "preprocessing": preparing,
            "decoding": self.seconds["waiting"],
        }
        return max(parts, key=parts.__getitem__)


def _ratio(part: float, whole: float) -> float | None:
    return round(part / whole, 4) if part and whole else None
