"""Judges behind an address: vLLM's own server with the small judge, behind a proxy that fails on demand."""

from __future__ import annotations

import pytest
from support.asking import WORDS, Sessions, answers, asked, served_clip
from support.servers import Server, reply

import emoprefer_bench
from emoprefer_bench.pairs import Sampling
from emoprefer_bench.protocol.parent import LoadError


@pytest.fixture(scope="module")
def standing_proxy(vllm_server):
    """A proxy before the server that can fail."""
    server = Server(upstream=vllm_server)
    yield server
    server.close()


@pytest.fixture
def proxy(standing_proxy):
    """The proxy, as new."""
    standing_proxy.forget()
    return standing_proxy


@pytest.fixture(scope="module")
def ask(tmp_path_factory):
    """Ask an engine questions, all at once; it stays open for the tests that follow."""
    with Sessions(tmp_path_factory.mktemp("logs")) as sessions:
        yield sessions.ask


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """A clip of three seconds with picture and sound."""
    return served_clip(tmp_path_factory.mktemp("clip"))


def tiny(server, **options):
    """The tiny model behind an address."""
    return emoprefer_bench.served("tiny", base_url=f"{server.url}/v1", request_timeout=100.0, **options)


class TestAskingVllm:
    """A real server, asked through the real client in the real child."""

    @pytest.mark.parametrize(
        ("modality", "audio", "video"), [("audiovideo", 75, 48), ("audio", 75, 0), ("video", 0, 48), ("text", 0, 0)]
    )
    def test_sound_and_picture_reach_the_model(self, ask, proxy, clip, modality, audio, video):
        """The server itself counts 25 tokens a second of sound, and 48 of the picture, where they were asked for."""
        (answer,) = ask(tiny(proxy), asked(modality), clip=clip)
        assert answer.finish in ("stop", "length"), answer
        assert (answer.tokens["audio"], answer.tokens["video"]) == (audio, video)
        assert answer.tokens["prompt"] > audio + video
        assert 1 <= answer.tokens["output"] <= 4

    def test_every_setting_is_sent(self, ask, proxy):
        """No sampling setting is left to the server, whose defaults are the checkpoint's."""
        settings = {
            "max_tokens": 3, "temperature": 0.7, "top_p": 0.8, "top_k": 20, "repetition_penalty": 1.05,
            "presence_penalty": 1.5,
        }  # fmt: skip
        question = asked(sampling=Sampling(**settings))
        (answer,) = ask(tiny(proxy), question)
        (body,) = proxy.bodies()
        assert set(settings) == set(Sampling.__slots__)
        assert {name: body[name] for name in settings} == settings
        assert body["seed"] == question.seed
        assert answer.finish in ("stop", "length")

    def test_the_clip_comes_before_the_question(self, ask, proxy, clip):
        """Questions about one clip share their beginning, so that the server's prefix cache serves the second."""
        first, second = asked("audiovideo", f"{WORDS} one"), asked("audiovideo", f"{WORDS} two")
        engine = tiny(proxy, attempts=2, concurrency=1)
        _, again = ask(engine, first, second, clip=clip)
        assert [part["type"] for part in proxy.bodies()[0]["messages"][0]["content"]] == [
            "video_url", "input_audio", "text",
        ]  # fmt: skip
        assert again.tokens["cached"] >= 96

    def test_a_prompt_beyond_the_context_is_overlong(self, ask, proxy):
        """The server's refusal of it is told as what it is, and asked once."""
        (answer,) = ask(tiny(proxy), asked(prompt="a1 " * 3000))
        assert (answer.finish, answer.text) == ("overlong", "")
        assert len(proxy.requests) == 1

    @pytest.mark.parametrize(
        "fault",
        [reply({"error": {"message": "busy"}}, 500), reply({"error": {"message": "slow down"}}, 429), "cut", 2.5],
        ids=["500", "429", "cut", "time-out"],
    )
    def test_what_passes_is_asked_again(self, ask, proxy, fault):
        """A server's error, its plea for time, a cut connection and silence cost a second request, and no answer."""
        proxy.faults = [fault]
        engine = emoprefer_bench.served("tiny", base_url=f"{proxy.url}/v1", request_timeout=2.0)
        (answer,) = ask(engine, asked())
        assert answer.finish in ("stop", "length"), answer
        assert len(proxy.requests) == 2

    def test_retry_after_is_kept(self, ask, proxy):
        """A server that asks for two seconds gets them."""
        proxy.faults = [reply({"error": {"message": "rate limit"}}, 429, Retry_After="2")]
        (answer,) = ask(tiny(proxy), asked())
        assert answer.finish in ("stop", "length")
        assert 2 <= proxy.requests[1].at - proxy.requests[0].at < 5

    def test_what_does_not_pass_is_an_error_of_one_question(self, ask, proxy):
        """After so many attempts the question fails with the server's words, and the next one is answered."""
        proxy.faults = [reply({"error": {"message": "broken disk"}}, 500)] * 2
        engine = tiny(proxy, attempts=2, concurrency=1)
        broken, fine = ask(engine, asked(), asked(prompt="Other?"))
        assert broken.finish == "error"
        assert "HTTP 500" in broken.text
        assert "broken disk" in broken.text
        assert fine.finish in ("stop", "length")

    def test_no_more_at_once_than_allowed(self, ask, proxy):
        """Ten questions with room for two are two at a time."""
        many = ask(tiny(proxy, concurrency=2), *(asked(prompt=f"{n}?") for n in range(10)))
        assert all(answer.finish in ("stop", "length") for answer in many)
        assert proxy.most_at_once == 2


class TestLoading:
    """What is wrong with a server is said before the first question."""

    def test_a_server_that_is_not_there(self, tmp_path):
        """The address is named."""
        engine = emoprefer_bench.served("tiny", base_url="http://127.0.0.1:9/v1")
        with pytest.raises(LoadError, match=r"127\.0\.0\.1:9.*can't be reached.*is the server running"):
            answers(engine, tmp_path / "log", asked())

    def test_a_model_that_it_does_not_have(self, proxy, tmp_path):
        """The message lists those it has."""
        engine = emoprefer_bench.served("large", base_url=f"{proxy.url}/v1")
        with pytest.raises(LoadError, match="has no model 'large'; it has tiny"):
            answers(engine, tmp_path / "log", asked())

    def test_an_option_that_there_is_not(self, proxy, tmp_path):
        """A misspelt option is named."""
        with pytest.raises(LoadError, match="no option 'concurency'"):
            answers(tiny(proxy, concurency=2), tmp_path / "log", asked())
