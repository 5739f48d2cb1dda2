"""What becomes of a case that several tests are for, or one test several times: the worst of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Sequence

    from emoprefer_bench.document.types import Decision, Outcome, ReportedCase

RANKS: tuple[Outcome, ...] = ("error", "failed", "interrupted", "skipped", "passed")
"""From the worst. A test that was skipped before it had a result says nothing of the case."""


class Outcomes:
    """The cases of a run, by id, as their tests report them. Of a test that is run again, the last run counts."""

    def __init__(self) -> None:
        self._of_tests: dict[str, dict[str, ReportedCase]] = {}

    def begin(self, name: str, nodeid: str) -> None:
        """Forget what a test said of a case: it starts anew."""
        self._of_tests.get(name, {}).pop(nodeid, None)

    def add(self, nodeid: str, case: ReportedCase) -> None:
        """Take what a test says of a case."""
        self._of_tests.setdefault(case["id"], {})[nodeid] = case

    def cases(self) -> dict[str, ReportedCase]:
        """Each case with the worst that its tests say."""
        return {name: _worst(list(of_tests.values())) for name, of_tests in self._of_tests.items() if of_tests}


def _worst(cases: Sequence[ReportedCase]) -> ReportedCase:
    """The worst that tests say of one case, with the result of another where that one has none."""
    said = [case for case in cases if case["outcome"] != "skipped" or "verdicts" in case] or cases
    worst = min(said, key=_rank)
    result = min((case for case in said if "verdicts" in case), key=_rank, default=worst)
    merged = {**result, "outcome": worst["outcome"], "reason": worst["reason"]}
    decisions: list[Decision] = []
    for case in said:
        decisions += [decision for decision in case.get("gate", ()) if decision not in decisions]
    return cast("ReportedCase", {**merged, "gate": decisions} if decisions else merged)


def _rank(case: ReportedCase) -> int:
    return RANKS.index(case["outcome"]) if case["outcome"] in RANKS else len(RANKS)
