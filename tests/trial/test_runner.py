from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections import Counter
from dataclasses import replace

import pytest

from emoprefer_bench import prompts
from emoprefer_bench.cases import Case
from emoprefer_bench.engines.declared import function
from emoprefer_bench.engines.functions import FunctionEngine
from emoprefer_bench.media.pool import Decoders
from emoprefer_bench.pairs import Answer, Clip, Pair, Sampling
from emoprefer_bench.trial.runner import Runner
from emoprefer_bench.trial.seats import Seat
from emoprefer_bench.trial.store import Store
from emoprefer_bench.trial.tally import Tally
from emoprefer_bench.trial.transcripts import Transcripts


class Judge:
    """A scripted judge that notes what it is asked."""

    def __init__(self, answer=lambda question: "a1", **settings):
        self.asked = []

        def note(question):
            self.asked.append(question)
            return answer(question)

        self.engine = function(note, name="judge", durable=True, **settings)


def run(tmp_path, tallies, judge, llm=None, **settings):
    """Run tallies to the end."""

    async def main():
        log = tmp_path / "log"
        llms = {"llm": Seat("llm", llm.engine, log)} if llm else {}
        with Store(tmp_path / "answers") as store, Transcripts(tmp_path / "transcripts") as transcripts:
            runner = Runner(
                tallies,
                Seat("judge", judge.engine, log),
                llms,
                pack=prompts.load(),
                store=store,
                decoders=Decoders(log),
                progress=settings.pop("progress", lambda done, total, clip: None),
                transcripts=transcripts,
                **settings,
            )
            await runner.run()

    asyncio.run(main())


def tally(pairs, prompt="S1", rounds=1, **changes):
    """An empty tally of a case on these pairs."""
    llm = "llm" if prompt in ("S3", "S4") else None
    return Tally.empty(Case("judge", prompt, "data", "text+subtitle", llm, **changes), pairs, rounds)


@pytest.mark.parametrize("who", ["judge", "llm"])
def test_a_model_that_wants_its_texts_on_one_line_gets_them_so(tmp_path, pairs, who):
    """In each question to it, descriptions and reasons too, whatever the pack says; the other gets them whole."""
    written = [replace(pair, a1="sad\n\ttired ", a2="glad") for pair in pairs[:1]]
    judge = Judge(lambda question: "calm\nand low", whitespace="fold" if who == "judge" else "keep")
    llm = Judge(lambda question: "a1 it\nis", whitespace="fold" if who == "llm" else "keep")
    run(tmp_path, [tally(written, prompt) for prompt in ("S1", "S2", "S4")], judge, llm)
    prompts_of = {"judge": [q.prompt for q in judge.asked], "llm": [q.prompt for q in llm.asked]}
    for name, asked in prompts_of.items():
        texts = "\n".join(asked)
        assert ("sad  tired\n" in texts, "sad\n\ttired " in texts) == (name == who, name != who)
        assert ("calm and low" in texts, "calm\nand low" in texts) == (name == who, name != who)
    reasons = "\n".join(prompts_of["llm"])
    assert ("a1 it is" in reasons, "a1 it\nis" in reasons) == (who == "llm", who != "llm")


def test_a_text_llm_can_get_its_own_reasons_flat(tmp_path, pairs):
    """Without its thoughts, "Output:" in front and newlines; what it answered is kept whole."""
    judge = Judge(lambda question: "calm\nand low")
    llm = Judge(lambda question: "<think>\nHm.\n</think>\n\nOutput: a1\nis it", flat_answers=True)
    one = tally(pairs[:1], "S4")
    run(tmp_path, [one], judge, llm)
    asked = "\n".join(question.prompt for question in llm.asked)
    assert "a1is it" in asked
    assert "Output:" not in asked
    assert "calm\nand low" in asked
    assert (tmp_path / "transcripts").exists()
    stored = "".join(path.read_text() for path in (tmp_path / "answers").rglob("*") if path.is_file())
    assert "Output: a1" in stored


def test_s1_asks_both_orders_of_every_pair_once(tmp_path, pairs):
    """Twelve questions for six pairs, but a pair of equal texts is the same question in both orders."""
    judge = Judge()
    one = tally(pairs)
    run(tmp_path, [one], judge)
    assert len(judge.asked) == len({question.key for question in judge.asked}) == 11
    assert one.complete
    assert [reading.label for reading in one.rounds[0].exchanged] == ["a1"] * 6
    assert (one.times.asked, one.stored) == (11, 1)


