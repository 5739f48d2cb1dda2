"""Judges that are Python functions: what they may return, raise, look at, and where their answers are kept."""

from __future__ import annotations

import asyncio

import pytest
from support.asking import answers, asked
from support.media_files import make_clip

import emoprefer_bench
from emoprefer_bench.engines.engine import DeclarationError
from emoprefer_bench.pairs import Answer
from emoprefer_bench.protocol import messages


def told(tmp_path, function, *questions):
    """What a function answers."""
    return answers(emoprefer_bench.function(function), tmp_path / "logs/judge.log", *(questions or (asked(),)))


def test_a_text_or_an_answer_is_taken_as_it_is(tmp_path):
    """Half a character can't be stored, and is replaced."""
    whole = Answer("a2 \ud800", "length", {"video": 3})
    (text,), (answer,) = told(tmp_path, lambda question: "a1\ud800"), told(tmp_path, lambda question: whole)
    assert text == Answer("a1?")
    assert answer == Answer("a2 ?", "length", {"video": 3})


def test_an_async_function_is_awaited_and_several_at_once(tmp_path):
    """Each waits until all are there: a client that asks a server one after the other would wait for ever."""

    async def main(questions):
        barrier = asyncio.Barrier(len(questions))

        async def judge(question):
            await barrier.wait()
            return "a1"

        async with emoprefer_bench.function(judge).open(tmp_path / "log") as session:
            return await asyncio.gather(*(session.answer(question, None) for question in questions))

    assert asyncio.run(asyncio.wait_for(main([asked()] * 4), 60)) == [Answer("a1")] * 4


def test_an_exception_is_the_error_of_its_question_alone(tmp_path):
    """In a line that says what and where; the log has the traceback."""

    def judge(question):
        if question.prompt == "hard":
            return {}["missing"]
        return "a1"

    hard, easy = told(tmp_path, judge, asked(prompt="hard"), asked())
    assert (hard.finish, easy) == ("error", Answer("a1"))
    assert hard.text.startswith("the function raised KeyError: 'missing' (test_functions.py, line ")
    assert "Traceback" in (tmp_path / "logs/judge.log").read_text()


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"finish": "done"}, "finish 'done' is none of stop"),
        ({"tokens": {"prompt": float("nan")}}, "prompt is nan, which counts nothing"),
        ({"tokens": {"prompt": 10**400}}, "which counts nothing"),
        ({"tokens": {"prompt": 10**5000}}, "which counts nothing"),
        ({"tokens": {3: 3}}, "its tokens have the name 3, which is none"),
        ({"tokens": "many"}, "its tokens are 'many', not an object of numbers"),
        ({"seconds": {"model": float("inf")}}, "model is inf, which counts nothing"),
    ],
)
def test_an_answer_that_no_report_can_hold_is_an_error(tmp_path, fields, says):
    """Whether it is made as an Answer or as a child would send it; it would end the report of all cases."""
    for made in (Answer("a1", **fields), {"text": "a1", **fields}):
        (answer,) = told(tmp_path, lambda question, made=made: made)
        assert answer.finish == "error"
        assert says in answer.text


def test_a_device_is_named_on_one_line(tmp_path):
    """Nothing that a terminal would obey."""
    (answer,) = told(tmp_path, lambda question: Answer("a1", device="GPU\x1b[2J\n0"))
    assert answer.device == messages.one_line("GPU\x1b[2J\n0")
    assert "\x1b" not in answer.device


@pytest.mark.parametrize(
    ("value", "kind"), [(None, "None"), (1, "int"), (b"a1", "bytes"), (Answer(None), "Answer"), (True, "bool")]
)
def test_what_is_no_answer_is_said_in_a_sentence(tmp_path, value, kind):
    """A forgotten return is the most frequent."""
    (answer,) = told(tmp_path, lambda question: value)
    what = "None" if kind == "None" else f"something of type {kind}"
    assert answer.finish == "error"
    assert answer.text == (
        f"the function returned {what}, and must return the text of its answer (a string, such as 'a1') or an "
        "emoprefer_bench.Answer"
    )


