"""What a child answers that is none by the protocol, and several children of one engine."""

from __future__ import annotations

import asyncio
import json
import sys

import pytest

from emoprefer_bench.engines.engine import ChildEngine
from emoprefer_bench.engines.gpus import Gpus
from emoprefer_bench.pairs import Clip, Question, Sampling
from emoprefer_bench.protocol.parent import LoadError

CHILD = """
import json, os, sys
sys.stdin.readline()
ready = dict(type="ready", protocol=1, engine="x", version="1", concurrency={concurrency}, device="{device}")
print(json.dumps(ready), flush=True)
for line in sys.stdin:
    asked = json.loads(line)
    gpus = os.environ["CUDA_VISIBLE_DEVICES"]
    print(json.dumps(dict(type="answer", id=asked["id"], text=gpus) | {answer}), flush=True)
"""


def engine(folder, answer="{}", concurrency="2", device="toy", **settings):
    """A child that answers with its GPUs, and with the fields of `answer`."""
    script = folder / "child.py"
    script.write_text(CHILD.format(answer=answer, concurrency=concurrency, device=device))
    return ChildEngine("x", "1", (sys.executable, "-I", str(script)), "model", **settings)


def ask(judge, folder, *clips):
    """The answers to a question about each of the clips, all asked at once, and the session."""

    async def main():
        async with judge.open(folder / "log") as session:
            return await asyncio.gather(*(session.answer(question(name), None) for name in clips)), session

    return asyncio.run(main())


def question(clip):
    """A question about a clip, or about none."""
    return Question({"engine": "x"}, f"{clip}?", "video", Sampling(), clip=clip and Clip(clip, digest=clip))


@pytest.mark.parametrize(
    "answer",
    [
        '{"tokens": [1, 2]}',
        '{"tokens": {"prompt": "many"}}',
        '{"tokens": {"prompt": "3"}}',
        '{"tokens": {"prompt": float("inf")}}',
        '{"tokens": {"prompt": float("nan")}}',
        '{"tokens": {"prompt": -1}}',
        '{"tokens": {"prompt": 1.5}}',
        '{"tokens": {"prompt": True}}',
        '{"tokens": {"prompt": 10**400}}',
        '{"tokens": {"prompt": 10**4200}}',
        '{"tokens": {"prompt": [3]}}',
        '{"tokens": {"\\ud800": 3}}',
        '{"tokens": {"\\x1b]52;c;x": 3}}',
        '{"seconds": {"model": 10**400}}',
        '{"seconds": {"model": -(10**400)}}',
        '{"seconds": {"model": -0.5}}',
        '{"seconds": {"model": False}}',
        '{"seconds": {"model": "0.5"}}',
        '{"finish": ["stop"]}',
        '{"finish": "\\udfff"}',
        '{"text": None}',
        '{"seconds": {"model": float("nan")}}',
        '{"seconds": "long"}',
        '{"finish": "tired"}',
        '{"text": 7}',
    ],
)
def test_an_answer_that_is_none_by_the_protocol_is_an_error_of_its_question(tmp_path, answer):
    """Nothing that a child sends can end the run, or stand in a report that JSON can't hold."""
    judge = engine(tmp_path, f'({answer} if "c1" in line else {{}})', concurrency="1")
    (answered, other), session = ask(judge, tmp_path, "c1", "c2")
    assert answered.finish == "error"
    assert answered.text.startswith("the engine's answer doesn't follow the protocol: ")
    assert answered.text.isprintable()
    json.dumps([answered.text, answered.tokens, answered.seconds], allow_nan=False).encode()
    assert (other.finish, session.restarts) == ("stop", 0)


def test_what_a_child_says_of_itself_and_of_failures_can_be_printed_anywhere(tmp_path):
    """Its device, a failure and a text: no half a character, no control character, no line of a thousand pages."""
    hostile = "ab\\ud800\\x1b]52;c;aGk=\\x07\\r\\x9b2J" + "x" * 9000
    judge = engine(tmp_path, f'dict(type="error", message="{hostile}")', device=hostile)
    (failed,), session = ask(judge, tmp_path, "c1")
    for said in (failed.text, session.device):
        assert said.startswith("ab\N{REPLACEMENT CHARACTER}")
        assert said.isprintable()
        assert len(said) < 4100
    (answered,), _ = ask(
        engine(tmp_path, 'dict(text="\\ud83d\\ude00 a1 \\ud800", tokens=dict(prompt=3.0))'), tmp_path, "c1"
    )
    assert (answered.text, answered.tokens) == ("\N{GRINNING FACE} a1 ?", {"prompt": 3})


def test_a_load_that_fails_says_so_in_words_that_can_be_printed(tmp_path):
    """The message of `failed` goes to the terminal and to the report."""
    script = tmp_path / "child.py"
    script.write_text('print(\'{"type": "failed", "message": "no \\\\ud800 \\\\u001b[2J weights"}\')')
    with pytest.raises(LoadError) as caught:
        ask(ChildEngine("x", "1", (sys.executable, "-I", str(script)), "model"), tmp_path, "c1")
    assert str(caught.value) == "no \N{REPLACEMENT CHARACTER} \N{REPLACEMENT CHARACTER}[2J weights"