@pytest.mark.parametrize(
    ("modality", "sound"), [("audio", "float"), ("audiovideo", "float"), ("video", None), ("text", None)]
)
def test_who_is_sent_sound_otherwise_than_before_is_asked_anew(tmp_path, pairs, modality, sound):
    """About what it hears, and about nothing else: the other answers that are stored stay good."""

    class Heard(FunctionEngine):
        sent_sound = "float"

    judge = Judge()
    judge.engine = Heard(judge.engine.function, name="judge", durable=True)
    one = Tally.empty(Case("judge", "S1", "data", modality), pairs[:1], 1)
    run(tmp_path, [one], judge)
    assert {question.engine.get("sound") for question in judge.asked} == {sound}
    assert len({question.key for question in judge.asked}) == 2


def test_a_second_run_asks_nothing(tmp_path, pairs):
    """All answers come from the store, and the verdicts are the same."""
    first, second, judge = tally(pairs), tally(pairs), Judge(lambda q: "a2" if "sad" in q.prompt else "a1")
    run(tmp_path, [first], judge)
    asked = len(judge.asked)
    run(tmp_path, [second], judge)
    assert len(judge.asked) == asked
    assert second.rounds == first.rounds
    assert (second.times.asked, second.stored) == (0, 12)


def test_the_description_of_a_clip_is_asked_once_for_s2_s3_s4_and_both_orders(tmp_path, pairs):
    """Three clips, three descriptions, whatever builds on them."""
    judge, llm = Judge(lambda q: "The person is glad." if "Describe" in q.prompt else "a1"), Judge(lambda q: "a2")
    tallies = [tally(pairs, prompt) for prompt in ("S1", "S2", "S3", "S4")]
    run(tmp_path, tallies, judge, llm)
    kinds = Counter("describe" if "Describe" in question.prompt else "judge" for question in judge.asked)
    assert kinds["describe"] == 3
    assert all(one.complete for one in tallies)
    assert all(
        "The person is glad." in question.prompt for question in llm.asked if "account of the" in question.prompt
    )


def test_a_text_llm_gets_no_clip_and_no_subtitle(tmp_path, pairs):
    """S3's LLM judges by the description alone."""
    judge, llm = Judge(lambda q: "Plain."), Judge()
    run(tmp_path, [tally(pairs, "S3")], judge, llm)
    assert {question.clip for question in llm.asked} == {None}
    assert not [question for question in llm.asked if "Sentence" in question.prompt]
    assert all("Sentence" in question.prompt for question in judge.asked)


def test_the_judge_is_asked_until_nothing_waits_for_it_and_then_exchanged(tmp_path, pairs):
    """Two models that share a GPU are loaded once each."""
    order = []
    judge = Judge(lambda q: order.append("judge") or "a1")
    llm = Judge(lambda q: order.append("llm") or "a1")
    run(tmp_path, [tally(pairs, prompt) for prompt in ("S1", "S2", "S4")], judge, llm)
    assert order == sorted(order)
    assert order.count("llm") == 12


def test_questions_about_a_clip_are_asked_together(tmp_path, pairs):
    """The clips come one after the other, for all cases and rounds at once."""
    judge = Judge(concurrency=1)
    run(tmp_path, [tally(pairs), tally(pairs, "S2")], judge)
    sentences = [question.prompt.split("Sentence ")[1][0] for question in judge.asked]
    assert sentences == sorted(sentences)


def test_identical_questions_in_flight_are_joined(tmp_path, pairs):
    """Two cases that ask the same at the same time share one answer."""
    judge = Judge()
    run(tmp_path, [tally(pairs), tally(pairs)], judge)
    assert len(judge.asked) == 11


def test_greedy_rounds_are_one_question_and_sampled_rounds_are_not(tmp_path, pairs):
    """Asking greedily again is no second opinion; sampling is, each round with a seed of its own."""
    greedy, sampled = Judge(), Judge(sampling=Sampling(temperature=0.7))
    run(tmp_path / "greedy", [tally(pairs, rounds=3)], greedy)
    run(tmp_path / "sampled", [tally(pairs, rounds=3)], sampled)
    assert len(greedy.asked) == 11
    assert len(sampled.asked) == 33
    assert len({question.seed for question in sampled.asked}) == 33


def test_rows_that_share_a_clip_keep_their_own_verdicts(tmp_path, pairs):
    """Nothing is keyed by the clip's name: rows 0 and 3 are about one clip and answered differently."""
    judge = Judge(lambda q: "a2" if "Description a1: afraid" in q.prompt else "a1")
    one = tally(pairs)
    run(tmp_path, [one], judge)
    assert [reading.label for reading in one.rounds[0].forward] == ["a1", "a1", "a1", "a2", "a1", "a1"]


