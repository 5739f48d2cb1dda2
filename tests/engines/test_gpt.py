"""OpenAI's own models: what they are sent is what OpenAI's package declares, what they answer what it documents."""

from __future__ import annotations

import base64
import io
import wave

import av
import numpy as np
import pytest
from support.asking import WORDS, Sessions, asked, served_clip
from support.recorded import as_openai, check_completion, check_openai_request, completion
from support.servers import Server, reply

import emoprefer_bench
from emoprefer_bench.pairs import Sampling

SAMPLED = Sampling(max_tokens=99, temperature=0.5, top_p=0.9, presence_penalty=0.5)


@pytest.fixture(scope="module")
def openai():
    """A server that answers as the model that it is asked for."""
    server = Server(answer=as_openai)
    yield server
    server.close()


@pytest.fixture(scope="module")
def ask(tmp_path_factory):
    """Ask an engine questions, all at once; it stays open for the tests that follow."""
    with pytest.MonkeyPatch.context() as patch, Sessions(tmp_path_factory.mktemp("logs")) as sessions:
        patch.setenv("OPENAI_API_KEY", "sk-none")
        yield sessions.ask


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """A clip of three seconds with picture and sound."""
    return served_clip(tmp_path_factory.mktemp("clip"))


@pytest.fixture
def gpt(openai):
    """The model, behind the server as new."""
    openai.forget()
    return emoprefer_bench.gpt("gpt-4o-2024-08-06", base_url=f"{openai.url}/v1")


def test_pictures(ask, openai, gpt, clip):
    """Three frames go as JPEG images before the text, no sound, and every setting that OpenAI knows."""
    (answer,) = ask(gpt, asked("video", sampling=SAMPLED), clip=clip)
    (body,) = openai.bodies()
    check_openai_request(body)
    seed, messages = body.pop("seed"), body.pop("messages")
    assert body == {
        "model": "gpt-4o-2024-08-06", "temperature": 0.5, "top_p": 0.9, "presence_penalty": 0.5,
        "max_completion_tokens": 99,
    }  # fmt: skip
    assert 0 <= seed < 2**31
    *images, text = messages[0]["content"]
    assert text == {"type": "text", "text": WORDS}
    assert [part["type"] for part in images] == ["image_url"] * 3
    second = _decoded(images[1]["image_url"]["url"], "image/jpeg")
    assert second.shape == (96, 128, 3)
    assert np.abs(second[:, 10].astype(int) - (255, 0, 0)).max() < 12
    assert np.abs(second[:, 120].astype(int)).max() < 12
    assert answer.tokens == {"audio": 31, "video": 3, "prompt": 1117, "cached": 64, "output": 46}


def test_pictures_behind_the_text(ask, openai, clip):
    """As the paper's code sends them: the same parts, the text first."""
    openai.forget()
    paper = emoprefer_bench.gpt("gpt-4o-2024-08-06", base_url=f"{openai.url}/v1", text_first=True, spread="seconds")
    (answer,) = ask(paper, asked("video"), clip=clip)
    (body,) = openai.bodies()
    check_openai_request(body)
    parts = body["messages"][-1]["content"]
    assert [part["type"] for part in parts] == ["text", "image_url", "image_url", "image_url"]
    assert parts[0]["text"] == WORDS
    assert answer.tokens["video"] > 0
    assert paper.identity()["decoding"]["spread"] == "seconds"


def test_sound(ask, openai, gpt, clip):
    """The sound goes as a WAV file, and the server's count of its tokens is kept."""
    engine = emoprefer_bench.gpt("gpt-audio-2025-08-28", base_url=f"{openai.url}/v1", extra={"modalities": ["text"]})
    (answer,) = ask(engine, asked("audio"), clip=clip)
    (body,) = openai.bodies()
    check_openai_request(body)
    sound, _ = body["messages"][0]["content"]
    assert body["modalities"] == ["text"]
    assert sound["input_audio"]["format"] == "wav"
    with wave.open(io.BytesIO(base64.b64decode(sound["input_audio"]["data"]))) as file:
        assert (file.getframerate(), file.getnchannels(), file.getnframes()) == (16000, 1, 48000)
    assert answer.tokens["audio"] == 31


