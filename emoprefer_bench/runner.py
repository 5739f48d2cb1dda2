"""The runner asks: each question once, all about one clip while it is hot, every answer stored the moment it exists.

A strategy is a deterministic function of the answers it gets. So a strategy that needs a model which isn't loaded is
simply left, and run again when that model is: the answers it already had come from the store. That keeps memory bounded
by the window of open clips, and two models on one GPU cost two loads.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from emoprefer_bench.cases import BLIND, Case, Tally
from emoprefer_bench.decoders import DecodeError, Decoders, HeldClip
from emoprefer_bench.engines.child import LoadError
from emoprefer_bench.engines.engine import Engine, Session
from emoprefer_bench.pairs import Answer, Clip, Pair, Question
from emoprefer_bench.prompts import PromptPack
from emoprefer_bench.store import Store
from emoprefer_bench.strategies import STRATEGIES, UnusableAnswerError
from emoprefer_bench.transcripts import Steps, Transcripts
from emoprefer_bench.verdicts import read

MOST_CLIPS = 64
AHEAD = 2  # verdicts worked on for each question the engine wants in flight: enough to decode ahead of it


class NotLoadedError(Exception):
    """The strategy needs a model that isn't loaded now."""

    def __init__(self, seat: Seat) -> None:
        super().__init__(seat.name)
        self.seat = seat


@dataclass
class Seat:
    """A model's place: its engine is opened when the first question needs it.

    `failure` is why it can't be opened; `identity` is known as soon as its weights are.
    """

    name: str
    engine: Engine
    log: Path
    failure: str | None = None
    device: str = ""
    _context: AbstractAsyncContextManager[Session] | None = None
    _session: Session | None = None
    _identity: dict[str, Any] | None = None
    _opening: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def session(self) -> Session:
        """The open engine. Raises LoadError, each time the same."""
        async with self._opening:
            if self.failure:
                raise LoadError(self.failure)
            if self._session is None:
                context = self.engine.open(self.log)
                try:
                    self._session = await context.__aenter__()
                except LoadError as error:
                    self.failure = f"{self.name} can't be loaded: {error}"
                    raise LoadError(self.failure) from None
                self._context = context
                self.device = self._session.device
        return self._session

    async def identity(self) -> dict[str, Any]:
        """What identifies the judge in a question's key; opens the engine only where its weights were never here."""
        if self._identity is None:
            self._identity = self.engine.identity()
        if self._identity is None:
            await self.session()
            self._identity = self.engine.identity() or {"engine": self.engine.name, "revision": "unknown"}
        return self._identity

    @property
    def concurrency(self) -> int:
        """Questions that it wants in flight."""
        return self._session.concurrency if self._session else 1

    async def close(self) -> None:
        """End the engine, if it was opened."""
        if self._context:
            context, self._context, self._session = self._context, None, None
            await context.__aexit__(None, None, None)


@dataclass(frozen=True, slots=True)
class Work:
    """One verdict to be had: a row of a case, in one round and one order."""

    tally: Tally
    row: int
    round: int
    exchanged: bool

    @property
    def slot(self) -> list[Any]:
        """The list of the tally that takes the verdict at `row`."""
        one = self.tally.rounds[self.round]
        return one.exchanged if self.exchanged else one.forward

    @property
    def pair(self) -> Pair:
        """The pair in the order that is asked."""
        pair = self.tally.pairs[self.row]
        return pair.swapped() if self.exchanged else pair


