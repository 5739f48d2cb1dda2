"""Judges behind an address: vLLM's own server with a tiny Qwen2.5-Omni, behind a proxy that fails on demand."""

from __future__ import annotations

import asyncio
import base64
import io
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import wave

import av
import numpy as np
import pytest
from media_files import make_clip
from servers import Server, reply

import emoprefer_bench
from emoprefer_bench.engines import parts
from emoprefer_bench.engines.child import LoadError
from emoprefer_bench.engines.remote import Options, retry_after
from emoprefer_bench.engines.served import bounded
from emoprefer_bench.pairs import Clip, Question, Sampling

WORDS = "Which description fits the clip better, a1 or a2?"
KEY = "sk-this-must-stay-inside-0123456789"


@pytest.fixture(scope="session")
def vllm_server(checkpoint, tmp_path_factory):
    """Start vLLM's server with a tiny Qwen2.5-Omni, and return its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        *(sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(checkpoint("omni"))),
        *("--served-model-name", "tiny", "--host", "127.0.0.1", "--port", str(port), "--dtype", "float32"),
        *("--max-model-len", "2048", "--block-size", "32", "--kv-cache-memory-bytes", str(64 << 20)),
        *("--enforce-eager", "--enable-prompt-tokens-details"),
        *("--limit-mm-per-prompt", '{"image": 0, "video": 1, "audio": 1}'),
        *("--mm-processor-kwargs", '{"size": {"shortest_edge": 3136, "longest_edge": 12544}}'),
    ]
    quiet = {"VLLM_NO_USAGE_STATS": "1", "VLLM_CPU_OMP_THREADS_BIND": "nobind", "HF_HUB_OFFLINE": "1"}
    log = tmp_path_factory.mktemp("server") / "log.txt"
    with log.open("wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file, env={**os.environ, **quiet})
    until = time.monotonic() + 150
    while not _answers(f"http://127.0.0.1:{port}/health"):
        assert process.poll() is None and time.monotonic() < until, log.read_text()[-3000:]  # noqa: PT018  # one wait
        time.sleep(0.3)
    yield f"127.0.0.1:{port}"
    process.terminate()
    process.wait(30)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as response:  # noqa: S310  # loopback
            return response.status == 200
    except (urllib.error.URLError, OSError):
        return False


@pytest.fixture
def proxy(vllm_server):
    """A proxy before the server that can fail."""
    server = Server(upstream=vllm_server)
    yield server
    server.close()


def completion(text="a1", finish="stop", **message):
    """A chat completion in the shape that OpenAI documents, with its counts of tokens."""
    details = {"cached_tokens": 64, "audio_tokens": 31, "text_tokens": 40, "image_tokens": 0}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1754000000,
        "model": "gpt-4o-2024-08-06",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": text, "refusal": None, **message},
                "logprobs": None,
                "finish_reason": finish,
            }
        ],
        "usage": {
            "prompt_tokens": 1118,
            "completion_tokens": 2,
            "total_tokens": 1120,
            "prompt_tokens_details": details,
            "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
        },
    }


@pytest.fixture
def openai_like():
    """A server that says a1 to everything, in OpenAI's shapes."""

    def answer(request):
        if request.path.endswith("/models"):
            return reply({"object": "list", "data": []})
        return reply(completion())

    server = Server(answer=answer)
    yield server
    server.close()


@pytest.fixture(scope="session")
def clip(tmp_path_factory):
    """The protocol's fields of a clip of three seconds with picture and sound, four of its frames sampled."""
    folder = tmp_path_factory.mktemp("served-clip")
    path = make_clip(folder / "clip.mp4", frames=75, size=(112, 112), sound=3.0)
    np.save(folder / "sound.npy", np.sin(np.arange(48000) / 20).astype(np.float32) / 2)
    frames = np.zeros((3, 96, 128, 3), np.uint8)
    frames[1, :, :64] = (255, 0, 0)
    np.save(folder / "frames.npy", frames)
    return {
        "name": "clip",
        "digest": "0" * 64,
        "video": str(path),
        "audio": None,
        "frames": str(folder / "frames.npy"),
        "indices": [0, 37, 74],
        "waveform": str(folder / "sound.npy"),
        "sample_rate": 16000,
    }


