"""Baselines: what a run scored, kept in the repository so that later runs can be held against it.

The file `benchmarks/baselines/NAME.json` is small and made for a diff: a line a row of the data set, and verdicts as
strings of one character a row (`MARKS`). The same results give the same bytes. What older files lack (`subtitles`, and
the `settings` of a case) is unknown, and so no difference.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NotRequired, TypedDict, TypeVar

import msgspec

from emoprefer_bench.cases import SUBTITLE
from emoprefer_bench.document import files
from emoprefer_bench.document.cases import is_fitted, is_scored
from emoprefer_bench.document.rows import clip_of
from emoprefer_bench.errors import EmopreferError
from emoprefer_bench.pairs import LABELS, shown_row
from emoprefer_bench.verdicts import Verdicts

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from pathlib import Path

    from emoprefer_bench.document.types import (
        Dataset,
        Document,
        Engine,
        ReportedCase,
        RoundVerdicts,
        ScoredCase,
        ScoredResult,
    )
    from emoprefer_bench.prompts import PackName

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


_Value = TypeVar("_Value")

RowDigests = dict[str, str]
Subtitles = dict[str, str]
Settings = dict[str, dict[str, str]]


class PackedRound(TypedDict):
    """The verdicts of a round, a character a row (`MARKS`)."""

    forward: list[str]
    exchanged: list[str]


class KeptCase(TypedDict):
    """A case as it stands in a baseline: what it is, what it ran on, its scores (means over rounds) and verdicts.

    `settings` are, for judge and text LLM, the settings that `ran_on` has a digest of.
    """

    model: str
    prompt: str | None
    dataset: str
    modality: str | None
    llm: str | None
    ran_on: dict[str, str]
    settings: NotRequired[Settings]
    scores: dict[str, float | None]
    verdicts: list[PackedRound]


class _File(TypedDict):
    datasets: dict[str, RowDigests]
    subtitles: NotRequired[dict[str, Subtitles]]
    cases: dict[str, KeptCase]


class BaselineError(EmopreferError):
    """A baseline can't be read or written; the message says which, why, and how to mend it."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """A baseline as it stands in its file: `datasets`, `cases` and `subtitles` by name, id, and name and clip."""

    name: str
    datasets: dict[str, RowDigests] = field(default_factory=dict)
    cases: dict[str, KeptCase] = field(default_factory=dict)
    subtitles: dict[str, Subtitles] = field(default_factory=dict)

    def changed(self, dataset: Dataset, limit: int | None = None, *, subtitles: bool = False) -> str | None:
        """Say how a data set differs from the one that the baseline was made with, or None.

        With `limit`, what was read is expected to be the first rows alone. `subtitles` count where a judge is told
        them, and both runs know them.
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
        if parts or not subtitles:
            return "rows " + ", ".join(parts) if parts else None
        said = self.subtitles.get(dataset["name"], {})
        reworded = [clip for clip, digest in _subtitles(dataset).items() if said.get(clip, digest) != digest]
        return f"the subtitles of {len(reworded)} clips changed (first: {reworded[0]})" if reworded else None

    def rounds(self, case: str, rows: int | None = None) -> list[Verdicts]:
        """The verdicts of a case on its first rows (None: on all), a `Verdicts` for each round."""
        return [_unpacked(packed, rows) for packed in self.cases[case]["verdicts"]]

    def merged(self, document: Document, leave: Collection[str] = ()) -> Baseline:
        """The baseline with a run's clean cases in place of its own, but for the ids to `leave` as they are.

        Raises BaselineError rather than lose a case. That would happen where a data set changed: verdicts of cases that
        did not run again are about other rows.
        """
        scored = [case for case in document["cases"] if is_scored(case)]
        judged = [case for case in scored if not case.get("variant") and unclean(case) is None]
        new = {case["id"]: _kept(case, document) for case in judged if case["id"] not in leave}
        datasets, subtitles = dict(self.datasets), dict(self.subtitles)
        for name in sorted({case["dataset"] for case in new.values()}):
            dataset = document["datasets"][name]
            if stale := self._stale(dataset, new):
                raise BaselineError(
                    f"the baseline {self.name} is left as it was: data set {name} changed since, and {len(stale)} of "
                    f"its cases have no clean result now ({', '.join(stale[:5])}): run all of them, or delete the file"
                )
            datasets[name] = _rows(dataset)
            if said := subtitles.get(name, {}) | _subtitles(dataset):
                subtitles[name] = _sorted(said)
        return Baseline(self.name, _sorted(datasets), _sorted(self.cases | new), _sorted(subtitles))

    def _stale(self, dataset: Dataset, new: Collection[str]) -> list[str]:
        """The cases whose verdicts would be about other rows, or other subtitles, than the file then has."""
        if dataset["name"] not in self.datasets:
            return []
        left = {
            name: case for name, case in self.cases.items() if case["dataset"] == dataset["name"] and name not in new
        }
        return [name for name, case in left.items() if self.changed(dataset, subtitles=hears(case["modality"]))]


def load(path: Path, name: str) -> Baseline:
    """Read a baseline. Raises BaselineError."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["schema"] != SCHEMA:
            raise BaselineError(f"{path}: is of schema {content['schema']}, this version reads {SCHEMA}: save it anew")
        known = msgspec.convert(content, _File)
        baseline = Baseline(name, known["datasets"], known["cases"], known.get("subtitles", {}))
        _check(baseline)
    except FileNotFoundError:
        others = ", ".join(sorted(other.stem for other in path.parent.glob("*.json"))) or "none"
        raise BaselineError(
            f"there is no baseline {path} (in that folder: {others}); --emoprefer-save {path.stem} makes one"
        ) from None
    except KeyError as error:
        raise BaselineError(f"{path}: is no baseline that can be read (it lacks {error})") from None
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise BaselineError(f"{path}: is no baseline that can be read ({error})") from None
    return baseline


