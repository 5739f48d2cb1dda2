"""What a text weighs behind a prompt whose cache is used, held to what it weighs without one, in every family."""

from __future__ import annotations

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


def weigh(backend, *questions):
    """Have a backend weigh the texts of questions about one prompt; returns the answers as they are sent."""
    sent = []

    class Reply:
        def answer(self, ask_id, **fields):
            sent.append(fields)

    rows = [backend._encode(transformers.Ask(str(n), question), Reply()) for n, question in enumerate(questions)]
    backend._weigh(rows, Reply())
    return sent


@pytest.mark.parametrize(("name", "modality"), CASES)
def test_texts_weigh_the_same_as_without_the_cache(backend, question, name, modality):
    """To 1e-5 in 32-bit floats, for texts of other lengths in one batch, and right after another clip."""
    backend = backend(name)
    if modality != "text":
        weigh(backend, {**question(WORDS, "red-high" if modality == "audio" else "blue-low", modality), "score": TEXTS})
    asked = {**question(WORDS, "slow" if modality != "text" else None, modality), "score": TEXTS}
    (answer,) = weigh(backend, asked)
    expected = [in_full(backend, asked, text) for text in backend._encoder.texts(asked)]
    for weighed, full in zip(answer["logprobs"], expected, strict=True):
        assert weighed == pytest.approx(full, abs=1e-5)
