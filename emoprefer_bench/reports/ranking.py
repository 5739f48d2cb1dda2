"""Rankings of writers as text."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from tabulate import tabulate

if TYPE_CHECKING:
    from emoprefer_bench.scoring.ranking import Estimate, Ranking


def table(rankings: Iterable[Ranking]) -> str:
    """The rankings as text: how the writers stand, and how far each judge's order is that of people."""
    rankings = list(rankings)
    standings = [
        [ranking.name if place == 1 else "", place, writer, *_shown(estimate)]
        for ranking in rankings
        for place, (writer, estimate) in enumerate(ranking.strengths.items(), 1)
    ]
    agreement = [
        [judge.name, judge.comparisons, *_shown(judge.kendall), *_shown(judge.spearman)]
        for judge in rankings
        if judge.kendall and judge.spearman
    ]
    tables = [_aligned(standings, ["by", "place", "writer", "strength", "95% interval"])]
    if agreement:
        heads = ["agreement with people", "verdicts", "Kendall", "95% interval", "Spearman", "95% interval"]
        tables.append(_aligned(agreement, heads))
    return "\n\n".join(tables)


def _shown(estimate: Estimate) -> tuple[str, str]:
    return f"{estimate.value:z.2f}", f"[{estimate.low:z.2f}, {estimate.high:z.2f}]"


def _aligned(rows: list[list[object]], heads: list[str]) -> str:
    words = ("by", "writer", "agreement with people")
    align = ["left" if head in words else "right" for head in heads]
    return str(tabulate(rows, heads, tablefmt="simple", disable_numparse=True, colalign=align))
