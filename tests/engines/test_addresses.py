"""One model at several addresses: plain servers on this machine, of which some go away."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter, defaultdict
from pathlib import Path

import pytest
from support.recorded import as_openai, completion
from support.servers import Server, reply

import emoprefer_bench
from emoprefer_bench.engines.children import openai
from emoprefer_bench.engines.children.addresses import Address
from emoprefer_bench.engines.engine import DeclarationError
from emoprefer_bench.engines.served import bounded
from emoprefer_bench.engines.session import _wire
from emoprefer_bench.pairs import Clip, Question, Sampling
from emoprefer_bench.protocol.worker import Ask, Reply

PATIENCE = 60.0


@contextlib.contextmanager
def servers(count, answer=as_openai):
    """Run so many servers."""
    with contextlib.ExitStack() as running:
        started = [Server(answer=answer) for _ in range(count)]
        for server in started:
            running.callback(server.close)
        yield started


def fleet(*urls, **options):
    """The model behind these addresses."""
    base_url = [f"{url}/v1" for url in urls]
    return emoprefer_bench.served("tiny", base_url=base_url, revision="1", picture="images", **options)


def about(clip, prompt="a1 or a2?"):
    """A question about a clip, in words: fakes look at no picture."""
    return Question({"engine": "x"}, f"{prompt} [{clip}]", "text", Sampling(), Clip(clip, digest=clip))


def ask(engine, folder, clips, questions=4):
    """The answers to so many questions about each clip, from the engine's own process."""
    each = [(clip, f"{number}?") for clip in clips for number in range(questions)]
    fields = {clip: {"name": clip, "digest": clip} for clip in clips}

    async def main():
        async with engine.open(folder / "log") as session:
            return await asyncio.gather(*(session.answer(about(clip, words), fields[clip]) for clip, words in each))

    return asyncio.run(main())


@contextlib.asynccontextmanager
async def asking(engine, folder):
    """What the engine's process does, done in this one: a function from clips to the messages of their answers."""
    remote = openai.load({"model": engine.model, "options": engine.options, "spool": str(folder)})

    async def ask_here(clips, questions=4):
        stream = io.StringIO()
        each = [(clip, f"{number}?") for clip in clips for number in range(questions)]
        asks = [Ask(f"{n}", _wire(about(clip, words), {"digest": clip})) for n, (clip, words) in enumerate(each)]
        await asyncio.gather(*(remote._answer(ask, Reply(stream)) for ask in asks))
        return [json.loads(line) for line in stream.getvalue().splitlines()]

    try:
        yield ask_here
    finally:
        if remote._provider._watching:
            remote._provider._watching.cancel()
        for address in remote._provider._addresses:
            await address._provider._client.close()


def ask_here(engine, folder, clips, questions=4):
    """The messages of the answers to so many questions about each clip."""

    async def main():
        async with asking(engine, folder) as asked:
            return await asked(clips, questions)

    return asyncio.run(main())


def clip_of(request):
    """Which clip a request is about."""
    return request.body["messages"][-1]["content"].rpartition("[")[2].rstrip("]")


def homes(running):
    """Which servers were asked about each clip."""
    asked_there = defaultdict(set)
    for number, server in enumerate(running):
        for request in filter(lambda request: request.body, server.requests):  # one that was given up may have none
            asked_there[clip_of(request)].add(number)
    return asked_there


def wait_for(words, log):
    """Wait until these words stand in a file, within reason."""
    until = time.monotonic() + PATIENCE
    while not (log.exists() and words in log.read_text()) and time.monotonic() < until:
        time.sleep(0.02)


CLIPS = [f"c{number}" for number in range(24)]


def test_all_questions_about_a_clip_go_to_one_address(tmp_path):
    """Each of three has some of the clips; an address that is named last gets what it gets when it is named first."""
    with servers(3) as running:
        urls = [server.url for server in running]
        answers = ask_here(fleet(*urls, session_header="x-session-id"), tmp_path, CLIPS)
        first = homes(running)
        headers = {(clip_of(r), r.headers["x-session-id"]) for server in running for r in server.requests}
        ask_here(fleet(*reversed(urls)), tmp_path, CLIPS)
        assert homes(running) == first
    assert [answer["text"] for answer in answers] == ["a1"] * 4 * len(CLIPS)
    assert all(len(numbers) == 1 for numbers in first.values())
    assert set.union(*first.values()) == {0, 1, 2}
    assert headers == {(clip, clip) for clip in CLIPS}


def test_only_the_clips_of_an_address_that_is_gone_move():
    """The others stay where their caches are: that is what rendezvous hashing is for."""
    addresses = [Address(f"http://{n}/v1", None, 1, None) for n in range(5)]
    best = {clip: max(addresses, key=lambda address: address.rank(clip)) for clip in map(str, range(2000))}
    left = [max(addresses[1:], key=lambda address: address.rank(clip)) for clip in best]
    assert all(now is before for now, before in zip(left, best.values(), strict=True) if before is not addresses[0])
    assert all(340 < count < 460 for count in Counter(map(id, best.values())).values())


SLOW = """
import sys, time
sys.path.insert(0, {tests!r})
from support.servers import Server, reply
def answer(request):
    if not request.body:
        return reply(dict(object="list", data=[]))
    time.sleep(0.2)
    with open({log!r}, "a") as log:
        log.write("answered\\n")
    return reply({body!r})
print(Server(answer=answer).url, flush=True)
time.sleep(600)
"""


