"""What holds for any server: spending, refusals, keys, names and the headers that ask for patience."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from support.asking import Sessions, answers, asked
from support.recorded import as_openai, completion
from support.servers import Server, reply

import emoprefer_bench
from emoprefer_bench.engines.children.remote import Options, check_answered_by, retry_after
from emoprefer_bench.engines.engine import DeclarationError
from emoprefer_bench.engines.served import bounded
from emoprefer_bench.protocol.parent import LoadError
from emoprefer_bench.verdicts import read

KEY = "sk-this-must-stay-inside-0123456789"


@pytest.fixture(scope="module")
def standing_server():
    """A server that says a1 to everything, in OpenAI's shapes."""
    server = Server(answer=as_openai)
    yield server
    server.close()


@pytest.fixture
def openai_like(standing_server):
    """The server, as new."""
    standing_server.forget()
    return standing_server


@pytest.fixture(scope="module")
def ask(tmp_path_factory):
    """Ask an engine questions, all at once; it stays open for the tests that follow."""
    with Sessions(tmp_path_factory.mktemp("logs")) as sessions:
        yield sessions.ask


def tiny(server, **options):
    """A model behind the server."""
    return emoprefer_bench.served("tiny", base_url=f"{server.url}/v1", request_timeout=100.0, **options)


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
    def test_a_refusal_is_a_finish(self, ask, openai_like, refusal):
        """In each of the three shapes it is `refused`, asked once, and no error."""
        openai_like.faults = [refusal]
        (answer,) = ask(tiny(openai_like), asked())
        assert (answer.finish, answer.text) == ("refused", "")
        assert len(openai_like.requests) == 1

    def test_thoughts_are_no_answer(self, ask, openai_like):
        """What a served model thinks before it speaks is kept with its answer, and cut where that is read."""
        openai_like.faults = [reply(completion("<think>a2? no</think>\n\na1"))]
        (answer,) = ask(tiny(openai_like), asked())
        assert answer.text == "<think>a2? no</think>\n\na1"
        assert read(answer).label == read(answer).reference == "a1"


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


class TestRedirects:
    """A server that sends questions on to another host."""

    @pytest.fixture
    def stranger(self):
        """A host that nobody named, and that answers as a model would."""
        server = Server(answer=as_openai)
        yield server
        server.close()

    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    def test_no_question_follows(self, ask, openai_like, stranger, status):
        """It fails at once, and says where it was to go."""
        openai_like.faults = [(status, {"location": f"{stranger.url}/v1/chat/completions?key=x"}, b"{}")]
        (answer,) = ask(tiny(openai_like), asked())
        assert answer.finish == "error"
        assert f"HTTP {status}: the server sends this on to {stranger.url}/v1/chat/completions, which" in answer.text
        assert not stranger.requests
        assert len(openai_like.requests) == 1

    @pytest.mark.parametrize("kind", ["openai", "gemini"])
    def test_no_load_follows(self, tmp_path, monkeypatch, stranger, kind):
        """Neither the question for the list of models nor that about one, which carries the key in its header."""
        monkeypatch.setenv("MY_KEY", KEY)
        seen = []
        real = stranger.answer
        stranger.answer = lambda request: seen.append(request) or real(request)
        away = Server(answer=lambda request: (307, {"location": f"{stranger.url}{request.path}"}, b"{}"))
        engines = {
            "openai": lambda: emoprefer_bench.served("m", base_url=f"{away.url}/v1", key="MY_KEY"),
            "gemini": lambda: emoprefer_bench.gemini("gemini-2.5-pro", base_url=away.url, key="MY_KEY"),
        }
        with pytest.raises(LoadError, match="the server sends this on to"):
            answers(engines[kind](), tmp_path / "log", asked())
        away.close()
        assert not seen

    def test_no_question_to_gemini_follows(self, tmp_path, monkeypatch, stranger):
        """Its clients are other ones."""
        monkeypatch.setenv("MY_KEY", KEY)
        away = Server(answer=lambda _: reply({"name": "models/gemini-2.5-pro"}))
        away.faults = [(307, {"location": f"{stranger.url}/v1"}, b"{}")]
        engine = emoprefer_bench.gemini("gemini-2.5-pro", base_url=away.url, key="MY_KEY")
        (answer,) = answers(engine, tmp_path / "log", asked())
        away.close()
        assert "the server sends this on to" in answer.text
        assert not stranger.requests


def test_a_password_in_an_address_is_refused():
    """An address stands in the key of every answer, and so in the report."""
    with pytest.raises(DeclarationError, match="its base_url holds a password"):
        emoprefer_bench.served("m", base_url="https://me:secret@host/v1")


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
    ("asked_for", "answering"),
    [
        ("gpt-4o-2024-08-06", "gpt-4o-2024-08-06"),
        ("gpt-4o", "gpt-4o-2024-08-06"),
        ("gemini-2.5-pro", "gemini-2.5-pro-preview-06-05"),
        ("gemini-2.5-flash", "gemini-2.5-flash-001"),
        ("models/gemini-2.5-pro", "gemini-2.5-pro"),
        ("gemini-2.5-pro", None),
    ],
)
def test_the_model_that_was_asked_may_answer(asked_for, answering):
    """By its name, by that of its dated version, or by none."""
    check_answered_by(asked_for, answering)


@pytest.mark.parametrize("other", ["gemini-3.5-flash-lite", "gemini-2.5-flash-lite", "gemini-2x5-flash"])
def test_another_model_may_not_answer(other):
    """A name that its provider routes to another model is an error, or that one's answers would be taken for its."""
    with pytest.raises(RuntimeError, match=rf"gemini-2\.5-flash was asked, but {other} answered"):
        check_answered_by("gemini-2.5-flash", other)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("3", 3.0), ("0.5", 0.5), ("-1", 0.0), ("nan", 0.0), ("99999", 600.0), ("soon", None), ("", None), (None, None)],
)
def test_retry_after_in_seconds(value, seconds):
    """Seconds are read, within reason; anything else counts as no wish."""
    assert retry_after({"retry-after": value}) == seconds


@pytest.mark.parametrize(
    ("form", "ahead", "least", "most"),
    [
        ("%a, %d %b %Y %H:%M:%S GMT", 30, 20, 30),
        ("%A, %d-%b-%y %H:%M:%S GMT", 30, 20, 30),
        ("%a %b %e %H:%M:%S %Y", 30, 20, 30),
        ("%a, %d %b %Y %H:%M:%S GMT", -30, 0, 0),
        ("%a, %d %b %Y %H:%M:%S GMT", 86400, 600, 600),
    ],
    ids=["RFC 9110", "RFC 850", "asctime", "past", "tomorrow"],
)
def test_retry_after_as_a_date(form, ahead, least, most):
    """All three forms of an HTTP-date (RFC 9110, 5.6.7) are read as the seconds until then, within the same bounds."""
    then = datetime.now(UTC) + timedelta(seconds=ahead)
    assert least <= retry_after({"retry-after": then.strftime(form)}) <= most


def test_options_are_parted():
    """What concerns any server goes one way, the rest another."""
    options, rest = Options.parted({"concurrency": 3, "fps": 2.0})
    assert (options.concurrency, rest) == (3, {"fps": 2.0})
