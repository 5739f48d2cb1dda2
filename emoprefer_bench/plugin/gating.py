"""Gates as pytest knows them: each test's limits, failing inside the test, and what a run owes its baseline."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from emoprefer_bench.document.cases import is_fitted, is_scored, unscored
from emoprefer_bench.plugin import options
from emoprefer_bench.plugin.collection import case_of, recording_of, takes_case
from emoprefer_bench.plugin.stash import pack_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from emoprefer_bench.cases import NamedCase
    from emoprefer_bench.document.types import Dataset, Document, ReportedCase, ScoredResult
    from emoprefer_bench.gates.baselines import Baseline
    from emoprefer_bench.gates.limits import Limit

MIN_ANSWERED = 0.8
"""The share of answers that must be read for a case to have scores, where no `min_answered` says otherwise."""

DESELECTED = "emoprefer_deselected"
EARLY = (pytest.ExitCode.INTERRUPTED, pytest.ExitCode.INTERNAL_ERROR, pytest.ExitCode.USAGE_ERROR)


class Gating:
    """A plugin of every process: `check` in that which runs a case, the rest in that which has the whole run."""

    def __init__(self, config: pytest.Config) -> None:
        """Raises UsageError for options that can't be met, before anything runs."""
        self._config = config
        self._deselected = False
        self._tests = 1
        self._limits, self._p = options.limits(config), options.gate_p(config)
        self.baseline: Baseline | None = options.baseline(config)
        self.saved_as: Path | None = options.saved_as(config)

    def pytest_report_header(self) -> str | None:
        """Say what the run is held to, and what of that can't be looked at."""
        floors, drops = ([limit.name for limit in self._limits if limit.kind == kind] for kind in ("floor", "drop"))
        parts = [f"floors for {', '.join(floors)}"] if floors else []
        parts += [f"the baseline {self.baseline.name}"] if self.baseline else []
        if drops:
            parts += [f"drops of {', '.join(drops)}" + ("" if self.baseline else " only with --emoprefer-compare")]
        return f"emoprefer gates: {'; '.join(parts)}" if parts else None

    @pytest.hookimpl(trylast=True)
    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Refuse a `gate` mark that can't be understood, before anything runs."""
        if takes_case(metafunc):
            _of_marks(metafunc.definition)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Count the tests of drops that this run holds: each has its share of the level of the run.

        A worker of xdist, too, has collected all of them, and not only those that it will be given. Two tests of one
        case are one, since they see the same verdicts. What a control says is fixed by the data: it can't drop by
        chance.
        """
        if self.baseline is None:
            return
        from emoprefer_bench.scoring.controls import CONTROLS

        held = set()
        for item in session.items:
            case, recording = case_of(item), recording_of(item)
            name = recording.id if recording else case.id if case else None
            if case and name in self.baseline.cases and case.model not in CONTROLS:
                held |= {(name, limit.name) for limit in self._held(item, case.model) if limit.kind == "drop"}
        self._tests = max(1, len(held))

    def pytest_deselected(self, items: list[pytest.Item]) -> None:
        """Note that this run leaves something out; a worker of xdist tells the process that started it."""
        self._deselected |= bool(items)
        if hasattr(self._config, "workeroutput"):
            self._config.workeroutput[DESELECTED] = self._deselected

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:  # noqa: ANN401  # xdist's own type
        """Hear it from a worker."""
        self._deselected |= getattr(node, "workeroutput", {}).get(DESELECTED, False)

    def too_few_read(self, item: pytest.Item, case: ScoredResult) -> str | None:
        """Say that too few of the case's answers could be read to give it scores, beside what these could be; or None.

        The line is MIN_ANSWERED, or the floor `min_answered` of the run or of a mark where that is lower.
        """
        answered = case["scores"]["answered"]["mean"]
        if answered is None or (answered >= MIN_ANSWERED and not self._limits and not item.get_closest_marker("gate")):
            return None
        from emoprefer_bench.gates import limits  # numpy, for what has something to compare

        floors = {
            limit.name: limit.amount for limit in limits.merged(self._limits, _of_marks(item)) if limit.kind == "floor"
        }
        line = min(MIN_ANSWERED, floors.get("answered", MIN_ANSWERED))
        if answered >= line:
            return None
        return f"{case['id']}: {_unread(case, answered, line)}"

    def check(self, item: pytest.Item, case: ScoredResult, dataset: Dataset) -> str | None:
        """Hold a case's result against its limits and the baseline: puts `gate` and the deltas into the result.

        Returns why the test must fail, or None.
        """
        case["gate"] = []
        if case.get("variant"):
            return None
        from emoprefer_bench.gates import decide as gates  # numpy, for what has something to compare
        from emoprefer_bench.scoring import comparisons  # numpy, for what has something to compare

        option = self._config.option
        policy = gates.Policy(self._held(item, case["model"]), option.emoprefer_limit, self._p, self._tests)
        prompts = dataset.get("prompts") or pack_of(self._config).described()
        case["gate"] = gates.decide(case, dataset, policy, self.baseline, prompts)
        kinds = {decision["kind"] for decision in case["gate"]}
        if self.baseline and not kinds & {"new", "dataset"}:
            rows = comparisons.Rows.of(dataset)
            now, before = comparisons.rounds_of(case, len(rows.keys)), self.baseline.rounds(case["id"], len(rows.keys))
            case["comparisons"] += comparisons.compared(self.baseline.name, "baseline", rows, now, before)
        failed = gates.failing(case["gate"], strict=option.emoprefer_strict, adding=option.emoprefer_update)
        return "\n".join(decision["message"] for decision in failed) or None

    def _held(self, item: pytest.Item, model: str) -> list[Limit]:
        """The limits of a test; a control misses no floor."""
        own = _of_marks(item)
        if not own and not self._limits:
            return []
        from emoprefer_bench.gates import limits  # numpy, for what has limits
        from emoprefer_bench.scoring.controls import CONTROLS

        return [limit for limit in limits.merged(self._limits, own) if limit.kind == "drop" or model not in CONTROLS]

    def overlooked(self, session: pytest.Session, cases: Mapping[str, ReportedCase]) -> list[ReportedCase]:
        """The baseline's cases that a run of everything skipped or has not, each with the decision that this fails.

        `cases` are those that ran, by id. A run that was told to leave something out owes nothing.
        """
        if self.baseline is None or self._partial(session):
            return []
        lacking: list[ReportedCase] = []
        for name, before in self.baseline.cases.items():
            case = cases.get(name)
            if case is None:
                reason = f"is in the baseline {self.baseline.name}, but no test ran it"
                case = unscored(cast("NamedCase", {"id": name, **_identity(before)}), "missing", reason)
            elif case["outcome"] == "skipped" and not is_scored(case):
                reason = f"is in the baseline {self.baseline.name}, but was skipped: {case['reason']}"
            else:
                continue
            case["gate"] = [{"metric": None, "kind": "missing", "outcome": "fail", "message": f"{name}: {reason}"}]
            lacking.append(case)
        return lacking

    def keep(self, document: Document) -> tuple[str, bool]:
        """Write the run's clean cases as, or into, a baseline. Returns a line on it, and whether there were any."""
        from emoprefer_bench.gates import baselines  # as above

        path = self.saved_as
        assert path is not None
        try:
            old = baselines.load(path, path.stem) if path.exists() else baselines.Baseline(path.stem)
            slid = self._slid(document)
            new = old.merged(document, slid)
            if new.cases:
                baselines.save(new, path)
        except (OSError, baselines.BaselineError) as error:
            return str(error), False
        outside = ("skipped", "missing")
        ran = [
            case
            for case in document["cases"]
            if case["outcome"] not in outside and not case.get("variant") and not is_fitted(case)
        ]
        why_not = {case["id"]: why for case in ran if (why := baselines.unclean(case) or slid.get(case["id"]))}
        left_out = ", ".join(f"{name} ({why})" for name, why in why_not.items())
        kept = len(ran) - len(why_not)
        saved = f"baseline {path}: {kept} {'case' if kept == 1 else 'cases'} saved, {len(new.cases)} in all"
        return saved + (f"; left out: {left_out}" if left_out else ""), kept > 0 or bool(slid)

    def _slid(self, document: Document) -> dict[str, str]:
        """The cases that may not take their place in the baseline that this run was compared with, and why.

        With --emoprefer-save alone there are none: that accepts a drop on purpose.
        """
        if self.baseline is None or self.saved_as != options.compared(self._config):
            return {}
        from emoprefer_bench.gates import decide as gates  # as above

        cases = document["cases"]
        scored = [case for case in cases if is_scored(case) and not is_fitted(case) and not case.get("variant")]
        return {case["id"]: why for case in scored if (why := gates.why_not_raised(case, self.baseline.name))}

    def _partial(self, session: pytest.Session) -> bool:
        """Whether this run was told to leave something out, or ended early."""
        option = self._config.option
        asked = self._deselected or option.emoprefer_limit or option.collectonly or getattr(option, "lf", False)
        chosen = any("::" in argument for argument in self._config.args) or option.ignore or option.ignore_glob
        early = session.shouldstop or session.shouldfail or session.exitstatus in EARLY
        return bool(asked or chosen or early)


