"""Gemini judges against a server on loopback that answers in the shapes of Google's API reference."""

from __future__ import annotations

import asyncio
import base64
import io
import re

import av
import numpy as np
import pytest
from media_files import make_clip
from servers import Server, reply

import emoprefer_bench
from emoprefer_bench.engines.child import LoadError
from emoprefer_bench.pairs import Clip, Question, Sampling

KEY = "AIza-this-must-stay-inside"
WORDS = "Which description fits the clip better, a1 or a2?"


def response(text="a2", finish="STOP", **more):
    """A response of generateContent, with its counts by medium."""
    thought = {"text": "Let me think: a1?", "thought": True}
    counts = [
        {"modality": "TEXT", "tokenCount": 40},
        {"modality": "VIDEO", "tokenCount": 774},
        {"modality": "AUDIO", "tokenCount": 96},
    ]
    return {
        "candidates": [
            {"content": {"parts": [thought, {"text": text}], "role": "model"}, "finishReason": finish, "index": 0}
        ],
        "usageMetadata": {
            "promptTokenCount": 910,
            "candidatesTokenCount": 2,
            "thoughtsTokenCount": 30,
            "totalTokenCount": 942,
            "promptTokensDetails": counts,
        },
        "modelVersion": "gemini-2.5-flash",
        **more,
    }


@pytest.fixture
def google(monkeypatch):
    """A server that says a2 to everything."""
    monkeypatch.setenv("GEMINI_API_KEY", KEY)

    def answer(request):
        posted = request.path.endswith(":generateContent")
        return reply(response() if posted else {"name": "models/gemini-2.5-flash"})

    server = Server(answer=answer)
    yield server
    server.close()


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """The protocol's fields of a clip of two seconds."""
    folder = tmp_path_factory.mktemp("gemini-clip")
    path = make_clip(folder / "clip.mp4")
    np.save(folder / "sound.npy", np.zeros(32000, np.float32))
    fields = {"name": "clip", "digest": "0" * 64, "video": str(path), "audio": None, "frames": None}
    return {**fields, "waveform": str(folder / "sound.npy"), "sample_rate": 16000}


def sent(server):
    """Return the bodies with all names as in the reference; the client mixes in snake case, which is taken, too."""

    def camel(value):
        if isinstance(value, list):
            return [camel(one) for one in value]
        if isinstance(value, dict):
            return {re.sub(r"_(.)", lambda found: found[1].upper(), name): camel(one) for name, one in value.items()}
        return value

    return [camel(body) for body in server.bodies()]


def ask(server, log, clip, modality="audiovideo", sampling=None, **options):
    """Ask one question."""
    engine = emoprefer_bench.gemini("gemini-2.5-flash", base_url=server.url, **options)
    about = None if modality == "text" else Clip("clip", digest="0" * 64)
    question = Question({"engine": "x"}, WORDS, modality, sampling or Sampling(max_tokens=64), about)

    async def main():
        async with engine.open(log) as session:
            return await session.answer(question, clip if about else None)

    return asyncio.run(main())


def test_it_gets_the_file_itself(google, tmp_path, clip):
    """The mp4 goes byte for byte at one frame a second, sound in it, and then the question."""
    ask(google, tmp_path / "log", clip)
    (request,) = google.requests
    assert re.fullmatch(r"/v1(beta)?/models/gemini-2\.5-flash:generateContent", request.path)
    assert request.headers["x-goog-api-key"] == KEY
    video, text = sent(google)[0]["contents"][0]["parts"]
    with open(clip["video"], "rb") as file:  # noqa: PTH123  # a string, as in the protocol
        assert base64.urlsafe_b64decode(video["inlineData"]["data"]) == file.read()
    assert video["inlineData"]["mimeType"] == "video/mp4"
    assert video["videoMetadata"] == {"fps": 1.0}
    assert text == {"text": WORDS}


def test_every_setting_is_sent(google, tmp_path, clip):
    """Sampling and the bound of thinking are the fixture's, not the server's."""
    sampling = Sampling(max_tokens=99, temperature=0.5, top_p=0.9, top_k=5)
    ask(google, tmp_path / "log", clip, sampling=sampling, thinking_budget=0)
    config = sent(google)[0]["generationConfig"]
    seed = config.pop("seed")
    assert 0 <= seed < 2**31
    assert config == {
        "temperature": 0.5, "topP": 0.9, "topK": 5, "maxOutputTokens": 99, "candidateCount": 1,
        "thinkingConfig": {"thinkingBudget": 0},
    }  # fmt: skip


