"""Matching: from the text of an answer to a verdict on the pair.

Two readings stand side by side. The reference's reading always finds a label and is kept so that published scores can
be matched. The strict reading never guesses: an answer that doesn't say which text it prefers has no label, and a
provenance that says why.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Literal

from emoprefer_bench.pairs import EXCHANGED, LABELS, Answer, Label
from emoprefer_bench.reading.thinking import spoken
from emoprefer_bench.reading.wording import wording

if TYPE_CHECKING:
    from collections.abc import Sequence

Provenance = Literal["parsed", "ambiguous", "truncated", "refused", "empty", "error", "weighed"]


@dataclass(frozen=True, slots=True)
class Reading:
    """One answer, read twice: `label` strictly (None where it can't be told), `reference` by the reference's rule.

    A verdict that was weighed rests on a `margin` in nats, positive where the text that stands first has more weight,
    and that on `weights`: by L1 the scores of the two texts, by P1 the natural logarithms of the probabilities of a1,
    a2 and same as next words, in the order that was asked.
    """

    label: Label | None
    provenance: Provenance
    reference: Label
    margin: float | None = None
    weights: tuple[float, ...] = ()


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

    def turned(self) -> Verdicts:
        """The same with the orders in each other's place: what was said of the exchanged pair, in the pair's names."""
        named = (_turned(self.exchanged), _turned(self.forward))
        return Verdicts(*named, _turned(self.exchanged_reference), _turned(self.forward_reference))


def _turned(verdicts: Sequence[Label | None]) -> list[Label | None]:
    return [EXCHANGED[verdict] if verdict else None for verdict in verdicts]


def reference_label(text: str) -> Label:
    """Read an answer by the reference's exact rule (EmoPrefer code, `main-*.py`, matching of the answer).

    In lower case, a leading a1, a2 or same wins; else whichever of the three occurs first anywhere, inside words too;
    else same. So an empty answer is `same`, which the two-class score then counts as a1.
    """
    lowered = text.lower()
    positions = [(lowered.find(label), label) for label in LABELS if label in lowered]
    return min(positions)[1] if positions else "same"


def read(answer: Answer) -> Reading:
    """Read an answer both ways, without what the model thought before it spoke.

    The reference cuts the thought of the one thinking model that it knows, Qwen3, and reads what follows `</think>`. So
    here its reading, too, is of what was said: of a thought, it would take whichever label was weighed first. An answer
    that ended within its thought said nothing, which its rule reads as `same`.
    """
    said = spoken(answer.text)
    usable = answer.finish not in ("error", "refused", "overlong")
    reference = reference_label(said or "") if usable else "same"
    label, provenance = _strict(answer, said)
    return _shared(label, provenance, reference)


def weighed(margin: float, weights: tuple[float, ...]) -> Reading:
    """The verdict of a margin: the text with more weight, and `same` only where both have exactly as much."""
    label: Label = "same" if margin == 0 else "a1" if margin > 0 else "a2"
    return Reading(label, "weighed", label, margin, weights)


def unweighed() -> Reading:
    """No verdict: what a judge could only bound is no weight. By its last resort, the reference reads `same`."""
    return _shared(None, "ambiguous", "same")


@cache
def _shared(label: Label | None, provenance: Provenance, reference: Label) -> Reading:
    """There are few readings and many answers."""
    return Reading(label, provenance, reference)


def _strict(answer: Answer, said: str | None) -> tuple[Label | None, Provenance]:
    if answer.finish in ("error", "overlong"):
        return None, "error"
    if answer.finish == "refused":
        return None, "refused"
    cut = answer.finish == "length"
    if said is None or not said.strip():
        return None, "truncated" if cut or said is None else "empty"
    words = wording(said, cut=cut)
    if words.label:
        return words.label, "parsed"
    return None, "truncated" if cut else "refused" if words.refuses else "ambiguous"