def asked(modality="text", prompt=WORDS, sampling=None, number=0):
    """A question."""
    about = None if modality == "text" else Clip("clip", digest="0" * 64)
    return Question({"engine": "x"}, prompt, modality, sampling or Sampling(max_tokens=4), about, round=number)


def answers(engine, log, *questions, clip=None):
    """Ask an engine all questions at once."""

    async def main():
        async with engine.open(log) as session:
            return await asyncio.gather(*(session.answer(one, clip if one.clip else None) for one in questions))

    return asyncio.run(main())


def tiny(server, **options):
    """The tiny model behind an address."""
    return emoprefer_bench.served("tiny", base_url=f"{server.url}/v1", request_timeout=20.0, **options)


class TestAskingVllm:
    """A real server, asked through the real client in the real child."""

    @pytest.mark.parametrize(
        ("modality", "audio", "video"), [("audiovideo", 75, 48), ("audio", 75, 0), ("video", 0, 48), ("text", 0, 0)]
    )
    def test_sound_and_picture_reach_the_model(self, proxy, tmp_path, clip, modality, audio, video):
        """The server itself counts 25 tokens a second of sound, and 48 of the picture, where they were asked for."""
        (answer,) = answers(tiny(proxy), tmp_path / "log", asked(modality), clip=clip)
        assert answer.finish in ("stop", "length"), answer
        assert (answer.tokens["audio"], answer.tokens["video"]) == (audio, video)
        assert answer.tokens["prompt"] > audio + video
        assert 1 <= answer.tokens["output"] <= 4

    def test_every_setting_is_sent(self, proxy, tmp_path):
        """No sampling setting is left to the server, whose defaults are the checkpoint's."""
        sampling = Sampling(max_tokens=3, temperature=0.7, top_p=0.8, top_k=20, repetition_penalty=1.05)
        question = asked(sampling=sampling)
        answers(tiny(proxy), tmp_path / "log", question)
        (body,) = proxy.bodies()
        names = ("max_tokens", "temperature", "top_p", "top_k", "repetition_penalty", "seed")
        assert {name: body[name] for name in names} == {
            "max_tokens": 3, "temperature": 0.7, "top_p": 0.8, "top_k": 20, "repetition_penalty": 1.05,
            "seed": question.seed,
        }  # fmt: skip

    def test_the_clip_comes_before_the_question(self, proxy, tmp_path, clip):
        """Questions about one clip share their beginning, so that the server's prefix cache serves the second."""
        first, second = asked("audiovideo", f"{WORDS} one"), asked("audiovideo", f"{WORDS} two")
        engine = tiny(proxy, concurrency=1)
        _, again = answers(engine, tmp_path / "log", first, second, clip=clip)
        assert [part["type"] for part in proxy.bodies()[0]["messages"][0]["content"]] == [
            "video_url", "input_audio", "text",
        ]  # fmt: skip
        assert again.tokens["cached"] >= 96

    def test_a_prompt_beyond_the_context_is_overlong(self, proxy, tmp_path):
        """The server's refusal of it is told as what it is, and asked once."""
        (answer,) = answers(tiny(proxy), tmp_path / "log", asked(prompt="a1 " * 3000))
        assert (answer.finish, answer.text) == ("overlong", "")
        assert len(proxy.requests) == 1

    @pytest.mark.parametrize(
        "fault",
        [reply({"error": {"message": "busy"}}, 500), reply({"error": {"message": "slow down"}}, 429), "cut", 1.5],
        ids=["500", "429", "cut", "time-out"],
    )
    def test_what_passes_is_asked_again(self, proxy, tmp_path, fault):
        """A server's error, its plea for time, a cut connection and silence cost a second request, and no answer."""
        proxy.faults = [fault]
        engine = emoprefer_bench.served("tiny", base_url=f"{proxy.url}/v1", request_timeout=1.0)
        (answer,) = answers(engine, tmp_path / "log", asked())
        assert answer.finish in ("stop", "length"), answer
        assert len(proxy.requests) == 2

    def test_retry_after_is_kept(self, proxy, tmp_path):
        """A server that asks for two seconds gets them."""
        proxy.faults = [reply({"error": {"message": "rate limit"}}, 429, Retry_After="2")]
        (answer,) = answers(tiny(proxy), tmp_path / "log", asked())
        assert answer.finish in ("stop", "length")
        assert 2 <= proxy.requests[1].at - proxy.requests[0].at < 5

    def test_what_does_not_pass_is_an_error_of_one_question(self, proxy, tmp_path):
        """After so many attempts the question fails with the server's words, and the next one is answered."""
        proxy.faults = [reply({"error": {"message": "broken disk"}}, 500)] * 2
        engine = tiny(proxy, attempts=2, concurrency=1)
        broken, fine = answers(engine, tmp_path / "log", asked(), asked(prompt="Other?"))
        assert broken.finish == "error"
        assert "HTTP 500" in broken.text
        assert "broken disk" in broken.text
        assert fine.finish in ("stop", "length")

    def test_no_more_at_once_than_allowed(self, proxy, tmp_path):
        """Ten questions with room for two are two at a time."""
        many = answers(tiny(proxy, concurrency=2), tmp_path / "log", *(asked(prompt=f"{n}?") for n in range(10)))
        assert all(answer.finish in ("stop", "length") for answer in many)
        assert proxy.most_at_once == 2


