"""Clips become tensors ahead of the model, several at a time, each once for all questions about it.

Threads, not processes: what takes the time (resizing, spectra) is torch's, which leaves the interpreter to others
meanwhile. So no tensor has to be sent, and nobody imports torch once more.
"""

from __future__ import annotations

import logging
import os
import queue
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from emoprefer_bench.engines.children.encoding import Encoder

MOST = 4
KNOWN = 8  # clips, as many as encoders remember

log = logging.getLogger(__name__)


def threads() -> int:
    """Return how many clips are prepared at once: as many as leave a core to the model and the rest."""
    return max(1, min(MOST, len(os.sched_getaffinity(0)) - 1))


class Ahead:
    """Prepares the clips of questions with encoders, a thread each; what they make is known to all that share it."""

    def __init__(self, encoders: list[Encoder]) -> None:
        self._idle: queue.SimpleQueue[Encoder] = queue.SimpleQueue()
        self._identity = encoders[0].identity
        for encoder in encoders:
            self._idle.put(encoder)
        # A thread is one core's: torch's own threads would be as many again for each of ours. What is set here counts
        # for every thread that torch doesn't know yet, so the one that runs the model is made known before.
        torch.get_num_threads()
        self._pool = ThreadPoolExecutor(len(encoders), initializer=lambda: torch.set_num_threads(1))
        self._known: OrderedDict[str, None] = OrderedDict()

    def prepare(self, question: dict[str, Any]) -> None:
        """Have the clip of a question prepared soon, if this is the first question of late that needs it."""
        key = self._identity(question)
        if key is None or key in self._known:
            return
        self._known[key] = None
        if len(self._known) > KNOWN:
            self._known.popitem(last=False)
        self._pool.submit(self._prepare, question)

    def _prepare(self, question: dict[str, Any]) -> None:
        encoder = self._idle.get()
        try:
            encoder.encode(question)
        except Exception:  # who encodes the question itself meets it again, and says so
            log.debug("A clip could not be prepared ahead", exc_info=True)
        finally:
            self._idle.put(encoder)
