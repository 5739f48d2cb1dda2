"""SIGINT and SIGTERM end a run within seconds, and what was scored so far is reported as incomplete."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

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
        signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    finally:
        if ours:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)


_stops: list[Callable[[], None]] = []  # of what runs


@contextlib.contextmanager
def by(stop: Callable[[], None]) -> Iterator[None]:
    """Within, SIGTERM calls `stop` where SIGINT is ignored. It ends what runs, or raises KeyboardInterrupt."""
    _stops.append(stop)
    try:
        yield
    finally:
        _stops.pop()


def _interrupt(*_: object) -> None:
    """Do what Ctrl-C does; a job in the background (nohup, a shell's &) ignores SIGINT, but is ended all the same."""
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.raise_signal(signal.SIGINT)
    elif _stops:
        _stops[-1]()
    else:
        raise KeyboardInterrupt


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
    from emoprefer_bench.plugin import private  # only where there are cases

    made = private.report_of(item, PHASE, PHASE, emoprefer_case=case, emoprefer={"case": case, "dataset": dataset})
    item.ihook.pytest_runtest_logreport(report=made)


def gather(config: pytest.Config) -> None:
    """Interrupt xdist's workers too, if there are any, and take what they still report."""
    import queue  # likewise
    import time

    from emoprefer_bench.plugin import private

    workers = private.Workers(config)
    workers.terminate()
    end = time.monotonic() + SECONDS
    with contextlib.suppress(queue.Empty):
        while workers.alive:
            workers.take(end - time.monotonic())


@pytest.hookimpl(tryfirst=True)
def pytest_report_teststatus(report: pytest.TestReport) -> tuple[str, str, str] | None:
    """Count no such report as a result."""
    return ("", "", "") if report.when == PHASE else None