@pytest.mark.parametrize("concurrency", ["0", "'many'", "None", "True", "1.5", "float('nan')", "10**400"])
def test_a_concurrency_that_is_none_is_refused(tmp_path, concurrency):
    """With none in flight nothing would ever be asked."""
    with pytest.raises(LoadError, match="must be an integer from 1 on"):
        ask(engine(tmp_path, concurrency=concurrency), tmp_path, "c1")


def test_each_child_gets_its_share_of_the_gpus(tmp_path):
    """Eight GPUs and four children: two each; each has as many questions in flight, and others wait to follow."""
    judge = engine(tmp_path, gpus=Gpus(tuple("01234567")), options={"data_parallel": 4})
    answers, session = ask(judge, tmp_path, *"abcd")
    assert {answer.text for answer in answers} == {"0,1", "2,3", "4,5", "6,7"}
    assert (session.concurrency, session.device) == (4 * (2 + 16), "4 x toy")


def test_all_questions_about_a_clip_go_to_the_same_child(tmp_path):
    """Its caches are there; a question without a clip goes where there is room."""
    judge = engine(tmp_path, gpus=Gpus(("0", "1")), options={"data_parallel": 2})
    answers, _ = ask(judge, tmp_path, "a", "b", "a", "b", "a", None)
    assert [answer.text for answer in answers[:5]] == ["0", "1", "0", "1", "0"]
    assert answers[5].text in ("0", "1")


def test_a_question_that_comes_while_the_child_is_started_again_waits_for_it(tmp_path):
    """The first question kills the child; others come at every moment until it is there again."""
    script = tmp_path / "child.py"
    script.write_text(SLOW)
    judge = ChildEngine("x", "1", (sys.executable, "-I", str(script)), "model")

    async def main():
        async with judge.open(tmp_path / "log") as session:
            asked = [asyncio.create_task(session.answer(question("c0"), None))]
            while not (tmp_path / "second").exists():
                asked.append(asyncio.create_task(session.answer(question(f"c{len(asked)}"), None)))
                await asyncio.sleep(0.0005)
            return await asyncio.gather(*asked), session.restarts

    answers, restarts = asyncio.run(main())
    assert restarts == 1
    assert len(answers) > 10
    assert {answer.text for answer in answers} == {"a1"}


SLOW = """
import json, pathlib, sys, time
sys.stdin.readline()
here = pathlib.Path(__file__).parent
first = not (here / "first").exists()
(here / ("first" if first else "second")).touch()
time.sleep(0 if first else 0.5)
print(json.dumps(dict(type="ready", protocol=1, engine="x", version="1", concurrency=4)), flush=True)
for line in sys.stdin:
    if first:
        sys.exit(1)
    print(json.dumps(dict(type="answer", id=json.loads(line)["id"], text="a1")), flush=True)
"""


def test_gpus_that_can_not_be_shared_out_are_said(tmp_path):
    """Three children on eight GPUs."""
    judge = engine(tmp_path, gpus=Gpus(tuple("01234567")), options={"data_parallel": 3})
    with pytest.raises(LoadError, match="data_parallel=3 can't share out 8 GPUs"):
        ask(judge, tmp_path, "a")


def test_how_many_children_there_are_is_not_in_the_key(tmp_path):
    """The same question on one child and on two is one question."""
    assert engine(tmp_path).identity() == engine(tmp_path, options={"data_parallel": 2}).identity()


def test_one_child_that_cannot_load_ends_them_all(tmp_path):
    """The reason is the child's own."""
    judge = engine(tmp_path, concurrency="0", options={"data_parallel": 2})
    with pytest.raises(LoadError, match="concurrency 0"):
        ask(judge, tmp_path, "a")


WEIRD = """
import json, os, sys, threading, time
def say(*parts):
    os.write(1, b"".join(part if isinstance(part, bytes) else json.dumps(part).encode() + b"\\n" for part in parts))
def answer(asked, text="a1"):
    return dict(type="answer", id=asked["id"], text=text)
json.loads(sys.stdin.readline())
say(dict(type="ready", protocol=1, engine="x", version="1", concurrency=4))
for line in sys.stdin:
    asked = json.loads(line)
    if asked["question"]["prompt"] != "bad?":
        say(answer(asked))
        continue
    {bad}
"""