class Runner:
    """Runs all cases of one judge.

    `llm` names for each case's LLM the seat that it has (the judge's own where they are the same). `progress` is called
    after every verdict with how many there are and how many there will be.
    """

    def __init__(
        self,
        tallies: list[Tally],
        judge: Seat,
        llms: dict[str, Seat],
        *,
        pack: PromptPack,
        store: Store,
        decoders: Decoders,
        progress: Callable[[int, int, Clip], None],
        transcripts: Transcripts,
        coresident: bool = False,
    ) -> None:
        self.tallies = tallies
        self.judge = judge
        self.llms = llms
        self.pack = pack
        self.decoders = decoders
        self._store = store
        self._progress = progress
        self._transcripts = transcripts
        self._coresident = coresident
        self._resident: set[str] = set()
        self._in_flight: dict[tuple[str, bool], asyncio.Future[Answer]] = {}
        self._repeated: dict[str, Answer] = {}
        self._open_works = 0
        self._open_clips = 0
        self._freed = asyncio.Event()
        self.total = sum(2 * len(tally.rounds) * len(tally.pairs) for tally in tallies)
        self.done = 0

    async def run(self) -> None:
        """Fill the tallies. Raises StoreError; all else that goes wrong is written in a tally."""
        seats = {self.judge.name: self.judge, **{seat.name: seat for seat in self.llms.values()}}
        self._resident = set(seats) if self._coresident else {self.judge.name}
        try:
            while wanted := await self._pass():
                next_up = min(wanted)
                for name in self._resident - {next_up}:
                    await seats[name].close()
                self._resident = {next_up}
        finally:
            for seat in seats.values():
                await seat.close()
            await self.decoders.close()
            self._store.flush()

    async def ask(self, seat: Seat, question: Question, held: HeldClip | None, tally: Tally) -> Answer:
        """The answer to a question: stored, on its way, or asked for now."""
        with_media = question.clip is not None
        asked = (question.key, tally.again)
        answer = self._known(seat, question, tally)
        if answer is None and asked in self._in_flight:
            answer = await asyncio.shield(self._in_flight[asked])
        if answer is not None:
            tally.count(answer, fresh=False, with_media=with_media)
            return answer
        if seat.name not in self._resident:
            raise NotLoadedError(seat)
        future = asyncio.get_running_loop().create_future()
        self._in_flight[asked] = future
        try:
            answer = await self._answer(seat, question, held)
            if tally.again:
                self._repeated[question.key] = answer
            elif seat.engine.durable:
                self._store.add(question, answer)
            future.set_result(answer)
        except BaseException as error:
            future.set_exception(error)
            future.exception()  # retrieved here, so that nobody has to wait for it
            raise
        finally:
            del self._in_flight[asked]
        tally.count(answer, fresh=True, with_media=with_media)
        return answer

    def _known(self, seat: Seat, question: Question, tally: Tally) -> Answer | None:
        if tally.again:
            return self._repeated.get(question.key)
        return self._store.get(question.key) if seat.engine.durable else None

    async def _answer(self, seat: Seat, question: Question, held: HeldClip | None) -> Answer:
        fields = None
        if held is not None and question.clip is not None:
            sound, picture = "audio" in question.modality, "video" in question.modality
            try:
                fields = await held.fields(seat.engine.plan, picture=picture, sound=sound)
            except DecodeError as error:
                return Answer(str(error), "error")
        session = await seat.session()
        return await session.answer(question, fields)

    async def _pass(self) -> set[str]:
        """Work through all clips once; return the names of the models that verdicts still wait for."""
        wanted: set[str] = set()
        try:
            async with asyncio.TaskGroup() as group:
                for clip, works in self._by_clip():
                    while self._open_works >= self._room() or self._open_clips >= MOST_CLIPS:
                        self._freed.clear()
                        await self._freed.wait()
                    self._open_works += len(works)
                    self._open_clips += 1
                    group.create_task(self._clip(clip, works, wanted))
        except BaseExceptionGroup as group_of_errors:
            raise group_of_errors.exceptions[0] from None
        return wanted

    def _room(self) -> int:
        seats = [self.judge, *self.llms.values()]
        return AHEAD * max(seat.concurrency for seat in seats if seat.name in self._resident)

    def _by_clip(self) -> Iterator[tuple[Clip, list[Work]]]:
        """All verdicts that are still to be had, clip by clip, in the order in which the data sets name the clips."""
        by_dataset: dict[str, list[Tally]] = {}
        for tally in self.tallies:
            by_dataset.setdefault(tally.case.dataset, []).append(tally)
        for tallies in by_dataset.values():
            clips: dict[str, Clip] = {}
            rows: dict[str, list[tuple[Tally, int]]] = {}
            for tally in tallies:
                for row, pair in enumerate(tally.pairs):
                    clips.setdefault(pair.clip.name, pair.clip)
                    rows.setdefault(pair.clip.name, []).append((tally, row))
            for name, of_clip in rows.items():
                works = [work for tally, row in of_clip for work in _open(tally, row)]
                if works:
                    yield clips[name], works

    async def _clip(self, clip: Clip, works: list[Work], wanted: set[str]) -> None:
        held = HeldClip(clip, self.decoders)
        try:
            async with asyncio.TaskGroup() as group:
                for work in works:
                    group.create_task(self._verdict(work, held, wanted))
        except BaseExceptionGroup as group_of_errors:
            raise group_of_errors.exceptions[0] from None
        finally:
            held.release()
            self._open_clips -= 1
            self._freed.set()

    async def _verdict(self, work: Work, held: HeldClip, wanted: set[str]) -> None:
        tally = work.tally
        asking = Asking(self, tally, work.round, held)
        try:
            answer = await STRATEGIES[tally.case.prompt](asking, work.pair)
        except UnusableAnswerError as error:
            answer = error.answer
        except NotLoadedError as error:
            wanted.add(error.seat.name)
            return
        except LoadError as error:
            tally.failure = str(error)
            return
        finally:
            self._open_works -= 1
            self._freed.set()
        reading = work.slot[work.row] = read(answer)
        if not tally.again:
            self._transcripts.write(
                tally.case, work.row, work.round, work.pair, asking.steps, reading, exchanged=work.exchanged
            )
        self.done += 1
        self._progress(self.done, self.total, held.clip)