@pytest.mark.parametrize(("finish", "provenance"), [("error", "error"), ("refused", "refused"), ("overlong", "error")])
def test_a_failed_step_gives_a_verdict_that_says_so(tmp_path, pairs, finish, provenance):
    """Where the description failed, nothing is asked on top of it; errors are counted as the case's failures."""
    judge = Judge(lambda q: Answer("no", finish))
    one = tally(pairs, "S2")
    run(tmp_path, [one], judge)
    assert {reading.provenance for reading in one.rounds[0].forward if reading} == {provenance}
    assert one.failures == (3 if finish == "error" else 0)  # one a clip
    assert all("Describe" in question.prompt for question in judge.asked)


def test_an_error_is_asked_again_in_the_next_run(tmp_path, pairs):
    """What failed is no final answer."""
    broken, mended = Judge(lambda q: Answer("boom", "error")), Judge()
    run(tmp_path, [tally(pairs)], broken)
    one = tally(pairs)
    run(tmp_path, [one], mended)
    assert len(mended.asked) == 11
    assert {reading.provenance for reading in one.rounds[0].forward} == {"parsed"}


def test_progress_counts_every_verdict(tmp_path, pairs):
    """The last report says that all is done."""
    seen = []
    run(tmp_path, [tally(pairs, rounds=2)], Judge(), progress=lambda done, total, clip: seen.append((done, total)))
    assert seen == [(number, 24) for number in range(1, 25)]


def test_stored_verdicts_come_first_and_load_nothing(tmp_path, pairs):
    """Of what is there half, the stored half is there before the judge is asked for the rest."""
    run(tmp_path, [tally(pairs[:3])], Judge())
    judge, seen = Judge(), []
    half = tally(pairs)
    run(tmp_path, [half], judge, progress=lambda done, total, clip: seen.append((done, total, len(judge.asked))))
    assert [asked for _, _, asked in seen[:6]] == [0] * 6
    assert [done for done, _, _ in seen] == list(range(1, 13))
    assert half.times.asked == len(judge.asked) > 0


def test_a_judge_whose_answers_are_not_kept_is_exchanged_too(tmp_path, pairs):
    """Left and run again, a strategy finds what it had asked in memory."""
    judge, llm = Judge(lambda q: "Plain."), Judge()
    judge.engine = replace(judge.engine, durable=False)
    one = tally(pairs, "S3")
    run(tmp_path, [one], judge, llm)
    assert one.complete
    assert len(judge.asked) == 3


class Hub:
    """A function whose weights nobody has seen before it was opened; it notes when it is open."""

    def __init__(self, function, noted):
        self.function, self.noted, self.seen = function, noted, False

    def __getattr__(self, name):
        return getattr(self.function, name)

    def identity(self):
        """The function's, once it was open."""
        return self.function.identity() if self.seen else None

    @contextlib.asynccontextmanager
    async def open(self, log):
        """The function's session."""
        self.noted.append(f"{self.name} opens")
        self.seen = True
        async with self.function.open(log) as session:
            yield session
        self.noted.append(f"{self.name} ends")


def test_a_text_llm_that_was_never_here_is_not_loaded_beside_the_judge(tmp_path, pairs):
    """Its name in the key can only be had from itself, and two models on one GPU don't fit."""
    judge, llm, noted = Judge(lambda q: "Plain."), Judge(lambda q: "a2"), []
    judge.engine = Hub(replace(judge.engine, name="judge"), noted)
    llm.engine = Hub(replace(llm.engine, name="llm"), noted)
    one = tally(pairs, "S3")
    run(tmp_path, [one], judge, llm)
    assert one.complete
    assert noted == ["judge opens", "judge ends", "llm opens", "llm ends"]
    assert [len(judge.asked), len(llm.asked)] == [3, 11]


def test_an_answer_counts_once_for_a_verdict_however_often_its_strategy_was_run(tmp_path, pairs):
    """Also where engines are exchanged, and also in a run that finds part of the answers: reports stay comparable."""
    tokens = {"prompt": 10, "output": 2}
    judge, llm = Judge(lambda q: Answer("Plain.", tokens=tokens)), Judge(lambda q: Answer("a1", tokens=tokens))
    first, second = tally(pairs, "S3"), tally(pairs, "S3")
    run(tmp_path, [first], judge, llm)
    run(tmp_path, [second], judge, llm)
    assert first.tokens == second.tokens == {"prompt": 12 * 2 * 10, "output": 12 * 2 * 2}
    assert (first.times.asked, first.stored) == (3 + 11, 24 - 14)


def test_a_clip_of_two_data_sets_is_asked_about_at_once(tmp_path, pairs):
    """It is the same clip where its bytes are the same, whatever it is called."""
    judge = Judge(concurrency=1)
    other = replace(tally(pairs), case=replace(tally(pairs).case, dataset="other"))
    run(tmp_path, [tally(pairs), other], judge)
    sentences = [question.prompt.split("Sentence ")[1][0] for question in judge.asked]
    assert sentences == sorted(sentences)


