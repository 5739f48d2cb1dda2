"""Matching: from the text of an answer to a verdict on the pair.

Two readings stand side by side. The reference's reading always finds a label and is kept so that published scores can
be matched. The strict reading never guesses: an answer that doesn't say which text it prefers has no label, and a
provenance that says why.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Literal

from emoprefer_bench.pairs import LABELS, Answer, Label

if TYPE_CHECKING:
    from collections.abc import Sequence

Provenance = Literal["parsed", "ambiguous", "truncated", "refused", "empty", "error"]

_LABEL = r"(a1|a2|same)"
_WRAP = r"[\s\"'`*_(\[{<]*"
_ALONE = re.compile(rf"^{_WRAP}{_LABEL}[\s\"'`*_)\]}}>.,:;!]*$")
_LEADING = re.compile(rf"^{_WRAP}{_LABEL}[\"'`*_)\]}}>]*\s*(?:[.,:;!\n]|-\s|--|$)")
_STATED = re.compile(
    rf"\b(?:answer|verdict|choice|conclusion|preference|decision)\b[\"'`*_]*\s*(?:is|would be|:|=)+{_WRAP}{_LABEL}\b",
)
_BOXED = re.compile(rf"\\boxed\{{\s*(?:\\text\{{)?\s*{_LABEL}\b")
_MENTION = re.compile(r"\b(a1|a2|same)\b")
_DOUBT = re.compile(
    r"\b(not|neither|nor|never|worse|less|wrong|incorrect|rather|unlike|cannot|unable|un(?:clear|sure)|either|both)\b|n't\b",
)
_REFUSAL = re.compile(
    r"\b(i(?:'m| am) (?:sorry|unable|not able)|i (?:can(?:no|')t|won't|must decline|apologi[sz]e)|as an ai\b)",
)


@dataclass(frozen=True, slots=True)
class Reading:
    """One answer, read twice: `label` strictly (None where it can't be told), `reference` by the reference's rule."""

    label: Label | None
    provenance: Provenance
    reference: Label


@dataclass(slots=True)
class Round:
    """The verdicts of one round, in row order; None where there is none yet."""

    forward: list[Reading | None]
    exchanged: list[Reading | None]


@dataclass(frozen=True, slots=True)
class Verdicts:
    """The verdicts of one round, four sequences in row order.

    `forward` and `exchanged` are the strict readings (None: unread) of the answers about the pair and about the
    exchanged pair, raw: `a1` on the exchanged pair names the text that stands first there. `forward_reference` and
    `exchanged_reference` are the reference's readings of the same answers (None counts as `same`, its last resort).
    """

    forward: Sequence[Label | None]
    exchanged: Sequence[Label | None]
    forward_reference: Sequence[Label | None]
    exchanged_reference: Sequence[Label | None]

    def part(self, rows: slice) -> Verdicts:
        """The verdicts of some rows."""
        return Verdicts(
            self.forward[rows], self.exchanged[rows], self.forward_reference[rows], self.exchanged_reference[rows]
        )


def reference_label(text: str) -> Label:
    """Read an answer by the reference's exact rule (EmoPrefer code, `main-*.py`, matching of the answer).

    In lower case, a leading a1, a2 or same wins; else whichever of the three occurs first anywhere, inside words too;
    else same. So an empty answer is `same`, which the two-class score then counts as a1.
    """
    lowered = text.lower()
    found = [(lowered.find(label), label) for label in LABELS if label in lowered]
    return min(found)[1] if found else "same"


def read(answer: Answer) -> Reading:
    """Read an answer both ways."""
    usable = answer.finish not in ("error", "refused", "overlong")
    reference = reference_label(answer.text) if usable else "same"
    label, provenance = _strict(answer)
    return _shared(label, provenance, reference)


@cache
def _shared(label: Label | None, provenance: Provenance, reference: Label) -> Reading:
    """There are few readings and many answers."""
    return Reading(label, provenance, reference)


def _strict(answer: Answer) -> tuple[Label | None, Provenance]:
    if answer.finish in ("error", "overlong"):
        return None, "error"
    if answer.finish == "refused":
        return None, "refused"
    text = answer.text.strip().lower().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    if not text:
        return None, "truncated" if answer.finish == "length" else "empty"
    label = _declared(text) or _only_mention(text)
    if label and not (answer.finish == "length" and _LEADING.match(text) is None):
        return label, "parsed"
    if answer.finish == "length":
        return None, "truncated"
    return None, "refused" if _REFUSAL.search(text) and not label else "ambiguous"


def _declared(text: str) -> Label | None:
    """The label that the answer consists of, opens with, or states as its conclusion; None if it declares two."""
    alone = _ALONE.match(text)
    if alone:
        return _label(alone[1])
    stated = {_label(word) for word in _STATED.findall(text) + _BOXED.findall(text)}
    leading = _LEADING.match(text)
    if leading:
        stated.add(_label(leading[1]))
    return stated.pop() if len(stated) == 1 else None


def _only_mention(text: str) -> Label | None:
    """The one text that a sentence without any doubt speaks of. `same` is too common a word to count here."""
    mentioned = set(_MENTION.findall(text))
    if len(mentioned) != 1 or "same" in mentioned or _DOUBT.search(text):
        return None
    return _label(mentioned.pop())


def _label(word: str) -> Label:
    return next(label for label in LABELS if label == word)
