from __future__ import annotations

import asyncio

import pytest

from emoprefer_bench.cases import DIRECT
from emoprefer_bench.pairs import Answer
from emoprefer_bench.trial.strategies import STRATEGIES, USES_LLM, UnusableAnswerError


class Asked:
    """Answers by template, and notes who was asked what."""

    def __init__(self, **answers):
        self.answers = answers
        self.noted = []

    async def judge(self, template, pair, **values):
        """As the judge."""
        return self._answer("judge", template, values)

    async def llm(self, template, **values):
        """As the text LLM."""
        return self._answer("llm", template, values)

    async def compare(self, pair):
        """As a judge without a prompt."""
        return self._answer("compare", "texts", {})

    def _answer(self, who, template, values):
        self.noted.append((who, template, values))
        answer = self.answers.get(template, "a1")
        return answer if isinstance(answer, Answer) else Answer(answer)


def go(name, pair, **answers):
    """The answer of a strategy, and what it asked."""
    asked = Asked(**answers)
    return asyncio.run(STRATEGIES[name](asked, pair)), asked.noted


def test_s1_asks_the_judge_once(pairs):
    """The clip and both texts."""
    answer, noted = go("S1", pairs[0], judge="a2")
    assert answer.text == "a2"
    assert noted == [("judge", "judge", {"a1": pairs[0].a1, "a2": pairs[0].a2})]


def test_s2_describes_and_judges_with_the_description(pairs):
    """Both questions go to the judge; the description names neither text."""
    _, noted = go("S2", pairs[0], describe="He smiles.")
    texts = {"a1": pairs[0].a1, "a2": pairs[0].a2}
    assert noted == [("judge", "describe", {}), ("judge", "judge_described", {"description": "He smiles.", **texts})]


def test_s3_gives_the_description_to_the_llm(pairs):
    """The judge only describes."""
    _, noted = go("S3", pairs[0], describe="He smiles.")
    texts = {"a1": pairs[0].a1, "a2": pairs[0].a2}
    assert noted == [("judge", "describe", {}), ("llm", "compare", {"description": "He smiles.", **texts})]


def test_s4_reasons_before_it_concludes(pairs):
    """The default wording concludes from the reasoning alone; another one may want the texts again."""
    answer, noted = go("S4", pairs[0], describe="He smiles.", reason="a2 says so too.", conclude="a2")
    assert [(who, template) for who, template, _ in noted] == [
        ("judge", "describe"),
        ("llm", "reason"),
        ("llm", "conclude"),
    ]
    assert noted[2][2] == {"reasoning": "a2 says so too.", "a1": pairs[0].a1, "a2": pairs[0].a2}
    assert answer.text == "a2"


def test_a_judge_without_a_prompt_is_asked_to_compare(pairs):
    """Controls and heuristics."""
    assert go(DIRECT, pairs[0])[1] == [("compare", "texts", {})]


@pytest.mark.parametrize("name", ["S2", "S3", "S4"])
@pytest.mark.parametrize("finish", ["error", "refused", "overlong"])
def test_nothing_is_built_on_a_failed_description(pairs, name, finish):
    """The step's own answer is what the verdict will say."""
    with pytest.raises(UnusableAnswerError) as raised:
        go(name, pairs[0], describe=Answer("why", finish))
    assert raised.value.answer == Answer("why", finish)


def test_a_description_cut_at_its_length_is_still_a_description(pairs):
    """The reference goes on with it, and so do we."""
    assert go("S2", pairs[0], describe=Answer("He smi", "length"))[0].text == "a1"


def test_all_that_use_the_llm_are_known_to(pairs):
    """Otherwise a lease would lack its GPU."""
    using = {name for name in STRATEGIES if any(who == "llm" for who, _, _ in go(name, pairs[0])[1])}
    assert using == USES_LLM
