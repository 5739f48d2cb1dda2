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
ready = dict(type="ready", protocol=1, engine="x", version="1", concurrency={concurrency}, device="toy")
print(json.dumps(ready), flush=True)
for line in sys.stdin:
    asked = json.loads(line)
    gpus = os.environ["CUDA_VISIBLE_DEVICES"]
    print(json.dumps(dict(type="answer", id=asked["id"], text=gpus) | {answer}), flush=True)
"""


def engine(folder, answer="{}", concurrency="2", **settings):
    """A child that answers with its GPUs, and with the fields of `answer`."""
    script = folder / "child.py"
    script.write_text(CHILD.format(answer=answer, concurrency=concurrency))
    return ChildEngine("x", "1", (sys.executable, "-I", str(script)), "model", **settings)


def ask(judge, folder, *clips):
    """The answers to a question about each of the clips, all asked at once, and the session."""

    async def main():
        async with judge.open(folder / "log") as session:
            return await asyncio.gather(*(session.answer(question(name), None) for name in clips)), session

    return asyncio.run(main())


def question(clip):
    """A question about a clip, or about none."""
    return Question({"engine": "x"}, "Which?", "video", Sampling(), clip=clip and Clip(clip, digest=clip))


@pytest.mark.parametrize(
    "answer",
    [
        '{"tokens": [1, 2]}',
        '{"tokens": {"prompt": "many"}}',
        '{"seconds": {"model": float("nan")}}',
        '{"seconds": "long"}',
        '{"finish": "tired"}',
        '{"text": 7}',
    ],
)
def test_an_answer_that_is_none_by_the_protocol_is_an_error_of_its_question(tmp_path, answer):
    """Nothing that a child sends can end the run, or stand in a report that JSON can't hold."""
    (answered,), _ = ask(engine(tmp_path, answer), tmp_path, "c1")
    assert answered.finish == "error"
    json.dumps([answered.text, answered.tokens, answered.seconds], allow_nan=False).encode()


@pytest.mark.parametrize("concurrency", ["0", "'many'", "None"])
def test_a_concurrency_that_is_none_is_refused(tmp_path, concurrency):
    """With none in flight nothing would ever be asked."""
    with pytest.raises(LoadError, match="must be an integer from 1 on"):
        ask(engine(tmp_path, concurrency=concurrency), tmp_path, "c1")


def test_each_child_gets_its_share_of_the_gpus(tmp_path):
    """Eight GPUs and four children: two each, and four times as many questions in flight."""
    judge = engine(tmp_path, gpus=Gpus(tuple("01234567")), options={"data_parallel": 4})
    answers, session = ask(judge, tmp_path, *"abcd")
    assert {answer.text for answer in answers} == {"0,1", "2,3", "4,5", "6,7"}
    assert (session.concurrency, session.device) == (8, "4 x toy")


def test_all_questions_about_a_clip_go_to_the_same_child(tmp_path):
    """Its caches are there; questions without a clip go where there is least to do."""
    judge = engine(tmp_path, gpus=Gpus(("0", "1")), options={"data_parallel": 2})
    answers, _ = ask(judge, tmp_path, "a", "b", "a", "b", "a", None)
    assert [answer.text for answer in answers] == ["0", "1", "0", "1", "0", "1"]


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
