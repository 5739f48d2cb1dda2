"""Baselines: what a run scored, kept in the repository so that later runs can be held against it.

The file `benchmarks/baselines/NAME.json` is small and made for a diff: a line a row of the data set, and verdicts as
strings of one character a row (`MARKS`). The same results give the same bytes.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from emoprefer_bench.document import files
from emoprefer_bench.document.cases import is_scored
from emoprefer_bench.errors import EmopreferError
from emoprefer_bench.pairs import LABELS, shown_row
from emoprefer_bench.verdicts import Verdicts

if TYPE_CHECKING:
    from pathlib import Path

    from emoprefer_bench.document.types import (
        Dataset,
        Document,
        ReportedCase,
        RoundVerdicts,
        ScoredCase,
        ScoredResult,
    )
    from emoprefer_bench.prompts import PackName

    RowDigests = dict[str, str]
    KeptCase = dict[str, Any]

SCHEMA = 1
MARKS = ("1ab", "c2d", "ef=", "gh?")
"""What a character says: read strictly a1, a2, same, not at all (rows), and by the reference a1, a2, same (columns)."""

_LINE = 100  # verdicts in a string, so that a diff shows where a verdict changed
_DIGITS = 12  # of a digest: enough to tell rows apart
_READINGS = {
    mark: (strict, reference)
    for strict, marks in zip((*LABELS, None), MARKS, strict=True)
    for reference, mark in zip(LABELS, marks, strict=True)
}
_MARK_OF = {reading: mark for mark, reading in _READINGS.items()}


class BaselineError(EmopreferError):
    """A baseline can't be read or written; the message says which, why, and how to mend it."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """A baseline as it stands in its file: `datasets` and `cases` by name and id."""

    name: str
    datasets: dict[str, RowDigests] = field(default_factory=dict)
    cases: dict[str, KeptCase] = field(default_factory=dict)

    def changed(self, dataset: Dataset, limit: int | None = None) -> str | None:
        """Say how a data set differs from the one that the baseline was made with, or None.

        With `limit`, what was read is expected to be the first rows alone.
        """
        before = dict(list(self.datasets[dataset["name"]].items())[:limit])
        now = _rows(dataset)
        rewritten = [key for key in now if key in before and now[key] != before[key]]
        kinds = (
            ("changed", rewritten),
            ("added", [key for key in now if key not in before]),
            ("removed", [key for key in before if key not in now]),
        )
        parts = [f"{len(keys)} {what} (first: {shown_row(keys[0])})" for what, keys in kinds if keys]
        return "rows " + ", ".join(parts) if parts else None

    def rounds(self, case: str, rows: int | None = None) -> list[Verdicts]:
        """The verdicts of a case on its first rows (None: on all), a `Verdicts` for each round."""
        return [_unpacked(one, rows) for one in self.cases[case]["verdicts"]]

    def merged(self, document: Document) -> Baseline:
        """The baseline with a run's clean cases in place of its own. Raises BaselineError rather than lose another.

        That would happen where a data set changed: verdicts of cases that did not run again are about other rows.
        """
        scored = [case for case in document["cases"] if is_scored(case)]
        judged = [case for case in scored if not case.get("variant") and unclean(case) is None]
        new = {case["id"]: _kept(case, document) for case in judged}
        datasets = dict(self.datasets)
        for name in sorted({case["dataset"] for case in new.values()}):
            rows = _rows(document["datasets"][name])
            stale = [] if datasets.get(name, rows) == rows else self._others(name, new)
            if stale:
                raise BaselineError(
                    f"the baseline {self.name} is left as it was: data set {name} changed since, and {len(stale)} of "
                    f"its cases have no clean result now ({', '.join(stale[:5])}): run all of them, or delete the file"
                )
            datasets[name] = rows
        return Baseline(self.name, dict(sorted(datasets.items())), dict(sorted((self.cases | new).items())))

    def _others(self, dataset: str, new: dict[str, KeptCase]) -> list[str]:
        return [name for name, case in self.cases.items() if case["dataset"] == dataset and name not in new]


