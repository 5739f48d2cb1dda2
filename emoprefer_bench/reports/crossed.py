"""Whose fault errors are, as tables and sentences that every form shares."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emoprefer_bench.cases import CROSSED, MISDESCRIBED, REFERENCE, UNDESCRIBED
from emoprefer_bench.reports.doubts import Table
from emoprefer_bench.reports.numbers import NONE, interval, percent, points, points_interval

if TYPE_CHECKING:
    from collections.abc import Iterator

    from emoprefer_bench.document.types import CrossedCase, CrossedCell, Crossing, Document, Fault, Mended

WORDS = {
    UNDESCRIBED: "no description",
    MISDESCRIBED: "own, of another clip",
    REFERENCE: "the reference",
}


def of_dataset(document: Document, dataset: str) -> list[Crossing]:
    """The crossings of a data set, prompt by prompt."""
    return [crossing for crossing in document.get("crossings", ()) if crossing["dataset"] == dataset]


def tables(document: Document, dataset: str) -> list[Table]:
    """For each prompt the accuracy of every judge with every description, and whose fault errors are."""
    return [table for crossing in of_dataset(document, dataset) for table in (_cells(crossing), _faults(crossing))]


def sentences(document: Document, dataset: str) -> list[str]:
    """For each judge a line on whose fault its errors are, and one on what makes verdicts differ."""
    return [line for crossing in of_dataset(document, dataset) for line in _sentences(crossing)]


def _cells(crossing: Crossing) -> Table:
    cells = {(cell["description"], cell["judge"]): cell for cell in crossing["cells"]}
    judges = list(dict.fromkeys(judge for _, judge in cells))
    rows = [
        [WORDS.get(description, description), *(_cell(cells.get((description, judge))) for judge in judges)]
        for description in sorted({description for description, _ in cells}, key=_place)
    ]
    title = f"{crossing['prompt']}: strict acc2 of judges by whose description they get, in percent"
    return Table(title, ["description", *judges], rows, 1)


def _place(description: str) -> tuple[int, str]:
    return (1 + CROSSED.index(description) if description in CROSSED else 0), description


def _cell(cell: CrossedCell | None) -> str:
    return f"{percent(cell['acc2'])} {interval(cell['interval'])}" if cell else NONE


def _faults(crossing: Crossing) -> Table:
    rows = [
        [
            judged["case"],
            str(judged["errors"]),
            _mended(judged["mended"]),
            _mended(judged["none"]),
            _gain(judged["descriptions"]),
            _gain(judged["comparing"]),
        ]
        for judged in crossing["judges"]
    ]
    title = f"{crossing['prompt']}: whose fault errors are; in brackets what would be mended by chance, * is above 0"
    heads = ["case", "errors", "two mend", "none mends", "others describe", "others judge"]
    return Table(title, heads, rows, 1)


def _mended(part: Mended | None) -> str:
    if part is None:
        return NONE
    return f"{percent(part['share'])} {interval(part['interval'])} ({100 * part['by_chance']:.0f})"


def _gain(fault: Fault | None) -> str:
    if fault is None:
        return NONE
    return f"{points(fault['gain'])}{'*' if fault['found'] else ''} {points_interval(fault['interval'])}"


def _sentences(crossing: Crossing) -> Iterator[str]:
    for judged in crossing["judges"]:
        yield f"{judged['case']} {_blame(judged)}"
    if shares := crossing["variance"]:
        parts = [
            f"{percent(share['value'])}% {interval(share['interval'])} by {words}"
            for share, words in (
                (shares["describer"], "who describes"),
                (shares["judge"], "who judges"),
                (shares["interaction"], "both together"),
            )
        ]
        of_all = f"of {len(crossing['describers'])} describers"
        yield f"{crossing['dataset']}, {crossing['prompt']}: verdicts on one row differ {', '.join(parts)} ({of_all})"


def _blame(judged: CrossedCase) -> str:
    """Whose fault a case's errors are, as far as is shown."""
    found = [
        f"its {what} {points(fault['gain'])} points {points_interval(fault['interval'])}"
        for fault, what in (
            (judged["descriptions"], "descriptions, with those of others"),
            (judged["comparing"], "comparing, where others judge by the same descriptions,"),
        )
        if fault and fault["found"]
    ]
    if not judged["errors"]:
        return "errs nowhere"
    if found:
        return f"errs by {'; and by '.join(found)}"
    if judged["others"] and judged["peers"]:
        return "errs neither by its descriptions nor by its comparing, as far as these rows show"
    if judged["others"]:
        return "does not err by its descriptions, as far as these rows show; no other judge compared by them"
    if judged["peers"]:
        return "does not err by its comparing, as far as these rows show; it was given no other description"
    return "was held against no other describer and no other judge"
