"""Two reports side by side: what changed from the first to the second, tested on the rows that both have.

Rows are matched by key and digest (clip, texts, label), so a data set that changed in between is never compared as if
it were the same: the rows that changed are left out, and said.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tabulate import tabulate

from emoprefer_bench.document.rows import clip_of, has_verdicts, shared_rows, verdicts
from emoprefer_bench.reports import cells
from emoprefer_bench.scoring import statistics

if TYPE_CHECKING:
    from collections.abc import Sequence

    from emoprefer_bench.document.rows import Dataset
    from emoprefer_bench.pairs import Label
    from emoprefer_bench.reports.cells import Case, Document
    from emoprefer_bench.scoring.statistics import Difference

METRICS = (*cells.PAPER_METRICS, "answered")
FLIPS_SHOWN = 10


@dataclass(frozen=True, slots=True)
class CaseChange:
    """A case in two reports. `differences` are second minus first; `flipped` are keys of rows whose verdict changed.

    Both are over the `rows` that both reports have, with verdicts in each. A flip is one of the reference's reading, in
    the first round and the order as it stands.
    """

    id: str
    rows: int
    differences: dict[str, Difference]
    flipped: list[tuple[str, str, str]]


def render(old: Document, new: Document, metrics: Sequence[str] = METRICS) -> str:
    """The comparison as text: for each data set what changed in it, then each case that both reports have."""
    blocks = []
    for name in dict.fromkeys([*old["datasets"], *new["datasets"]]):
        if name not in old["datasets"] or name not in new["datasets"]:
            blocks.append(f"{name}: only in the {'second' if name in new['datasets'] else 'first'} report")
            continue
        found = changes(old, new, name, metrics)
        blocks += [_about(name, old["datasets"][name], new["datasets"][name]), _table(found, metrics), _flips(found)]
    blocks.append(_alone(old, new))
    return "\n\n".join(block for block in blocks if block)


def changes(old: Document, new: Document, dataset: str, metrics: Sequence[str] = METRICS) -> list[CaseChange]:
    """Compare every case of a data set that has scores in both reports, the best of the second one last."""
    rows = shared_rows(old["datasets"][dataset], new["datasets"][dataset])
    before = {case["id"]: case for case in cells.scored(old, dataset)}
    keys = new["datasets"][dataset]["keys"]
    labels = new["datasets"][dataset]["labels"]
    return [
        _change(before[case["id"]], case, rows, keys, labels, metrics)
        for case in cells.scored(new, dataset)
        if case["id"] in before
    ]


def _change(
    old: Case,
    new: Case,
    shared: list[tuple[int, int]],
    keys: list[str],
    labels: list[Label | None],
    metrics: Sequence[str],
) -> CaseChange:
    both = [(before, after) for before, after in shared if has_verdicts(old, before) and has_verdicts(new, after)]
    first, second = verdicts(old, [before for before, _ in both]), verdicts(new, [after for _, after in both])
    of_rows = [keys[after] for _, after in both]
    differences = (
        statistics.paired_difference(
            [labels[after] for _, after in both], [clip_of(key) for key in of_rows], second, first, metrics=metrics
        )
        if both
        else {}
    )
    told = zip(of_rows, first[0].forward_reference, second[0].forward_reference, strict=True)
    flipped = [(key, str(before), str(after)) for key, before, after in told if before != after]
    return CaseChange(new["id"], len(both), differences, flipped)


def _about(name: str, old: Dataset, new: Dataset) -> str:
    about = cells.about(name, new)
    if old["digest"] == new["digest"]:
        return about
    changed = new["rows"] - len(shared_rows(old, new))
    return (
        f"{about}\nANOTHER DATA SET: {changed} of its {new['rows']} rows are not among the first report's "
        f"{old['rows']} with the same clip, texts and label; the rows that both have are compared"
    )


def _table(found: list[CaseChange], metrics: Sequence[str]) -> str:
    rows = [
        [change.id if metric == metrics[0] else "", metric, *_cells(change.differences[metric])]
        for change in found
        for metric in metrics
        if metric in change.differences
    ]
    heads = ["case", "metric", "first", "second", "difference", "95% interval", "p"]
    align = ["left", "left", *["right"] * (len(heads) - 2)]
    return tabulate(rows, heads, tablefmt="simple", disable_numparse=True, colalign=align) if rows else ""


def _cells(difference: Difference) -> list[str]:
    interval, p = difference["interval"], difference["p_two_sided"]
    return [
        *("-" if (value := difference[side]) is None else f"{100 * value:.2f}" for side in ("second", "first")),
        "-" if difference["difference"] is None else f"{100 * difference['difference']:+.2f}",
        f"[{100 * interval[0]:+.1f}, {100 * interval[1]:+.1f}]" if interval else "-",
        "-" if p is None else f"{p:.3f}" if p >= 0.001 else "<0.001",  # noqa: PLR2004  # what three decimals can show
    ]


def _flips(found: list[CaseChange]) -> str:
    lines = []
    for change in found:
        if not change.rows:
            lines.append(f"{change.id}: no row has verdicts in both reports")
            continue
        lines.append(f"{change.id}: {len(change.flipped)} of {_count(change.rows, 'verdict')} flipped")
        lines += [f"  {key}: {before} -> {after}" for key, before, after in change.flipped[:FLIPS_SHOWN]]
        if len(change.flipped) > FLIPS_SHOWN:
            lines.append(f"  and {len(change.flipped) - FLIPS_SHOWN} more")
    return "\n".join(lines)


def _alone(old: Document, new: Document) -> str:
    ids = [{case["id"] for case in document["cases"] if "scores" in case} for document in (old, new)]
    sides = (("first", ids[0] - ids[1]), ("second", ids[1] - ids[0]))
    return "\n".join(f"scores only in the {side} report: {', '.join(sorted(alone))}" for side, alone in sides if alone)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
