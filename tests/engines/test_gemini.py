"""Gemini judges: what they are sent is what Google's package declares, what they answer what it documents."""

from __future__ import annotations

import base64
import io
import re

import av
import pytest
from support.asking import WORDS, Sessions, answers, asked, served_clip
from support.media_files import make_clip
from support.recorded import blocked, camel, check_gemini_request, check_response, response
from support.servers import Server, reply

import emoprefer_bench
from emoprefer_bench.engines.served import bounded
from emoprefer_bench.pairs import Sampling
from emoprefer_bench.protocol.parent import LoadError

KEY = "AIza-this-must-stay-inside"


@pytest.fixture(scope="module", autouse=True)
def _key():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GEMINI_API_KEY", KEY)
        yield


@pytest.fixture(scope="module")
def standing_server():
    """A server that says a2 to everything."""

    def answer(request):
        posted = request.path.endswith(":generateContent")
        return reply(response() if posted else {"name": "models/gemini-2.5-flash"})

    server = Server(answer=answer)
    yield server
    server.close()


@pytest.fixture
def google(standing_server):
    """The server, as new."""
    standing_server.forget()
    return standing_server


@pytest.fixture(scope="module")
def sessions(tmp_path_factory):
    """Engines that stay open for the tests that follow."""
    with Sessions(tmp_path_factory.mktemp("logs")) as sessions:
        yield sessions


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """A clip of three seconds with picture and sound."""
    return served_clip(tmp_path_factory.mktemp("clip"))


@pytest.fixture
def ask(sessions, google, clip):
    """Ask one question, of the clip or of one like it."""

    def one(modality="audiovideo", sampling=None, **changed):
        (answer,) = sessions.ask(flash(google), asked(modality, sampling=sampling), clip={**clip, **changed})
        return answer

    return one


def flash(server):
    """The model behind the server."""
    return emoprefer_bench.gemini("gemini-2.5-flash", base_url=server.url, thinking_budget=0)


def sent(server):
    """Return the bodies with all names as in the reference."""
    return [camel(body) for body in server.bodies()]


def test_it_gets_the_file_itself(ask, google, clip):
    """The mp4 goes byte for byte at one frame a second, sound in it, and then the question."""
    ask()
    (request,) = google.requests
    assert re.fullmatch(r"/v1(beta)?/models/gemini-2\.5-flash:generateContent", request.path)
    assert request.headers["x-goog-api-key"] == KEY
    video, text = sent(google)[0]["contents"][0]["parts"]
    with open(clip["video"], "rb") as file:  # noqa: PTH123  # a string, as in the protocol
        assert base64.urlsafe_b64decode(video["inlineData"]["data"]) == file.read()
    assert video["inlineData"]["mimeType"] == "video/mp4"
    assert video["videoMetadata"] == {"fps": 1.0}
    assert text == {"text": WORDS}


def test_every_setting_is_sent(ask, google):
    """Sampling and the bound of thinking are the fixture's, not the server's."""
    ask(sampling=Sampling(max_tokens=99, temperature=0.5, top_p=0.9, top_k=5, presence_penalty=0.5))
    (body,) = sent(google)
    check_gemini_request(body)
    config = body["generationConfig"]
    seed = config.pop("seed")
    assert 0 <= seed < 2**31
    assert config == {
        "temperature": 0.5, "topP": 0.9, "topK": 5, "presencePenalty": 0.5, "maxOutputTokens": 99,
        "candidateCount": 1, "thinkingConfig": {"thinkingBudget": 0},
    }  # fmt: skip


def test_a_later_model_is_told_how_much_to_think(google, sessions):
    """By a level, which models from 3 on take in place of a bound."""
    judge = emoprefer_bench.gemini("gemini-3.8-flash", base_url=google.url, thinking_level="low")
    sessions.ask(judge, asked())
    (body,) = sent(google)
    check_gemini_request(body)
    assert body["generationConfig"]["thinkingConfig"] == {"thinkingLevel": "LOW"}


