from __future__ import annotations

import asyncio

import pytest

from emoprefer_bench.cases import DIRECT
from emoprefer_bench.pairs import LABELS, Answer
from emoprefer_bench.trial.strategies import STRATEGIES, USES_LLM, UnusableAnswerError
from emoprefer_bench.verdicts import Reading


class Asked:
    """Answers by template, and notes who was asked what."""

    def __init__(self, **answers):
        self.answers = answers
        self.noted = []

    async def judge(self, template, pair, **values):
        """As the judge."""
        return self._answer("judge", template, values)

    async def describe(self, pair):
        """As whoever describes: the judge, or nobody."""
        return None if "nobody" in self.answers else self._answer("judge", "describe", {})

    async def weigh(self, template, pair, texts, *, unseen=False, **values):
        """As a judge that weighs: what each text weighs, a number for each of its tokens."""
        self.noted.append(("weigh", template, {"texts": tuple(texts), "unseen": unseen, **values}))
        known = self.answers.get(template, lambda *_: (-1.0,))
        return (
            known
            if isinstance(known, Answer)
            else Answer("", logprobs=tuple(known(text, unseen, values) for text in texts))
        )

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


@pytest.mark.parametrize(("name", "who"), [("S2", "judge"), ("S3", "llm")])
def test_where_nobody_describes_the_texts_are_compared_at_once(pairs, name, who):
    """S2 is S1 then; of S3 a text LLM is left that sees nothing but the texts."""
    answer, noted = go(name, pairs[0], nobody=True, judge="a2")
    assert answer.text == "a2"
    assert noted == [(who, "judge", {"a1": pairs[0].a1, "a2": pairs[0].a2})]


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


def test_l1_weighs_each_text_alone_with_and_without_the_clip(pairs):
    """The mean over tokens of what the clip adds; how many tokens a text has counts for nothing."""
    pair = pairs[0]
    weight = {
        (pair.a1, False): (-1.0, -3.0),
        (pair.a1, True): (-2.0, -4.0),
        (pair.a2, False): (-1.0,) * 3,
        (pair.a2, True): (-1.5,) * 3,
    }
    reading, noted = go("L1", pair, describe=lambda text, unseen, _: weight[text, unseen])
    assert reading == Reading("a1", "weighed", "a1", 0.5, (1.0, 0.5))
    assert [(who, template, values["texts"], values["unseen"]) for who, template, values in noted] == [
        ("weigh", "describe", (text,), unseen) for text in (pair.a1, pair.a2) for unseen in (False, True)
    ]


def test_l1_is_the_same_negated_on_the_exchanged_pair(pairs):
    """To the bit, so that its verdicts swap with the texts."""
    by_length = lambda text, unseen, _: (-len(text) / 7, -0.1 if unseen else -0.3)  # noqa: E731
    forward, exchanged = (go("L1", pair, describe=by_length)[0] for pair in (pairs[0], pairs[0].swapped()))
    assert forward.margin == -exchanged.margin
    assert forward.weights == exchanged.weights[::-1]


def test_a_clip_that_adds_nothing_is_a_tie(pairs):
    """Exactly 0, and no other margin is: `same`."""
    assert go("L1", pairs[0], describe=lambda text, unseen, _: (-1.1, -0.7))[0].label == "same"
    almost = go(
        "L1", pairs[0], describe=lambda text, unseen, _: (-1.1, -0.7 + 1e-15 * (text == pairs[0].a1 and not unseen))
    )
    assert almost[0].label == "a1"


def slotted(pair, *, better, bias):
    """The words of a judge that prefers a text by `better` nats, and the first slot by `bias`."""

    def words(text, unseen, values):
        first = (better if values["a1"] == pair.a1 else -better) / 2 + bias / 2
        return {"a1": (-2.0, first - 1), "a2": (-2.0, -first - 1), "same": (-5.0,)}[text]

    return words


def test_p1_asks_both_orders_and_takes_the_slot_out(pairs):
    """A bias of two nats for the first slot moves no margin; it stays in the weights of each order."""
    pair = pairs[0]
    for ordered, margin in ((pair, 0.3), (pair.swapped(), -0.3)):
        reading, noted = go("P1", ordered, judge=slotted(pair, better=0.3, bias=2.0))
        assert reading.margin == pytest.approx(margin)
        assert reading.label == ("a1" if margin > 0 else "a2")
        assert reading.weights[0] - reading.weights[1] == pytest.approx(margin + 2)
        texts = {"texts": LABELS, "unseen": False}
        assert noted == [
            ("weigh", "judge", {**texts, "a1": each.a1, "a2": each.a2}) for each in (ordered, ordered.swapped())
        ]


def test_p1_is_the_same_negated_on_the_exchanged_pair(pairs):
    """To the bit."""
    words = slotted(pairs[0], better=0.1, bias=1 / 3)
    forward, exchanged = (go("P1", pair, judge=words)[0] for pair in (pairs[0], pairs[0].swapped()))
    assert forward.margin == -exchanged.margin


@pytest.mark.parametrize("name", ["L1", "P1"])
def test_what_was_only_bounded_is_no_verdict(pairs, name):
    """A server that doesn't list a word says that it is rare, and not how rare."""
    bounded = lambda text, unseen, _: None if text in ("a1", pairs[0].a1) else (-1.0,)  # noqa: E731
    reading, _ = go(name, pairs[0], describe=bounded, judge=bounded)
    assert (reading.label, reading.provenance, reading.margin) == (None, "ambiguous", None)


@pytest.mark.parametrize("name", ["L1", "P1"])
def test_a_weighing_question_that_failed_ends_the_strategy(pairs, name):
    """Its answer is the verdict's, as with a step of S2-S4."""
    failed = Answer("out of memory", "error")
    with pytest.raises(UnusableAnswerError) as ended:
        go(name, pairs[0], describe=failed, judge=failed)
    assert ended.value.answer is failed
