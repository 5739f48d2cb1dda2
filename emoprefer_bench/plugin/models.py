"""Models are fixtures: the decorator that declares one, and how those of a module are found."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from emoprefer_bench.cases import DIRECT, WEIGHS, takes
from emoprefer_bench.plugin.private import FIXTURE

PROMPTS = ("S1", "S2", "S3", "S4")
"""By which a model is asked that doesn't say otherwise."""

ALL_PROMPTS = (*PROMPTS, *WEIGHS)
DEFAULT_LLM = "qwen25_7b"
LEASE = "_emoprefer_lease"
"""The fixture that leases GPUs, under a name that nobody else has: a project may have a fixture `gpus` of its own."""


@dataclass(frozen=True)
class ModelInfo:
    """What is known of a model before its fixture runs.

    `modality` is the most it can take (`audio`, `video`, `audiovideo` or `text`, with `+subtitle` where it gets what is
    said as text); None for a judge that looks at nothing but the two texts. `llm` is the text LLM that judges for it in
    S3 and S4. A `closed` model, whose weights are not published, stands below the rule in the paper's table. `needs` is
    the least that it can judge by (`audio`, `video` or `audiovideo`); None for a judge that can do with text alone.
    `declared` is the function that was decorated: two models of one name are the same where this is. `renamed` is true
    where the name is not the function's.
    """

    name: str
    gpus: int
    modality: str | None
    prompts: tuple[str, ...]
    llm: str | None = None
    closed: bool = False
    needs: str | None = None
    declared: Callable[..., Any] | None = field(default=None, repr=False)
    renamed: bool = False


Fixture = Callable[..., Any]
NAME = re.compile(r"[A-Za-z0-9_.]+")


def model(
    *,
    gpus: int = 1,
    modality: str | None = "audiovideo",
    prompts: tuple[str, ...] = PROMPTS,
    llm: str | None = None,
    closed: bool = False,
    needs: str | None = None,
    name: str | None = None,
) -> Callable[[Fixture], Fixture]:
    """Declare a model: a session fixture that takes `gpus` (the leased GPUs) and returns an engine.

    `gpus` is how many it needs, 0 for none. `needs` is a modality without which it can't judge at all, so that the
    audit doesn't take that away. `prompts=()` declares a judge that takes no prompt: one case a data set. L1 and P1 are
    asked where they are named, or by --emoprefer-prompt, since they would double what a large model is asked. `name` is
    what the model is called instead of its function, so that models can be declared in a loop.
    Raises TypeError where the function doesn't take `gpus`, or a value is none that is known.
    """
    if name is not None and not NAME.fullmatch(name):
        raise TypeError(f"name={name!r}: a model's name has letters, digits, _ and . alone, since it is part of ids")
    unknown = set(prompts) - set(ALL_PROMPTS)
    if unknown:
        raise TypeError(f"prompts={prompts!r}: {sorted(unknown)} are not among {', '.join(ALL_PROMPTS)}")
    if not takes(modality, needs):
        raise TypeError(f"needs={needs!r}: a model that takes {modality} at most is never given that")

    def declare(function: Fixture) -> Fixture:
        if "gpus" not in inspect.signature(function).parameters:
            raise TypeError(
                f"the model {function.__name__} must take the fixture `gpus`: def {function.__name__}(gpus):"
            )
        if _of_class(function):
            raise TypeError(
                f"the model {function.__name__} stands in a class, where pytest has no fixtures of a session: move it "
                "to the module, or to a conftest.py"
            )
        called, renamed = name or function.__name__, name is not None
        info = ModelInfo(called, gpus, modality, prompts or (DIRECT,), llm, closed, needs, function, renamed)
        leased = _leased(function)
        leased.emoprefer_model = info  # type: ignore[attr-defined]
        fixture: Fixture = pytest.fixture(scope="session", name=name)(leased)
        if name:
            # A loop binds its function anew each time, so that the module would keep the last of its fixtures alone.
            function.__globals__[f"_emoprefer_model_{name}"] = fixture
        return fixture

    return declare


def models_in(holder: object) -> Iterator[ModelInfo]:
    """The models that a module declares, in its order, each under the name that pytest knows it by."""
    for attribute, value in list(vars(holder).items()):
        # Nothing but a fixture is asked for its attributes, since what else lies there may run code then.
        if type(value) is FIXTURE and (info := model_of(value)):
            yield info if info.renamed else replace(info, name=attribute)


def model_of(function: object) -> ModelInfo | None:
    """The model that a fixture, or its function, was declared as; None for any other."""
    info: ModelInfo | None = getattr(function, "emoprefer_model", None)
    return info


def _of_class(function: Fixture) -> bool:
    """Whether a function was written in the body of a class."""
    outer = function.__qualname__.rpartition(".")[0]
    return bool(outer) and not outer.endswith("<locals>")


def _leased(function: Fixture) -> Fixture:
    """The function as one that takes its `gpus` from the fixture LEASE."""

    def given(arguments: dict[str, Any]) -> dict[str, Any]:
        return {"gpus" if argument == LEASE else argument: value for argument, value in arguments.items()}

    if inspect.isgeneratorfunction(function):

        @functools.wraps(function)
        def made(*args: Any, **arguments: Any) -> Generator[Any, Any, Any]:  # noqa: ANN401  # the user's own
            return (yield from function(*args, **given(arguments)))
    else:

        @functools.wraps(function)
        def made(*args: Any, **arguments: Any) -> Any:  # noqa: ANN401  # likewise
            return function(*args, **given(arguments))

    signature = inspect.signature(function)
    kept = [each for each in signature.parameters.values() if each.name != "gpus" and each.kind is not each.VAR_KEYWORD]
    lease = inspect.Parameter(LEASE, inspect.Parameter.KEYWORD_ONLY)
    made.__signature__ = signature.replace(parameters=[*kept, lease])  # type: ignore[attr-defined]
    return made