def test_what_it_is_only_to_see_has_no_sound(google, tmp_path, clip):
    """Asked by picture alone, it gets a file without a sound track; asked by sound alone, a WAV file."""
    ask(google, tmp_path / "log", clip, "video")
    ask(google, tmp_path / "log", clip, "audio")
    seen, heard = (body["contents"][0]["parts"][0]["inlineData"] for body in sent(google))
    with av.open(io.BytesIO(base64.urlsafe_b64decode(seen["data"]))) as file:
        assert [stream.type for stream in file.streams] == ["video"]
    assert heard["mimeType"] == "audio/wav"


def test_sound_beside_the_video_goes_beside_it(google, tmp_path, clip):
    """A video without a sound track is followed by its sound as a WAV file."""
    silent = make_clip(tmp_path / "silent.mp4", sound=None)
    ask(google, tmp_path / "log", {**clip, "video": str(silent)})
    kinds = [part.get("inlineData", {}).get("mimeType") for part in sent(google)[0]["contents"][0]["parts"]]
    assert kinds == ["video/mp4", "audio/wav", None]


def test_its_answer_without_its_thoughts(google, tmp_path, clip):
    """The text is what it said, tokens are counted by medium, thoughts count as output."""
    answer = ask(google, tmp_path / "log", clip)
    assert (answer.text, answer.finish) == ("a2", "stop")
    assert answer.tokens == {"prompt": 910, "cached": 0, "audio": 96, "video": 774, "output": 32}


@pytest.mark.parametrize(
    ("given", "finish"),
    [
        (response("", "SAFETY"), "refused"),
        (response("", "PROHIBITED_CONTENT"), "refused"),
        ({"promptFeedback": {"blockReason": "SAFETY"}}, "refused"),
        (response("The person", "MAX_TOKENS"), "length"),
    ],
    ids=["safety", "prohibited", "blocked", "cut"],
)
def test_how_an_answer_ended(google, tmp_path, clip, given, finish):
    """What Google filtered, in the prompt or in the answer, is a refusal; what ran out of tokens was cut."""
    google.faults = [reply(given)]
    assert ask(google, tmp_path / "log", clip).finish == finish


@pytest.mark.parametrize(
    "fault", [reply({"error": {"code": 503, "message": "overloaded"}}, 503), "cut"], ids=["503", "cut"]
)
def test_what_passes_is_asked_again(google, tmp_path, clip, fault):
    """An overloaded server and a cut connection cost a second request."""
    google.faults = [fault]
    assert ask(google, tmp_path / "log", clip).text == "a2"
    assert len(google.requests) == 2


def test_retry_after_is_kept(google, tmp_path, clip):
    """A server that asks for two seconds gets them."""
    google.faults = [reply({"error": {"code": 429, "message": "quota"}}, 429, Retry_After="2")]
    assert ask(google, tmp_path / "log", clip).text == "a2"
    assert google.requests[1].at - google.requests[0].at >= 2


def test_its_key_stays_inside(google, tmp_path, clip):
    """An error that echoes the key reaches nobody with it."""
    google.faults = [reply({"error": {"code": 400, "message": f"API key {KEY} is not valid"}}, 400)]
    answer = ask(google, tmp_path / "log", clip)
    assert "[GEMINI_API_KEY] is not valid" in answer.text
    assert KEY not in answer.text + (tmp_path / "log").read_text()


def test_a_refused_key_fails_the_load(tmp_path, clip, monkeypatch):
    """Before the first question, and without the key in the message."""
    monkeypatch.setenv("GEMINI_API_KEY", KEY)
    server = Server(answer=lambda _: reply({"error": {"code": 403, "message": f"bad {KEY}"}}, 403))
    with pytest.raises(LoadError, match=r"HTTP 403: bad \[GEMINI_API_KEY\]") as caught:
        ask(server, tmp_path / "log", clip)
    server.close()
    assert KEY not in str(caught.value)