def save(baseline: Baseline, path: Path) -> None:
    """Write the file, whole or not at all. Raises OSError."""
    subtitles = {"subtitles": baseline.subtitles} if baseline.subtitles else {}
    files.write({"schema": SCHEMA, "datasets": baseline.datasets, **subtitles, "cases": baseline.cases}, path)


def unclean(case: ReportedCase) -> str | None:
    """Say why a case of a report can't become part of a baseline, or None."""
    if is_fitted(case):
        return "no test runs it"
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
    facts: dict[str, str | None] = {"modality": case["modality"], "text LLM": case["llm"]}
    for role, engine in (("judge", case["engine"]["judge"]), ("llm", case["engine"]["llm"])):
        if engine:
            said = json.dumps([_identity(engine), engine["sampling"]], sort_keys=True)
            facts[f"{role}'s engine"] = engine["engine"]
            facts[f"{role}'s device"] = engine["device"]
            facts[f"{role}'s settings"] = hashlib.sha256(said.encode()).hexdigest()[:_DIGITS]
    if case["prompt"]:
        facts["prompts"] = f"{prompts['name']} {prompts['sha256'][:_DIGITS]}"
    return {name: value for name, value in facts.items() if value is not None}


def settings(case: ScoredResult) -> Settings:
    """All that the digests of `ran_on` are of, for judge and text LLM: each setting by its path, as JSON."""
    roles = (("judge", case["engine"]["judge"]), ("llm", case["engine"]["llm"]))
    return {
        role: _sorted(_flat({**_identity(engine), "sampling": engine["sampling"]})) for role, engine in roles if engine
    }


def hears(modality: str | None) -> bool:
    """Whether a judge of this modality is told what is said in a clip."""
    return (modality or "").endswith(SUBTITLE)


def _identity(engine: Engine) -> dict[str, Any]:
    return {name: value for name, value in (engine["identity"] or {}).items() if name != "version"}


