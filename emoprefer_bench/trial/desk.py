"""The desk that every question comes to: what is stored or on its way is not asked again."""

from __future__ import annotations

import asyncio
import time

from emoprefer_bench.errors import EmopreferError
from emoprefer_bench.media.pool import DecodeError
from emoprefer_bench.pairs import Answer, Question
from emoprefer_bench.prompts import PromptPack
from emoprefer_bench.trial.held import HeldClip
from emoprefer_bench.trial.seats import NotLoadedError, Seat
from emoprefer_bench.trial.store import Store
from emoprefer_bench.trial.tally import Tally

Asked = tuple[str, str, bool]
"""What a question is known by while it is asked: its seat, its key, and whether it is asked once more all the same."""


class EndedError(EmopreferError):
    """The case was ended: nothing more is asked for it."""


class Desk:
    """Answers the questions of all cases of one judge.

    `llms` names for each case's text LLM the seat that it has (the judge's own where they are the same). `resident` are
    the names of the seats whose models may be loaded now.
    """

    def __init__(self, judge: Seat, llms: dict[str, Seat], *, pack: PromptPack, store: Store) -> None:
        self.judge = judge
        self.llms = llms
        self.pack = pack
        self.resident: set[str] = set()
        self._store = store
        self._in_flight: dict[Asked, asyncio.Future[Answer]] = {}
        self._unsaved: dict[Asked, Answer] = {}

    async def ask(self, seat: Seat, question: Question, held: HeldClip, tally: Tally) -> Answer:
        """The answer to a question: stored, on its way, or asked for now."""
        asked = (seat.name, question.key, tally.again)
        answer = self._known(seat, asked)
        if answer is not None:
            seat.device = seat.device or answer.device
            return answer
        if asked in self._in_flight:
            return await asyncio.shield(self._in_flight[asked])
        if ended := tally.failure or tally.unable:
            raise EndedError(ended)
        if seat.name not in self.resident:
            raise NotLoadedError(seat)
        future = asyncio.get_running_loop().create_future()
        self._in_flight[asked] = future
        try:
            answer = await self._answer(seat, question, held, tally)
            tally.heed(answer)
            self._keep(seat, question, answer, tally)
            future.set_result(answer)
        except BaseException as error:
            future.set_exception(error)
            future.exception()  # retrieved here, so that nobody has to wait for it
            raise
        finally:
            del self._in_flight[asked]
        return answer

    def _known(self, seat: Seat, asked: Asked) -> Answer | None:
        _, key, again = asked
        if again or not seat.engine.durable:
            return self._unsaved.get(asked)
        return self._store.get(key)

    def _keep(self, seat: Seat, question: Question, answer: Answer, tally: Tally) -> None:
        if seat.engine.durable and not tally.again:
            self._store.add(question, answer)
        elif tally.again or tally.case.llm or tally.case.describer:  # whose strategies are left and run again
            self._unsaved[seat.name, question.key, tally.again] = answer

    async def _answer(self, seat: Seat, question: Question, held: HeldClip, tally: Tally) -> Answer:
        if question.score is not None:
            await seat.check_weighs(question.score)
        fields, started = None, time.perf_counter()
        if question.clip is not None:
            sound, picture = "audio" in question.modality, "video" in question.modality
            try:
                fields = await held.fields(seat.engine.plan, tally.times, picture=picture, sound=sound)
            except DecodeError as error:
                return Answer(str(error), "error")
        waited = time.perf_counter() - started
        return await seat.answer(question, fields, tally.times, place=held.place, waited=waited)
