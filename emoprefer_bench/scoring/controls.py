"""What judges say that never look at the clip. A score means something only beside theirs.

On the 563 rows of EmoPrefer with a preferred text, picking the longer one is right about 80% of the time, which beats
the best score published with that data set.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from emoprefer_bench.pairs import EXCHANGED, Label, Pair, Question, Sampling, longer_text

if TYPE_CHECKING:
    from emoprefer_bench.verdicts import Verdicts

# The identity by which `random` throws its coins: that of its own case, so that both fall alike.
COIN = "the last bit of SHA-256 over clip and texts; no other seed"
IDENTITY = {"engine": "function", "name": "random"}


def answers(pairs: Iterable[Pair]) -> dict[str, list[Label]]:
    """What each control says of some pairs: the verdicts of its case, without running that."""
    # `random` is the only one that looks at more of a question than its texts
    said: dict[str, list[Label]] = {name: [] for name in CONTROLS}
    for pair in pairs:
        texts = (pair.a1, pair.a2)
        question = Question(IDENTITY, None, "text", Sampling(), clip=pair.clip, texts=texts)
        for name, answer in CONTROLS.items():
            said[name].append(answer(question))
    return said


def verdicts(pairs: Sequence[Pair]) -> dict[str, Verdicts]:
    """What each control says of some pairs in both orders, those included that are fitted to their labels.

    Empty where the texts are unknown, as in a replay without its data set.
    """
    from emoprefer_bench.scoring import shortcuts  # noqa: PLC0415  # numpy, for what has something to score
    from emoprefer_bench.verdicts import Verdicts as Said  # noqa: PLC0415  # likewise

    if not any(pair.a1 for pair in pairs):
        return {}
    forward, exchanged = answers(pairs), answers(pair.swapped() for pair in pairs)
    for name, said in shortcuts.answers(pairs).items():
        forward[name], exchanged[name] = said, [EXCHANGED[label] for label in said]
    return {name: Said(forward[name], exchanged[name], forward[name], exchanged[name]) for name in forward}


def first(question: Question) -> Label:  # noqa: ARG001  # it looks at nothing
    """Say that the text that stands first is better."""
    return "a1"


def longer(question: Question) -> Label:
    """Prefer the text with more words; the same number is a tie."""
    assert question.texts is not None
    return longer_text(*question.texts)


def by_digest(question: Question) -> Label:
    """Throw a coin that falls the same way in every run: the last bit of the question's key."""
    return "a1" if int(question.key[-1], 16) % 2 else "a2"


CONTROLS: dict[str, Callable[[Question], Label]] = {"longer": longer, "always_a1": first, "random": by_digest}
