"""What the words of an answer say: which label it declares. It never guesses, and it reads what is plain to a reader.

An answer declares a label where it consists of it, opens with it, gives it where a verdict is named ("answer: a2",
"I prefer a2", JSON, a box), or ranks one over the other ("a2 > a1"). Failing that, it declares what it says is better,
and failing that, the one text that it speaks well of. Labels that stand side by side as alternatives are none, and
where two are declared, the answer is ambiguous.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from emoprefer_bench.pairs import LABELS, Label
from emoprefer_bench.reading import words
from emoprefer_bench.reading.comparisons import better, praised_alone
from emoprefer_bench.reading.plain import plain, sentences_of, tokens_of
from emoprefer_bench.reading.statements import Statements

_SHORT = 64  # letters; longer answers are rarely given twice


@dataclass(frozen=True, slots=True)
class Wording:
    """What an answer's words come to: the one label that it declares, if any, and whether it refuses to answer."""

    label: Label | None
    refuses: bool


def wording(text: str, *, cut: bool = False) -> Wording:
    """Read an answer's words. Of an answer that was `cut` off, only what is whole and plainly stated counts."""
    return _known(text, cut) if len(text) <= _SHORT else _read(text, cut)


@lru_cache(maxsize=1 << 12)
def _known(text: str, cut: bool) -> Wording:  # noqa: FBT001  # as `wording` has it
    """Most answers are a label, and there are few ways to write one."""
    return _read(text, cut)


def _read(text: str, cut: bool) -> Wording:  # noqa: FBT001  # as `wording` has it
    said = plain(text)
    tokens = tokens_of(said)
    labels = Statements.of(_whole(tokens), cut=True).labels if cut else _declared(tokens)
    label = next((label for label in LABELS if label in labels), None) if len(labels) == 1 else None
    return Wording(label, label is None and words.REFUSAL.search(said) is not None)


def _whole(tokens: list[str]) -> list[str]:
    """What of an answer that was cut off is whole: all before its last, unfinished sentence.

    Nothing where the rest may be one more label: a list of all labels begins with one, too.
    """
    last = next((place for place in range(len(tokens), 0, -1) if tokens[place - 1] not in words.ENDS), 0)
    end = next(
        (place for place in range(last, 0, -1) if tokens[place - 1] in words.ENDS and tokens[place - 1] != ";"), 0
    )
    rest = [token for token in tokens[end:] if token[0].isalnum() and token not in ("or", "and")]
    may_be_label = not rest or rest[0] in words.LABELS or (len(rest) == 1 and _begins_label(rest[0]))
    return [] if may_be_label else tokens[:end]


def _begins_label(token: str) -> bool:
    return any(label.startswith(token) for label in LABELS)


def _declared(tokens: list[str]) -> set[str]:
    statements = Statements.of(tokens)
    if statements.any:
        return statements.labels
    winners = {label for sentence, _ in sentences_of(tokens) for label in better(sentence)}
    return winners or praised_alone(tokens)
