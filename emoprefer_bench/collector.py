"""Gathers the results of cases in the process that has the terminal, and writes the reports at the end."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from emoprefer_bench.prompts import PromptPack
from emoprefer_bench.reports import document

if TYPE_CHECKING:
    from _pytest.terminal import TerminalReporter


class Collector:
    """A plugin of the controlling process: reads results off test reports, those of xdist workers too."""

    def __init__(self, config: pytest.Config, pack: PromptPack) -> None:
        self._config = config
        self._pack = pack
        self._cases: dict[str, dict[str, Any]] = {}
        self._datasets: dict[str, dict[str, Any]] = {}
        self._document: dict[str, Any] | None = None

    def add(self, case: dict[str, Any], dataset: dict[str, Any], outcome: str, reason: str | None = None) -> None:
        """Take a case's result."""
        self._datasets[dataset["name"]] = dataset
        self._cases[case["id"]] = {**case, "outcome": outcome, "reason": reason}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take the result that a test report carries, or why there is none."""
        named = getattr(report, "emoprefer_case", None)
        if named is None or report.when == "teardown":
            return
        reason = _reason(report) if report.outcome != "passed" else None
        if carried := getattr(report, "emoprefer", None):
            self.add(carried["case"], carried["dataset"], report.outcome, reason)
        elif report.outcome != "passed":
            outcome = "error" if report.failed and report.when == "setup" else report.outcome
            self._cases[named["id"]] = {**named, "complete": False, "outcome": outcome, "reason": reason}

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Iterator[None]:
        """Write the JSON report, also where no terminal plugin is loaded."""
        if self._cases:
            option = self._config.option
            manifest = document.manifest(self._config.invocation_params.args, option, self._pack)
            built = self._document = document.build(list(self._cases.values()), self._datasets, manifest)
            folder = Path(self._config.invocation_params.dir)
            targets = [folder / option.emoprefer_out / "report.json"]
            targets += [folder / option.emoprefer_json] if option.emoprefer_json else []
            for target in targets:
                try:
                    document.write(built, target)
                except OSError as error:
                    self._say(f"{target}: can't write the report ({error.strerror})")
                    session.exitstatus = pytest.ExitCode.USAGE_ERROR
        return (yield)

    def pytest_terminal_summary(self, terminalreporter: TerminalReporter) -> None:
        """Show the table."""
        if self._document is None:
            return
        from emoprefer_bench.reports import terminal  # noqa: PLC0415  # tabulate is wanted here alone

        text = terminal.render(self._document, verbosity=terminalreporter.verbosity, width=terminalreporter._tw.fullwidth)  # noqa: SLF001
        if text:
            terminalreporter.section("emotion preference")
            terminalreporter.write_line(text)
            out = self._config.option.emoprefer_json or self._config.option.emoprefer_out / "report.json"
            terminalreporter.write_line(f"report: {out}")

    def _say(self, line: str) -> None:
        reporter = self._config.pluginmanager.get_plugin("terminalreporter")
        with contextlib.suppress(AttributeError):
            reporter.write_line(line, red=True)


def _reason(report: pytest.TestReport) -> str:
    if isinstance(report.longrepr, tuple):
        return report.longrepr[2].removeprefix("Skipped: ")
    return report.longreprtext.strip()
