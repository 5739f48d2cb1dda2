"""A pytest plugin and benchmark suite that measures how well multimodal LLMs judge human emotion preferences.

Every name that a conftest.py, a benchmark, a worker or a notebook needs is here, and loads what it needs when it is
first used: `model` declares a judge; `vllm`, `transformers`, `external`, `served`, `gpt`, `gemini`, `listener` and
`function` make the engine that its fixture returns; `load` reads a report as data frames.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from emoprefer_bench.cases import Case
    from emoprefer_bench.document.frames import Report, load
    from emoprefer_bench.engines.declared import (
        external,
        function,
        gemini,
        gpt,
        listener,
        packaged,
        served,
        transformers,
        vllm,
    )
    from emoprefer_bench.engines.engine import ChildEngine, Engine
    from emoprefer_bench.engines.functions import FunctionEngine
    from emoprefer_bench.engines.gpus import Gpus
    from emoprefer_bench.engines.served import ServedEngine
    from emoprefer_bench.errors import EmopreferError
    from emoprefer_bench.media.plan import MediaPlan
    from emoprefer_bench.pairs import Answer, Clip, Label, Pair, Question, Sampling
    from emoprefer_bench.plugin.bound import BoundCase
    from emoprefer_bench.plugin.models import model

    __version__: str

__all__ = [
    "Answer",
    "BoundCase",
    "Case",
    "ChildEngine",
    "Clip",
    "EmopreferError",
    "Engine",
    "FunctionEngine",
    "Gpus",
    "Label",
    "MediaPlan",
    "Pair",
    "Question",
    "Report",
    "Sampling",
    "ServedEngine",
    "__version__",
    "external",
    "function",
    "gemini",
    "gpt",
    "listener",
    "load",
    "model",
    "packaged",
    "served",
    "transformers",
    "vllm",
]

_ROOMS = {
    "cases": ("Case",),
    "document.frames": ("Report", "load"),
    "engines.declared": (
        *("external", "function", "gemini", "gpt", "listener"),
        *("packaged", "served", "transformers", "vllm"),
    ),
    "engines.engine": ("ChildEngine", "Engine"),
    "engines.functions": ("FunctionEngine",),
    "engines.gpus": ("Gpus",),
    "engines.served": ("ServedEngine",),
    "errors": ("EmopreferError",),
    "media.plan": ("MediaPlan",),
    "pairs": ("Answer", "Clip", "Label", "Pair", "Question", "Sampling"),
    "plugin.bound": ("BoundCase",),
    "plugin.models": ("model",),
}
_ROOM_OF = {name: room for room, names in _ROOMS.items() for name in names}


def __getattr__(name: str) -> object:
    """Load a public name when it is first used (PEP 562)."""
    if name == "__version__":
        from importlib.metadata import version  # noqa: PLC0415  # few ask

        value: object = version("emoprefer-bench")
    elif name in _ROOM_OF:
        value = getattr(import_module(f"{__name__}.{_ROOM_OF[name]}"), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """What is public, whether it was used or not."""
    return sorted({*globals(), *__all__})
