"""Tables of what a score hides, as rows of cells that every form shares: gains, subsets, slices, pulls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from emoprefer_bench.document.cases import best_control, is_control, is_drawn, is_scored
from emoprefer_bench.printable import on_one_line
from emoprefer_bench.reports import cells, numbers

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from emoprefer_bench.document.types import Alternative, Dataset, Part, Pull, ReportedCase, ScoredCase

SUBSET_METRICS = ("acc3", "acc2", "swap")
SOLVED = " (solved by length)"
"""Said of a subset in which the longer text is the right one in all rows: no judge's merit shows there."""
PULLS = ("people", "longer", "always_a1", "writer_prior", "word_overlap")


class Table(NamedTuple):
    """A table: what it is, the heads of its columns, and rows of cells. The first `words` columns are words."""

    title: str
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    words: int


def tables(cases: Sequence[ReportedCase]) -> list[Table]:
    """The tables of a data set's cases, in the order in which they are to be read; those alone that have rows."""
    made = (gains(cases), people(cases), subsets(cases), slices(cases), pulls(cases))
    return [table for table in made if table.rows]


def gains(cases: Sequence[ReportedCase]) -> Table:
    """Each judge's headline: how much better it is than the best control on the same rows."""
    rows = [
        [
            name,
            best["against"],
            numbers.percent(best["score"]),
            numbers.percent(best["other"]),
            f"{numbers.points(best['difference'])} {numbers.points_interval(best['interval'])}",
            numbers.p(best["p_two_sided"]),
        ]
        for name, case in _named(cases)
        if (best := best_control(case))
    ]
    heads = ["judge", "best control", "waf2", "control's", "gain", "p"]
    return Table("gain over the best control on the same rows, in points", heads, rows, 2)


def subsets(cases: Sequence[ReportedCase]) -> Table:
    """The scores of each subset, with intervals."""
    rows = [
        [name, f"{subset}{_solved(case, part)}", str(part["rows"]), *_of_part(case, part, with_intervals=True)]
        for name, case in _named(cases)
        for subset, part in case.get("subsets", {}).items()
    ]
    title = "by subset, in percent; longer: verdicts for the longer text"
    return Table(title, ["judge", "subset", "rows", "waf2", "longer", *SUBSET_METRICS], rows, 2)


def each_subset(cases: Sequence[ReportedCase]) -> list[Table]:
    """The same in a table for each subset, which a terminal has room for; what it hasn't stands last."""
    judged = [(name, case, case.get("subsets", {})) for name, case in _named(cases)]
    tables = []
    for subset in dict.fromkeys(subset for *_, parts in judged for subset in parts):
        shown = [(name, case, parts[subset]) for name, case, parts in judged if subset in parts]
        size = max(part["rows"] for *_, part in shown)
        title = f"subset {on_one_line(subset)}, {size} rows, in percent; longer: verdicts for the longer text"
        rows = [
            [f"{name}{_solved(case, part)}", *_of_part(case, part, with_intervals=False)] for name, case, part in shown
        ]
        tables.append(Table(title, ["judge", "waf2", "longer", *SUBSET_METRICS], rows, 1))
    return tables


def _of_part(case: ScoredCase, part: Part, *, with_intervals: bool) -> list[str]:
    """The cells of a subset's scores; waf2 and the share of the longer text have their intervals in any case."""
    return [
        numbers.score(part["scores"]["waf2"], with_interval=True),
        cells.BY_DESIGN if _is_shortcut(case, "longer") else _share(part.get("longer"), part.get("longer_interval")),
        *(
            cells.BY_DESIGN
            if cells.by_design(case, metric)
            else numbers.score(part["scores"][metric], with_interval=with_intervals)
            for metric in SUBSET_METRICS
        ),
    ]


def _solved(case: ScoredCase, part: Part) -> str:
    """What the row of the longer text itself has to say where that is right on all of the subset."""
    return SOLVED if _is_shortcut(case, "longer") and part["scores"]["strict_acc2"]["mean"] == 1 else ""


def _is_shortcut(case: ScoredCase, name: str) -> bool:
    """Whether the row is that of a shortcut itself, which follows itself whatever the data."""
    return is_control(case) and case["model"] == name


