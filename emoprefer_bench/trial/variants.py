"""The audit of a judge, how much of its score needs the clip: it judges again without one, and with another row's."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from emoprefer_bench.cases import BLIND, MISMATCHED, Case

if TYPE_CHECKING:
    from collections.abc import Sequence

    from emoprefer_bench.pairs import Pair


def variants_of(case: Case) -> list[Case]:
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
