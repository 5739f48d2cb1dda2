"""What a text weighs behind a prompt whose cache is used, held to what it weighs without one, in every family."""

from __future__ import annotations

import weakref
from concurrent.futures import Future

import pytest
import torch

from emoprefer_bench.engines.children import transformers

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # the libraries' own

WORDS = "Describe how the person feels."
TEXTS = ["She is sad, and it isn't meant.", "He smiles.", "a1"]
SMALL = {"min_pixels": 3136, "max_pixels": 12544}
FAMILIES = {
    "omni": ["audiovideo", "audio", "video", "text"],
    "qwen3_omni": ["audiovideo", "audio", "text"],
    "qwen25_vl": ["video", "text"],
    "qwen3_vl": ["video", "text"],
    "qwen2_audio": ["audio", "text"],
    "gemma3n": ["audiovideo", "text"],
    "gemma4": ["audiovideo", "text"],
    "llava_next_video": ["video", "text"],
    "video_llava": ["video", "text"],
    "internvl": ["video", "text"],
    "text": ["text"],
}
# A padded row's positions are shifted by its media; or layers look back no farther than a window.
REREAD = {  # so many of two
    **dict.fromkeys(("omni", "qwen3_omni", "qwen25_vl", "qwen3_vl"), 1),
    **dict.fromkeys(("gemma3n", "gemma4"), 2),
}
CASES = [(name, modality) for name, modalities in FAMILIES.items() for modality in modalities]


@pytest.fixture(scope="module")
def backend(checkpoint):
    """Load a checkpoint in this process, once as long as the tests are about it."""
    loaded = {}

    def load(name):
        if name not in loaded:
            loaded.clear()
            options = SMALL if name in ("omni", "qwen3_omni", "qwen25_vl") else {}
            loaded[name] = transformers.load({"model": str(checkpoint(name)), "revision": None, "options": options})
        return loaded[name]

    return load


@pytest.fixture(scope="module", params=CASES, ids="-".join)
def case(request):
    """A family's name and a modality: all tests of one come together, since loading takes longest."""
    return request.param


def longer(tensors, ids):
    """Return the tensors of a prompt with tokens of text behind it: whatever goes by token grows."""
    grown = {}
    for name, tensor in tensors.items():
        filler = (
            torch.tensor([ids]) if name == "input_ids" else torch.full((1, len(ids)), int(name == "attention_mask"))
        )
        by_token = tensor.shape == tensors["input_ids"].shape
        grown[name] = torch.cat([tensor, filler.to(tensor.dtype)], 1) if by_token else tensor
    return grown


def in_full(backend, question, text):
    """Return the log-probabilities of a text's tokens, the whole prompt read anew for each of them."""
    _, tensors, _ = backend._encoder.encode(question)
    logprobs = []
    for number, token in enumerate(text):
        output = backend._model.generate(
            **longer(tensors, text[:number]),
            **backend._encoder.generation_arguments(question),
            max_new_tokens=1,
            return_dict_in_generate=True,
            output_logits=True,
            use_cache=False,
        )
        logprobs.append(output.logits[0][0].double().log_softmax(-1)[token].item())
    return logprobs


class Replies(dict):
    """What a backend sends, by the ids of the questions."""

    def answer(self, ask_id, *text, **fields):
        """Keep an answer."""
        assert ask_id not in self
        self[ask_id] = fields


def weigh(backend, *questions):
    """Have a backend weigh the texts of questions about one prompt; returns the answers as they are sent."""
    replies = Replies()
    rows = [backend._encode(transformers.Ask(str(n), question), replies) for n, question in enumerate(questions)]
    backend._weigh(rows, replies)
    return list(replies.values())


def test_texts_weigh_the_same_as_without_the_cache(backend, question, case):
    """To 1e-5 in 32-bit floats, for texts of other lengths in one batch, and right after another clip."""
    name, modality = case
    backend = backend(name)
    if modality != "text":
        weigh(backend, {**question(WORDS, "red-high" if modality == "audio" else "blue-low", modality), "score": TEXTS})
    asked = {**question(WORDS, "slow" if modality != "text" else None, modality), "score": TEXTS}
    (answer,) = weigh(backend, asked)
    expected = [in_full(backend, asked, text) for text in backend._encoder.texts(asked)]
    for weighed, full in zip(answer["logprobs"], expected, strict=True):
        assert weighed == pytest.approx(full, abs=1e-5)


def test_a_prompt_that_was_answered_is_not_read_again_for_its_texts(backend, question, monkeypatch, case):
    """Behind a batch of answers, whatever its rows are padded by, texts weigh what they weigh alone."""
    name, modality = case
    backend = backend(name)
    clip = "slow" if modality != "text" else None
    prompts = [question(words, clip, modality) for words in (WORDS, f"{WORDS} Take the voice for what it is.")]
    alone = [weigh(backend, {**prompt, "score": TEXTS})[0]["logprobs"] for prompt in prompts]
    backend._prompts.clear()
    read = []
    monkeypatch.setattr(backend, "_read", lambda row: read.append(row.ask.id) or type(backend)._read(backend, row))
    replies = Replies()
    rows = [backend._encode(transformers.Ask(f"{n}", prompt), replies) for n, prompt in enumerate(prompts)]
    for number, prompt in enumerate(prompts):
        ask = transformers.Ask(f"weighed {number}", {**prompt, "score": TEXTS})
        backend._encoded[ask.id] = Future()
        backend._encoded[ask.id].set_result(backend._encode(ask, replies))
        backend._passed_on.put(ask)
    backend._answer(rows, replies)
    assert not backend._waiting
    for number, expected in enumerate(alone):
        for weighed, of_text in zip(replies[f"weighed {number}"]["logprobs"], expected, strict=True):
            assert weighed == pytest.approx(of_text, abs=1e-5)
    assert read == [f"weighed {number}" for number in range(REREAD.get(name, 0))]


def test_where_answers_leave_no_room_for_texts_they_are_forgotten_first(backend, question, monkeypatch):
    """The prompts are read anew then, and no batch becomes smaller for it."""
    backend = backend("text")
    prompt = question(WORDS)
    (expected,) = weigh(backend, {**prompt, "score": TEXTS})
    backend._prompts.clear()
    tried, filled = [], []

    def exceed(said, row):
        tried.append(row)
        filling = torch.zeros(1)
        filled.append(weakref.ref(filling))
        raise torch.OutOfMemoryError("CUDA out of memory")

    def read(row):
        assert filled[0]() is None
        return type(backend)._read(backend, row)

    monkeypatch.setattr(transformers.weighing, "read_for_answer", exceed)
    monkeypatch.setattr(backend, "_read", read)
    replies = Replies()
    (answered, weighed) = (
        backend._encode(transformers.Ask(name, asked), replies)
        for name, asked in (("answered", prompt), ("weighed", {**prompt, "score": TEXTS}))
    )
    backend._encoded["weighed"] = Future()
    backend._encoded["weighed"].set_result(weighed)
    backend._passed_on.put(weighed.ask)
    size = backend._batch_size
    backend._answer([answered], replies)
    assert tried == [0]
    assert backend._batch_size == size
    for told, of_text in zip(replies["weighed"]["logprobs"], expected["logprobs"], strict=True):
        assert told == pytest.approx(of_text, abs=1e-5)
