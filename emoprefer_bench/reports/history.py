"""Many reports side by side: how each case's score went from run to run, as a table and as a small page."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from emoprefer_bench.document.cases import is_drawn, scored
from emoprefer_bench.printable import printable
from emoprefer_bench.reports import grids, numbers

if TYPE_CHECKING:
    from emoprefer_bench.document.types import Document, Score, ScoredCase

BLOCKS = "▁▂▃▄▅▆▇█"
SHOWN = 24  # of the last runs, in a line of blocks
WIDTH, HEIGHT, MARGIN = 640, 120, 6  # of a drawing, in pixels


@dataclass(frozen=True, slots=True)
class Point:
    """A score of a run: when, of which commit, by which engine and on which data, and how sure."""

    created: str
    commit: str
    engine: str
    data: str
    score: Score

    @property
    def day(self) -> str:
        """When, to the minute, in UTC."""
        return self.created[:16].replace("T", " ")


def history(documents: Sequence[Document], metric: str, subset: str | None = None) -> dict[str, list[Point]]:
    """The scores of each case by its id, the oldest run first; runs in which a case has none are left out.

    With a `subset`, the scores are those of its rows alone. A report that was given twice, such as a copy of the last
    one beside its own, counts once.
    """
    lines: dict[str, list[Point]] = {}
    in_time = sorted(documents, key=lambda document: document["manifest"]["created"])
    for document in (now for before, now in itertools.pairwise([None, *in_time]) if now is not None and now != before):
        for name in document["datasets"]:
            for case in scored(document, name):
                score = _scores(case, subset).get(metric)
                if score and score["mean"] is not None and not is_drawn(case):
                    lines.setdefault(case["id"], []).append(_point(document, case, score))
    return dict(sorted(lines.items()))


def table(lines: dict[str, list[Point]], metric: str) -> str:
    """A row a case: its last runs as blocks, the first and the last score, and what was exchanged on the way."""
    if not lines:
        return "no case has scores"
    rows = [
        [
            name,
            str(len(points)),
            _blocks(points[-SHOWN:]),
            numbers.percent(points[0].score["mean"]),
            numbers.score(points[-1].score, with_interval=True, with_spread=False),
        ]
        for name, points in lines.items()
    ]
    exchanged = [note for name, points in lines.items() for note in _exchanged(name, points)]
    head = [
        f"{metric} in percent, with its 95% interval; a block a run, from the lowest",
        "score of each case to its highest",
    ]
    return printable(
        "\n".join([*head, "", grids.grid(["case", "runs", "trend", "first", "last"], rows, left=1), *exchanged])
    )


def page(lines: dict[str, list[Point]], metric: str) -> str:
    """A page of its own, without scripts and without a network: a drawing and a table for each case."""
    sections = "".join(_section(name, points) for name, points in lines.items()) or "<p>No case has scores.</p>"
    return PAGE.format(title=f"{escape(metric)} over time", sections=sections)


def _scores(case: ScoredCase, subset: str | None) -> Mapping[str, Score]:
    """The scores of all rows of a case, or of those in a subset; none where it has no such subset."""
    if subset is None:
        return case["scores"]
    parts = case.get("subsets", {})
    return parts[subset]["scores"] if subset in parts else {}


def _point(document: Document, case: ScoredCase, score: Score) -> Point:
    manifest, judge = document["manifest"], case["engine"]["judge"]
    engine = " on ".join(filter(None, (judge["engine"], judge["device"])))
    data = document["datasets"][case["dataset"]]["digest"]
    return Point(manifest["created"], manifest.get("commit", ""), engine, data, score)


def _blocks(points: Sequence[Point]) -> str:
    means = [point.score["mean"] or 0.0 for point in points]
    low, high = min(means), max(means)
    steps = len(BLOCKS) - 1
    return "".join(BLOCKS[round(steps * (mean - low) / (high - low)) if high > low else steps // 2] for mean in means)


def _exchanged(name: str, points: Sequence[Point]) -> list[str]:
    """A line for each run from which on the engine or the data is another one."""
    notes = []
    for before, now in itertools.pairwise(points):
        commit = f", commit {now.commit}" if now.commit else ""
        if now.engine != before.engine:
            notes.append(f"{name}: since {now.day}{commit}: {now.engine}, before {before.engine}")
        if now.data != before.data:
            notes.append(f"{name}: since {now.day}{commit}: another data set, whose scores can't be compared")
    return notes


def _section(name: str, points: Sequence[Point]) -> str:
    rows = "".join(
        f"<tr><td>{escape(point.day)}<td>{numbers.percent(point.score['mean'])}<td>"
        f"{numbers.interval(point.score['interval'])}<td>{escape(point.engine)}<td>{escape(point.commit or '-')}"
        for point in reversed(points)
    )
    head = "<tr><th>run (UTC)<th>score<th>95% interval<th>engine<th>commit"
    runs = f"<details><summary>{len(points)} runs</summary><table>{head}{rows}</table></details>"
    return f"<h2>{escape(name)}</h2>{_drawing(name, points)}{runs}"


def _drawing(name: str, points: Sequence[Point]) -> str:
    """Scores from 0 to 100, the oldest left, each with its interval, and a dashed line where something is exchanged."""
    gap = (WIDTH - 2 * MARGIN) / max(1, len(points) - 1)
    across = [MARGIN + gap * number for number in range(len(points))]

    def down(share: float) -> float:
        return HEIGHT - MARGIN - (HEIGHT - 2 * MARGIN) * share

    parts = [
        f'<line class="grid" x1="0" x2="{WIDTH}" y1="{down(share):.1f}" y2="{down(share):.1f}"/>'
        for share in (0, 0.5, 1)
    ]
    for number, (x, point) in enumerate(zip(across, points, strict=True)):
        if number and (point.engine, point.data) != (points[number - 1].engine, points[number - 1].data):
            parts.append(f'<line class="other" x1="{x - gap / 2:.1f}" x2="{x - gap / 2:.1f}" y1="0" y2="{HEIGHT}"/>')
        if bounds := point.score["interval"]:
            parts.append(
                f'<line class="sure" x1="{x:.1f}" x2="{x:.1f}" y1="{down(bounds[0]):.1f}" y2="{down(bounds[1]):.1f}"/>'
            )
    at = [(x, down(point.score["mean"] or 0.0)) for x, point in zip(across, points, strict=True)]
    parts.append(f'<polyline points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in at)}"/>')
    parts += [
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3"><title>{escape(point.day)}: '
        f"{numbers.score(point.score, with_interval=True)}</title></circle>"
        for (x, y), point in zip(at, points, strict=True)
    ]
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(name)}">{"".join(parts)}</svg>'


PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 44rem; margin: 2rem auto; padding: 0 1rem; }}
h1 {{ font-size: 1.4rem; }}
h2 {{ font-size: 1rem; margin: 2rem 0 .25rem; overflow-wrap: anywhere; }}
svg {{ width: 100%; display: block; }}
svg .grid {{ stroke: currentColor; opacity: .2; }}
svg .sure {{ stroke: currentColor; opacity: .45; stroke-width: 2; }}
svg .other {{ stroke: #c60; stroke-dasharray: 4; }}
svg polyline {{ fill: none; stroke: currentColor; opacity: .5; }}
svg circle {{ fill: currentColor; }}
details {{ overflow-x: auto; }}
td, th {{ text-align: left; padding: 0 1rem 0 0; white-space: nowrap; }}
</style>
<h1>{title}</h1>
<p>A point a run, from 0 at the bottom to 100, with its 95% interval over clips. A dashed line stands where the engine,
its device or the data became another one.</p>
{sections}
</html>
"""
