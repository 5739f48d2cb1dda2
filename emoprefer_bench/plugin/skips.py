"""Why a case can't run here, before anything is leased or loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pytest

from emoprefer_bench.cases import BLIND, LIKELIHOOD, Case, takes
from emoprefer_bench.engines import gpus
from emoprefer_bench.plugin.stash import CLUSTER, MODELS, settings_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from emoprefer_bench.plugin.models import ModelInfo


class Lack(NamedTuple):
    """What a case lacks: the `reason` is of this case alone, the `need` is what others that lack the same say, too."""

    reason: str
    need: str


def why_not(item: pytest.Item, case: Case) -> str | None:
    """All that is missing for the case of a test, each with the way to get it."""
    return "; ".join(lack.reason for lack in lacks(item, case)) or None


def lacks(item: pytest.Item, case: Case) -> list[Lack]:
    """All that is missing for the case of a test."""
    config = item.config
    known = config.stash[MODELS].of(item)
    lacking: list[Lack] = []
    info = known[case.model]
    if not takes(info.modality, case.modality):
        reason = f"{case.model} takes {info.modality}, not {case.modality} (--emoprefer-modality)"
        lacking.append(Lack(reason, f"a model that takes {case.modality} (--emoprefer-modality)"))
    elif info.needs and not takes(case.modality, info.needs):
        without = "no blind run of it" if case.variant == BLIND else f"no run of it by {case.modality}"
        reason = f"{case.model} can't judge without {info.needs}, so there is {without}"
        lacking.append(Lack(reason, f"{info.needs}, without which {case.model} can't judge"))
    if case.prompt == LIKELIHOOD and not (case.sound or case.picture or case.subtitles):
        reason = f"{case.id} compares texts with the clip and without it, and {case.modality} alone has no clip"
        lacking.append(Lack(reason, "a clip or what is said in it, without which L1 has nothing to compare"))
    if missing := settings_of(config).sources[case.dataset].missing(media=case.sound or case.picture):
        lacking.append(Lack(missing, f"the data set {case.dataset}: see dataset/README.md"))
    for name, use in (
        (case.model, ""),
        (case.llm, f", the text LLM of {case.prompt} (--emoprefer-llm chooses another)"),
        (case.describer, ", whose descriptions it is to get"),
    ):
        if name and (lack := _of_model(config, known, name, use)):
            lacking.append(lack)
    return lacking


def _of_model(config: pytest.Config, known: Mapping[str, ModelInfo], name: str, use: str) -> Lack | None:
    """What a model lacks that is the judge of a case, or has another `use` in it."""
    if name not in known:
        return Lack(f"there is no model {name}{use}", f"the model {name} (--emoprefer-llm chooses another)")
    if known[name].closed and config.option.emoprefer_max_requests is None:
        reason = f"{name} is a paid service: allow it a number of requests, --emoprefer-max-requests N{use}"
        return Lack(reason, "leave to ask paid services: --emoprefer-max-requests N")
    if config.stash[CLUSTER]:
        return None  # whose nodes have them, or else say so
    wanted, seen = known[name].gpus, len(gpus.visible())
    if wanted > seen:
        number = f"{wanted} GPU{'s' * (wanted > 1)}"
        return Lack(f"{name} needs {number}, of which {seen} can be seen here{use}", number)
    return None
