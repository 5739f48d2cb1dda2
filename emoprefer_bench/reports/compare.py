"""Two reports side by side: what changed from the one before to the one after, tested on the rows that both have.

Rows are matched by key and digest (clip, texts, label), so a data set that changed in between is never compared as if
it were the same: the rows that changed are left out, and said.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from emoprefer_bench.document.cases import is_scored, scored
from emoprefer_bench.document.rows import clip_of, has_verdicts, in_subset, shared_rows, verdicts
from emoprefer_bench.pairs import shown_row
from emoprefer_bench.printable import printable
from emoprefer_bench.reports import cells, grids, numbers
from emoprefer_bench.scoring import statistics

if TYPE_CHECKING:
    from collections.abc import Sequence

    from emoprefer_bench.document.types import Dataset, Document, ScoredCase
    from emoprefer_bench.scoring.statistics import Difference

METRICS = (*cells.PAPER_METRICS, "answered")
FLIPS_SHOWN = 10


@dataclass(frozen=True, slots=True)
class CaseChange:
    """A case in two reports. `differences` are after minus before; `flipped` are keys of rows whose verdict changed.

    Both are over the `rows` that both reports have, with verdicts in each. A flip is one of the reference's reading, in
    the first round and the order as it stands.
    """

    id: str
    rows: int
    differences: dict[str, Difference]
    flipped: list[tuple[str, str, str]]


def render(before: Document, after: Document, metrics: Sequence[str] = METRICS, *, subset: str | None = None) -> str:
    """The comparison as text: for each data set what changed in it, then each case that both reports have.

    With a `subset`, only the rows that are in it now are compared.
    """
    blocks = []
    for name in dict.fromkeys([*before["datasets"], *after["datasets"]]):
        if name not in before["datasets"] or name not in after["datasets"]:
            blocks.append(f"{name}: only in the report {'after' if name in after['datasets'] else 'before'}")
            continue
        of_dataset = changes(before, after, name, metrics, subset)
        about = _about(name, before["datasets"][name], after["datasets"][name])
        if subset is not None:
            about += f"\nits {sum(in_subset(after['datasets'][name], subset))} rows of the subset {subset}"
        blocks += [about, _table(name, of_dataset, metrics), _flips(of_dataset)]
    blocks.append(_alone(before, after))
    return printable("\n\n".join(block for block in blocks if block))


def changes(
    before: Document, after: Document, dataset: str, metrics: Sequence[str] = METRICS, subset: str | None = None
) -> list[CaseChange]:
    """Compare every case of a data set that has scores in both reports, the best of the one after last."""
    inside = in_subset(after["datasets"][dataset], subset)
    rows = [pair for pair in shared_rows(before["datasets"][dataset], after["datasets"][dataset]) if inside[pair[1]]]
    old = {case["id"]: case for case in scored(before, dataset)}
    return [
        _change(old[case["id"]], case, rows, after["datasets"][dataset], metrics)
        for case in scored(after, dataset)
        if case["id"] in old
    ]


def _change(
    before: ScoredCase, after: ScoredCase, shared: list[tuple[int, int]], dataset: Dataset, metrics: Sequence[str]
) -> CaseChange:
    numbers = [(old, new) for old, new in shared if has_verdicts(before, old) and has_verdicts(after, new)]
    was, is_now = verdicts(before, [old for old, _ in numbers]), verdicts(after, [new for _, new in numbers])
    keys = [dataset["keys"][new] for _, new in numbers]
    labels = [dataset["labels"][new] for _, new in numbers]
    clips = [clip_of(key) for key in keys]
    differences = statistics.paired_difference(labels, clips, is_now, was, metrics=metrics) if numbers else {}
    rows = zip(keys, was[0].forward_reference, is_now[0].forward_reference, strict=True)
    flipped = [(key, str(old), str(new)) for key, old, new in rows if old != new]
    return CaseChange(after["id"], len(numbers), differences, flipped)


def _about(name: str, before: Dataset, after: Dataset) -> str:
    about = cells.about(name, after)
    if before["digest"] == after["digest"]:
        return about
    changed = after["rows"] - len(shared_rows(before, after))
    return (
        f"{about}\nANOTHER DATA SET: {changed} of its {after['rows']} rows are not among the {before['rows']} of the "
        "report before with the same clip, texts and label; the rows that both have are compared"
    )


def _table(dataset: str, of_dataset: list[CaseChange], metrics: Sequence[str]) -> str:
    rows = [
        [f"{change.id.replace(f'-{dataset}', '', 1)} {metric}", *_cells(change.differences[metric])]
        for change in of_dataset
        for metric in metrics
        if metric in change.differences
    ]
    heads = ["", "before", "after", "change", "95% interval", "p"]
    return grids.grid(heads, rows, left=1) if rows else ""


def _cells(difference: Difference) -> list[str]:
    return [
        numbers.percent(difference["other"]),
        numbers.percent(difference["score"]),
        numbers.points(difference["difference"]),
        numbers.points_interval(difference["interval"]),
        numbers.p(difference["p_two_sided"]),
    ]


def _flips(of_dataset: list[CaseChange]) -> str:
    lines = []
    for change in of_dataset:
        if not change.rows:
            lines.append(f"{change.id}: no row has verdicts in both reports")
            continue
        lines.append(f"{change.id}: {len(change.flipped)} of {_count(change.rows, 'verdict')} flipped")
        lines += [f"  {shown_row(key)}: {was} -> {is_now}" for key, was, is_now in change.flipped[:FLIPS_SHOWN]]
        if len(change.flipped) > FLIPS_SHOWN:
            lines.append(f"  and {len(change.flipped) - FLIPS_SHOWN} more")
    return "\n".join(lines)


def _alone(before: Document, after: Document) -> str:
    was, is_now = ({case["id"] for case in document["cases"] if is_scored(case)} for document in (before, after))
    sides = (("before", was - is_now), ("after", is_now - was))
    return "\n".join(f"scores only in the report {side}: {', '.join(sorted(alone))}" for side, alone in sides if alone)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
