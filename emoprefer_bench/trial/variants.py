"""The audit of a judge, how much of its score needs the clip: it judges again without one, or with a part of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from emoprefer_bench.cases import BLIND, MISMATCHED, PICTURE_ALONE, SOUND_ALONE, SUBTITLE, Case

if TYPE_CHECKING:
    from collections.abc import Sequence

    from emoprefer_bench.pairs import Pair


def variants_of(case: Case) -> list[Case]:
    """The variants of a judge's case: `blind`, which gets the two texts alone, and `mismatched`.

    And where it hears and sees, one of each alone, with the subtitle that it is told. None for a judge that neither
    hears nor sees the clip.
    """
    if not (case.sound or case.picture):
        return []
    whole = [replace(case, variant=BLIND, modality="text"), replace(case, variant=MISMATCHED)]
    if not (case.sound and case.picture):
        return whole
    told = SUBTITLE if case.subtitles else ""
    alone = ((SOUND_ALONE, "audio"), (PICTURE_ALONE, "video"))
    return [*whole, *(replace(case, variant=variant, modality=media + told) for variant, media in alone)]


def mismatched(pairs: Sequence[Pair]) -> list[Pair]:
    """The pairs, each with the clip (and what is said in it) half of the data set further on, round the end.

    All rows of a clip get the same other clip, and each clip is used as often as there are clips: once. So clips stay
    as dependent as they were, and no clip stays where it was, unless it is the only one.
    """
    clips = list({pair.clip.name: pair.clip for pair in pairs}.values())
    shift = max(1, len(clips) // 2)
    instead = {clip.name: clips[(place + shift) % len(clips)] for place, clip in enumerate(clips)}
    return [replace(pair, clip=instead[pair.clip.name]) for pair in pairs]
