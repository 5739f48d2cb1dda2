"""The audit of a judge, how much of its score needs the clip: it judges again without one, or with a part of it.

A likelihood (L1) is with and without the clip already. There, another row's clip also stands in for none, and what is
quoted is taken out of the texts: to quote what is said makes a text likelier, and says nothing of how a person feels.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from emoprefer_bench.cases import (
    BLIND,
    LIKELIHOOD,
    MISMATCHED,
    OTHER_BASE,
    PICTURE_ALONE,
    SOUND_ALONE,
    SUBTITLE,
    UNQUOTED,
    Case,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from emoprefer_bench.pairs import Clip, Pair

# Not the single ones, which are apostrophes too.
_QUOTED = re.compile(
    r'"[^"]*"|\u201c[^\u201d]*\u201d|\u201e[^\u201c\u201d]*[\u201c\u201d]|\u00ab[^\u00bb]*\u00bb|\u300c[^\u300d]*\u300d'
)
BLANK = "something"


def variants_of(case: Case) -> list[Case]:
    """The variants of a judge's case: `blind`, which gets the two texts alone, and `mismatched`.

    And where it hears and sees, one of each alone, with the subtitle that it is told. None for a judge that neither
    hears nor sees the clip, but for L1's where it reads what is said: it has another base, and texts without what they
    quote, and is never blind.
    """
    shown, weighed = case.sound or case.picture, case.prompt == LIKELIHOOD
    told = SUBTITLE if case.subtitles else ""
    made = [replace(case, variant=BLIND, modality="text")] if shown and not weighed else []
    made += [replace(case, variant=MISMATCHED)] if shown else []
    if case.sound and case.picture:
        alone = ((SOUND_ALONE, "audio"), (PICTURE_ALONE, "video"))
        made += [replace(case, variant=variant, modality=media + told) for variant, media in alone]
    if weighed and (shown or case.subtitles):
        made += [replace(case, variant=OTHER_BASE), replace(case, variant=UNQUOTED)]
    return made


def mismatched(pairs: Sequence[Pair]) -> list[Pair]:
    """The pairs, each with the clip (and what is said in it) half of the data set further on, round the end.

    All rows of a clip get the same other clip, and each clip is used as often as there are clips: once. So clips stay
    as dependent as they were, and no clip stays where it was, unless it is the only one.
    """
    instead = others(pairs)
    return [replace(pair, clip=instead[pair.clip.name]) for pair in pairs]


def others(pairs: Sequence[Pair]) -> dict[str, Clip]:
    """For each clip by its name the one half of the data set further on, round the end."""
    clips = list({pair.clip.name: pair.clip for pair in pairs}.values())
    shift = max(1, len(clips) // 2)
    return {clip.name: clips[(place + shift) % len(clips)] for place, clip in enumerate(clips)}


def unquoted(pairs: Sequence[Pair]) -> list[Pair]:
    """The pairs with the word `something` for whatever stands in quotation marks."""
    return [replace(pair, a1=_QUOTED.sub(BLANK, pair.a1), a2=_QUOTED.sub(BLANK, pair.a2)) for pair in pairs]
