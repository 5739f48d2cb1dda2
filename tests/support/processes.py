"""Processes that tests start, whatever the tests themselves were started by."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator

PATIENCE = 5  # how many times as long as on a quiet machine a test waits before it gives up


@contextlib.contextmanager
def signals_of_a_terminal(*ignored: signal.Signals) -> Iterator[None]:
    """Processes started within get signals as from a terminal, but for the `ignored`.

    A background job or nohup hands down that SIGINT is ignored, and a process that is born so stays so.
    """
    kinds = (signal.SIGINT, signal.SIGTERM)
    before = {
        kind: signal.signal(kind, signal.SIG_IGN if kind in ignored else signal.default_int_handler) for kind in kinds
    }
    try:
        yield
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)
