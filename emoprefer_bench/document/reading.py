"""Reading a report: checked by its types (document/types.py), and by what ties its parts together."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NoReturn, NotRequired, TypedDict, cast

import msgspec

from emoprefer_bench.document import types
from emoprefer_bench.document.cases import METRICS
from emoprefer_bench.document.files import SCHEMA
from emoprefer_bench.document.types import Document
from emoprefer_bench.errors import EmopreferError
from emoprefer_bench.printable import cleaned, has_control, on_one_line

PARTS = ("schema", "complete", "manifest", "datasets", "cases")
NAMES = ("id", "model", "dataset", "llm", "variant", "describer")
ORDERS = ("forward", "exchanged")
READINGS = tuple(f"{order}{reading}" for order in ORDERS for reading in ("", "_reference", "_provenance"))
MARGINS = tuple(f"{order}_{part}" for order in ORDERS for part in ("margin", "confidence"))
OPTIONAL = (*MARGINS, *(f"{order}_weights" for order in ORDERS))


class DocumentError(EmopreferError):
    """A file is no report that this version reads; the message says what is wrong and where, in one line."""


class _Frame(TypedDict):
    """A document whose cases are looked at one by one, since they are of two kinds."""

    complete: bool
    manifest: types.Manifest
    datasets: dict[str, types.Dataset]
    cases: list[dict[str, Any]]
    crossings: NotRequired[list[types.Crossing]]


def read(path: Path) -> Document:
    """Read the document that `write` wrote. Raises DocumentError."""
    try:
        document = cleaned(json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse))
    except OSError as error:
        raise DocumentError(f"{path}: can't be read ({error.strerror})") from None
    except (ValueError, RecursionError) as error:
        raise DocumentError(f"{path}: is not JSON ({error}); a run writes its report as report.json") from None
    return checked(document, str(path))


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a number in JSON")


def checked(document: object, where: str) -> Document:
    """The document itself, if it is one; `where` names it in messages. Raises DocumentError."""
    if not isinstance(document, dict) or not document.keys() >= set(PARTS):
        raise DocumentError(f"{where}: is not a report of this benchmark; a run writes it as report.json")
    if document["schema"] != SCHEMA:
        raise DocumentError(f"{where}: has schema {document['schema']!r}, and this version reads {SCHEMA}")
    try:
        _convert(document, _Frame, "")
        for number, case in enumerate(document["cases"]):
            kind = types.ScoredCase if "scores" in case else types.UnscoredCase
            _convert(case, kind, f"cases[{number}] ({str(case.get('id'))[:80]})")
            _check_names(case)
            _tie(case, document["datasets"])
        for name, dataset in document["datasets"].items():
            lists = ("keys", "labels", "row_digests", *(name for name in ("subsets", "longer") if dataset.get(name)))
            _count(dataset, lists, dataset["rows"], f"data set {name}")
            _check_keys(dataset["keys"], name)
    except ValueError as error:
        raise DocumentError(f"{where}: is a report that is broken: {error}") from None
    return cast("Document", document)


def _convert(value: object, kind: Any, where: str) -> None:  # noqa: ANN401  # a type
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        said = str(error).replace("`$", "`", 1) if where else str(error).replace("`$.", "`", 1)
        raise ValueError(f"{where}: {said}" if where else said) from None


def _tie(case: dict[str, Any], datasets: dict[str, Any]) -> None:
    """Raise ValueError for what the types can't say of a case: a verdict for each row of its data set."""
    if lacking := [name for name in METRICS if name not in case.get("scores", METRICS)]:
        raise ValueError(f"{case['id']} lacks the score {lacking[0]}")
    if case["complete"] and "scores" not in case:
        raise ValueError(f"{case['id']} has no scores and says that it is complete")
    rounds = case.get("verdicts")
    if rounds is None:
        return
    if case["dataset"] not in datasets:
        raise ValueError(f"{case['id']} has verdicts on data set {case['dataset']}, which is not in it")
    if not rounds:
        raise ValueError(f"{case['id']} has no round of verdicts")
    for verdicts in rounds:
        lists = (*READINGS, *(name for name in OPTIONAL if name in verdicts))
        _count(verdicts, lists, datasets[case["dataset"]]["rows"], case["id"])


def _check_names(case: dict[str, Any]) -> None:
    for name in NAMES:
        if has_control(case.get(name) or ""):
            raise ValueError(f"the {name} of a case has a line break in it: {on_one_line(case[name])!r}")


def _check_keys(keys: list[str], dataset: str) -> None:
    if len(set(keys)) < len(keys):
        raise ValueError(f"data set {dataset} has a key twice")


def _count(lists: dict[str, Any], names: tuple[str, ...], rows: int, where: str) -> None:
    for name in names:
        if len(lists[name]) != rows:
            raise ValueError(f"{where} has {len(lists[name])} {name} for {rows} rows")
