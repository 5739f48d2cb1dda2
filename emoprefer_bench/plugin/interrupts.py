"""SIGINT and SIGTERM end a run within seconds, and what was scored so far is reported as incomplete."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from emoprefer_bench.document.types import Dataset, ScoredResult, UnscoredResult

PHASE = "interrupted"
SECONDS = 8.0  # for xdist's workers to end their engines, score what they have, and send it


@contextlib.contextmanager
def by_sigterm() -> Iterator[None]:
    """Within, SIGTERM does what Ctrl-C does, unless somebody else handles it already."""
    ours = threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    if ours:
        signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        yield
    finally:
        if ours:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)


@contextlib.contextmanager
def none() -> Iterator[None]:
    """Within, nothing interrupts: a worker gets a signal from the terminal and one from the controller."""
    handlers = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def report(item: pytest.Item, case: ScoredResult | UnscoredResult, dataset: Dataset) -> None:
    """Report a case in a phase of its own, since an interrupted test has no report; it crosses xdist too."""
    carried = {"emoprefer_case": case, "emoprefer": {"case": case, "dataset": dataset}}
    made = pytest.TestReport(item.nodeid, item.location, {}, PHASE, None, PHASE, **carried)  # type: ignore[arg-type]  # a phase of ours
    item.ihook.pytest_runtest_logreport(report=made)


def gather(dsession: Any) -> None:  # noqa: ANN401  # xdist has no types
    """Interrupt xdist's workers too, and take what they still report."""
    nodes = set(dsession._active_nodes)  # noqa: SLF001  # it has no public name
    for node in nodes:
        with contextlib.suppress(AttributeError, ProcessLookupError):  # on another machine, or gone
            os.kill(node.gateway._io.popen.pid, signal.SIGTERM)  # noqa: SLF001  # likewise
    end = time.monotonic() + SECONDS
    while nodes:
        try:
            event, given = dsession.queue.get(timeout=max(0.0, end - time.monotonic()))
        except queue.Empty:
            return
        if event == "testreport":
            dsession.worker_testreport(**given)
        elif event in ("workerfinished", "errordown"):
            nodes.discard(given["node"])


@pytest.hookimpl(tryfirst=True)
def pytest_report_teststatus(report: pytest.TestReport) -> tuple[str, str, str] | None:
    """Count no such report as a result."""
    return ("", "", "") if report.when == PHASE else None
