"""What the small judge can do, on scenes that it never learned from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from emoprefer_bench import prompts
from emoprefer_bench.demo.descriptions import describe
from emoprefer_bench.demo.scenes import EMOTIONS, dice
from emoprefer_bench.demo.train.batches import Desk, Library, Pack, Row, collated
from emoprefer_bench.demo.train.learning import mean_by, understood
from emoprefer_bench.demo.train.questions import WRITERS, Kind, Modality, Teacher
from emoprefer_bench.demo.train.world import babble

if TYPE_CHECKING:
    from collections.abc import Sequence

    from emoprefer_bench.demo.train.media import Media, Prompts


class Exam:
    """Questions about clips that the model has not seen."""

    def __init__(self, model: Any, library: Library, words: Prompts) -> None:
        self._model = model
        self._library = library
        self._words = words
        self._pack = prompts.load()

    @torch.inference_mode()
    def right(self, kind: Kind, modality: Modality, count: int, long_share: float) -> float:
        """Return the share of questions of a kind that are answered rightly, to the last word."""
        desk = Desk(self._library, self._words, Teacher(self._pack, long_share))
        right = 0
        for number in range(count):
            batch = collated([desk.pack(modality, (kind,), dice(f"{kind} {number}"))], self._model)
            packs, places, ids, _ = batch.answers.T
            said = self._model.lm_head(understood(self._model, batch)[packs, places]).argmax(-1)
            right += torch.equal(said, ids)
        return right / count

    @torch.inference_mode()
    def likelier(self, modality: Modality, count: int) -> tuple[float, float]:
        """Return how often the right one of two descriptions is likelier: gained by the clip, and with the clip alone.

        A description's likelihood is the mean of its tokens' log-probabilities as answer to the pack's `describe`. What
        it gains is that minus the same without the clip.
        """
        gained = given = 0
        for number in range(count):
            rng = dice(f"likelier {number}")
            emotion, other = rng.sample(EMOTIONS, 2)
            clip, words = rng.choice(self._library.pictures[emotion]), babble(rng)
            texts = [
                describe(told, rng.choice(WRITERS), words, rng, long=rng.random() < 0.5) for told in (emotion, other)
            ]
            seen, unseen = self._likelihoods(texts, modality, clip), self._likelihoods(texts, "text", None)
            given += seen[0] > seen[1]
            gained += seen[0] - unseen[0] > seen[1] - unseen[1]
        return gained / count, given / count

    def _likelihoods(self, texts: Sequence[str], modality: Modality, clip: Media | None) -> list[float]:
        asked = self._words.ids(modality, self._pack.render("describe"), clip)
        rows = tuple(Row("description", asked, self._words.tokenizer(text).input_ids, clip) for text in texts)
        batch = collated([Pack(modality, rows)], self._model)
        packs, places, ids, answers = batch.answers.T
        logits = self._model.lm_head(understood(self._model, batch)[packs, places]).log_softmax(-1)
        means: list[float] = mean_by(answers, logits.gather(1, ids[:, None])[:, 0], len(texts)).tolist()
        return means
