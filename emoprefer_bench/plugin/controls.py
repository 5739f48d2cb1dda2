"""The controls as models: judges that never look at the clip (scoring/controls.py)."""

from __future__ import annotations

from emoprefer_bench.engines.declared import FunctionEngine, function
from emoprefer_bench.engines.gpus import Gpus
from emoprefer_bench.plugin.models import model
from emoprefer_bench.scoring import controls


@model(gpus=0, modality=None, prompts=())
def longer(gpus: Gpus) -> FunctionEngine:  # noqa: ARG001  # every model takes its lease
    """The text with more words; the same number is a tie."""
    return function(controls.longer, name="longer", about="the number of words; no seed")


@model(gpus=0, modality=None, prompts=())
def always_a1(gpus: Gpus) -> FunctionEngine:  # noqa: ARG001
    """The text that stands first."""
    return function(controls.first, name="always_a1", about="the slot; no seed")


@model(gpus=0, modality=None, prompts=())
def random(gpus: Gpus) -> FunctionEngine:  # noqa: ARG001
    """One of the two by the digest of clip and texts: a coin that falls the same way in every run."""
    return function(controls.by_digest, name="random", about=controls.COIN)