class TestSpending:
    """`--emoprefer-max-requests`."""

    def test_requests_end_at_the_bound(self, openai_like, tmp_path):
        """Three are sent, counting the one that failed; what is left fails and says how to go on."""
        openai_like.faults = [reply({"error": {"message": "busy"}}, 500)]
        engine = bounded(tiny(openai_like, concurrency=1), 3, tmp_path / "requests")
        given = answers(engine, tmp_path / "log", *(asked(prompt=f"{n}?") for n in range(4)))
        assert [answer.finish for answer in given] == ["stop", "stop", "error", "error"]
        assert "all of the 3 requests" in given[2].text
        assert "--emoprefer-max-requests" in given[2].text
        assert len(openai_like.requests) == 3

    def test_the_bound_is_of_all_that_share_it(self, openai_like, tmp_path):
        """An engine that is opened anew, or another one, goes on counting where the first stopped."""
        engine = bounded(tiny(openai_like), 3, tmp_path / "requests")
        answers(engine, tmp_path / "log", asked(prompt="1?"), asked(prompt="2?"))
        again = answers(engine, tmp_path / "log", asked(prompt="3?"), asked(prompt="4?"))
        assert sorted(answer.finish for answer in again) == ["error", "stop"]
        assert len(openai_like.requests) == 3

    def test_only_servers_are_bounded(self, tmp_path):
        """A local judge sends no requests, and an engine's answers are kept under the same key, bounded or not."""
        local = emoprefer_bench.function(str)
        assert bounded(local, 3, tmp_path / "requests") is local
        engine = emoprefer_bench.served("tiny", base_url="http://x/v1")
        assert bounded(engine, 3, tmp_path / "requests").identity() == engine.identity()
        assert bounded(engine, None, tmp_path / "requests") is engine


class TestRefusals:
    """What a provider filters."""

    @pytest.mark.parametrize(
        "refusal",
        [
            reply(completion("", "content_filter")),
            reply(completion(None, "stop", refusal="I can't help with that.")),
            reply({"error": {"message": "The response was filtered", "code": "content_filter"}}, 400),
        ],
        ids=["finish", "message", "status"],
    )
    def test_a_refusal_is_a_finish(self, openai_like, tmp_path, refusal):
        """In each of the three shapes it is `refused`, asked once, and no error."""
        openai_like.faults = [refusal]
        (answer,) = answers(tiny(openai_like), tmp_path / "log", asked())
        assert (answer.finish, answer.text) == ("refused", "")
        assert len(openai_like.requests) == 1

    def test_thoughts_are_no_answer(self, openai_like, tmp_path):
        """What a served model thinks before it speaks is cut off."""
        openai_like.faults = [reply(completion("<think>a2? no</think>\n\na1"))]
        (answer,) = answers(tiny(openai_like), tmp_path / "log", asked())
        assert answer.text == "a1"


