"""The controls as models: judges that never look at the clip (scoring/controls.py). They are no fixtures.

So a project may have fixtures of these names for other ends, as one called `random`.
"""

from __future__ import annotations

from collections.abc import Callable

from emoprefer_bench.cases import DIRECT
from emoprefer_bench.engines.declared import FunctionEngine, function
from emoprefer_bench.plugin.models import ModelInfo
from emoprefer_bench.scoring import controls


def longer() -> FunctionEngine:
    """The text with more words; the same number is a tie."""
    return function(controls.longer, name="longer", about="the number of words; no seed")


def always_a1() -> FunctionEngine:
    """The text that stands first."""
    return function(controls.first, name="always_a1", about="the slot; no seed")


def random() -> FunctionEngine:
    """One of the two by the digest of clip and texts: a coin that falls the same way in every run."""
    return function(controls.by_digest, name="random", about=controls.COIN)


ENGINES: dict[str, Callable[[], FunctionEngine]] = {
    control.__name__: control for control in (longer, always_a1, random)
}
MODELS = {name: ModelInfo(name, 0, None, (DIRECT,), declared=control) for name, control in ENGINES.items()}