def slices(cases: Sequence[ReportedCase]) -> Table:
    """The accuracy on rows where a shortcut can't give the answer, or would, and how often it is followed there."""
    rows = [
        [
            name,
            part["slice"],
            str(part["rows"]),
            *_of_slice(case, part),
        ]
        for name, case in _named(cases)
        for part in case.get("slices", {}).get("shortcuts", ())
        if part["rows"]
    ]
    title = "by whether the label is with or against a shortcut, or the texts are of matched length, in percent"
    return Table(title, ["judge", "rows that are", "rows", "strict acc2", "follows it"], rows, 2)


def _of_slice(case: ScoredCase, part: dict[str, Any]) -> list[str]:
    """The cells of a slice's accuracy, and of how often the shortcut is followed that the label contradicts."""
    relation, _, shortcut = part["slice"].partition(" ")
    if relation in ("with", "against") and _is_shortcut(case, shortcut):
        return [cells.BY_DESIGN, cells.BY_DESIGN if "followed" in part else numbers.NONE]
    followed = _share(part["followed"], part["followed_interval"]) if "followed" in part else numbers.NONE
    return [_share(part["acc2"], part["interval"]), followed]


def pulls(cases: Sequence[ReportedCase]) -> Table:
    """What part of the verdicts goes with the people's labels and with each shortcut, the others held fixed."""
    pulled = [(name, case.get("pulls") or {}) for name, case in _named(cases) if not is_control(case)]
    columns = [name for name in PULLS if any(name in weights for _, weights in pulled)]
    rows = [[name, *(pull(weights.get(column)) for column in columns)] for name, weights in pulled if weights]
    return Table("what verdicts go with, as weights; * can be told from 0", ["judge", *columns], rows, 1)


def people(cases: Sequence[ReportedCase]) -> Table:
    """Each judge beside the people who labelled: its part of the best accuracy, and for whom it could stand in."""
    rows = [
        [
            name,
            str(beside.get("rows", numbers.NONE)),
            _share(beside["acc2"], beside.get("interval")),
            numbers.interval(beside["relative"]),
            _stands_in(beside["alternative"]),
        ]
        for name, case in _named(cases)
        if (beside := case.get("of_ceiling")) and not is_control(case)
    ]
    title = (
        "beside people: accuracy on rows that several labelled, what part of the best possible one it is, in percent"
    )
    heads = ["judge", "rows", "acc2", "of the best", "stands in for"]
    return Table(title, heads, rows, 1)


def annotators(dataset: Dataset) -> Table:
    """How often the other people agree with each who has a name, on how many labels."""
    human = dataset.get("ceiling")
    rows = [
        [on_one_line(person["annotator"]), str(person["rows"]), _share(person["agreement"], person["interval"])]
        for person in (human["annotators"] if human else ())
    ]
    return Table("how often other people agree with each, in percent", ["person", "rows", "others agree"], rows, 1)


def _share(share: float | None, bounds: Sequence[float] | None) -> str:
    """A share in percent, with its interval."""
    return numbers.NONE if share is None else f"{numbers.percent(share)} {numbers.interval(bounds)}"


def _stands_in(test: Alternative | None) -> str:
    if test is None:
        return numbers.NONE
    passes = "passes" if test["passes"] else "fails"
    return f"{test['wins']} of {len(test['annotators'])}: {passes}"


def pull(weighed: Pull | None) -> str:
    """A weight with its interval, marked where it can be told from 0."""
    if weighed is None:
        return numbers.NONE
    low, high = weighed["interval"]
    return f"{weighed['weight']:z.2f}{'*' if weighed['found'] else ''} [{low:z.2f}, {high:z.2f}]"


def _named(cases: Sequence[ReportedCase]) -> Iterator[tuple[str, ScoredCase]]:
    """The cases that have numbers, each with what a table calls it."""
    for judge, case in zip(cells.judges(cases), cases, strict=True):
        if is_scored(case) and not is_drawn(case):
            yield " ".join(filter(None, (judge, case["prompt"]))), case