def test_another_model_is_no_answer(ask, openai, gpt):
    """What a name leads to once its model is retired is an error that names both, asked once."""
    openai.faults = [reply(completion(model="gpt-6-luna"))]
    (answer,) = ask(gpt, asked())
    assert answer.finish == "error"
    assert "gpt-4o-2024-08-06 was asked, but gpt-6-luna answered" in answer.text
    assert len(openai.requests) == 1


def test_settings_that_it_lacks_are_refused():
    """A fixture that asks for them fails where it is written, for no server would say so."""
    with pytest.raises(ValueError, match="takes no top_k"):
        emoprefer_bench.gpt("gpt-4o", top_k=20)


@pytest.mark.parametrize(
    "change",
    [
        {"top_k": 20},
        {"modalities": ["smell"]},
        {"messages": [{"role": "user", "content": [{"type": "video_url", "video_url": {"url": "data:"}}]}]},
    ],
    ids=["setting", "value", "part"],
)
def test_what_openai_does_not_declare_is_seen(change):
    """The check of requests tells a setting, a value and a part that OpenAI's package lacks."""
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": WORDS}]}
    check_openai_request(body)
    with pytest.raises((ValueError, AssertionError)):
        check_openai_request({**body, **change})


def test_answers_are_as_documented():
    """The answers of these tests have no field that OpenAI's package lacks."""
    check_completion(completion())
    check_completion(completion(None, refusal="I can't help with that."))
    check_completion(completion("", "content_filter"))


def _decoded(url: str, kind: str) -> np.ndarray:
    head, _, content = url.partition(",")
    assert head == f"data:{kind};base64"
    with av.open(io.BytesIO(base64.b64decode(content))) as file:
        return next(file.decode(video=0)).to_ndarray(format="rgb24")


def place(said, **likeliest):
    """One token of an answer and those that were likeliest there, as OpenAI lists them."""
    entries = [{"token": token, "logprob": value, "bytes": None} for token, value in likeliest.items()]
    (own,) = [entry for entry in entries if entry["token"] == said]
    return {**own, "top_logprobs": entries}


@pytest.mark.parametrize(
    ("places", "weighed"),
    [
        (
            [place("a", a=-0.1, same=-2.5, A=-4.0), place("2", **{"2": -0.3, "1": -1.5})],
            ((-0.1, -1.5), (-0.1, -0.3), (-2.5,)),
        ),
        ([place("a1", a1=-0.2, a=-3.0), place(".", **{".": -0.1})], ((-0.2,), None, None)),
        ([place("Based", Based=-0.1, a=-2.0, same=-3.0), place("on", on=-0.1)], (None, None, (-3.0,))),
        ([place("a", a=-0.1)], (None, None, None)),
    ],
    ids=["all", "one token", "another answer", "cut"],
)
def test_labels_are_weighed_by_the_likeliest_tokens(ask, openai, gpt, clip, places, weighed):
    """Along the answer that was given; a label that isn't listed there is only bounded, and has no number."""

    def answer(request):
        if request.path.endswith("/models"):
            return reply({"object": "list", "data": []})
        told = completion("a2")
        told["choices"][0]["logprobs"] = {"content": places, "refusal": None}
        check_completion(told)
        return reply(told)

    usual, openai.answer = openai.answer, answer
    try:
        (given,) = ask(gpt, asked("video", score=("a1", "a2", "same")), clip=clip)
    finally:
        openai.answer = usual
    assert given.logprobs == weighed, given
    assert given.tokens["video"] == 3
    (body,) = openai.bodies()
    check_openai_request(body)
    assert {name: body[name] for name in ("logprobs", "top_logprobs", "temperature", "max_completion_tokens")} == {
        "logprobs": True, "top_logprobs": 20, "temperature": 0.0, "max_completion_tokens": 4,
    }  # fmt: skip


def test_a_server_without_log_probabilities_can_not_weigh(ask, openai, gpt):
    """Each such question is an error that says so."""
    (given,) = ask(gpt, asked(score=("a1", "a2", "same")))
    assert given.finish == "error"
    assert "gave no log-probabilities" in given.text