class TestKeys:
    """A key comes from the environment and goes to the server, nowhere else."""

    def test_it_reaches_the_server_and_nothing_else(self, openai_like, tmp_path, monkeypatch):
        """Though the server echoes it in an error and in an answer, neither log nor answer has it."""
        monkeypatch.setenv("MY_KEY", KEY)
        echo = {"error": {"message": f"Incorrect API key provided: {KEY}"}}
        openai_like.faults = [reply(echo, 400), reply(echo, 500), reply(completion(f"your key is {KEY}"))]
        engine = tiny(openai_like, key="MY_KEY", concurrency=1)
        given = answers(engine, tmp_path / "log", asked(prompt="1?"), asked(prompt="2?"))
        assert openai_like.requests[0].headers["authorization"] == f"Bearer {KEY}"
        said = repr(given) + (tmp_path / "log").read_text() + repr(engine) + repr(engine.identity())
        assert "[MY_KEY]" in said
        assert KEY not in said

    def test_a_refused_key_is_named_by_its_variable(self, tmp_path, monkeypatch):
        """The judge isn't loaded, and the message names the variable, not what is in it."""
        monkeypatch.setenv("MY_KEY", KEY)
        server = Server(answer=lambda _: reply({"error": {"message": f"bad key {KEY}"}}, 401))
        with pytest.raises(LoadError, match="refuses the key in MY_KEY") as caught:
            answers(tiny(server, key="MY_KEY"), tmp_path / "log", asked())
        server.close()
        assert KEY not in str(caught.value) + (tmp_path / "log").read_text()

    def test_without_it_the_case_is_skipped(self, monkeypatch):
        """`missing` says which variable to set."""
        monkeypatch.delenv("OPENAI_API_KEY", raising=False)
        engine = emoprefer_bench.gpt("gpt-4o-2024-08-06")
        assert "OPENAI_API_KEY is not set" in engine.missing()
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        assert engine.missing() is None

    def test_no_file_of_a_run_has_it(self, bench, openai_like, monkeypatch):
        """A whole run with a judge that answers and errs leaves the key in no file, no report and no line printed."""
        monkeypatch.setenv("MY_KEY", KEY)
        openai_like.faults = [reply({"error": {"message": f"bad {KEY}"}}, 400), reply(completion(f"a1 {KEY}"))]
        bench.pytester.makeconftest(f"""
            import emoprefer_bench
            @emoprefer_bench.model(gpus=0, modality="text", prompts=("S1",))
            def paid(gpus):
                return emoprefer_bench.served("m", base_url="{openai_like.url}/v1", key="MY_KEY")
        """)
        result = bench.run("-k", "paid and toy", "-v", "-rA", apart=True)
        assert KEY in openai_like.requests[0].headers["authorization"]
        files = [path for path in bench.pytester.path.rglob("*") if path.is_file()]
        assert len(files) > 5
        assert not [path for path in files if KEY.encode() in path.read_bytes()]
        assert KEY not in result.stdout.str() + result.stderr.str()


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


