"""Gathers the results of cases in the process that has the terminal, and writes the reports at the end."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from emoprefer_bench.cases import is_crossed
from emoprefer_bench.document import cases
from emoprefer_bench.plugin import loggers, options, private
from emoprefer_bench.plugin.outcomes import RANKS, Outcomes
from emoprefer_bench.plugin.stash import DATASETS, pack_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from _pytest.terminal import TerminalReporter

    from emoprefer_bench.document.types import Ceiling, Crossing, Dataset, Document, Outcome, ReportedCase
    from emoprefer_bench.plugin.gating import Gating


class Collector:
    """A plugin of the controlling process: reads results off test reports, those of xdist workers too."""

    def __init__(self, config: pytest.Config, gating: Gating) -> None:
        self._config = config
        self._gating = gating
        self._outcomes = Outcomes()
        self._cases: dict[str, ReportedCase] = {}
        self._tests: dict[str, str] = {}  # of each case, by its id
        self._order: dict[str, int] = {}  # in which tests were collected
        self._refused = False
        self._written: list[Path] = []
        self._fitted: dict[str, ReportedCase] = {}
        self._datasets: dict[str, Dataset] = {}
        self._ceilings: dict[str, Ceiling] = {}
        self._crossings: list[Crossing] = []
        self._document: Document | None = None
        self._notes: list[str] = []
        self._loggers = loggers.load(config.option.emoprefer_log)

    def _know(self, dataset: Dataset) -> None:
        """Take what a case says of its data set."""
        known = self._datasets.get(dataset["name"], dataset)
        if "subtitle_digests" in known:  # what one model was told, and another has no use for
            dataset = {"subtitle_digests": known["subtitle_digests"], **dataset}
        self._datasets[dataset["name"]] = dataset

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Hear from a worker of xdist that the run was refused."""
        self._refused |= getattr(report, "emoprefer_refused", False)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Note the order of the tests, which is that of the cases in the report."""
        self._order = {item.nodeid: place for place, item in enumerate(session.items)}

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: Sequence[str]) -> None:
        """Note it where xdist's workers collect: they report in whatever order they finish."""
        self._order = {nodeid: place for place, nodeid in enumerate(ids)}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take the result that a test report carries, or why there is none."""
        named = getattr(report, "emoprefer_case", None)
        if named is None or report.when == "teardown":
            return
        if report.when == "setup":
            self._outcomes.begin(named["id"], report.nodeid)
        if report.outcome not in RANKS:  # what a plugin calls a run of a test that isn't its last
            return
        self._tests[named["id"]] = report.nodeid
        self._notes += [note for note in getattr(report, "emoprefer_notes", ()) if note not in self._notes]
        reason = _reason(report) if report.outcome != "passed" else None
        if carried := getattr(report, "emoprefer", None):
            self._know(carried["dataset"])
            self._outcomes.add(report.nodeid, cases.ended(carried["case"], report.outcome, reason))
            if carried.get("ceiling"):
                self._ceilings[carried["dataset"]["name"]] = carried["ceiling"]
            for fitted in carried.get("fitted", ()):
                self._fitted.setdefault(fitted["id"], cases.ended(fitted, "passed"))
        elif report.outcome != "passed":
            outcome: Outcome = "error" if report.failed and report.when == "setup" else report.outcome
            needs = getattr(report, "emoprefer_needs", ())
            self._outcomes.add(report.nodeid, cases.unscored(named, outcome, reason, needs))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Iterator[None]:
        """Write the JSON report and the baseline, and fail a run that lacks cases, also where there is no terminal."""
        if self._refused:
            session.exitstatus = pytest.ExitCode.USAGE_ERROR
            return (yield)
        self._cases = {**self._fitted, **self._outcomes.cases()}
        overlooked = self._gating.overlooked(session, self._cases)
        self._cases |= {case["id"]: case for case in overlooked}
        if self._cases:
            self._sort()
            self._derive()
            document = self._document = self._build()
            document["complete"] &= session.exitstatus != pytest.ExitCode.INTERRUPTED
            self._write(document, session)
            self._keep(document, session)
            self._publish(document)
            self._shape(document, session)
            self._log(document, session)
        if overlooked:
            _fail(session)
        if getattr(self._config.option, "no_summary", False):
            self._notes += [decision["message"] for case in overlooked for decision in case.get("gate", ())]
            self._show_notes()
        return (yield)

    def _sort(self) -> None:
        """Put cases and data sets into the order of collection, in whatever order they came."""
        by_test = sorted(self._cases, key=lambda name: self._order.get(self._tests.get(name, ""), len(self._order)))
        self._cases = {name: self._cases[name] for name in by_test}
        known = [name for name in self._config.stash[DATASETS] if name in self._datasets]
        self._datasets = {name: self._datasets[name] for name in (*known, *self._datasets)}

    def _build(self) -> Document:
        """The document of the run."""
        from emoprefer_bench.document import files

        config, option = self._config, self._config.option
        manifest = files.manifest(
            config.invocation_params.args,
            pack_of(config).described(),
            rounds=option.emoprefer_rounds,
            limit=option.emoprefer_limit,
            names=options.names(config),
            folder=config.rootpath,
        )
        for name, ceiling in self._ceilings.items():
            self._datasets[name]["ceiling"] = ceiling
        return files.build(list(self._cases.values()), self._datasets, manifest, self._crossings)

    def _derive(self) -> None:
        """Add what takes several cases: judges beside their variants, crossed, voting, and fused."""
        scored = [case for case in self._cases.values() if cases.is_scored(case)]
        if any(case.get("variant") for case in scored):
            from emoprefer_bench.scoring import comparisons  # numpy, where there are variants

            comparisons.with_variants(scored, self._datasets)
        if any(map(is_crossed, scored)):
            from emoprefer_bench.scoring import crossing  # likewise, where judges were crossed

            self._crossings = crossing.crossings(scored, self._datasets)
        if self._config.option.emoprefer_vote:
            from emoprefer_bench.scoring import votes  # numpy, for a run that wants it

            self._cases |= {case["id"]: case for case in votes.cases_of(scored, self._datasets)}
        if self._config.option.emoprefer_fuse or self._config.option.emoprefer_fuse_on:
            from emoprefer_bench.scoring import fusion  # scikit-learn, likewise

            fused, reasons = fusion.cases_of(scored, self._datasets, self._config.option.emoprefer_fuse_on)
            self._cases |= {case["id"]: case for case in fused}
            self._notes += reasons

    def _write(self, built: Document, session: pytest.Session) -> None:
        from emoprefer_bench.document import files

        option, folder = self._config.option, Path(self._config.invocation_params.dir)
        kept = option.emoprefer_out / "report.json"
        targets = [option.emoprefer_json] if option.emoprefer_json else []
        if any(map(_asked, built["cases"])) or not _holds_answers(folder / kept):
            targets.append(kept)
        else:
            self._notes.append(f"nothing was asked, so {kept} stays that of the run before")
        for target in targets:
            try:
                files.write(built, folder / target)
                self._written.append(target)
            except OSError as error:
                self._notes.append(f"{target}: can't write the report ({error.strerror})")
                session.exitstatus = pytest.ExitCode.USAGE_ERROR

    def _shape(self, built: Document, session: pytest.Session) -> None:
        """Write the other forms of the report."""
        from emoprefer_bench.reports import forms

        config, option = self._config, self._config.option
        transcripts = Path(config.invocation_params.dir, option.emoprefer_out, "transcripts")
        try:
            self._notes += forms.write(
                built, options.forms(config), transcripts, embed_media=option.emoprefer_embed_media
            )
            if option.emoprefer_predictions:
                from emoprefer_bench.reports import predictions  # for a run that wants them

                path = Path(config.invocation_params.dir, option.emoprefer_predictions)
                settings = options.settings(config, pack_of(config))
                self._notes += predictions.write_predictions(built, settings.sources, settings.limit, path)
        except forms.FormError as error:
            self._notes.append(str(error))
            session.exitstatus = pytest.ExitCode.USAGE_ERROR

    def _log(self, built: Document, session: pytest.Session) -> None:
        """Give a report that holds answers to the loggers."""
        if self._loggers and any(map(_asked, built["cases"])):
            folder = Path(self._config.invocation_params.dir, self._config.option.emoprefer_out)
            lines, well = loggers.log(self._loggers, built, folder)
            self._notes += lines
            if not well:
                session.exitstatus = pytest.ExitCode.USAGE_ERROR

    def _keep(self, built: Document, session: pytest.Session) -> None:
        if self._gating.saved_as:
            saved, good = self._gating.keep(built)
            self._notes.append(saved)
            if not good:
                _fail(session)

    def _publish(self, built: Document) -> None:
        from emoprefer_bench.reports import github

        lines = github.publish(built)
        if lines:
            print("", *lines, sep="\n", flush=True)  # noqa: T201  # for GitHub, which reads it off a line of its own

    def pytest_terminal_summary(self, terminalreporter: TerminalReporter) -> None:
        """Show the table."""
        if self._document is None:
            return
        from emoprefer_bench.reports import terminal  # tabulate is wanted here alone

        width = private.width(terminalreporter)
        text = terminal.render(
            self._document,
            verbosity=terminalreporter.verbosity,
            width=width,
            failures_above=self._config.option.tbstyle != "no",
        )
        if text:
            terminalreporter.section("emotion preference")
            terminalreporter.write_line(text)
            for target in self._written[:1]:
                terminalreporter.write_line(f"report: {target}")
        self._show_notes()

    def _show_notes(self) -> None:
        """Show what became of files and of the baseline's cases, however little else is shown."""
        reporter = private.terminal(self._config)
        if reporter and self._notes:
            reporter.write_line("\n" + "\n".join(self._notes))


def _asked(case: Mapping[str, object]) -> bool:
    """Whether a case of a report came to be asked, or to fail: not skipped, and not missing."""
    return "verdicts" in case or case["outcome"] not in ("skipped", "missing")


def _holds_answers(path: Path) -> bool:
    """Whether there is a report with more than skips, which one without would be no successor to."""
    import json

    try:
        return any(map(_asked, json.loads(path.read_bytes())["cases"]))
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return False


def _fail(session: pytest.Session) -> None:
    """End with status 1 a run that would otherwise end well."""
    if session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _reason(report: pytest.TestReport) -> str:
    if isinstance(report.longrepr, tuple):
        return report.longrepr[2].removeprefix("Skipped: ")
    return report.longreprtext.strip()