def _open(tally: Tally, row: int) -> Iterator[Work]:
    if tally.failure:
        return
    for round_ in range(len(tally.rounds)):
        for exchanged in (False, True):
            work = Work(tally, row, round_, exchanged)
            if work.slot[row] is None:
                yield work


@dataclass(frozen=True, slots=True)
class Asking:
    """What a strategy asks through (strategies.Ask): fills in the model, the wording, the clip and the round."""

    runner: Runner
    tally: Tally
    round: int
    held: HeldClip
    steps: Steps = field(default_factory=list)

    @property
    def _case(self) -> Case:
        return self.tally.case

    async def judge(self, template: str, pair: Pair, **values: str) -> Answer:
        """Ask the judge about the clip."""
        pack, subtitle = self.runner.pack, self._subtitle(pair)
        before = "" if subtitle is None else pack.render("subtitle", subtitle=subtitle)
        return await self._ask(self.runner.judge, template, before + pack.render(template, **values), pair.clip)

    async def llm(self, template: str, **values: str) -> Answer:
        """Ask the text LLM."""
        assert self._case.llm is not None
        prompt = self.runner.pack.render(template, **values)
        return await self._ask(self.runner.llms[self._case.llm], template, prompt, None)

    async def compare(self, pair: Pair) -> Answer:
        """Hand both texts to a judge that takes no prompt."""
        texts = (pair.a1, pair.a2)
        judge, subtitle = self.runner.judge, self._subtitle(pair)
        return await self._ask(judge, "texts", None, pair.clip, texts=texts, subtitle=subtitle)

    async def _ask(self, seat: Seat, template: str, prompt: str | None, clip: Clip | None, **given: Any) -> Answer:  # noqa: ANN401  # Question's own
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
        answer = await self.runner.ask(seat, question, self.held, self.tally)
        self.steps.append((template, answer.text))
        return answer

    def _subtitle(self, pair: Pair) -> str | None:
        return pair.clip.subtitle if self._case.subtitles else None
