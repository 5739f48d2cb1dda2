"""Prompts that begin alike: what they share is read once, and changes no answer."""

from __future__ import annotations

import pytest
import torch

from emoprefer_bench.engines.children import beginnings, transformers

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # the libraries' own

SAID = ["The café opens at nine in the morning.", "I have not the faintest idea what you are talking about."]
FIRST = "What the person says: “{}” Two descriptions follow. Which one fits the person better?"


class TestShared:
    """How many tokens are read apart."""

    def test_what_all_begin_with(self):
        """Three prompts with twenty tokens in common, and then a few of their own."""
        assert beginnings.shared([[*range(20), 50, 51], [*range(20), 60], [*range(20), 70, 71, 72]]) == 20

    def test_what_clips_have_in_common_goes_for_what_each_has_more_of(self):
        """Two clips' prompts share five tokens, those about one share thirty: thirty are read for each clip."""
        of_clips = [[*range(5), *range(first, first + 25)] for first in (100, 200)]
        prompts = [[*of_clip, own] for of_clip in of_clips for own in (1, 2, 3, 4)]
        assert beginnings.shared(prompts) == 30

    def test_nothing_where_it_saves_little(self):
        """Prompts that hardly share anything, one alone, and none at all in common."""
        assert beginnings.shared([[1, 2, *range(10, 30)], [1, 2, *range(40, 60)]]) == 0
        assert beginnings.shared([[*range(30)]]) == 0
        assert beginnings.shared([[1, 5, 5, 5], [2, 5, 5, 5]]) == 0

    def test_something_is_left_of_each_prompt(self):
        """Of equal prompts, and of one that is another's beginning, a token at least is left to be read."""
        assert beginnings.shared([[*range(20)]] * 4) < 20
        assert beginnings.shared([[*range(20)], [*range(25)], [*range(24), 99]]) < 20


def test_padding_goes_behind_the_beginnings():
    """Rows keep their own tokens in their order, whatever they are padded by."""
    batch = {
        "input_ids": torch.tensor([[9, 9, 1, 2, 3], [1, 2, 4, 5, 6]]),
        "attention_mask": torch.tensor([[0, 0, 1, 1, 1], [1, 1, 1, 1, 1]]),
    }
    apart = beginnings.rearranged(batch, 2)
    assert apart["input_ids"].tolist() == [[1, 2, 9, 9, 3], [1, 2, 4, 5, 6]]
    assert apart["attention_mask"].tolist() == [[1, 1, 0, 0, 1], [1, 1, 1, 1, 1]]


@pytest.fixture(scope="module")
def loaded(checkpoint):
    """Load a text model, and one that counts positions otherwise, by name."""
    return {
        name: transformers.load({"model": str(checkpoint(name)), "revision": None, "options": {}})
        for name in ("text", "qwen25_vl", "gemma3n")
    }


def rows(backend, question, prompts, **sampling):
    """Encode questions about no clip."""
    asked = [question(prompt, None, "text") for prompt in prompts]
    asked = [{**ask, "sampling": {**ask["sampling"], **sampling}} for ask in asked]
    return [backend._encode(transformers.Ask(str(number), ask), None) for number, ask in enumerate(asked)]


PROMPTS = [
    f"{FIRST.format(said)} a1: {first} a2: {second}"
    for said in SAID
    for first, second in (
        ("She is sad.", "He laughs out loud, and means it."),
        ("He laughs.", "She is sad."),
        ("-", "-"),
    )
]


@pytest.mark.parametrize("sampling", [{}, {"repetition_penalty": 1.3}, {"temperature": 0.8}], ids=str)
def test_answers_are_those_of_prompts_read_alone(loaded, question, monkeypatch, sampling):
    """The same tokens, and the same logits to 1e-5, for rows of two clips that are padded by different amounts."""
    backend = loaded["text"]
    alone = [backend._generate([row]) for row in rows(backend, question, PROMPTS, **sampling)]
    read = []
    of_batch = beginnings.read
    monkeypatch.setattr(beginnings, "read", lambda model, ids: read.append(ids) or of_batch(model, ids))
    outputs, said = backend._generate(rows(backend, question, PROMPTS, **sampling))
    assert len(read) == 1
    assert len(read[0].unique(dim=0)) == len(SAID)
    assert outputs == [output for (output,), _ in alone]
    for number, (_, of_one) in enumerate(alone):
        assert torch.allclose(said.logits[number], of_one.logits[0], atol=1e-5)


def test_texts_behind_such_a_prompt_weigh_as_behind_one_read_alone(loaded, question):
    """What the cache holds of a row is the row's own, in its order."""
    backend = loaded["text"]
    encoded = rows(backend, question, PROMPTS)
    _, said = backend._generate(encoded)
    texts = [[5, 6, 7], [8, 9]]
    for number, row in enumerate(encoded):
        behind = transformers.weighing.read_for_answer(said, number)
        expected = transformers.weighing.weigh(backend._model, backend._read(row), texts, 2)
        for weighed, alone in zip(transformers.weighing.weigh(backend._model, behind, texts, 2), expected, strict=True):
            assert weighed == pytest.approx(alone, abs=1e-5)


@pytest.mark.parametrize("name", ["qwen25_vl", "gemma3n"])
def test_families_that_count_or_look_back_otherwise_read_prompts_whole(loaded, question, monkeypatch, name):
    """Positions that media shift, and layers that look back no farther than a window."""
    monkeypatch.delattr(beginnings, "read")
    backend = loaded[name]
    outputs, _ = backend._generate(rows(backend, question, PROMPTS))
    assert len(outputs) == len(PROMPTS)
