"""S1-S4: how a pair becomes a verdict. Each is a few awaited questions; asking once and storing are the runner's.

Sources of the four: EmoPrefer (arXiv 2507.04278), section 4, where they are the prompts `normal`, `cot`, `cot2`,
`cot3`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from emoprefer_bench.cases import DIRECT
from emoprefer_bench.errors import EmopreferError
from emoprefer_bench.pairs import Answer, Pair
from emoprefer_bench.reading.thinking import spoken

UNUSABLE = ("error", "refused", "overlong")


class Ask(Protocol):
    """What a strategy is given: three ways to ask. Each question is named by its template in the prompt pack."""

    async def judge(self, template: str, pair: Pair, **values: str) -> Answer:
        """Ask the judge about the pair's clip; `values` fill the template."""

    async def llm(self, template: str, **values: str) -> Answer:
        """Ask the text LLM, which gets nothing but the text."""

    async def compare(self, pair: Pair) -> Answer:
        """Ask a judge that takes no prompt: it gets the clip and both texts."""


Strategy = Callable[[Ask, Pair], Awaitable[Answer]]


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
    """S2: describe the clip, then judge with the clip and that description."""
    description = usable(await ask.judge("describe", pair))
    return await ask.judge("judge_described", pair, description=description, a1=pair.a1, a2=pair.a2)


async def describe_then_compare(ask: Ask, pair: Pair) -> Answer:
    """S3: describe the clip; a text LLM judges by the description alone."""
    description = usable(await ask.judge("describe", pair))
    return await ask.llm("compare", description=description, a1=pair.a1, a2=pair.a2)


async def describe_reason_conclude(ask: Ask, pair: Pair) -> Answer:
    """S4: as S3, but the text LLM reasons first and then reads the verdict off its own reasoning."""
    description = usable(await ask.judge("describe", pair))
    reasoning = usable(await ask.llm("reason", description=description, a1=pair.a1, a2=pair.a2))
    return await ask.llm("conclude", reasoning=reasoning, a1=pair.a1, a2=pair.a2)


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
    DIRECT: compare_directly,
}
USES_LLM = frozenset({"S3", "S4"})
