"""The tables in the terminal: one a data set, made from the document alone."""

from __future__ import annotations

import textwrap
from collections import Counter
from typing import TYPE_CHECKING, cast

from emoprefer_bench.document.cases import is_control, is_scored, tabled
from emoprefer_bench.printable import no_command
from emoprefer_bench.reports import cells, crossed, doubts, findings, grids, numbers, weighed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from emoprefer_bench.document.types import Dataset, Document, Pace, ReportedCase, ScoredCase, UnscoredCase

QUIET = ("waf2", "swap")
NORMAL = ("waf2", "acc2", "waf3", "acc3", "swap", "answered")
SLOTS = ("swap", "ties", "first_slot")
DETAILS = ("deviations", "waf2's interval", "swap's interval")
# What goes where there is no room, the first first.
NARROWER = ("swap's interval", "deviations", "acc3", "waf3", "acc2", "waf2's interval")
STRICTLY = "strict_"
TOKENS = ("prompt", "output")
SECONDS = {
    "elapsed": "in all",
    "decoding": "decoding",
    "preprocess": "preparing",
    "model": "model",
    "waiting": "waiting",
}
HANDFUL = 5  # skipped cases whose reasons are read one by one
NEEDS_SHOWN = 8
HEADS = {"first_slot": "first slot"}
IN_PERCENT = "In percent, with 95% intervals over clips."
LEGEND = """\
waf2: weighted F1 on pairs with a winner; swap: same verdict in either order."""
CONTROLS = "Controls stand between the lines: they look at nothing but the texts."


def render(document: Document, *, verbosity: int = 0, width: int = grids.WIDTH, failures_above: bool = False) -> str:
    """The tables as text, `width` columns wide; empty below -q. More verbose means strict scores and costs, too.

    With `failures_above` pytest has shown already why tests failed, and it is not said again.
    """
    if verbosity < -1:
        return ""
    blocks = []
    for name, dataset in document["datasets"].items():
        of_dataset = tabled(document, name)
        warnings = [f"warning: {sentence}" for sentence in dataset.get("warnings", ())]
        blocks += ["\n".join([cells.about(name, dataset), *warnings]), *_tables(of_dataset, verbosity, width)]
        beside = (findings.against_controls, findings.audit, findings.against_judges)
        blocks += ["\n".join(line for against in beside for line in against(of_dataset))]
        blocks += ["\n".join(findings.ceiling(dataset)), "\n".join(findings.pulled(of_dataset))]
        blocks += ["\n".join(weighed.sentences(of_dataset))] if verbosity >= 0 else []
        blocks += _parts(dataset, of_dataset, verbosity, width)
        blocks += _crossed(document, name, verbosity, width)
    blocks += [findings.deltas(document["cases"])] if verbosity >= 0 else []
    blocks += _costs(document["cases"]) if verbosity > 0 else []
    blocks += _not_run(document["cases"], width, failures_above=failures_above)
    blocks += [_skipped(document["cases"], width, verbosity)]
    notes = findings.noise(document["cases"]) + findings.votes(document["cases"]) + findings.restarts(document["cases"])
    blocks += ["\n".join(notes)]
    blocks += [findings.gates(document["cases"], above=failures_above)]
    return no_command("\n\n".join(block for block in blocks if block))


def _tables(cases: list[ReportedCase], verbosity: int, width: int) -> list[str]:
    if verbosity < 0:
        return [_table(cases, QUIET, width)]
    has_controls = any(is_control(case) for case in cases) and not all(is_control(case) for case in cases)
    legend = [IN_PERCENT, LEGEND, *([CONTROLS] if has_controls else [])]
    tables = ["\n".join([_table(cases, NORMAL, width), *legend])]
    if verbosity > 0:
        tables.append("over both orders:\n" + _table(cases, SLOTS, width))
        strictly = _table(cases, cells.PAPER_METRICS, width, STRICTLY)
        tables.append(f"{STRICTLY}: a tie, or an answer that can't be read, is never right\n{strictly}")
    return tables


def _table(cases: list[ReportedCase], metrics: Sequence[str], width: int, prefix: str = "") -> str:
    """The scores of cases by these metrics, controls between two lines, and what of them there was no room for."""
    shown, left_out = [*metrics, *DETAILS], []
    heads, rows = _cells(cases, shown, prefix)
    for narrower in NARROWER:
        if grids.width(heads, rows) <= width:
            break
        if narrower in shown:
            shown.remove(narrower)
            narrowed = _cells(cases, shown, prefix)
            if grids.width(*narrowed) < grids.width(heads, rows):
                left_out.append(narrower)
            heads, rows = narrowed
    table = grids.grid(heads, rows, left=2, rule=sum(is_control(case) for case in cases))
    no_room = f"\nLeft out to fit: {', '.join(left_out)}." if left_out else ""
    return table + no_room


def _cells(cases: list[ReportedCase], shown: Sequence[str], prefix: str) -> tuple[list[str], list[list[str]]]:
    """The heads and rows of a table of scores: `shown` are its metrics and which of DETAILS it has."""
    metrics = [name for name in shown if name not in DETAILS]
    rows = [
        [
            judge,
            case["prompt"] or numbers.NONE,
            *(
                cells.score(
                    case,
                    prefix + metric,
                    with_interval=f"{metric}'s interval" in shown,
                    with_spread="deviations" in shown,
                )
                for metric in metrics
            ),
        ]
        for judge, case in zip(cells.judges(cases, controls=False), cases, strict=True)
    ]
    return ["judge", "prompt", *(HEADS.get(metric, metric) for metric in metrics)], rows


