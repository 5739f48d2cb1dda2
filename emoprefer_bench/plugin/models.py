"""Models are fixtures: the decorator that declares one."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from emoprefer_bench.cases import DIRECT, takes

PROMPTS = ("S1", "S2", "S3", "S4")
DEFAULT_LLM = "qwen25_7b"


@dataclass(frozen=True)
class ModelInfo:
    """What is known of a model before its fixture runs.

    `modality` is the most it can take (`audio`, `video`, `audiovideo` or `text`, with `+subtitle` where it gets what is
    said as text); None for a judge that looks at nothing but the two texts. `llm` is the text LLM that judges for it in
    S3 and S4. A `closed` model, whose weights are not published, stands below the rule in the paper's table. `needs` is
    the least that it can judge by (`audio`, `video` or `audiovideo`); None for a judge that can do with text alone.
    """

    name: str
    gpus: int
    modality: str | None
    prompts: tuple[str, ...]
    llm: str | None = None
    closed: bool = False
    needs: str | None = None


Fixture = Callable[..., Any]


def model(
    *,
    gpus: int = 1,
    modality: str | None = "audiovideo",
    prompts: tuple[str, ...] = PROMPTS,
    llm: str | None = None,
    closed: bool = False,
    needs: str | None = None,
) -> Callable[[Fixture], Fixture]:
    """Declare a model: a session fixture that takes `gpus` (the leased GPUs) and returns an engine.

    `gpus` is how many it needs, 0 for none. `needs` is a modality without which it can't judge at all, so that the
    audit doesn't take that away. `prompts=()` declares a judge that takes no prompt: one case a data set.
    Raises TypeError where the function doesn't take `gpus`, or a value is none that is known.
    """
    unknown = set(prompts) - set(PROMPTS)
    if unknown:
        raise TypeError(f"prompts={prompts!r}: {sorted(unknown)} are not among {', '.join(PROMPTS)}")
    if not takes(modality, needs):
        raise TypeError(f"needs={needs!r}: a model that takes {modality} at most is never given that")

    def declare(function: Fixture) -> Fixture:
        if "gpus" not in inspect.signature(function).parameters:
            raise TypeError(
                f"the model {function.__name__} must take the fixture `gpus`: def {function.__name__}(gpus):"
            )
        info = ModelInfo(function.__name__, gpus, modality, prompts or (DIRECT,), llm, closed, needs)
        function.emoprefer_model = info  # type: ignore[attr-defined]
        return pytest.fixture(scope="session")(function)

    return declare
