"""Progress while a long case runs: on a terminal one line that changes, elsewhere a line now and then.

It travels as a test report of a phase of its own, `progress`: that crosses xdist, and pytest counts no such report as a
result.
"""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING

import pytest

from emoprefer_bench.plugin import private

if TYPE_CHECKING:
    from emoprefer_bench.trial.headway import Headway
    from emoprefer_bench.trial.headway import Progress as Show

PHASE = "progress"
TERMINAL_SECONDS = 0.5
LOG_SECONDS = 15.0  # between two lines of a log, to begin with
LOG_SHARE = 0.05  # of the time that went by: between two lines of a log, later on
LOG_MOST = 300.0
WINDOW = 60.0  # seconds that the pace is taken over
BAR = 16  # columns


class Pace:
    """How many verdicts a second the model gives, over the last minute in which it could give any."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def see(self, now: float, headway: Headway) -> None:
        """Take note of how far it has come. What was stored, and the time of loading, are no pace."""
        given = headway.done - headway.stored
        if not headway.working or (self._seen and given < self._seen[-1][1]):
            self._seen.clear()
        if headway.working:
            self._seen.append((now, given))
            while len(self._seen) > 2 and self._seen[1][0] <= now - WINDOW:  # noqa: PLR2004  # two make a pace
                self._seen.popleft()

    @property
    def rate(self) -> float:
        """Verdicts a second; 0 as long as it is unknown."""
        if len(self._seen) < 2:  # noqa: PLR2004  # as above
            return 0.0
        (first, before), (last, given) = self._seen[0], self._seen[-1]
        return (given - before) / (last - first) if last > first else 0.0


class Progress:
    """A plugin that makes progress reports where cases run, and shows them where the terminal is."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    def of(self, item: pytest.Item) -> Show:
        """A function that a trial calls with how far it has come."""
        started = time.monotonic()
        last = [started - LOG_SECONDS if self._interactive else started]
        pace, resumed, standing = Pace(), [False], [started]
        model = item.nodeid.partition("[")[2].split("-")[0]

        def tell(line: str) -> None:
            item.ihook.pytest_runtest_logreport(report=private.report_of(item, PHASE, "passed", progress=line))

        def show(headway: Headway) -> None:
            now = time.monotonic()
            pace.see(now, headway)
            if headway.working:
                standing[0] = now
            if 0 < headway.stored < headway.total and not resumed[0]:
                resumed[0] = True
                tell(f"{model}  resuming: {headway.stored:,} of {headway.total:,} verdicts are stored\n")
            if now - last[0] >= self._seconds(now - started):
                last[0] = now
                tell(f"{model}  {_line(headway, pace.rate, now - standing[0], bar=self._interactive)}")

        return show

    def _seconds(self, elapsed: float) -> float:
        """How long to wait between two lines: on a terminal they replace each other, in a log they stay."""
        if self._interactive:
            return TERMINAL_SECONDS
        return max(LOG_SECONDS, min(LOG_SHARE * elapsed, LOG_MOST))

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
            if self._interactive and not line.endswith("\n"):
                private.replace_line(reporter, "  " + line[: private.width(reporter) - 3])
            else:
                reporter.ensure_newline()
                reporter.write_line("  " + line.rstrip("\n"))


def _line(headway: Headway, rate: float, standing: float, *, bar: bool) -> str:
    """How far it has come in a line, with a bar for a terminal; it is `standing` for so many seconds."""
    if not headway.working:
        return f"{headway.what}, {_clock(standing)} so far"
    share = headway.done / headway.total
    left = f"{rate:.1f}/s  {_clock((headway.total - headway.done) / rate)} left" if rate > 0 else "time left unknown"
    count = f"{headway.done:,}/{headway.total:,}"
    count = f"{'#' * round(BAR * share):.<{BAR}}  {count}" if bar else f"{count} verdicts"
    return f"{count} ({share:.0%})  {left}  {headway.what}"


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