def _parts(dataset: Dataset, cases: Sequence[ReportedCase], verbosity: int, width: int) -> list[str]:
    """Scores by subset, and beside people; with -v, what is known of shortcuts, and of each who labelled."""
    shown = [doubts.people(cases), *doubts.each_subset(cases)] if verbosity >= 0 else []
    shown += [doubts.annotators(dataset), doubts.slices(cases), doubts.pulls(cases)] if verbosity > 0 else []
    return [f"{part.title}:\n{_fitting(part, width)}" for part in shown if part.rows]


def _crossed(document: Document, dataset: str, verbosity: int, width: int) -> list[str]:
    """Whose fault errors are, where judges got the descriptions of others."""
    if verbosity < 0:
        return []
    parts = [f"{part.title}:\n{_fitting(part, width)}" for part in crossed.tables(document, dataset)]
    return [*parts, "\n".join(crossed.sentences(document, dataset))]


def _fitting(part: doubts.Table, width: int) -> str:
    """A table without the last columns that there is no room for, and what these are."""
    columns = len(part.heads)
    while columns > part.words + 1 and grids.width(part.heads[:columns], [row[:columns] for row in part.rows]) > width:
        columns -= 1
    table = grids.grid(part.heads[:columns], [row[:columns] for row in part.rows], left=part.words)
    left_out = ", ".join(part.heads[columns:])
    return table + (f"\nLeft out to fit: {left_out}." if left_out else "")


def _costs(cases: Sequence[ReportedCase]) -> list[str]:
    """What each case asked, where its time went, and how fast that was."""
    shown = [case for case in cases if is_scored(case) and not is_control(case) and any(case["questions"].values())]
    spent = [case for case in shown if case["seconds"]]
    counts = [[*case["questions"].values(), *(case["tokens"].get(name, 0) for name in TOKENS)] for case in shown]
    seconds = [[f"{case['seconds'].get(name, 0.0):.1f}" for name in SECONDS] for case in spent]
    paces = [_pace(case["pace"]) for case in spent]
    tables = (
        _costs_table(
            "questions asked now, and answered from the store; tokens", shown, ("asked", "stored", *TOKENS), counts
        ),
        _costs_table("seconds; waiting is for clips", spent, tuple(SECONDS.values()), seconds),
        _costs_table("a second", spent, ("questions", "tokens out", "cached", "bottleneck"), paces),
    )
    return [table for table in tables if table]


def _costs_table(
    about: str, cases: Sequence[ScoredCase], heads: Sequence[str], values: Sequence[Sequence[object]]
) -> str:
    rows = [[case["id"], *map(str, row)] for case, row in zip(cases, values, strict=True)]
    return f"{about}:\n{grids.grid(['case', *heads], rows, left=1)}" if rows else ""


def _pace(pace: Pace) -> list[str]:
    rates = [numbers.NONE if rate is None else f"{rate:.1f}" for rate in (pace["questions"], pace["output_tokens"])]
    cached = numbers.NONE if pace["cached"] is None else f"{pace['cached']:.0%}"
    return [*rates, cached, pace["bottleneck"] or numbers.NONE]


def _not_run(cases: Sequence[ReportedCase], width: int, *, failures_above: bool) -> list[str]:
    """One line for each reason why cases have no scores that ran; what a baseline misses is said by its gate."""
    reasons: dict[tuple[str, str], int] = {}
    for case in cases:
        if not is_scored(case) and case["outcome"] not in ("missing", "skipped"):
            above = failures_above and case["outcome"] in ("failed", "error")
            why = case["outcome"], "see above" if above else cells.first_line(case["reason"])
            reasons[why] = reasons.get(why, 0) + 1
    lines = [f"{count} {outcome}: {reason}"[:width] for (outcome, reason), count in reasons.items()]
    return ["\n".join(lines)] if lines else []


def _skipped(cases: Sequence[ReportedCase], width: int, verbosity: int) -> str:
    """What skipped cases need, most needed first, each with its number of cases; of a handful, the reasons."""
    skipped = [cast("UnscoredCase", case) for case in cases if case["outcome"] == "skipped" and not is_scored(case)]
    if not skipped or verbosity < 0:
        return f"{_count(skipped)} skipped" if skipped else ""
    if len(skipped) <= HANDFUL:
        return "\n".join(_hanging(f"{case['id']} was skipped: {case['reason']}", width) for case in skipped)
    needs = Counter(need for case in skipped for need in case.get("needs", [cells.first_line(case["reason"])]))
    lines = [_hanging(f"{number:6}  {need}", width, 8) for need, number in needs.most_common(NEEDS_SHOWN)]
    more = [f"and {len(needs) - NEEDS_SHOWN} other things"] if len(needs) > NEEDS_SHOWN else []
    end = "A case can need several of these; pytest -rs says what each lacks."
    return "\n".join([f"{_count(skipped)} skipped. So many of them need", *lines, *more, end])


def _count(skipped: Sequence[ReportedCase]) -> str:
    return "1 case was" if len(skipped) == 1 else f"{len(skipped)} cases were"


def _hanging(text: str, width: int, indent: int = 2) -> str:
    """A paragraph that the terminal has room for, its first line out."""
    return textwrap.fill(text, width, subsequent_indent=" " * indent, break_long_words=False, break_on_hyphens=False)
