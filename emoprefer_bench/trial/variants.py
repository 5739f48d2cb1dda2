"""The audit of a judge, how much of its score needs the clip: it judges again without one, and with another row's."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from emoprefer_bench.cases import BLIND, MISMATCHED, Case

if TYPE_CHECKING:
    from collections.abc import Sequence

    from emoprefer_bench.pairs import Pair

    Result = dict[str, Any]


def variants(case: Case) -> list[Case]:
    """The variants of a judge's case: `blind`, which gets the two texts alone, and `mismatched`.

    None for a judge that neither hears nor sees the clip.
    """
    if not (case.sound or case.picture):
        return []
    return [replace(case, variant=BLIND, modality="text"), replace(case, variant=MISMATCHED)]


def mismatched(pairs: Sequence[Pair]) -> list[Pair]:
    """The pairs, each with the clip (and what is said in it) half of the data set further on, round the end.

    All rows of a clip get the same other clip, and each clip is used as often as there are clips: once. So clips stay
    as dependent as they were, and no clip stays where it was, unless it is the only one.
    """
    clips = list({pair.clip.name: pair.clip for pair in pairs}.values())
    shift = max(1, len(clips) // 2)
    instead = {clip.name: clips[(place + shift) % len(clips)] for place, clip in enumerate(clips)}
    return [replace(pair, clip=instead[pair.clip.name]) for pair in pairs]


def compare(cases: Sequence[Result], datasets: dict[str, dict[str, Any]]) -> None:
    """Compare every judge in a report with its variants: adds to the `comparisons` of its case."""
    by_id = {case["id"]: case for case in cases if case["complete"]}
    for case in by_id.values():
        judge = by_id.get(case["id"].removesuffix(f"-{case['variant']}"))
        if case["variant"] not in (BLIND, MISMATCHED) or judge is None:
            continue
        from emoprefer_bench.scoring.comparisons import Rows, compared, rounds_of  # noqa: PLC0415  # numpy, where it is needed

        rows = Rows.of(datasets[case["dataset"]])
        own, other = (rounds_of(one, len(rows.keys)) for one in (judge, case))
        judge["comparisons"] += compared(case["variant"], "variant", rows, own, other)