def test_answers_are_kept_where_there_is_a_version():
    """The key without one is as it was; a version needs a name."""
    plain = emoprefer_bench.function(len, name="judge")
    assert (plain.durable, plain.identity()) == (False, {"engine": "function", "name": "judge"})
    versioned = emoprefer_bench.function(len, name="judge", version="2")
    assert (versioned.durable, versioned.identity()) == (
        True,
        {"engine": "function", "name": "judge", "version": "2"},
    )
    assert not emoprefer_bench.function(len, version="2", durable=False).durable
    for unnamed in ({"version": "2"}, {"durable": True}):
        with pytest.raises(DeclarationError, match="needs a name="):
            emoprefer_bench.function(len, **unnamed)


@pytest.mark.parametrize("medium", ["text", "picture", "video+subtitle", ""])
def test_looking_at_what_is_no_medium_is_refused(medium):
    """`looks_at` is about what the function opens."""
    with pytest.raises(DeclarationError, match="say audio, video or audiovideo"):
        emoprefer_bench.function(len, looks_at=medium)


CONFTEST = """
import emoprefer_bench

def judge(question):
    with open("asked.txt", "a") as noted:
        noted.write(question.key + "\\n")
    BODY

@emoprefer_bench.model(gpus=0, modality="MODALITY", prompts=())
def mine(gpus):
    return emoprefer_bench.function(judge, name="mine", OPTIONS)
"""


def run(bench, body, options="version='1'", modality="text"):
    """Run a judge of this body on the toy data."""
    conftest = CONFTEST.replace("BODY", body).replace("OPTIONS", options).replace("MODALITY", modality)
    bench.pytester.makeconftest(conftest)
    return bench.run("-k", "mine and toy")


def test_one_exception_costs_one_question_and_the_next_run_asks_it_alone(bench):
    """The case has no scores, the message is one line, and what was answered is kept."""
    failing = "assert 'sad' not in question.texts[0], 'not about sadness'\n    return 'a1'"
    result = run(bench, failing)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["*mine-toy: 1 of 6 answers failed*again to ask these alone*AssertionError: not about sadness (conftest.py*"]
    )
    assert "During handling" not in result.stdout.str()
    assert "BoundCase(" not in result.stdout.str()
    run(bench, "return 'a1'").assert_outcomes(passed=1)
    assert len(bench.asked()) == 6 + 1


def test_without_a_version_nobody_is_told_that_answers_are_kept(bench):
    """The message says what would keep them."""
    result = run(bench, "return None", options="")
    result.assert_outcomes(failed=1)
    said = result.stdout.str()
    assert "kept for the next run where it has a version=..." in said
    assert "what is answered is kept" not in said
    assert "the function returned None, and must return the text of its answer" in said


@pytest.mark.parametrize(
    ("options", "modality", "passes"),
    [
        ("looks_at='video'", "video", True),
        ("looks_at='audiovideo'", "video", True),
        ("looks_at='video'", "audiovideo", False),
        ("", "video", False),
    ],
)
def test_a_function_says_what_it_looks_at(bench, options, modality, passes):
    """What it opens counts as seen or heard; a function that says nothing is told how to."""
    for name in ("c1", "c2"):
        make_clip(bench.data / f"video/{name}.mp4", sound=1.0)
    result = run(bench, "open(question.clip.video, 'rb').close(); return 'a1'", options or "version='1'", modality)
    result.assert_outcomes(**({"passed": 1} if passes else {"failed": 1}))
    if not passes:
        medium = "sound" if options else "picture"
        result.stdout.fnmatch_lines(
            [f"*counted no {medium} token*a function that opens the clip says so: looks_at=..."]
        )


def test_a_failing_assertion_shows_the_case_by_its_id(bench):
    """No object of ours is printed over several lines."""
    bench.pytester.makepyfile(test_bench="def test_it(case):\n    assert case.run()['scores']['waf2']['mean'] > 2\n")
    said = bench.run("-k", "judge and S1 and toy").stdout.str()
    assert "case = judge-S1-toy" in said
    assert "BoundCase(" not in said
