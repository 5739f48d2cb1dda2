"""Why a case can't run here, before anything is leased or loaded."""

from __future__ import annotations

import pytest

from emoprefer_bench.cases import BLIND, Case, takes
from emoprefer_bench.engines import gpus
from emoprefer_bench.plugin.stash import MODELS, settings_of


def why_not(config: pytest.Config, case: Case) -> str | None:
    """All that is missing for a case, each with the way to get it."""
    known, reasons = config.stash[MODELS].known, []
    info = known[case.model]
    if not takes(info.modality, case.modality):
        reasons.append(f"{case.model} takes {info.modality}, not {case.modality} (--emoprefer-modality)")
    elif info.needs and not takes(case.modality, info.needs):
        without = "no blind run of it" if case.variant == BLIND else f"no run of it by {case.modality}"
        reasons.append(f"{case.model} can't judge without {info.needs}, so there is {without}")
    if lacking := settings_of(config).sources[case.dataset].missing(media=case.sound or case.picture):
        reasons.append(lacking)
    for name, use in (
        (case.model, ""),
        (case.llm, f", the text LLM of {case.prompt} (--emoprefer-llm chooses another)"),
    ):
        if name and name not in known:
            reasons.append(f"there is no model {name}{use}")
        elif name and known[name].closed and config.option.emoprefer_max_requests is None:
            reasons.append(f"{name} is a paid service: allow it a number of requests, --emoprefer-max-requests N{use}")
        elif name and known[name].gpus > len(gpus.visible()):
            wanted, seen = known[name].gpus, len(gpus.visible())
            reasons.append(f"{name} needs {wanted} GPU{'s' * (wanted > 1)}, of which {seen} can be seen here{use}")
    return "; ".join(reasons) or None
