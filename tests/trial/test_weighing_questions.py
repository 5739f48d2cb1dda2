"""Questions that weigh texts, from the desk to the transcript."""

from __future__ import annotations

import asyncio
import json
import re

import pytest

from emoprefer_bench import prompts
from emoprefer_bench.cases import Case
from emoprefer_bench.engines.declared import function, gemini
from emoprefer_bench.media.pool import Decoders
from emoprefer_bench.pairs import Answer, Question
from emoprefer_bench.trial.desk import Desk
from emoprefer_bench.trial.held import HeldClip
from emoprefer_bench.trial.seats import CannotWeighError, Seat
from emoprefer_bench.trial.store import Store
from emoprefer_bench.trial.tally import Tally
from emoprefer_bench.trial.transcripts import Step, Transcripts
from emoprefer_bench.verdicts import Reading

WEIGHING = Question({"engine": "x"}, "Which?", "text", None, score=("a1", "a2"))


def ask(folder, engine, *questions):
    """The answers that the desk has to questions, one after the other."""

    async def main():
        seat = Seat("judge", engine, folder / "log")
        with Store(folder / "answers") as store:
            desk = Desk(seat, {}, pack=prompts.load(), store=store)
            desk.resident.add("judge")
            tally = Tally.empty(Case("judge", "S1", "data"), [], 1)
            held = HeldClip(None, Decoders(folder / "decoder.log"), 0)
            try:
                return [await desk.ask(seat, question, held, tally) for question in questions]
            finally:
                await seat.close()

    return asyncio.run(main())


def weigher(answer, **settings):
    """A function that weighs, and whose answers are kept."""
    return function(answer, name="judge", durable=True, **{"scores": True, **settings})


def test_a_function_weighs_texts_once(tmp_path):
    """It may return a dict, as a worker does; what it said is there in the next run."""
    asked = []

    def weigh(question):
        asked.append(question.score)
        return {"logprobs": [[-float(len(text)), -0.5] for text in question.score]}

    (first,) = ask(tmp_path, weigher(weigh), WEIGHING)
    (second,) = ask(tmp_path, weigher(weigh), WEIGHING)
    assert first.logprobs == second.logprobs == ((-2.0, -0.5), (-2.0, -0.5))
    assert asked == [("a1", "a2")]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"logprobs": [[-1.0]]}, "its logprobs are of 1, and 2 texts were to be weighed"),
        ({"logprobs": [[-1.0], []]}, "no list of one number for each token"),
        ({"logprobs": [[-1.0], [0.1]]}, "0.1: the logarithm of a probability"),
        ({"logprobs": [[-1.0], [float("-inf")]]}, "-inf: the logarithm of a probability"),
        ({"logprobs": [[-1.0], [float("nan")]]}, "nan: the logarithm of a probability"),
        ({"logprobs": [[-1.0], [-(10**400)]]}, "the logarithm of a probability"),
        ({"logprobs": [[-1.0], [True]]}, "True, which is no number"),
        ({"text": "a1"}, "its logprobs are None"),
        ("a1", "its logprobs are None"),
        (Answer("a1"), "its logprobs are None"),
        (Answer("", logprobs=((-1.0,), (1.0,))), "1.0: the logarithm of a probability"),
    ],
)
def test_an_answer_that_weighs_otherwise_is_an_error(tmp_path, given, says):
    """Its lengths have to fit the texts, and its values are logarithms of probabilities."""
    (answer,) = ask(tmp_path, weigher(lambda question: given), WEIGHING)
    assert answer.finish == "error"
    assert says in answer.text


def test_a_text_that_could_only_be_bounded_has_no_number(tmp_path):
    """And a prompt that doesn't fit has none at all."""
    listed, overlong = ask(
        tmp_path,
        weigher(lambda q: {"logprobs": [[-1.0], None]} if q.modality == "text" else Answer("", "overlong")),
        WEIGHING,
        Question({"engine": "x"}, "Which?", "video", None, score=("a1",)),
    )
    assert listed.logprobs == ((-1.0,), None)
    assert (overlong.finish, overlong.logprobs) == ("overlong", None)


def test_who_can_not_weigh_is_never_asked(tmp_path):
    """Neither is whom only short labels can be asked of; the message says what to do."""

    def never(question):
        raise AssertionError(question)

    with pytest.raises(CannotWeighError, match=re.escape("judge can't be asked that: it gives no log-probabilities")):
        ask(tmp_path, function(never, name="judge"), WEIGHING)
    text = Question({"engine": "x"}, "Which?", "text", None, score=("She is sad.",))
    with pytest.raises(CannotWeighError, match="it can weigh labels"):
        ask(tmp_path, weigher(never, scores="labels"), text)
    with pytest.raises(CannotWeighError, match="it gives no log-probabilities"):
        ask(tmp_path, gemini("gemini-2.5-flash"), WEIGHING)  # which isn't started for it
    assert not (tmp_path / "log").exists()


def test_a_transcript_has_what_was_weighed(tmp_path, pairs):
    """The texts beside the log-probabilities of their tokens."""
    case = Case("judge", "S1", "data")
    step = Step("judge", Answer("", logprobs=((-0.1, -2.0), None)), ("a1", "a2"))
    with Transcripts(tmp_path) as transcripts:
        transcripts.write(case, 0, 0, pairs[0], [step], Reading("a1", "parsed", "a1"), exchanged=False)
    (line,) = (tmp_path / f"{case.id}.jsonl").read_text().splitlines()
    weighed = [{"text": "a1", "logprobs": [-0.1, -2.0]}, {"text": "a2", "logprobs": None}]
    assert json.loads(line)["steps"] == [{"asked": "judge", "answer": "", "weighed": weighed}]