@pytest.fixture
def start(tmp_path):
    """Start servers that are processes of their own; returns a process, its address and a file of what it answered."""
    with contextlib.ExitStack() as running:

        def begin():
            log = tmp_path / f"served{time.monotonic_ns()}"
            code = SLOW.format(tests=str(Path(__file__).parents[1]), log=str(log), body=completion(model="tiny"))
            command = [sys.executable, "-S", "-c", code]
            process = running.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE))
            running.callback(process.kill)
            return process, process.stdout.readline().decode().strip(), log

        yield begin


def test_a_server_that_is_killed_in_the_middle_loses_no_answer(start, tmp_path):
    """Its questions in flight move to the other, and all later ones; each is answered once."""
    (doomed, first, served), (_, second, log) = start(), start()

    def kill():
        wait_for("answered", served)
        os.kill(doomed.pid, signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    answers = ask(fleet(first, second, concurrency=4), tmp_path, CLIPS)
    killer.join()
    assert [(answer.text, answer.finish) for answer in answers] == [("a1", "stop")] * len(answers)
    both = [path.read_text().count("answered") for path in (served, log)]
    assert both[0] > 0
    assert len(answers) <= sum(both) <= len(answers) + 4  # what was answered as it was killed, nobody heard
    assert f"{first}/v1 is left" in (tmp_path / "log").read_text()


def test_a_question_that_ends_two_servers_is_an_error_and_ends_no_third(tmp_path):
    """As with engines of ours: asked at most twice."""
    with servers(3) as running:
        for server in running:
            server.faults = ["cut"]
        (answer,) = ask_here(fleet(*(server.url for server in running)), tmp_path, ["c"], 1)
        assert answer["type"] == "error"
        assert "on the second attempt too" in answer["message"]
        assert sum(len(server.requests) for server in running) == 2


def test_a_server_that_falls_silent_is_left_and_taken_back(tmp_path, caplog):
    """It takes questions and answers none, is found out, and gets its clips again when it says that it is well."""
    silent = threading.Event()

    def answer(request):
        if silent.is_set() and request.path == "/health":
            return reply({}, 503)
        while silent.is_set() and "completions" in request.path:
            time.sleep(0.05)
        return as_openai(request) if request.body or "completions" not in request.path else reply({}, 400)

    async def main(engine, running):
        async with asking(engine, tmp_path) as asked:
            await asked(CLIPS)
            before = homes(running)
            silent.set()
            assert len(await asked(CLIPS)) == 4 * len(CLIPS)
            silent.clear()
            async with asyncio.timeout(PATIENCE):
                while "is back" not in caplog.text:  # noqa: ASYNC110  # a line of the log is no event
                    await asyncio.sleep(0.05)
            for server in running:
                server.forget()
            await asked(CLIPS)
            return before, homes(running)

    with servers(1, answer) as (sick,), servers(1) as (healthy,):
        engine = fleet(sick.url, healthy.url, health_seconds=0.1, request_timeout=PATIENCE)
        before, after = asyncio.run(main(engine, [sick, healthy]))
    assert before == after
    assert "it doesn't say how it is, 3 times in a row" in caplog.text


def test_servers_that_are_not_there_yet_are_no_fault(tmp_path):
    """One is enough to begin; where there is none, that is said, and where one has another model."""
    with servers(1) as (server,):
        answers = ask_here(fleet("http://127.0.0.1:9", server.url), tmp_path, CLIPS, 1)
        assert [answer["text"] for answer in answers] == ["a1"] * len(CLIPS)
    with pytest.raises(RuntimeError, match=r"none of 2 .*127\.0\.0\.1:9.*is the server running"):
        ask_here(fleet("http://127.0.0.1:9", "http://127.0.0.1:7"), tmp_path, ["c"])
    others = servers(1, lambda request: reply({"data": [{"id": "other"}]}))
    with others as (server,), pytest.raises(RuntimeError, match="has no model 'tiny'; it has other"):
        ask_here(fleet(server.url, "http://127.0.0.1:9"), tmp_path, ["c"])


def test_requests_to_all_addresses_count_together(tmp_path):
    """Also those that were sent again because an address failed."""
    with servers(2) as running:
        running[0].faults = ["cut"]
        engine = bounded(fleet(*(server.url for server in running), concurrency=1), 10, tmp_path / "requests")
        answers = ask_here(engine, tmp_path, CLIPS[:12], 1)
        assert Counter(answer["type"] for answer in answers) == {"answer": 9, "error": 3}
        assert sum(len(server.requests) for server in running) == 10


def test_answers_are_kept_under_what_is_served_not_under_where():
    """The same at one address or at several; which weights these have, somebody has to say."""
    several = fleet("http://a", "http://b", session_header="x", health_seconds=3)
    one = emoprefer_bench.served("tiny", base_url="http://c/v1", revision="1", picture="images")
    assert several.identity() == one.identity() == fleet("http://b").identity()
    assert fleet("http://b").options["base_url"] == "http://b/v1"
    urls = ["http://a/v1", "http://b/v1"]
    with pytest.raises(DeclarationError, match="at 2 addresses it needs a revision"):
        emoprefer_bench.served("tiny", base_url=urls)
    with pytest.raises(DeclarationError, match="an address twice"):
        emoprefer_bench.served("tiny", base_url=["http://a/v1", "http://a/v1/"], revision="1")
    with pytest.raises(DeclarationError, match="names no address"):
        emoprefer_bench.served("tiny", base_url=[], revision="1")
    with pytest.raises(DeclarationError, match="holds a password"):
        emoprefer_bench.served("tiny", base_url=[*urls, "http://me:secret@c/v1"], revision="1")
    with pytest.raises(DeclarationError, match="declared by served"):
        emoprefer_bench.gpt("gpt-4o-2024-08-06", base_url=urls)
