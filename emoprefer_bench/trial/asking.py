"""What a strategy asks through: the question that its words become for this case, clip and round."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from emoprefer_bench.cases import BLIND, MISDESCRIBED, REFERENCE, SUBTITLE, UNDESCRIBED, Case
from emoprefer_bench.pairs import Answer, Clip, Pair, Question
from emoprefer_bench.prompts import PromptPack, flattened, folded
from emoprefer_bench.trial.desk import Desk
from emoprefer_bench.trial.held import HeldClip
from emoprefer_bench.trial.seats import NotLoadedError, Seat
from emoprefer_bench.trial.tally import Tally
from emoprefer_bench.trial.transcripts import Step, Steps


@dataclass(frozen=True, slots=True)
class Asking:
    """What a strategy asks through (strategies.Ask): fills in the model, the wording, the clip and the round.

    `asked` are the row's own question and criterion, where it has them, as fields of the wording.
    """

    desk: Desk
    tally: Tally
    round: int
    held: HeldClip
    asked: Mapping[str, str] = field(default_factory=dict)
    steps: Steps = field(default_factory=list)
    answers: list[tuple[bool, Answer]] = field(default_factory=list)

    @property
    def _case(self) -> Case:
        return self.tally.case

    async def judge(self, template: str, pair: Pair, **values: str) -> Answer:
        """Ask the judge about the clip."""
        pack, subtitle = self._pack(self.desk.judge), self._subtitle(pair)
        before = "" if subtitle is None else pack.render("subtitle", subtitle=subtitle)
        return await self._ask(
            self.desk.judge, template, before + pack.render(template, **self.asked, **values), pair.clip
        )

    async def describe(self, pair: Pair) -> Answer | None:
        """Have the clip described by the judge, or by the case's describer as in cases of its own.

        Where the case has a reference for a description, that is the answer; where it has none, None.
        """
        case = self._case
        if case.variant == UNDESCRIBED:
            return None
        if case.variant == REFERENCE:
            told = Answer(pair.reference or "")
            self.steps.append(Step("reference", told))
            return told
        if case.variant == MISDESCRIBED:
            pair = replace(pair, clip=self.tally.bases[pair.clip.name])
        if case.describer is None:
            return await self.judge("describe", pair)
        modality = case.describer_modality or "text"
        seat = self.desk.llms[case.describer]
        pack, subtitle = self._pack(seat), pair.clip.subtitle if modality.endswith(SUBTITLE) else None
        before = "" if subtitle is None else pack.render("subtitle", subtitle=subtitle)
        prompt, media = before + pack.render("describe", **self.asked), modality.removesuffix(SUBTITLE)
        return await self._ask(seat, "describe", prompt, pair.clip, media=media)

    async def weigh(
        self, template: str, pair: Pair, texts: Sequence[str], *, unseen: bool = False, **values: str
    ) -> Answer:
        """Ask the judge how likely some texts are as its answer about the clip, or without clip and subtitle.

        Where the case has another clip for its base, that one takes the place of none.
        """
        judge, base = self.desk.judge, self.tally.bases.get(pair.clip.name)
        if unseen and base:
            pair, unseen = replace(pair, clip=base), False
        pack, subtitle = self._pack(judge), None if unseen else self._subtitle(pair)
        before = "" if subtitle is None else pack.render("subtitle", subtitle=subtitle)
        score = tuple(folded(text) if pack.whitespace == "fold" else text for text in texts)
        prompt = before + pack.render(template, **self.asked, **values)
        return await self._ask(judge, template, prompt, None if unseen else pair.clip, score=score)

    async def llm(self, template: str, **values: str) -> Answer:
        """Ask the text LLM."""
        assert self._case.llm is not None
        seat = self.desk.llms[self._case.llm]
        if seat.engine.flat_answers and "reasoning" in values:  # its own, the one answer of its that it is asked about
            values["reasoning"] = flattened(values["reasoning"])
        return await self._ask(seat, template, self._pack(seat).render(template, **self.asked, **values), None)

    async def compare(self, pair: Pair) -> Answer:
        """Hand both texts to a judge that takes no prompt."""
        texts = (pair.a1, pair.a2)
        judge, subtitle = self.desk.judge, self._subtitle(pair)
        return await self._ask(judge, "texts", None, pair.clip, texts=texts, subtitle=subtitle)

    async def _ask(
        self,
        seat: Seat,
        template: str,
        prompt: str | None,
        clip: Clip | None,
        media: str | None = None,
        **given: Any,  # noqa: ANN401  # Question's own
    ) -> Answer:
        """Ask a model; `media` are those of the clip that it is given, if they are not the case's."""
        if seat.name not in self.desk.resident and seat.known_identity() is None:
            raise NotLoadedError(seat)  # only its engine can tell, and there may be no room for it now
        own, media = media is None, (media or self._case.media) if clip else "text"
        unseen = self._case.variant == BLIND or (media == "text" and prompt is not None)
        drawn = "score" not in given
        identity = await seat.identity()
        if clip and not unseen and "audio" in media and seat.engine.sent_sound:
            identity = {**identity, "sound": seat.engine.sent_sound}
        question = Question(
            engine=identity,
            prompt=prompt,
            modality=media,
            sampling=seat.engine.sampling if drawn else None,
            clip=None if unseen else clip,
            round=self.round if drawn and not seat.engine.sampling.greedy else 0,
            **given,
        )
        held = self.held if clip is None or clip.name == self.held.clip.name else self.held.beside(clip)
        answer = await self.desk.ask(seat, question, held, self.tally)
        self.steps.append(Step(template, answer, question.score or ()))
        self.answers.append((own and question.clip is not None, answer))
        return answer

    def _pack(self, seat: Seat) -> PromptPack:
        """The data set's wording, or the run's; a model that is to get its texts folded gets them so in any wording."""
        pack = self.tally.pack or self.desk.pack
        return replace(pack, whitespace="fold") if seat.engine.whitespace == "fold" else pack

    def _subtitle(self, pair: Pair) -> str | None:
        return pair.clip.subtitle if self._case.subtitles else None
