"""What a card allows: the seconds that a clip's questions need where nothing but arithmetic and memory takes time.

docs/performance.md derives the numbers; nothing here was measured.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Card:
    """A GPU by its data sheet: bfloat16 operations a second (dense), and bytes a second from its memory."""

    operations: float
    bandwidth: float


H100 = Card(989e12, 3.35e12)
CARDS = {"H100 80GB HBM3": H100, "H200": Card(989e12, 4.8e12), "A100-SXM4-80GB": Card(312e12, 2.039e12)}
"""By what stands in the name that the driver tells; the SXM versions, by NVIDIA's data sheets."""


@dataclass(frozen=True)
class Model:
    """Weights that each token goes through, those that only a written one does (the head), and the picture's tower's.

    `layers` and `width` are those of the language model, `keys` the numbers that a layer keeps of a token; `merged`
    patches of the picture become a token.
    """

    text: float
    head: float
    vision: float
    layers: int
    width: int
    keys: int
    merged: int = 4


# A layer: 29.4 M weights of attention and 3 x 3584 x 18944; the head: 152,064 x 3584; two times 4 heads of 128 kept.
OMNI_7B = Model(text=6.53e9, head=0.545e9, vision=0.63e9, layers=28, width=3584, keys=2 * 4 * 128)


@dataclass(frozen=True)
class Load:
    """What is asked about a clip: tokens of the clip, of each judging question, and of the description."""

    clip: int = 4000
    picture: int = 3700
    questions: int = 4
    question: int = 350
    description: int = 150
    batch: int = 64


@dataclass(frozen=True)
class Needs:
    """Seconds a clip, by part."""

    prefill: float
    judging: float
    describing: float

    @property
    def clips(self) -> float:
        """Clips a second."""
        return 1 / (self.prefill + self.judging + self.describing)


def needs(card: Card, model: Model, load: Load) -> Needs:
    """Return the seconds that a clip needs at least.

    Reading is bound by arithmetic: two operations a weight and token, and four a layer, width and pair of tokens that
    see each other. Writing is bound by memory: each step reads all weights, once for the whole batch, and the two bytes
    of every number that is kept of each row.
    """
    pairwise = 4 * model.layers * model.width
    seen = 2 * model.vision * load.picture * model.merged
    prefill = 2 * model.text * load.clip + pairwise * load.clip**2 / 2 + seen
    judging = load.questions * load.question * (2 * model.text + pairwise * load.clip)
    kept = 2 * model.layers * model.keys * load.clip * load.batch
    step = (2 * (model.text + model.head) + kept) / card.bandwidth
    return Needs(prefill / card.operations, judging / card.operations, load.description * step / load.batch)


def card_named(name: str) -> Card | None:
    """Return the data of a card, None for one that stands in no table here."""
    return next((card for part, card in CARDS.items() if part in name), None)
