"""The runner asks: each question once, all about one clip while it is hot, every answer stored the moment it exists.

A strategy is a deterministic function of the answers it gets. So a strategy that needs a model which isn't loaded is
simply left, and run again when that model is: the answers it already had come from the store. That keeps memory bounded
by the window of open clips, and two models on one GPU cost two loads.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from emoprefer_bench.media.pool import Decoders
from emoprefer_bench.pairs import Clip, Pair
from emoprefer_bench.prompts import ON_THE_WHOLE, PromptPack
from emoprefer_bench.protocol.parent import LoadError
from emoprefer_bench.trial.asking import Asking
from emoprefer_bench.trial.desk import Desk, EndedError
from emoprefer_bench.trial.held import HeldClip
from emoprefer_bench.trial.seats import CannotWeighError, NotLoadedError, Seat
from emoprefer_bench.trial.store import Store
from emoprefer_bench.trial.strategies import STRATEGIES, UnusableAnswerError
from emoprefer_bench.trial.tally import Tally
from emoprefer_bench.trial.transcripts import Transcripts
from emoprefer_bench.verdicts import Reading, read

MOST_CLIPS = 64  # or as many as questions are wanted in flight, so that no replica of a large fleet is without a clip
AHEAD = 2  # verdicts worked on for each question the engine wants in flight: enough to decode ahead of it
CLIPS_AHEAD = 2  # clips open beyond the one that is asked about, also where one clip has verdicts enough


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
        of_round = self.tally.rounds[self.round]
        return of_round.exchanged if self.exchanged else of_round.forward

    @property
    def pair(self) -> Pair:
        """The pair in the order that is asked."""
        pair = self.tally.pairs[self.row]
        return pair.swapped() if self.exchanged else pair


class Runner:
    """Runs all cases of one judge.

    `llm` names for each case's LLM the seat that it has (the judge's own where they are the same). `progress` is called
    after every verdict with how many there are and how many there will be. Of those that there are, so many were
    `stored`: nothing was asked for them.
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
        self.desk = Desk(judge, llms, pack=pack, store=store)
        self.decoders = decoders
        self._store = store
        self._progress = progress
        self._transcripts = transcripts
        self._coresident = coresident
        self._open_works = 0
        self._open_clips = 0
        self._freed = asyncio.Event()
        self.total = sum(tally.verdicts for tally in tallies)
        self.done = 0
        self.stored = 0

    async def run(self) -> None:
        """Fill the tallies. Raises StoreError; all else that goes wrong is written in a tally."""
        judge = self.desk.judge
        seats = {judge.name: judge, **{seat.name: seat for seat in self.desk.llms.values()}}
        if len(self._store):
            await self._pass()  # while no model may be asked: it takes all verdicts whose answers are stored
            self.stored = self.done
        self.desk.resident = set(seats) if self._coresident else {judge.name}
        try:
            while wanted := await self._pass():
                next_up = min(wanted)
                for name in self.desk.resident - {next_up}:
                    await seats[name].close()
                self.desk.resident = {next_up}
        finally:
            for seat in seats.values():
                await seat.close()
            await self.decoders.close()
            self._store.flush()

    async def _pass(self) -> set[str]:
        """Work through all clips once; return the names of the models that verdicts still wait for."""
        wanted: set[str] = set()
        try:
            async with asyncio.TaskGroup() as group:
                for place, (clip, works) in enumerate(self._by_clip()):
                    while self._full():
                        self._freed.clear()
                        await self._freed.wait()
                    self._open_works += len(works)
                    self._open_clips += 1
                    group.create_task(self._clip(HeldClip(clip, self.decoders, place), works, wanted))
        except BaseExceptionGroup as group_of_errors:
            raise group_of_errors.exceptions[0] from None
        return wanted

    def _full(self) -> bool:
        """Whether the next clip has to wait: no more are open than keep the model busy, and than there is room for."""
        seats = [seat for seat in (self.desk.judge, *self.desk.llms.values()) if seat.name in self.desk.resident]
        decodes = any(seat.engine.plan for seat in seats)
        wanted = max((seat.concurrency for seat in seats), default=1)
        if self._open_clips >= min(max(MOST_CLIPS, wanted), self.decoders.most_clips):
            return True
        enough = self._open_works >= AHEAD * wanted
        return enough and self._open_clips > (CLIPS_AHEAD if decodes else 0)

    def _by_clip(self) -> Iterator[tuple[Clip, list[Work]]]:
        """All verdicts that are still to be had, clip by clip, in the order in which the data sets name the clips."""
        clips: dict[str, Clip] = {}
        rows: dict[str, list[tuple[Tally, int]]] = {}
        for tally in self.tallies:
            for row, pair in enumerate(tally.pairs):
                same = pair.clip.digest or f"{tally.case.dataset}/{pair.clip.name}"
                clips.setdefault(same, pair.clip)
                rows.setdefault(same, []).append((tally, row))
        for same, of_clip in rows.items():
            works = [work for tally, row in of_clip for work in _open(tally, row)]
            if works:
                yield clips[same], works

    async def _clip(self, held: HeldClip, works: list[Work], wanted: set[str]) -> None:
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
        asking = Asking(self.desk, tally, work.round, held, _asked(work.pair))
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
        except CannotWeighError as error:
            tally.unable = str(error)
            return
        except EndedError:
            return
        finally:
            self._open_works -= 1
            self._freed.set()
        for of_media, used in asking.answers:
            tally.count(used, with_media=of_media)
        reading = work.slot[work.row] = answer if isinstance(answer, Reading) else read(answer)
        if not tally.again:
            self._transcripts.write(
                tally.case, work.row, work.round, work.pair, asking.steps, reading, exchanged=work.exchanged
            )
        self.done += 1
        self._progress(self.done, self.total, held.clip)


def _asked(pair: Pair) -> dict[str, str]:
    """What a row asks, as fields of a wording; nothing where its texts are no answers."""
    return {"question": pair.question, "criterion": pair.criterion or ON_THE_WHOLE} if pair.question else {}


def _open(tally: Tally, row: int) -> Iterator[Work]:
    if tally.failure or tally.unable or row in tally.left:
        return
    for round_ in range(len(tally.rounds)):
        for exchanged in (False, True):
            work = Work(tally, row, round_, exchanged)
            if work.slot[row] is None:
                yield work
