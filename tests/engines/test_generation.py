from __future__ import annotations

from collections import Counter

import pytest
import torch

from emoprefer_bench.engines.children.generation import Draw, collate, joinable, take_alike
from emoprefer_bench.protocol.worker import Ask

SAMPLING = {"temperature": 1.0, "top_p": 1.0, "top_k": 0, "repetition_penalty": 1.0, "presence_penalty": 0.0}
GREEDY = {**SAMPLING, "temperature": 0.0}
PROMPT = torch.tensor([[1, 2]])


def row(ids, **media):
    """Make an encoded prompt, a batch of one."""
    tokens = torch.tensor([ids])
    return {"input_ids": tokens, "attention_mask": torch.ones_like(tokens), **media}


def own(*widths):
    """Return the mask of prompts without padding."""
    return torch.ones(len(widths), widths[0], dtype=torch.bool)


def draw(sampling, seed, scores, ids=PROMPT):
    """Return the token that one row draws."""
    return int(Draw(sampling, [seed], torch.ones_like(ids).bool())(ids, scores.clone()).argmax())


class TestCollate:
    """Joining rows."""

    def test_tokens_are_padded_at_the_left(self):
        """Short rows get padding before their first token, which the mask leaves out."""
        batch = collate([row([5, 6, 7]), row([8])], pad_id=9)
        assert batch["input_ids"].tolist() == [[5, 6, 7], [9, 9, 8]]
        assert batch["attention_mask"].tolist() == [[1, 1, 1], [0, 0, 1]]

    def test_media_are_joined_and_not_padded(self):
        """Patches of pictures stand behind one another, however many a clip has."""
        rows = [row([5, 6], pixels=torch.ones(3, 4)), row([7], pixels=torch.zeros(2, 4))]
        assert collate(rows, pad_id=0)["pixels"].sum(1).tolist() == [4, 4, 4, 0, 0]

    def test_spectra_are_padded_at_the_right(self):
        """A short sound beside a longer one: nothing behind it, and its mask says so, even as wide as the prompt."""
        sounds = [
            row([5, 6, 7], input_features=torch.ones(1, 2, width), feature_attention_mask=torch.ones(1, width))
            for width in (3, 5)
        ]
        assert joinable(sounds[0]) == joinable(sounds[1])
        batch = collate(sounds, pad_id=0)
        assert batch["feature_attention_mask"].tolist() == [[1, 1, 1, 0, 0], [1] * 5]
        assert batch["input_features"].sum((1, 2)).tolist() == [6, 10]
        assert batch["input_features"][0, :, 3:].sum() == 0

    def test_rows_of_other_shapes_are_told_apart(self):
        """Frames of another size, or no frames, can't be joined; another number of tokens or patches can."""
        first = row([5, 6], pixels=torch.ones(3, 4))
        assert joinable(first) == joinable(row([5], pixels=torch.ones(9, 4)))
        assert joinable(first) != joinable(row([5, 6], pixels=torch.ones(3, 5)))
        assert joinable(first) != joinable(row([5, 6]))


