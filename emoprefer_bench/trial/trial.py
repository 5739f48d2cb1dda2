"""A trial: everything that is asked of one model in a run, all its cases at once."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from emoprefer_bench import prompts
from emoprefer_bench.cases import MEDIA, MISDESCRIBED, MISMATCHED, OTHER_BASE, REFERENCE, UNQUOTED, Case, modality_of
from emoprefer_bench.data.datasets import Dataset, DatasetError, Source, read
from emoprefer_bench.engines.engine import Engine
from emoprefer_bench.engines.served import bounded
from emoprefer_bench.media.pool import Decoders
from emoprefer_bench.prompts import PromptPack
from emoprefer_bench.protocol.spool import sweep
from emoprefer_bench.trial import noise
from emoprefer_bench.trial.headway import Headway, Progress
from emoprefer_bench.trial.plan import Planned, planned
from emoprefer_bench.trial.result import result as result_of
from emoprefer_bench.trial.runner import Runner
from emoprefer_bench.trial.seats import Seat
from emoprefer_bench.trial.store import Store, StoreError
from emoprefer_bench.trial.tally import FailureBound, Tally
from emoprefer_bench.trial.transcripts import Transcripts
from emoprefer_bench.trial.variants import mismatched, others, unquoted

if TYPE_CHECKING:
    from emoprefer_bench.document.types import Engine as Described
    from emoprefer_bench.document.types import Engines, ScoredResult

TICK = 0.5  # seconds between two looks at how far it has come
NOTES_SHOWN = 10
BY_FUNCTION = "; a function that opens the clip says so: looks_at=..."
BY_WORKER = '; a worker says what reached it: "tokens": {"audio": ..., "video": ...} (docs/external.md)'
CHANGED = {MISMATCHED: mismatched, UNQUOTED: unquoted}


@dataclass(frozen=True)
class Settings:
    """What the options of a run say, for every trial alike."""

    out: Path
    sources: dict[str, Source]
    pack: PromptPack
    rounds: int = 1
    limit: int | None = None
    fresh: bool = False
    coresident: bool = False
    max_requests: int | None = None
    subset: str | None = None

    @property
    def ledger(self) -> Path:
        """The file in which all workers of a run count the requests they send to servers."""
        return self.out / "requests"

    @property
    def judges(self) -> Path:
        """The file in which all workers of a run write which judges it has."""
        return self.out / "judges"

    noise: int = 0
    failures: FailureBound = field(default_factory=FailureBound)
    check_media: bool = False


class Trial:
    """All cases of one model: `cases`. `engines` has the judge and the text LLMs of its cases by their names."""

    def __init__(self, settings: Settings, judge: str, selected: list[Case], engines: dict[str, Engine]) -> None:
        self._settings = settings
        self.cases = selected
        self._datasets: dict[str, Dataset | DatasetError] = {}
        self._tallies: dict[str, Tally] = {}
        self._again: dict[str, Tally] = {}
        logs = settings.out / "logs"
        self._seats = {
            name: Seat(name, bounded(engine, settings.max_requests, settings.ledger), logs / f"{name}.log")
            for name, engine in engines.items()
        }
        self._judge = self._seats[judge]
        self._engines = engines
        self._failure: StoreError | None = None
        self._unreadable: list[str] = []
        self._ran = False
        self._running: asyncio.Task[None] | None = None

    def run(self, progress: Progress) -> None:
        """Ask everything, once; a second call returns at once. An interrupt leaves what was answered so far."""
        if self._ran:
            return
        self._ran = True
        sweep()
        self._read_datasets(progress)
        try:
            asyncio.run(self._run(progress))
        except StoreError as error:
            self._failure = error
        except asyncio.CancelledError:  # by `stop`
            raise KeyboardInterrupt from None

    def stop(self) -> None:
        """End the run as Ctrl-C does, from the handler of another signal: `run` raises KeyboardInterrupt then.

        Raised in the middle of whatever runs, it would leave tasks behind that nobody ends. A second call does that.
        """
        if self._running is None or self._running.done() or self._running.cancelling():
            raise KeyboardInterrupt
        self._running.get_loop().call_soon_threadsafe(self._running.cancel)

    def plan(self) -> dict[str, Planned]:
        """What a run would ask, by the ids of its cases; those whose data can't be read are left out."""
        self._read_datasets(lambda _: None)
        return asyncio.run(planned(self._settings, list(self._tallies.values()), self._judge, self._seats))

    def result(self, case: Case) -> ScoredResult | None:
        """The case's result for the report, also of a case that was interrupted; None where its data can't be read."""
        tally = self._tallies.get(case.id)
        if tally is None:
            return None
        llm = self._seats[case.llm] if case.llm else None
        engines: Engines = {"judge": _described(self._judge), "llm": _described(llm) if llm else None}
        if case.describer:
            engines["describer"] = _described(self._seats[case.describer])
        result = result_of(tally, engines, transcript=f"transcripts/{case.id}.jsonl")
        result["restarts"] = self._judge.restarts + (llm.restarts if llm and llm is not self._judge else 0)
        if again := self._again.get(case.id):
            result["noise"] = noise.flip_rate(tally, again)
        return result

    def fault(self, case: Case) -> str | None:
        """Why the case has no result, or a worthless one: what is wrong, where, and how to mend it; or None."""
        if not self._ran:
            return None
        dataset = self._datasets.get(case.dataset)
        if isinstance(dataset, DatasetError):
            return str(dataset)
        tally = self._tallies[case.id]
        unwritable = str(self._failure) if self._failure else None
        broken_off = f"{case.id}: the run broke off before all was asked; run the same command again to go on"
        return tally.failure or unwritable or tally.unsound() or (None if tally.complete else broken_off)

    def unable(self, case: Case) -> str | None:
        """Why the judge can't be asked what the case asks, so that the case is to be skipped; or None."""
        tally = self._tallies.get(case.id)
        return tally.unable if tally else None

    def unsound(self, case: Case) -> str | None:
        """Why the case has no scores, whether or not it was asked to its end; or None."""
        tally = self._tallies[case.id]
        return tally.failure or tally.unsound()

    def another(self, engines: Mapping[str, Engine]) -> str | None:
        """Say which of the engines, by name, is another judge than the one that is asked here, or None.

        A fixture that a model depends on may stand for other things in other folders.
        """
        for name, engine in engines.items():
            mine = self._engines[name]
            if mine is not engine and (mine.identity(), mine.sampling) != (engine.identity(), engine.sampling):
                return (
                    f"the model {name} means two things in this run: what its fixture depends on differs from test to "
                    "test; rename one, or run them apart"
                )
        return None

    def notes(self) -> list[str]:
        """What a person should know of the run beside its results; each note is told once."""
        notes, self._unreadable = self._unreadable, []
        more = [f"and {len(notes) - NOTES_SHOWN} more such places"] if len(notes) > NOTES_SHOWN else []
        return notes[:NOTES_SHOWN] + more

    def dataset(self, case: Case) -> Dataset:
        """The case's data set, of a case that has a result."""
        dataset = self._datasets[case.dataset]
        assert isinstance(dataset, Dataset)
        return dataset

    async def _run(self, progress: Progress) -> None:
        self._running = asyncio.current_task()
        out = self._settings.out
        with (
            Store(out / "answers", fresh=self._settings.fresh) as store,
            Transcripts(out / "transcripts") as transcripts,
        ):
            runner = Runner(
                [*self._tallies.values(), *self._again.values()],
                self._judge,
                self._seats,
                pack=self._settings.pack,
                store=store,
                decoders=Decoders(out / "logs" / "decoder.log"),
                progress=lambda done, total, clip: progress(Headway(done, total, clip.name, runner.stored)),
                transcripts=transcripts,
                coresident=self._settings.coresident,
            )
            watcher = asyncio.create_task(self._watch(runner, progress))
            try:
                await runner.run()
            finally:
                watcher.cancel()
                self._unreadable = store.unreadable

    async def _watch(self, runner: Runner, progress: Progress) -> None:
        """Tell how far it has come while models are loaded, too, and no verdict comes."""
        while True:
            await asyncio.sleep(TICK)
            if loading := [seat.name for seat in self._seats.values() if seat.loading]:
                what = f"loading {', '.join(loading)}"
                progress(Headway(runner.done, runner.total, what, runner.stored, working=False))

    def _read_datasets(self, progress: Progress) -> None:
        """Read each data set as strictly as its most demanding case needs; a faulty one fails its own cases alone."""
        for name in dict.fromkeys(case.dataset for case in self.cases):
            of_dataset = [case for case in self.cases if case.dataset == name]
            needs = Case("", "", name, modality_of(case.given for case in of_dataset))
            try:
                dataset = _read(self._settings, name, needs, progress)
            except DatasetError as error:
                self._datasets[name] = error
                continue
            if dataset.asks and not dataset.pack and not self._settings.pack.asks:
                dataset = replace(dataset, pack=prompts.load(prompts.QUESTION))
            self._datasets[name] = dataset
            for case in of_dataset:
                self._prepare(case, dataset)

    def _prepare(self, case: Case, dataset: Dataset) -> None:
        pairs = CHANGED[case.variant](dataset.pairs) if case.variant in CHANGED else dataset.pairs
        tally = self._tallies[case.id] = Tally.empty(case, pairs, self._settings.rounds)
        tally.bound, tally.pack = self._settings.failures, dataset.pack
        tally.durable = all(self._engines[name].durable for name in case.engines)
        judge = self._engines[case.model]
        if hasattr(judge, "looks_at"):  # a function
            tally.looks_at, tally.counting = frozenset(MEDIA[judge.looks_at or "text"]), BY_FUNCTION
        elif getattr(judge, "kind", None) == "external":
            tally.counting = BY_WORKER
        if case.variant in (OTHER_BASE, MISDESCRIBED):
            tally.bases = others(pairs)
        if case.variant == REFERENCE:
            tally.left = frozenset(row for row, pair in enumerate(pairs) if not pair.reference)
            if len(tally.left) == len(pairs):
                tally.unable = f"no row of the data set {dataset.name} that is asked about has a reference ({case.id})"
        alone = len({pair.clip.name for pair in pairs}) == 1
        if alone and case.variant in (MISMATCHED, OTHER_BASE, MISDESCRIBED):
            tally.failure = f"data set {dataset.name} has one clip alone, so there is no other to show ({case.id})"
        if self._settings.noise and case.variant is None:
            self._again[case.id] = noise.tally_again(tally, self._settings.noise)


def _read(settings: Settings, name: str, needs: Case, progress: Progress) -> Dataset:
    return read(
        settings.sources[name],
        sound=needs.sound,
        picture=needs.picture,
        subtitles=needs.subtitles or None,  # they are what a control goes by
        subset=settings.subset,
        limit=settings.limit,
        cache=settings.out,
        thorough=settings.check_media,
        progress=lambda done, total: progress(
            Headway(0, 0, f"checking the clips of {name}: {done} of {total}", working=False)
        ),
    )


def _described(seat: Seat) -> Described:
    described: Described = {
        "name": seat.name,
        "engine": seat.engine.name,
        "device": seat.device or None,
        "identity": seat.known_identity(),
        "sampling": asdict(seat.engine.sampling),
        "greedy": seat.engine.sampling.greedy,
    }
    about = getattr(seat.engine, "about", "")
    return {**described, "about": about} if about else described
