"""Gathers the results of cases in the process that has the terminal, and writes the reports at the end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from emoprefer_bench.document import files as document
from emoprefer_bench.plugin import options
from emoprefer_bench.plugin.gating import Gating
from emoprefer_bench.prompts import PromptPack
from emoprefer_bench.reports import forms, github
from emoprefer_bench.trial import variants as audit

if TYPE_CHECKING:
    from _pytest.terminal import TerminalReporter


class Collector:
    """A plugin of the controlling process: reads results off test reports, those of xdist workers too."""

    def __init__(self, config: pytest.Config, pack: PromptPack, gating: Gating) -> None:
        self._config = config
        self._pack = pack
        self._gating = gating
        self._cases: dict[str, dict[str, Any]] = {}
        self._datasets: dict[str, dict[str, Any]] = {}
        self._document: dict[str, Any] | None = None
        self._notes: list[str] = []

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
        """Write the JSON report and the baseline, and fail a run that lacks cases, also where there is no terminal."""
        overlooked = self._gating.overlooked(session, self._cases)
        self._cases |= {case["id"]: case for case in overlooked}
        if self._cases:
            self._derive()
            manifest = document.manifest(self._config.invocation_params.args, self._config.option, self._pack)
            self._document = document.build(list(self._cases.values()), self._datasets, manifest)
            self._document["complete"] &= session.exitstatus != pytest.ExitCode.INTERRUPTED
            self._write(self._document, session)
            self._keep(self._document, session)
            self._publish(self._document)
            self._shape(self._document, session)
        if overlooked:
            _fail(session)
        if getattr(self._config.option, "no_summary", False):
            self._notes += [case["gate"][0]["message"] for case in overlooked]
            self._tell()
        return (yield)

    def _derive(self) -> None:
        """Add what takes several cases: the comparison of judges with their variants, and votes."""
        audit.compare(list(self._cases.values()), self._datasets)
        if self._config.option.emoprefer_vote:
            from emoprefer_bench.scoring import votes  # noqa: PLC0415  # numpy, for a run that wants it

            self._cases |= {case["id"]: case for case in votes.cases_of(list(self._cases.values()), self._datasets)}

    def _write(self, built: dict[str, Any], session: pytest.Session) -> None:
        option, folder = self._config.option, Path(self._config.invocation_params.dir)
        targets = [folder / option.emoprefer_out / "report.json"]
        targets += [folder / option.emoprefer_json] if option.emoprefer_json else []
        for target in targets:
            try:
                document.write(built, target)
            except OSError as error:
                self._notes.append(f"{target}: can't write the report ({error.strerror})")
                session.exitstatus = pytest.ExitCode.USAGE_ERROR

    def _shape(self, built: dict[str, Any], session: pytest.Session) -> None:
        """Write the other forms of the report."""
        config, option = self._config, self._config.option
        transcripts = Path(config.invocation_params.dir, option.emoprefer_out, "transcripts")
        try:
            self._notes += forms.write(built, options.forms(config), transcripts)
            if option.emoprefer_predictions:
                path = Path(config.invocation_params.dir, option.emoprefer_predictions)
                self._notes += forms.write_predictions(built, options.settings(config, self._pack), path)
        except forms.FormError as error:
            self._notes.append(str(error))
            session.exitstatus = pytest.ExitCode.USAGE_ERROR

    def _keep(self, built: dict[str, Any], session: pytest.Session) -> None:
        if self._gating.saved_as:
            told, good = self._gating.keep(built)
            self._notes.append(told)
            if not good:
                _fail(session)

    def _publish(self, built: dict[str, Any]) -> None:
        lines = github.publish(built)
        if lines:
            print("", *lines, sep="\n", flush=True)  # noqa: T201  # for GitHub, which reads it off a line of its own

    def pytest_terminal_summary(self, terminalreporter: TerminalReporter) -> None:
        """Show the table."""
        if self._document is None:
            return
        from emoprefer_bench.reports import terminal  # noqa: PLC0415  # tabulate is wanted here alone

        width = terminalreporter._tw.fullwidth  # noqa: SLF001  # pytest has no public one
        text = terminal.render(self._document, verbosity=terminalreporter.verbosity, width=width)
        if text:
            terminalreporter.section("emotion preference")
            terminalreporter.write_line(text)
            out = self._config.option.emoprefer_json or self._config.option.emoprefer_out / "report.json"
            terminalreporter.write_line(f"report: {out}")
        self._tell()

    def _tell(self) -> None:
        """Show what became of files and of the baseline's cases, however little else is shown."""
        reporter: TerminalReporter | None = self._config.pluginmanager.get_plugin("terminalreporter")
        if reporter and self._notes:
            reporter.write_line("\n" + "\n".join(self._notes))


def _fail(session: pytest.Session) -> None:
    """End with status 1 a run that would otherwise end well."""
    if session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _reason(report: pytest.TestReport) -> str:
    if isinstance(report.longrepr, tuple):
        return report.longrepr[2].removeprefix("Skipped: ")
    return report.longreprtext.strip()