def _flat(value: Any, path: str = "") -> dict[str, str]:  # noqa: ANN401  # whatever an engine's options may be
    if not isinstance(value, dict) or not value:
        return {path: json.dumps(value, ensure_ascii=False, sort_keys=True)}
    leaves: dict[str, str] = {}
    for name, inner in value.items():
        leaves |= _flat(inner, f"{path}.{name}" if path else str(name))
    return leaves


def _kept(case: ScoredCase, document: Document) -> KeptCase:
    means = {name: score["mean"] for name, score in case["scores"].items()}
    return {
        "model": case["model"],
        "prompt": case["prompt"],
        "dataset": case["dataset"],
        "modality": case["modality"],
        "llm": case["llm"],
        "ran_on": ran_on(case, document["datasets"][case["dataset"]].get("prompts") or document["manifest"]["prompts"]),
        "settings": settings(case),
        "scores": {name: mean if mean is None else round(mean, 6) for name, mean in means.items()},
        "verdicts": [_packed(of_round) for of_round in case["verdicts"]],
    }


def _sorted(named: dict[str, _Value]) -> dict[str, _Value]:
    return dict(sorted(named.items()))


def _rows(dataset: Dataset) -> RowDigests:
    """The rows in order: key to the beginning of its digest."""
    entries = zip(dataset["keys"], dataset["row_digests"], strict=True)
    return {key: digest[:_DIGITS] for key, digest in entries}


def _subtitles(dataset: Dataset) -> Subtitles:
    """Clip to the beginning of the digest of what is said in it, where that was read."""
    entries = zip(dataset["keys"], dataset.get("subtitle_digests", ()), strict=False)
    return {clip_of(key): digest[:_DIGITS] for key, digest in entries if digest}


def _packed(of_round: RoundVerdicts) -> PackedRound:
    packed: PackedRound = {"forward": [], "exchanged": []}
    order: Literal["forward", "exchanged"]
    for order, labels, references in (
        ("forward", of_round["forward"], of_round["forward_reference"]),
        ("exchanged", of_round["exchanged"], of_round["exchanged_reference"]),
    ):
        marks = "".join(
            _MARK_OF[label, reference or "same"] for label, reference in zip(labels, references, strict=True)
        )
        packed[order] = [marks[start : start + _LINE] for start in range(0, len(marks), _LINE)]
    return packed


def _unpacked(packed: PackedRound, rows: int | None) -> Verdicts:
    forward, exchanged = (
        [_READINGS[mark] for mark in "".join(marks)][:rows] for marks in (packed["forward"], packed["exchanged"])
    )
    return Verdicts(
        forward=[strict for strict, _ in forward],
        exchanged=[strict for strict, _ in exchanged],
        forward_reference=[reference for _, reference in forward],
        exchanged_reference=[reference for _, reference in exchanged],
    )


def _check(baseline: Baseline) -> None:
    """Raise ValueError for a baseline that would hold nothing."""
    if not baseline.cases:
        raise ValueError("it has no case, so that it would hold none: save it anew")
    for case in baseline.cases:
        _check_case(baseline, case)


def _check_case(baseline: Baseline, case: str) -> None:
    """Raise ValueError for a case that has not one verdict a row in each order, or none at all."""
    dataset = baseline.cases[case]["dataset"]
    if dataset not in baseline.datasets:
        raise ValueError(f"{case}: there are no rows of its data set {dataset}")
    if not baseline.cases[case]["verdicts"]:
        raise ValueError(f"{case}: it has no verdicts, so that nothing would be compared: save it anew")
    unknown = {mark for packed in baseline.cases[case]["verdicts"] for mark in _marks(packed)} - _READINGS.keys()
    if unknown:
        raise ValueError(f"{case}: {', '.join(sorted(unknown))} marks no verdict")
    rows = len(baseline.datasets[dataset])
    for of_round in baseline.rounds(case):
        if not len(of_round.forward) == len(of_round.exchanged) == rows:
            raise ValueError(f"{case}: {len(of_round.forward)} and {len(of_round.exchanged)} verdicts on {rows} rows")


def _marks(packed: PackedRound) -> Iterable[str]:
    return "".join([*packed["forward"], *packed["exchanged"]])