def test_what_it_is_only_to_see_has_no_sound(ask, google):
    """Asked by picture alone, it gets a file without a sound track; asked by sound alone, a WAV file."""
    ask("video")
    ask("audio")
    for body in sent(google):
        check_gemini_request(body)
    seen, heard = (body["contents"][0]["parts"][0]["inlineData"] for body in sent(google))
    with av.open(io.BytesIO(base64.urlsafe_b64decode(seen["data"]))) as file:
        assert [stream.type for stream in file.streams] == ["video"]
    assert heard["mimeType"] == "audio/wav"


def test_sound_beside_the_video_goes_beside_it(ask, google, tmp_path):
    """A video without a sound track is followed by its sound as a WAV file."""
    silent = make_clip(tmp_path / "silent.mp4", sound=None)
    ask(video=str(silent))
    (body,) = sent(google)
    check_gemini_request(body)
    kinds = [part.get("inlineData", {}).get("mimeType") for part in body["contents"][0]["parts"]]
    assert kinds == ["video/mp4", "audio/wav", None]


def test_its_answer_without_its_thoughts(ask):
    """The text is what it said, tokens are counted by medium, thoughts count as output."""
    answer = ask()
    assert (answer.text, answer.finish) == ("a2", "stop")
    assert answer.tokens == {"prompt": 910, "cached": 0, "audio": 96, "video": 774, "output": 32}


@pytest.mark.parametrize(
    ("given", "finish"),
    [
        (response("", "SAFETY"), "refused"),
        (response("", "PROHIBITED_CONTENT"), "refused"),
        (blocked(), "refused"),
        (response("The person", "MAX_TOKENS"), "length"),
    ],
    ids=["safety", "prohibited", "blocked", "cut"],
)
def test_how_an_answer_ended(ask, google, given, finish):
    """What Google filtered, in the prompt or in the answer, is a refusal; what ran out of tokens was cut."""
    check_response(given)
    google.faults = [reply(given)]
    assert ask().finish == finish


def test_another_model_is_no_answer(ask, google):
    """What a name leads to once its model is retired is an error that names both, asked once."""
    google.faults = [reply(response(model="gemini-3.5-flash-lite"))]
    answer = ask()
    assert answer.finish == "error"
    assert "gemini-2.5-flash was asked, but gemini-3.5-flash-lite answered" in answer.text
    assert len(google.requests) == 1


@pytest.mark.parametrize(
    "fault", [reply({"error": {"code": 503, "message": "overloaded"}}, 503), "cut"], ids=["503", "cut"]
)
def test_what_passes_is_asked_again(ask, google, fault):
    """An overloaded server and a cut connection cost a second request."""
    google.faults = [fault]
    assert ask().text == "a2"
    assert len(google.requests) == 2


def test_every_attempt_is_counted(google, tmp_path):
    """Google's client sends nothing again by itself, so that no request passes the bound."""
    google.faults = ["cut"]
    (answer,) = answers(bounded(flash(google), 1, tmp_path / "requests"), tmp_path / "log", asked())
    assert "all of the 1 requests" in answer.text
    assert len(google.requests) == 1


def test_retry_after_is_kept(ask, google):
    """A server that asks for two seconds gets them."""
    google.faults = [reply({"error": {"code": 429, "message": "quota"}}, 429, Retry_After="2")]
    assert ask().text == "a2"
    assert google.requests[1].at - google.requests[0].at >= 2


def test_its_key_stays_inside(google, tmp_path, clip):
    """An error that echoes the key reaches nobody with it."""
    google.faults = [reply({"error": {"code": 400, "message": f"API key {KEY} is not valid"}}, 400)]
    (answer,) = answers(flash(google), tmp_path / "log", asked("audiovideo"), clip=clip)
    assert "[GEMINI_API_KEY] is not valid" in answer.text
    assert KEY not in answer.text + (tmp_path / "log").read_text()


def test_a_refused_key_fails_the_load(tmp_path):
    """Before the first question, and without the key in the message."""
    server = Server(answer=lambda _: reply({"error": {"code": 403, "message": f"bad {KEY}"}}, 403))
    with pytest.raises(LoadError, match=r"HTTP 403: bad \[GEMINI_API_KEY\]") as caught:
        answers(flash(server), tmp_path / "log", asked())
    server.close()
    assert KEY not in str(caught.value)