def test_the_report_says_where_the_time_went(tmp_path, pairs):
    """A judge that takes its time is its own bottleneck; from the store nothing takes time."""
    judge = Judge(lambda q: time.sleep(0.01) or Answer("a1", tokens={"output": 3, "prompt": 10, "cached": 5}))
    first, second = tally(pairs), tally(pairs)
    run(tmp_path, [first], judge)
    run(tmp_path, [second], judge)
    told = first.times.described()
    assert 0.11 < told["seconds"]["elapsed"] < 2
    assert told["pace"]["bottleneck"] == "model"
    assert told["pace"]["cached"] == 0.5
    assert told["pace"]["output_tokens"] == pytest.approx(3 * told["pace"]["questions"], rel=0.01)
    assert second.times.described() == {
        "seconds": {},
        "pace": {"questions": None, "output_tokens": None, "cached": None, "bottleneck": None},
    }


THOUGHT = "<think>Frowning? a1 says so.</think>\n\n"


def test_what_was_thought_reaches_neither_the_next_prompt_nor_the_verdict(tmp_path, pairs):
    """The description and the reasoning go on without it; the store keeps the answers whole, transcripts show both."""
    judge = Judge(lambda q: f"{THOUGHT}The person is glad." if "Describe" in q.prompt else f"{THOUGHT}a2")
    llm = Judge(lambda q: f"{THOUGHT}The second agrees." if "cue by cue" in q.prompt else f"{THOUGHT}a2")
    tallies = [tally(pairs, prompt) for prompt in ("S1", "S2", "S3", "S4")]
    run(tmp_path, tallies, judge, llm)
    assert not [question for question in judge.asked + llm.asked if "Frowning" in question.prompt]
    assert [question for question in llm.asked if "The second agrees." in question.prompt]
    for one in tallies:
        assert {reading.label for reading in (*one.rounds[0].forward, *one.rounds[0].exchanged)} == {"a2"}
        assert {reading.reference for reading in one.rounds[0].forward} == {"a2"}
    (stored,) = (tmp_path / "answers").glob("*.jsonl")
    assert all(json.loads(line)["text"].startswith(THOUGHT) for line in stored.read_text().splitlines())
    steps = json.loads((tmp_path / "transcripts/judge-S2-data.jsonl").read_text().splitlines()[0])["steps"]
    assert steps[0] == {"asked": "describe", "answer": "The person is glad.", "whole": f"{THOUGHT}The person is glad."}


def test_a_description_that_never_left_its_thought_is_nothing_to_judge_by(tmp_path, pairs):
    """The verdict is unread and says why, and no prompt is made of half a thought."""
    judge = Judge(lambda q: Answer("<think>The brow, a1", "length") if "Describe" in q.prompt else "a1")
    one = tally(pairs, "S2")
    run(tmp_path, [one], judge)
    assert all("Describe" in question.prompt for question in judge.asked)
    assert {(reading.label, reading.provenance) for reading in one.rounds[0].forward} == {(None, "truncated")}


@pytest.mark.parametrize(
    ("said", "provenance"),
    [
        ("a1, a2, or same", "ambiguous"),
        ("Answer: a1 or a2", "ambiguous"),
        ("<think>a1 or a2? I take a1", "truncated"),
        ("<think>I take a1</think>", "empty"),
    ],
)
def test_a_judge_that_lists_both_or_only_thinks_has_answered_nothing(tmp_path, pairs, said, provenance):
    """Whatever stands first in what it says."""
    one = tally(pairs)
    run(tmp_path, [one], Judge(lambda q: said))
    read = [*one.rounds[0].forward, *one.rounds[0].exchanged]
    assert {(reading.label, reading.provenance) for reading in read} == {(None, provenance)}


def test_a_fleet_that_wants_many_questions_gets_them(tmp_path):
    """More clips are open than a single model would ever need, so that each of its places has a question."""
    in_flight, most = 0, 0

    async def say_a1(question):
        nonlocal in_flight, most
        in_flight += 1
        most = max(most, in_flight)
        await asyncio.sleep(0.05)
        in_flight -= 1
        return "a1"

    judge = Judge()
    judge.engine = function(say_a1, name="judge", concurrency=200)
    many = [Pair(f"{n}:c{n}", Clip(f"c{n}", digest=f"{n}"), f"one {n}", f"two {n}", "a1") for n in range(150)]
    one = tally(many)
    run(tmp_path, [one], judge)
    assert one.failure is None
    assert most == 200
