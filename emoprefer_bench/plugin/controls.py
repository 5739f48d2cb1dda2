"""Judges that never look at the clip. A score means something only beside theirs.

On the 563 rows of EmoPrefer with a preferred text, picking the longer one is right about 80% of the time, which beats
the best score published with that data set.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from emoprefer_bench.engines.declared import FunctionEngine, function
from emoprefer_bench.engines.gpus import Gpus
from emoprefer_bench.pairs import Label, Pair, Question
from emoprefer_bench.plugin.collection import model


@model(gpus=0, modality=None, prompts=())
def longer(gpus: Gpus) -> FunctionEngine:  # noqa: ARG001  # every model takes its lease
    """The text with more words; the same number is a tie."""
    return function(_longer, name="longer")


@model(gpus=0, modality=None, prompts=())
def always_a1(gpus: Gpus) -> FunctionEngine:  # noqa: ARG001
    """The text that stands first."""
    return function(_first, name="always_a1")


@model(gpus=0, modality=None, prompts=())
def random(gpus: Gpus) -> FunctionEngine:  # noqa: ARG001
    """One of the two by the digest of clip and texts: a coin that falls the same way in every run."""
    return function(_by_digest, name="random")


def answers(pairs: Iterable[Pair]) -> dict[str, list[Label]]:
    """What each control says of some pairs: the verdicts of its case, without running that."""
    engine = function(_by_digest, name="random")  # the only one that looks at more of a question than its texts
    said: dict[str, list[Label]] = {name: [] for name in CONTROLS}
    for pair in pairs:
        texts = (pair.a1, pair.a2)
        question = Question(engine.identity(), None, "text", engine.sampling, clip=pair.clip, texts=texts)
        for name, answer in CONTROLS.items():
            said[name].append(answer(question))
    return said


def _first(question: Question) -> Label:  # noqa: ARG001  # it looks at nothing
    return "a1"


def _longer(question: Question) -> Label:
    assert question.texts is not None
    words1, words2 = (len(text.split()) for text in question.texts)
    if words1 == words2:
        return "same"
    return "a1" if words1 > words2 else "a2"


def _by_digest(question: Question) -> Label:
    return "a1" if int(question.key[-1], 16) % 2 else "a2"


CONTROLS: dict[str, Callable[[Question], Label]] = {"longer": _longer, "always_a1": _first, "random": _by_digest}