class TestGpt:
    """OpenAI's own models, against the shapes that its reference documents."""

    @pytest.fixture(autouse=True)
    def _key(self, monkeypatch):
        monkeypatch.setenv("OPENAI_API_KEY", KEY)

    def test_pictures(self, openai_like, tmp_path, clip):
        """Three frames go as JPEG images before the text, no sound, and only settings that OpenAI knows."""
        engine = emoprefer_bench.gpt("gpt-4o-2024-08-06", base_url=f"{openai_like.url}/v1")
        (answer,) = answers(engine, tmp_path / "log", asked("video"), clip=clip)
        (body,) = openai_like.bodies()
        assert set(body) == {"model", "messages", "temperature", "top_p", "seed", "max_completion_tokens"}
        *images, text = body["messages"][0]["content"]
        assert text == {"type": "text", "text": WORDS}
        assert [part["type"] for part in images] == ["image_url"] * 3
        second = _decoded(images[1]["image_url"]["url"], "image/jpeg")
        assert second.shape == (96, 128, 3)
        assert np.abs(second[:, 10].astype(int) - (255, 0, 0)).max() < 12
        assert np.abs(second[:, 120].astype(int)).max() < 12
        assert answer.tokens == {"audio": 31, "video": 3, "prompt": 1118, "cached": 64, "output": 2}

    def test_sound(self, openai_like, tmp_path, clip):
        """The sound goes as a WAV file, and the server's count of its tokens is kept."""
        engine = emoprefer_bench.gpt("gpt-audio", base_url=f"{openai_like.url}/v1", extra={"modalities": ["text"]})
        (answer,) = answers(engine, tmp_path / "log", asked("audio"), clip=clip)
        (body,) = openai_like.bodies()
        sound, _ = body["messages"][0]["content"]
        assert body["modalities"] == ["text"]
        assert sound["input_audio"]["format"] == "wav"
        with wave.open(io.BytesIO(base64.b64decode(sound["input_audio"]["data"]))) as file:
            assert (file.getframerate(), file.getnchannels(), file.getnframes()) == (16000, 1, 48000)
        assert answer.tokens["audio"] == 31

    def test_settings_that_it_lacks_are_refused(self):
        """A fixture that asks for them fails where it is written, for no server would say so."""
        with pytest.raises(ValueError, match="takes no top_k"):
            emoprefer_bench.gpt("gpt-4o", top_k=20)


def _decoded(url: str, kind: str) -> np.ndarray:
    head, _, content = url.partition(",")
    assert head == f"data:{kind};base64"
    with av.open(io.BytesIO(base64.b64decode(content))) as file:
        return next(file.decode(video=0)).to_ndarray(format="rgb24")


class TestParts:
    """A clip's bytes."""

    def test_a_picture_without_its_sound(self, clip):
        """A model that is only to see gets a file of the same frames with no sound track."""
        kind, content, sounding = parts.video(clip, sounding=False)
        with av.open(io.BytesIO(content)) as file:
            assert not file.streams.audio
            assert sum(1 for _ in file.decode(video=0)) == 75
        assert (kind, sounding) == ("video/mp4", False)

    def test_the_file_itself(self, clip):
        """A model that hears, too, gets the file byte for byte."""
        kind, content, sounding = parts.video(clip, sounding=True)
        with open(clip["video"], "rb") as file:  # noqa: PTH123  # a string, as in the protocol
            assert content == file.read()
        assert (kind, sounding) == ("video/mp4", True)

    def test_a_clip_that_lacks_it(self, clip):
        """What is not there is an error that names the clip."""
        with pytest.raises(ValueError, match="'clip' has no picture"):
            parts.video({**clip, "video": None}, sounding=False)
        with pytest.raises(ValueError, match="'clip' has no sound"):
            parts.sound({**clip, "waveform": None})


class TestIdentity:
    """What answers are kept under."""

    def test_the_address_counts_unless_the_weights_are_named(self):
        """Another server may have other weights under the same name; a revision says that they are the same."""
        one, other = (emoprefer_bench.served("m", base_url=f"http://{host}/v1") for host in "ab")
        assert one.identity() != other.identity()
        one, other = (emoprefer_bench.served("m", base_url=f"http://{host}/v1", revision="r1") for host in "ab")
        assert one.identity() == other.identity()

    def test_pace_does_not_count_and_frames_do(self):
        """How fast a server is asked changes no answer; how many frames it sees may."""
        base = emoprefer_bench.gpt("m").identity()
        assert emoprefer_bench.gpt("m", concurrency=2, attempts=9).identity() == base
        assert emoprefer_bench.gpt("m", frames=2).identity() != base


@pytest.mark.parametrize(
    ("value", "seconds"), [("3", 3.0), ("0.5", 0.5), ("-1", 0.0), ("99999", 600.0), ("soon", None), (None, None)]
)
def test_retry_after_headers(value, seconds):
    """Seconds are read, within reason; anything else counts as no wish."""
    assert retry_after({"retry-after": value}) == seconds


def test_options_are_parted():
    """What concerns any server goes one way, the rest another."""
    options, rest = Options.parted({"concurrency": 3, "fps": 2.0})
    assert (options.concurrency, rest) == (3, {"fps": 2.0})