def load(path: Path, name: str) -> Baseline:
    """Read a baseline. Raises BaselineError."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["schema"] != SCHEMA:
            raise BaselineError(f"{path}: is of schema {content['schema']}, this version reads {SCHEMA}: save it anew")
        baseline = Baseline(name, content["datasets"], content["cases"])
        for case_id in baseline.cases:
            _check(baseline, case_id)
    except FileNotFoundError:
        others = ", ".join(sorted(other.stem for other in path.parent.glob("*.json"))) or "none"
        raise BaselineError(
            f"there is no baseline {path} (in that folder: {others}); --emoprefer-save {path.stem} makes one"
        ) from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BaselineError(f"{path}: is no baseline that can be read ({type(error).__name__}: {error})") from None
    return baseline


def save(baseline: Baseline, path: Path) -> None:
    """Write the file, whole or not at all. Raises OSError."""
    files.write({"schema": SCHEMA, "datasets": baseline.datasets, "cases": baseline.cases}, path)


def unclean(case: ReportedCase) -> str | None:
    """Say why a case of a report can't become part of a baseline, or None."""
    if case["outcome"] != "passed":
        return str(case["outcome"])
    if not case["complete"]:
        return "incomplete"
    if case.get("faults"):
        return "some questions failed"
    return None


def ran_on(case: ScoredResult, prompts: PackName) -> dict[str, str]:
    """What else than the data could change a case's scores, in words or digests; what is unknown is left out.

    `prompts` has the `name` and `sha256` of the prompt pack.
    """
    told: dict[str, str | None] = {"modality": case["modality"], "text LLM": case["llm"]}
    for role in ("judge", "llm"):
        engine = case["engine"]["judge" if role == "judge" else "llm"]
        if engine:
            identity = {name: value for name, value in (engine["identity"] or {}).items() if name != "version"}
            said = json.dumps([identity, engine["sampling"]], sort_keys=True)
            told[f"{role}'s engine"] = engine["engine"]
            told[f"{role}'s device"] = engine["device"]
            told[f"{role}'s settings"] = hashlib.sha256(said.encode()).hexdigest()[:_DIGITS]
    if case["prompt"]:
        told["prompts"] = f"{prompts['name']} {prompts['sha256'][:_DIGITS]}"
    return {name: value for name, value in told.items() if value is not None}


def _kept(case: ScoredCase, document: Document) -> KeptCase:
    means = {name: score["mean"] for name, score in case["scores"].items()}
    return {
        "model": case["model"],
        "prompt": case["prompt"],
        "dataset": case["dataset"],
        "modality": case["modality"],
        "llm": case["llm"],
        "ran_on": ran_on(case, document["manifest"]["prompts"]),
        "scores": {name: mean if mean is None else round(mean, 6) for name, mean in means.items()},
        "verdicts": [_packed(one) for one in case["verdicts"]],
    }


def _rows(dataset: Dataset) -> RowDigests:
    """The rows in order: key to the beginning of its digest."""
    both = zip(dataset["keys"], dataset["row_digests"], strict=True)
    return {key: digest[:_DIGITS] for key, digest in both}


def _packed(of_round: RoundVerdicts) -> dict[str, list[str]]:
    packed = {}
    for order, labels, references in (
        ("forward", of_round["forward"], of_round["forward_reference"]),
        ("exchanged", of_round["exchanged"], of_round["exchanged_reference"]),
    ):
        marks = "".join(
            _MARK_OF[label, reference or "same"] for label, reference in zip(labels, references, strict=True)
        )
        packed[order] = [marks[start : start + _LINE] for start in range(0, len(marks), _LINE)]
    return packed


def _unpacked(packed: dict[str, list[str]], rows: int | None) -> Verdicts:
    forward, exchanged = (
        [_READINGS[mark] for mark in "".join(packed[order])][:rows] for order in ("forward", "exchanged")
    )
    return Verdicts(
        forward=[strict for strict, _ in forward],
        exchanged=[strict for strict, _ in exchanged],
        forward_reference=[reference for _, reference in forward],
        exchanged_reference=[reference for _, reference in exchanged],
    )


def _check(baseline: Baseline, case: str) -> None:
    """Raise ValueError for a case that has not one verdict a row in each order."""
    rows = len(baseline.datasets[baseline.cases[case]["dataset"]])
    for one in baseline.rounds(case):
        if not len(one.forward) == len(one.exchanged) == rows:
            raise ValueError(f"{case}: {len(one.forward)} and {len(one.exchanged)} verdicts on {rows} rows")
