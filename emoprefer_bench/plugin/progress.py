"""Progress while a long case runs: on a terminal one line that changes, elsewhere a line now and then.

It travels as a test report of a phase of its own, `progress`: that crosses xdist, and pytest counts no such report as a
result.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from emoprefer_bench.plugin import private

PHASE = "progress"
TERMINAL_SECONDS = 0.5
LOG_SECONDS = 15.0


class Progress:
    """A plugin that makes progress reports where cases run, and shows them where the terminal is."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    def of(self, item: pytest.Item) -> Callable[[int, int, str], None]:
        """A function that a trial calls with verdicts done, verdicts in all, and what it is at."""
        started = time.monotonic()
        last = [started - LOG_SECONDS if self._interactive else started]
        begun: list[tuple[float, int]] = []

        def show(done: int, total: int, what: str) -> None:
            now = time.monotonic()
            if not begun or done < begun[0][1]:
                begun[:] = [(now, done)]
            if now - last[0] < (TERMINAL_SECONDS if self._interactive else LOG_SECONDS):
                return
            last[0] = now
            rate = (done - begun[0][1]) / (now - begun[0][0]) if now > begun[0][0] else 0.0
            model = item.nodeid.partition("[")[2].split("-")[0]
            pace = f"{rate:.1f}/s  {_left(total - done, rate)}"
            line = f"{model}  {done}/{total} verdicts ({done / total:.0%})  {pace}  {what}"
            item.ihook.pytest_runtest_logreport(report=private.report_of(item, PHASE, "passed", progress=line))

        return show

    @property
    def _interactive(self) -> bool:
        return bool(getattr(private.terminal(self._config), "isatty", False))

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(self, report: pytest.TestReport) -> tuple[str, str, str] | None:
        """Count no progress report as a result."""
        return ("", "", "") if report.when == PHASE else None

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Show a progress report, past the capture of the test that it comes from."""
        reporter = private.terminal(self._config)
        if report.when != PHASE or reporter is None or reporter.verbosity < 0 or hasattr(self._config, "workerinput"):
            return
        line: str = vars(report)["progress"]
        with private.uncaptured(self._config):
            if self._interactive:
                private.replace_line(reporter, "  " + line[: private.width(reporter) - 3])
            else:
                reporter.ensure_newline()
                reporter.write_line("  " + line)


def _left(verdicts: int, rate: float) -> str:
    if rate <= 0:
        return "time left unknown"
    minutes, seconds = divmod(round(verdicts / rate), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02} left" if hours else f"{minutes}:{seconds:02} left"
