"""What a strategy asks through: the question that its words become for this case, clip and round."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from emoprefer_bench.cases import BLIND, Case
from emoprefer_bench.pairs import Answer, Clip, Pair, Question
from emoprefer_bench.prompts import PromptPack, flattened
from emoprefer_bench.trial.desk import Desk
from emoprefer_bench.trial.held import HeldClip
from emoprefer_bench.trial.seats import NotLoadedError, Seat
from emoprefer_bench.trial.tally import Tally
from emoprefer_bench.trial.transcripts import Step, Steps


@dataclass(frozen=True, slots=True)
class Asking:
    """What a strategy asks through (strategies.Ask): fills in the model, the wording, the clip and the round."""

    desk: Desk
    tally: Tally
    round: int
    held: HeldClip
    steps: Steps = field(default_factory=list)
    answers: list[tuple[bool, Answer]] = field(default_factory=list)

    @property
    def _case(self) -> Case:
        return self.tally.case

    async def judge(self, template: str, pair: Pair, **values: str) -> Answer:
        """Ask the judge about the clip."""
        pack, subtitle = self._pack(self.desk.judge), self._subtitle(pair)
        before = "" if subtitle is None else pack.render("subtitle", subtitle=subtitle)
        return await self._ask(self.desk.judge, template, before + pack.render(template, **values), pair.clip)

    async def llm(self, template: str, **values: str) -> Answer:
        """Ask the text LLM."""
        assert self._case.llm is not None
        seat = self.desk.llms[self._case.llm]
        if seat.engine.flat_answers and "reasoning" in values:  # its own, the one answer of its that it is asked about
            values["reasoning"] = flattened(values["reasoning"])
        return await self._ask(seat, template, self._pack(seat).render(template, **values), None)

    async def compare(self, pair: Pair) -> Answer:
        """Hand both texts to a judge that takes no prompt."""
        texts = (pair.a1, pair.a2)
        judge, subtitle = self.desk.judge, self._subtitle(pair)
        return await self._ask(judge, "texts", None, pair.clip, texts=texts, subtitle=subtitle)

    async def _ask(self, seat: Seat, template: str, prompt: str | None, clip: Clip | None, **given: Any) -> Answer:  # noqa: ANN401  # Question's own
        if seat.name not in self.desk.resident and seat.known_identity() is None:
            raise NotLoadedError(seat)  # only its engine can tell, and there may be no room for it now
        media = self._case.media if clip else "text"
        unseen = self._case.variant == BLIND or (media == "text" and prompt is not None)
        question = Question(
            engine=await seat.identity(),
            prompt=prompt,
            modality=media,
            sampling=seat.engine.sampling,
            clip=None if unseen else clip,
            round=0 if seat.engine.sampling.greedy else self.round,
            **given,
        )
        answer = await self.desk.ask(seat, question, self.held, self.tally)
        self.steps.append(Step(template, answer, question.score or ()))
        self.answers.append((question.clip is not None, answer))
        return answer

    def _pack(self, seat: Seat) -> PromptPack:
        """The run's wording; a model that is to get its texts folded gets them so in any wording."""
        pack = self.desk.pack
        return replace(pack, whitespace="fold") if seat.engine.whitespace == "fold" else pack

    def _subtitle(self, pair: Pair) -> str | None:
        return pair.clip.subtitle if self._case.subtitles else None