def weird(folder, bad, timeout=30.0):
    """A child that does what `bad` says when it is asked `bad?`, and answers other questions."""
    script = folder / "weird.py"
    script.write_text(WEIRD.format(bad=bad))
    return ChildEngine("x", "1", (sys.executable, "-I", str(script)), "model", timeout=timeout)


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ('say(b"[" * 200_000 + b"]" * 200_000 + b"\\n")', "a line that is not a message"),
        ('say(b\'{"id":\' + b"[" * 900 + b"]" * 900 + b"}\\n")', "answered nothing"),
        ('say(b"\\xff\\n")', "a line that is not a message"),
        ('say(b"x" * 1000); os._exit(3)', "ended with exit status 3"),
        ('say(b"7\\n")', "a line that is not a message"),
        ('[say(b"x" * (1 << 20)) for _ in range(70)]; say(b"\\n")', "a line of over 67108864 bytes"),
        ("os.close(1); time.sleep(60)", "closed its output and went on without it"),
        ("os.kill(os.getpid(), 40)", "ended with signal 40"),
        ("while True: say(dict(type='progress')); time.sleep(0.01)", "answered nothing for 3 s"),
        ("while True: say(answer(dict(id='nobody'))); time.sleep(0.01)", "answered nothing for 3 s"),
        ("while True: say(answer(dict(id=[asked['id']]))); time.sleep(0.01)", "answered nothing for 3 s"),
    ],
    ids=[
        "nested too deep", "nested within reason", "no UTF-8", "no newline", "no object", "an endless line",
        "no output", "a signal without a name", "chatter", "answers to nobody", "an id that is none",
    ],
)  # fmt: skip
def test_whatever_a_child_sends_no_question_waits_for_ever(tmp_path, bad, reason):
    """The question that brings it about fails after its second attempt, and the others are answered."""

    async def main():
        async with weird(tmp_path, bad, timeout=3.0).open(tmp_path / "log") as session:
            asked = [session.answer(question(name), None) for name in ("a", "bad", "b", "c")]
            return await asyncio.wait_for(asyncio.gather(*asked), 60)

    answers = asyncio.run(main())
    assert [answer.finish for answer in answers] == ["stop", "error", "stop", "stop"]
    assert reason in answers[1].text


@pytest.mark.parametrize(
    "bad",
    [
        "say(answer(asked), answer(asked, 'a2'))",
        "say(answer(dict(id='nobody'), 'a2'), dict(type='error', id='77', message='x'), answer(asked))",
        "say(dict(type='progress', text='loading'), {}, answer(asked))",
        "say(answer(dict(id=int(asked['id']))))",
        "say(answer(asked, 'a1' + ' ' * (10 << 20)))",
    ],
    ids=["twice", "to nobody", "other messages", "its number", "ten megabytes"],
)
def test_what_a_child_says_beside_its_answer_changes_nothing(tmp_path, bad):
    """The first answer with the question's id counts."""
    (answer, other), session = ask(weird(tmp_path, bad), tmp_path, "bad", "c")
    assert (answer.text.strip(), answer.finish, other.text, session.restarts) == ("a1", "stop", "a1", 0)


def test_only_the_end_of_a_log_is_read(tmp_path):
    """A child may write as much as the disk holds before it dies."""
    (tmp_path / "log").write_bytes(b"")
    with (tmp_path / "log").open("r+b") as log:
        log.truncate(8 << 30)
    (answer, _), _ = ask(
        weird(tmp_path, "sys.stderr.write('\\x1b[2J gone\\n'); sys.stderr.flush(); os._exit(1)"), tmp_path, "bad", "c"
    )
    assert "\N{REPLACEMENT CHARACTER}[2J gone" in answer.text


@pytest.mark.parametrize(("says", "scores"), [("", False), ("true", True), ("false", False), ("labels", "labels")])
def test_a_child_says_which_texts_it_can_weigh(tmp_path, says, scores):
    """Any, none, or labels; a child that doesn't say so can't."""
    said = {"true": ", scores=True", "false": ", scores=False", "labels": ", scores='labels'"}.get(says, "")
    _, session = ask(engine(tmp_path, concurrency="2" + said), tmp_path)
    assert session.scores == scores


def test_a_child_that_says_anything_else_is_not_loaded(tmp_path):
    """It says how it is said."""
    with pytest.raises(LoadError, match="says scores 'all': it must be true, false or \"labels\""):
        ask(engine(tmp_path, concurrency="2, scores='all'"), tmp_path)


def test_texts_to_weigh_reach_the_child_and_their_log_probabilities_come_back(tmp_path):
    """The question has no sampling then; what comes back in another number than the texts is an error."""
    weighing = Question({"engine": "x"}, "Which?", "text", None, score=("one", "two"))
    judge = engine(
        tmp_path,
        "dict(text=json.dumps(asked['question']), logprobs=[[-1.5]] * len(asked['question']['score']))",
    )

    async def main():
        async with judge.open(tmp_path / "log") as session:
            return await session.answer(weighing, None)

    answer = asyncio.run(main())
    asked = json.loads(answer.text)
    assert (asked["score"], asked["sampling"]) == (["one", "two"], None)
    assert answer.logprobs == ((-1.5,), (-1.5,))
