"""What a run would ask: its strategies are gone through with an answer that nobody gave, and no model is loaded."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from emoprefer_bench.media.pool import Decoders
from emoprefer_bench.pairs import Answer, Question
from emoprefer_bench.trial.desk import Asked, Desk
from emoprefer_bench.trial.held import HeldClip
from emoprefer_bench.trial.runner import Runner
from emoprefer_bench.trial.seats import Seat
from emoprefer_bench.trial.store import Store
from emoprefer_bench.trial.tally import Tally
from emoprefer_bench.trial.transcripts import Transcripts

if TYPE_CHECKING:
    from emoprefer_bench.trial.trial import Settings


@dataclass(slots=True)
class Planned:
    """What a case would ask: `questions` by the model that they are for, beside the `stored` ones of its `verdicts`.

    A question that several cases share counts for the one that comes first. `clips` have to be decoded.
    """

    verdicts: int
    stored: int = 0
    questions: dict[str, int] = field(default_factory=dict)
    clips: set[str] = field(default_factory=set)


async def planned(
    settings: Settings, tallies: Sequence[Tally], judge: Seat, seats: dict[str, Seat]
) -> dict[str, Planned]:
    """What the cases of a trial would ask, by their ids. The tallies are of no use afterwards."""
    plans = {tally.case.id: Planned(tally.verdicts) for tally in tallies}
    named = {name: _known_by_name(seat) for name, seat in seats.items()}
    with (
        tempfile.TemporaryDirectory() as folder,
        Store(settings.out / "answers", fresh=settings.fresh) as store,
        Transcripts(Path(folder)) as transcripts,
    ):
        decoders = Decoders(Path(folder, "decoder.log"))
        runner = _Planner(
            list(tallies),
            named[judge.name],
            named,
            pack=settings.pack,
            store=store,
            decoders=decoders,
            progress=lambda *_: None,
            transcripts=transcripts,
        )
        runner.desk = _Desk(named[judge.name], named, plans, settings=settings, store=store)
        await runner.run()
    return plans


def _known_by_name(seat: Seat) -> Seat:
    """The seat with an identity, though its weights were never here: then nothing of it is stored."""
    identity = seat.engine.identity() or seat.engine.identity_once_loaded(None)
    return Seat(seat.name, seat.engine, seat.log, _identity=identity)


class _Planner(Runner):
    """Goes through all verdicts twice: first for what is stored, then for what would be asked."""

    desk: _Desk

    async def run(self) -> None:
        await self._pass()
        for tally in self.tallies:
            has = [
                verdict
                for of_round in tally.rounds
                for order in (of_round.forward, of_round.exchanged)
                for verdict in order
            ]
            self.desk.plans[tally.case.id].stored = len(has) - has.count(None)
        self.desk.resident = {self.desk.judge.name, *(seat.name for seat in self.desk.llms.values())}
        await self._pass()


class _Desk(Desk):
    """Writes down what would be asked, and answers it."""

    def __init__(
        self, judge: Seat, llms: dict[str, Seat], plans: dict[str, Planned], *, settings: Settings, store: Store
    ) -> None:
        super().__init__(judge, llms, pack=settings.pack, store=store)
        self.plans = plans
        self._imagined: dict[Asked, Answer] = {}

    def _known(self, seat: Seat, asked: Asked) -> Answer | None:
        return super()._known(seat, asked) or self._imagined.get(asked)

    async def _answer(self, seat: Seat, question: Question, held: HeldClip, tally: Tally) -> Answer:
        plan = self.plans[tally.case.id]
        plan.questions[seat.name] = plan.questions.get(seat.name, 0) + 1
        if question.clip and seat.engine.plan and question.modality != "text":
            plan.clips.add(held.clip.digest or held.clip.name)
        weighed = None if question.score is None else tuple((-1.0,) for _ in question.score)
        said = f"a1, as nobody said to {question.key}"  # another to each, since the next question may quote it
        return Answer(said, logprobs=weighed)

    def _keep(self, seat: Seat, question: Question, answer: Answer, tally: Tally) -> None:
        self._imagined[seat.name, question.key, tally.again] = answer  # and never in the store
