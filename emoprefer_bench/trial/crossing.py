"""Whose fault an error is: what every model says of a clip, compared with the texts by every judge.

By S2 and S3 a judge errs by a wrong description, or by a wrong comparison of a right one. So the comparing step is
asked again with the descriptions of other models, without any, with one of another clip, and with the row's reference.
The descriptions are answers as all others: those that are stored are not asked again.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from emoprefer_bench.cases import DESCRIBES, MISDESCRIBED, REFERENCE, UNDESCRIBED, Case, judge_of

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Sequence


def crossed(cases: Iterable[Case], references: Container[str]) -> list[Case]:
    """The cases that it takes, beside those that are there, for every judge to have every describer's descriptions.

    A judge is who compares: the model itself by S2, its text LLM by S3. `references` are the data sets whose rows have
    one. What is neither described by S2 or S3 nor a judge itself is left alone.
    """
    judges: dict[tuple[str, str, str], list[Case]] = defaultdict(list)
    describers: dict[tuple[str, str], dict[str, Case]] = defaultdict(dict)
    for case in cases:
        if case.prompt in DESCRIBES and case.variant is None:
            judges[case.dataset, case.prompt, judge_of(case.named())].append(case)
            describers[case.dataset, case.prompt].setdefault(case.model, case)
    made = []
    for (dataset, prompt, _), own in judges.items():
        made += _of_judge(own, describers[dataset, prompt].values(), reference=dataset in references)
    return made


def _of_judge(own: Sequence[Case], describers: Iterable[Case], *, reference: bool) -> list[Case]:
    """What is missing of one judge, whose `own` cases have descriptions of their models."""
    first, has = own[0], {case.model for case in own}
    variants = [UNDESCRIBED, MISDESCRIBED, *([REFERENCE] if reference else [])]
    return [
        *(
            replace(first, variant=f"by-{other.model}", describer=other.model, describer_modality=other.modality)
            for other in describers
            if other.model not in has
        ),
        *(replace(first, variant=variant) for variant in variants),
    ]
