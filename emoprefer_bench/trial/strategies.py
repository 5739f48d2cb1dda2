"""S1-S4, L1 and P1: how a pair becomes a verdict. Each is a few awaited questions, which the runner asks once.

Sources of the four: EmoPrefer (arXiv 2507.04278), section 4, where they are the prompts `normal`, `cot`, `cot2`,
`cot3`. By L1 and P1 a judge says nothing: what it could say is weighed. L1 is VisualGPTScore's (arXiv 2306.01879), with
its second term at full weight and the mean over tokens for the sum.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from emoprefer_bench.cases import DIRECT, LIKELIHOOD, PROBABILITY
from emoprefer_bench.errors import EmopreferError
from emoprefer_bench.pairs import LABELS, Answer, Pair
from emoprefer_bench.reading.thinking import spoken
from emoprefer_bench.verdicts import Reading, unweighed, weighed

UNUSABLE = ("error", "refused", "overlong")


class Ask(Protocol):
    """What a strategy is given: its ways to ask. Each question is named by its template in the prompt pack."""

    async def judge(self, template: str, pair: Pair, **values: str) -> Answer:
        """Ask the judge about the pair's clip; `values` fill the template."""

    async def describe(self, pair: Pair) -> Answer | None:
        """Ask for a description of the pair's clip: the judge, or whoever describes for it; None where nobody does."""

    async def weigh(
        self, template: str, pair: Pair, texts: Sequence[str], *, unseen: bool = False, **values: str
    ) -> Answer:
        """Ask the judge how likely each of some texts is as its answer about the pair's clip, or without it (`unseen`).

        Without the clip means without what is said in it, too.
        """

    async def llm(self, template: str, **values: str) -> Answer:
        """Ask the text LLM, which gets nothing but the text."""

    async def compare(self, pair: Pair) -> Answer:
        """Ask a judge that takes no prompt: it gets the clip and both texts."""


Strategy = Callable[[Ask, Pair], Awaitable[Answer | Reading]]


class UnusableAnswerError(EmopreferError):
    """A step on the way failed, so there is nothing to go on from; carries that step's answer."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.text)
        self.answer = answer


async def compare_directly(ask: Ask, pair: Pair) -> Answer:
    """A judge without a prompt: a control, or a heuristic."""
    return await ask.compare(pair)


async def judge_at_once(ask: Ask, pair: Pair) -> Answer:
    """S1: the clip and both descriptions; the answer at once."""
    return await ask.judge("judge", pair, a1=pair.a1, a2=pair.a2)


async def describe_then_judge(ask: Ask, pair: Pair) -> Answer:
    """S2: describe the clip, then judge with the clip and that description; S1 where there is none to be had."""
    described = await ask.describe(pair)
    if described is None:
        return await judge_at_once(ask, pair)
    description = usable(described)
    return await ask.judge("judge_described", pair, description=description, a1=pair.a1, a2=pair.a2)


async def describe_then_compare(ask: Ask, pair: Pair) -> Answer:
    """S3: describe the clip; a text LLM judges by the description alone, or by nothing where there is none."""
    described = await ask.describe(pair)
    if described is None:
        return await ask.llm("judge", a1=pair.a1, a2=pair.a2)
    description = usable(described)
    return await ask.llm("compare", description=description, a1=pair.a1, a2=pair.a2)


async def describe_reason_conclude(ask: Ask, pair: Pair) -> Answer:
    """S4: as S3, but the text LLM reasons first and then reads the verdict off its own reasoning."""
    description = usable(await ask.judge("describe", pair))
    reasoning = usable(await ask.llm("reason", description=description, a1=pair.a1, a2=pair.a2))
    return await ask.llm("conclude", reasoning=reasoning, a1=pair.a1, a2=pair.a2)


async def weigh_texts(ask: Ask, pair: Pair) -> Reading:
    """L1: how much likelier the clip makes each text. The greater score wins; `same` only where they are equal.

    score(d) = mean over the tokens of d of (log p(token | clip, `describe`) - log p(token | `describe` alone)). Without
    the second term, a text wins by what is likely whatever the clip. Each text is a question of its own, so that it is
    weighed once in however many pairs, orders and rows it stands.
    """
    scores = [await _likelihood(ask, pair, text) for text in (pair.a1, pair.a2)]
    first, second = scores
    if first is None or second is None:
        return unweighed()
    return weighed(first - second, (first, second))


async def _likelihood(ask: Ask, pair: Pair, text: str) -> float | None:
    """The score of one text; None where the judge could only bound its probability."""
    (seen,) = weights(await ask.weigh("describe", pair, (text,)))
    (unseen,) = weights(await ask.weigh("describe", pair, (text,), unseen=True))
    if seen is None or unseen is None:
        return None
    return math.fsum(seen) / len(seen) - math.fsum(unseen) / len(unseen)


async def weigh_words(ask: Ask, pair: Pair) -> Reading:
    """P1: S1's question, and how likely each of its three answers is; both orders, averaged.

    With l = log p(a1) - log p(a2) in this order and in the other, the margin is half their difference. Whatever adds to
    a slot or a word in both orders cancels, and a text has the same margin whichever slot it stands in. The verdict is
    on the two texts: how likely `same` is counts for the mass of the three words alone.
    """
    asked = [weights(await _words(ask, ordered)) for ordered in (pair, pair.swapped())]
    this, other = ([None if word is None else math.fsum(word) for word in words] for words in asked)
    if this[0] is None or this[1] is None or this[2] is None or other[0] is None or other[1] is None:
        return unweighed()
    return weighed(((this[0] - this[1]) - (other[0] - other[1])) / 2, (this[0], this[1], this[2]))


async def _words(ask: Ask, pair: Pair) -> Answer:
    return await ask.weigh("judge", pair, LABELS, a1=pair.a1, a2=pair.a2)


def weights(answer: Answer) -> Sequence[Sequence[float] | None]:
    """The log-probabilities of each text's tokens. Raises UnusableAnswerError where the question failed."""
    if answer.finish in UNUSABLE or answer.logprobs is None:
        raise UnusableAnswerError(answer)
    return answer.logprobs


def usable(answer: Answer) -> str:
    """What was said in a step on the way, without what the model thought before it.

    Raises UnusableAnswerError where nothing can be built on it: it failed, or ended within its thought.
    """
    said = None if answer.finish in UNUSABLE else spoken(answer.text)
    if said is None:
        raise UnusableAnswerError(answer)
    return said


STRATEGIES: dict[str, Strategy] = {
    "S1": judge_at_once,
    "S2": describe_then_judge,
    "S3": describe_then_compare,
    "S4": describe_reason_conclude,
    LIKELIHOOD: weigh_texts,
    PROBABILITY: weigh_words,
    DIRECT: compare_directly,
}
USES_LLM = frozenset({"S3", "S4"})
