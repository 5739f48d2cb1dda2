"""Rows whose answers have ended leave their batch, and no answer changes for it."""

from __future__ import annotations

import copy

import pytest
import torch

from emoprefer_bench.engines.children import transformers
from emoprefer_bench.engines.children.answering import HalfEnded, Stops

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # the libraries' own

LONG = 24
PROMPTS = ["One.", "Another prompt, and a longer one.", "What is it?", "Say a word, please.", "Now.", "Here and now."]


def test_an_answer_goes_up_to_and_with_the_first_stop():
    """Whatever was padded behind it, and to its end where nothing stopped it."""
    stops = Stops(frozenset({7, 9}), 5)
    assert stops.cut([1, 9, 7, 0, 0]) == [1, 9]
    assert stops.cut([1, 2, 3, 4, 5]) == [1, 2, 3, 4, 5]


def test_a_batch_stops_for_all_when_half_have_ended():
    """A stop in the prompt is none of the answer's."""
    half = HalfEnded(frozenset({9}), 2)
    assert half(torch.tensor([[9, 9, 1], [9, 9, 1], [9, 9, 9]])).tolist() == [False] * 3
    assert half(torch.tensor([[1, 1, 9, 0], [1, 1, 2, 3]])).tolist() == [True] * 2


@pytest.fixture(scope="module")
def backend(checkpoint):
    """Load a text model, and let answers end by some token of what it says by itself."""
    return transformers.load({"model": str(checkpoint("text")), "revision": None, "options": {}})


def rows(backend, question, prompts, **sampling):
    """Encode questions about no clip, each with a seed of its own."""
    asked = [question(prompt, None, "text") for prompt in prompts]
    asked = [
        {**ask, "sampling": {**ask["sampling"], "max_tokens": LONG, **sampling, "seed": seed}}
        for seed, ask in enumerate(asked)
    ]
    return [backend._encode(transformers.Ask(str(number), ask), None) for number, ask in enumerate(asked)]


@pytest.mark.parametrize(
    "sampling", [{}, {"repetition_penalty": 1.4}, {"temperature": 1.0}, {"presence_penalty": 1.0}], ids=str
)
def test_answers_are_those_of_prompts_asked_alone(backend, question, monkeypatch, sampling):
    """Greedy, with penalties, and drawn: each row keeps its mask, its generator and its cache."""

    def alone():
        return [backend._generate([row])[0][0] for row in rows(backend, question, PROMPTS, **sampling)]

    monkeypatch.setattr(backend, "_stop_ids", frozenset())
    monkeypatch.setattr(backend._model.generation_config, "eos_token_id", None)
    unstopped = alone()
    assert {len(answer) for answer in unstopped} == {LONG}
    stops = [unstopped[0][2], unstopped[1][5], unstopped[3][9], unstopped[4][3]]
    monkeypatch.setattr(backend, "_stop_ids", frozenset(stops))
    monkeypatch.setattr(backend._model.generation_config, "eos_token_id", stops)
    expected = alone()
    assert len({len(answer) for answer in expected}) > 1
    batches = []
    generate = backend._model.generate
    monkeypatch.setattr(
        backend._model, "generate", lambda **given: batches.append(len(given["input_ids"])) or generate(**given)
    )
    outputs, said = backend._generate(rows(backend, question, PROMPTS, **sampling))
    assert outputs == expected
    assert batches[0] == len(PROMPTS)
    assert batches == sorted(batches, reverse=True)
    assert len(batches) > 1
    assert batches[1] <= len(PROMPTS) // 2
    assert {len(layer.keys) for layer in said.cache.layers} == {len(PROMPTS)}


def test_a_model_that_names_no_end_answers_to_the_limit(backend, question, monkeypatch):
    """Nothing ends its answers, and nothing breaks for it."""
    monkeypatch.setattr(backend._model, "generation_config", transformers.transformers.GenerationConfig())
    tokenizer = copy.deepcopy(backend._tokenizer)
    tokenizer.eos_token = None
    monkeypatch.setattr(backend, "_stop_ids", transformers._forget_sampling(backend._model, tokenizer))
    outputs, _ = backend._generate(rows(backend, question, PROMPTS))
    assert {len(answer) for answer in outputs} == {LONG}