def _unread(case: ScoredResult, answered: float, line: float) -> str:
    mean, bounds = case["scores"]["waf2"]["mean"], case.get("bounds")
    about = (
        f"only {100 * answered:.1f}% of its answers say which text they prefer, so the case has no scores "
        f"(min_answered is {100 * line:g}%)"
    )
    if mean is None or bounds is None:
        return about
    worst, best = bounds["strict"]["waf2"]["worst"], bounds["strict"]["waf2"]["best"]
    return (
        f"{about}: waf2 would be {100 * mean:.2f} as the reference reads them, and whatever the others meant, it lies "
        f"between {100 * (worst or 0.0):.2f} and {100 * (best or 0.0):.2f}"
    )


def _identity(kept: Mapping[str, object]) -> dict[str, object]:
    """What identifies a case that a baseline holds."""
    return {**{key: kept[key] for key in ("model", "prompt", "dataset", "modality", "llm")}, "variant": None}


def _of_marks(item: pytest.Item) -> list[Limit]:
    """The limits of a test's `gate` marks, the nearest last. Raises CollectError, which also crosses xdist."""
    marks = list(item.iter_markers("gate"))
    if not marks:
        return []
    from emoprefer_bench.gates import limits  # as above

    if any(mark.args for mark in marks):
        raise pytest.Collector.CollectError(f'{item.name}: gate takes names alone: gate(waf2="3pp", min_acc2=0.6)')
    try:
        return [limits.named_limit(name, value) for mark in reversed(marks) for name, value in mark.kwargs.items()]
    except limits.LimitError as error:
        raise pytest.Collector.CollectError(f"{item.name}: {error}") from None