class TestDraw:
    """Drawing tokens."""

    def test_greedy_changes_nothing(self):
        """At temperature 0 the scores stay as they are."""
        scores = torch.tensor([[1.0, 3.0, 2.0]])
        assert torch.equal(Draw(GREEDY, [1], own(2))(PROMPT, scores.clone()), scores)

    def test_tokens_come_as_often_as_they_are_probable(self):
        """Over 4,000 seeds, each token's share is its probability, within four standard errors."""
        probabilities = torch.tensor([0.6, 0.3, 0.08, 0.02])
        drawn = Counter(draw(SAMPLING, seed, probabilities.log()[None]) for seed in range(4000))
        for token, probability in enumerate(probabilities.tolist()):
            error = (probability * (1 - probability) / 4000) ** 0.5
            assert drawn[token] / 4000 == pytest.approx(probability, abs=4 * error)

    def test_temperature_sharpens(self):
        """At temperature 0.5 probabilities are squared: 0.6 and 0.4 become 0.69 and 0.31."""
        scores = torch.tensor([[0.6, 0.4]]).log()
        drawn = sum(draw({**SAMPLING, "temperature": 0.5}, seed, scores) for seed in range(2000))
        assert drawn / 2000 == pytest.approx(0.16 / 0.52, abs=0.045)

    @pytest.mark.parametrize("limit", [{"top_k": 2}, {"top_p": 0.85}])
    def test_what_a_limit_leaves_out_is_never_drawn(self, limit):
        """Only the tokens within top-k or top-p come."""
        scores = torch.tensor([[0.5, 0.3, 0.12, 0.08]]).log()
        drawn = {draw({**SAMPLING, **limit}, seed, scores) for seed in range(300)}
        assert drawn == ({0, 1} if "top_k" in limit else {0, 1, 2})

    def test_rows_beside_it_make_no_difference(self):
        """A row draws the same tokens, step after step, alone and in a batch."""
        scores = torch.randn(3, 50, generator=torch.Generator().manual_seed(0))
        ids = PROMPT.repeat(3, 1)
        together = Draw(SAMPLING, [7, 8, 9], own(2, 2, 2))
        alone = Draw(SAMPLING, [8], own(2))
        for _ in range(5):
            assert torch.equal(together(ids, scores.clone())[1], alone(PROMPT, scores[1:2].clone())[0])

    def test_the_repetition_penalty_counts_prompt_and_answer_but_no_padding(self):
        """Tokens that were there lose: positive scores are divided, negative multiplied; padding was not there."""
        for mask in ([False, False, True], [True, False, False]):
            prompt = torch.where(torch.tensor(mask), 1, 0).tolist()
            penalise = Draw({**GREEDY, "repetition_penalty": 2.0}, [0], torch.tensor([mask]))
            scores = penalise(torch.tensor([[*prompt, 3, 3]]), torch.tensor([[4.0, 4.0, 4.0, -4.0]]))
            assert scores.tolist() == [[4.0, 2.0, 4.0, -8.0]]

    def test_the_presence_penalty_counts_the_answer_alone(self):
        """It is subtracted once from every token of the row's own answer, however often that came."""
        penalise = Draw({**GREEDY, "presence_penalty": 1.5}, [0, 1], own(2, 2))
        scores = penalise(torch.tensor([[0, 1, 2, 2], [0, 1, 3, 1]]), torch.full((2, 4), 4.0))
        assert scores.tolist() == [[4.0, 4.0, 2.5, 4.0], [4.0, 2.5, 4.0, 2.5]]

    def test_the_presence_penalty_comes_behind_the_repetition_penalty(self):
        """Divided first, then subtracted from, as in vLLM; the first token of an answer knows no presence."""
        penalise = Draw({**GREEDY, "repetition_penalty": 2.0, "presence_penalty": 1.5}, [0], own(1))
        assert penalise(torch.tensor([[0]]), torch.tensor([[4.0, 4.0]])).tolist() == [[2.0, 4.0]]
        assert penalise(torch.tensor([[0, 1]]), torch.tensor([[4.0, 4.0]])).tolist() == [[2.0, 0.5]]


def ask(number, clip, modality="video", **sampling):
    """Make a waiting question."""
    question = {"modality": modality, "clip": clip and {"digest": clip}, "sampling": {"seed": number, **sampling}}
    return Ask(str(number), question)


class TestTakeAlike:
    """Choosing a batch."""

    def test_questions_about_the_oldest_clip_go_first(self):
        """The oldest question leads, those about its clip follow, others fill up; the rest keeps waiting in order."""
        waiting = [ask(0, "a"), ask(1, "b"), ask(2, "c"), ask(3, "a")]
        assert [taken.id for taken in take_alike(waiting, 3)] == ["0", "3", "1"]
        assert [left.id for left in waiting] == ["2"]

    def test_modality_and_sampling_must_agree(self):
        """Only the seed may differ within a batch."""
        waiting = [ask(0, "a", temperature=0.7), ask(1, "a"), ask(2, "a", "audio", temperature=0.7)]
        waiting.append(ask(3, "b", temperature=0.7))
        assert [taken.id for taken in take_alike(waiting, 4)] == ["0", "3"]
        assert [left.id for left in waiting] == ["1", "2"]

    def test_questions_without_a_clip(self):
        """Text alone goes through too."""
        assert len(take_alike([ask(0, None, "text"), ask(1, None, "text")], 4)) == 2
