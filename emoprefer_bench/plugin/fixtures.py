"""The fixtures of a case: its GPUs, and itself."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest

from emoprefer_bench.document.cases import withheld
from emoprefer_bench.plugin import interrupts, private
from emoprefer_bench.plugin.collection import case_of, recording_of
from emoprefer_bench.plugin.models import LEASE
from emoprefer_bench.plugin.stash import (
    ASKED,
    CLUSTER,
    FITTED,
    GATING,
    MODELS,
    NOTES,
    PROGRESS,
    RESULT,
    TRIALS,
    settings_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from emoprefer_bench.cases import Case
    from emoprefer_bench.data.datasets import Dataset as Texts
    from emoprefer_bench.data.datasets import Source
    from emoprefer_bench.document.types import Dataset, ScoredResult
    from emoprefer_bench.engines.engine import Engine
    from emoprefer_bench.engines.gpus import Gpus
    from emoprefer_bench.plugin.bound import BoundCase
    from emoprefer_bench.plugin.models import ModelInfo
    from emoprefer_bench.replay.recorded import Recorded
    from emoprefer_bench.trial.trial import Settings, Trial

PROPERTY = "emoprefer."
NO_CASE = (
    "there is no model here: `case` and `gpus` are for a test that names `case` among its arguments (or uses a fixture "
    "that does), and is parametrized by no `case` of its own"
)


@pytest.fixture(scope="session", name=LEASE)
def _lease(request: pytest.FixtureRequest) -> Iterator[Gpus]:
    """The GPUs leased to the current model (and its text LLM); leased anew when the model changes."""
    from emoprefer_bench.engines import gpus as gpu_leases

    info: ModelInfo | None = getattr(request, "param", None)
    if info is None:
        pytest.fail(NO_CASE, pytrace=False)
    count = info.gpus
    for item in request.session.items:
        case = case_of(item)
        if info.gpus and case and case.model == info.name:
            known = request.config.stash[MODELS].of(item)
            count = max(count, *(known[name].gpus for name in case.engines if name in known))
    if request.config.stash[CLUSTER]:
        yield gpu_leases.elsewhere(count)
        return
    with contextlib.ExitStack() as held:
        try:
            leased = held.enter_context(gpu_leases.lease(count, gpu_leases.visible(), gpu_leases.lock_folder()))
        except gpu_leases.LeaseError as error:
            raise pytest.fail.Exception(str(error), pytrace=False) from None  # told once
        yield leased


@pytest.fixture(scope="session")
def gpus(_emoprefer_lease: Gpus) -> Gpus:
    """The GPUs of the model that this test's case is of."""
    return _emoprefer_lease


def bound_case(request: pytest.FixtureRequest, _emoprefer_lease: Gpus) -> BoundCase:  # the lease comes first
    """The case of this test. `case.run()` asks, matches and scores, puts the result on the report, and returns it."""
    from emoprefer_bench.plugin.bound import BoundCase

    selected = case_of(request.node)
    if selected is None:
        pytest.fail(NO_CASE, pytrace=False)
    config, trials = request.config, request.config.stash[TRIALS]
    if recording := recording_of(request.node):
        return BoundCase(selected, lambda: _replay(request, recording))
    engines = _engines(request, selected)
    _look_at(config, selected, engines)

    def run() -> ScoredResult:
        return _run(request, selected)

    again = ASKED in request.node.stash  # a plugin runs the test once more, as --reruns does
    if selected not in trials or (again and trials[selected].fault(selected)):
        trial = _trial(request, selected, again=again)
        trials.update(dict.fromkeys(trial.cases, trial))
    if other := trials[selected].another(engines):
        pytest.fail(other, pytrace=False)
    return BoundCase(selected, run)


case = pytest.fixture(name="case")(bound_case)


def _engines(request: pytest.FixtureRequest, case: Case) -> dict[str, Engine]:
    """The engines that the case's fixtures declare: the judge, and the text LLM and the describer where it has them."""
    from emoprefer_bench.engines import fleet
    from emoprefer_bench.engines.engine import DeclarationError
    from emoprefer_bench.engines.weights import WeightsError
    from emoprefer_bench.plugin import controls

    if case.model in controls.ENGINES:
        control: Engine = controls.ENGINES[case.model]()
        return {case.model: control}
    known, cluster = request.config.stash[MODELS].of(request.node), request.config.stash[CLUSTER]
    try:
        return {name: fleet.placed(request.getfixturevalue(name), cluster, known[name].gpus) for name in case.engines}
    except WeightsError as error:
        pytest.skip(str(error))
    except DeclarationError as error:
        raise pytest.fail.Exception(str(error), pytrace=False) from None  # told once, and not as what came of it


def _look_at(config: pytest.Config, case: Case, engines: dict[str, Engine]) -> None:
    """Skip a case whose engines lack something here; fail one whose engines aren't what they are declared to be."""
    from emoprefer_bench.engines.fleet import FleetError
    from emoprefer_bench.trial import judges  # engines

    for name, engine in engines.items():
        try:
            lacking = engine.missing()
        except FleetError as error:
            pytest.fail(f"{name}: {error}", pytrace=False)
        if lacking:
            pytest.skip(f"{name}: {lacking}")
    if unable := _unable(case, engines[case.model]):
        pytest.fail(unable, pytrace=False)
    for name, engine in engines.items():
        if twin := judges.twin(settings_of(config).judges, name, engine):
            pytest.fail(twin, pytrace=False)


def _unable(case: Case, engine: Engine) -> str | None:
    """Say that the model of a judge can't take what its fixture declares, or None."""
    family = getattr(engine, "settings", {}).get("family")
    if family is None or case.variant:
        return None
    from emoprefer_bench.engines import families

    verb = families.cannot(family, case.media)
    able = ", ".join(families.FAMILIES[family].modalities)
    return verb and (
        f"{case.model} is declared to take {case.media}, but its model can't {verb}: the family {family} takes {able}. "
        "Say so in its fixture: modality=..."
    )


def _trial(request: pytest.FixtureRequest, first: Case, *, again: bool) -> Trial:
    """All that is asked of the model in this process: every case that it was given and that can run here.

    Where a test asks `again`, these are the cases that are its own or stand after it, and failed.
    """
    from emoprefer_bench.engines.fleet import FleetError
    from emoprefer_bench.plugin.skips import why_not
    from emoprefer_bench.trial.trial import Trial

    config, trials = request.config, request.config.stash[TRIALS]
    engines: dict[str, Engine] = {}
    selected: list[Case] = []
    items = _given(request.session)
    for item in items[items.index(request.node) :] if again else items:
        case = case_of(item)
        if case is None or case.model != first.model or case in selected or why_not(item, case):
            continue
        if again and case in trials and not trials[case].fault(case):
            continue
        try:
            of_case = _engines(request, case)
            lacking = any(engine.missing() for engine in of_case.values())
        except (pytest.skip.Exception, pytest.fail.Exception, FleetError):  # which its own test says
            continue
        if not lacking:
            engines |= of_case
            selected.append(case)
    return Trial(settings_of(config), first.model, selected, engines)


def _given(session: pytest.Session) -> list[pytest.Item]:
    """The tests that this process is to run, as far as it knows: with xdist its own, and not those of the others."""
    return private.given(session) if hasattr(session.config, "workerinput") else session.items


def _run(request: pytest.FixtureRequest, case: Case) -> ScoredResult:
    """Run the case's trial, if no other case did, and put the result on the item before anything can fail."""
    config = request.config
    trial = config.stash[TRIALS][case]
    request.node.stash[ASKED] = True
    progress = config.stash[PROGRESS]
    try:
        with interrupts.by(trial.stop):
            trial.run(progress.of(request.node))
    except KeyboardInterrupt:
        with interrupts.none():
            _keep_incomplete(request.node, trial)
        raise
    request.node.stash[NOTES] = trial.notes()
    if unable := trial.unable(case):
        pytest.skip(unable)
    result, fault = trial.result(case), trial.fault(case)
    if result is None:
        pytest.fail(fault or f"{case.id} was not asked", pytrace=False)
    texts = trial.dataset(case)
    return _reported(request, result, texts.described(), fault, texts)


def _replay(request: pytest.FixtureRequest, recording: Recorded) -> ScoredResult:
    """Score a recording, with the texts of its data set where that is there."""
    from emoprefer_bench.data import datasets
    from emoprefer_bench.replay import npz

    settings = settings_of(request.config)
    source = settings.sources.get(recording.case.dataset)
    try:
        there = source is not None and source.missing(media=False) is None
        texts = _texts(source, settings) if there and source else None
        result, dataset = recording.load(texts)
    except (npz.ReplayError, datasets.DatasetError) as error:
        failure = str(error)
    else:
        same = texts is not None and texts.digest == dataset["digest"]
        return _reported(request, result, dataset, None, texts if same else None)
    pytest.fail(failure, pytrace=False)


def _texts(source: Source, settings: Settings) -> Texts:
    """A data set without its clips."""
    from emoprefer_bench.data import datasets

    return datasets.read(source, sound=False, picture=False, subtitles=None, subset=settings.subset)


def _reported(
    request: pytest.FixtureRequest, result: ScoredResult, dataset: Dataset, fault: str | None, texts: Texts | None
) -> ScoredResult:
    """Put a result on the item before anything can fail, then fail it by its fault or its gates.

    With it go the fitted controls of its data set, if its texts are known and no other case of this process had them.

    A case that failed, or of which too few answers could be read, has no scores; a variant like that is a skip.
    """
    node, gating = request.node, request.config.stash[GATING]
    fitted = _fitted(request.config, texts) if texts else {}
    unread = None if fault else gating.too_few_read(node, result)
    if reason := fault or unread:
        node.stash[RESULT] = {"case": withheld(result), "dataset": dataset, **fitted}
        if unread and result.get("variant"):
            pytest.skip(unread)
        pytest.fail(reason, pytrace=False)
    node.stash[RESULT] = {"case": result, "dataset": dataset, **fitted}
    why = gating.check(node, result, dataset)
    node.user_properties[:] = [kept for kept in node.user_properties if not kept[0].startswith(PROPERTY)]
    node.user_properties += _properties(result)
    if why:
        pytest.fail(why, pytrace=False)
    return result


def _fitted(config: pytest.Config, texts: Texts) -> dict[str, object]:
    """The fitted controls of a data set, and what its people's labels leave to a judge, once in each process."""
    done = config.stash.setdefault(FITTED, set())
    if texts.name in done:
        return {}
    done.add(texts.name)
    from emoprefer_bench.scoring import ceiling, derived  # numpy

    return {"fitted": derived.cases_of(texts.name, texts.pairs), "ceiling": ceiling.ceiling(texts.pairs)}


def _properties(result: ScoredResult) -> list[tuple[str, object]]:
    """What --junitxml says of a case: its scores, and what its gates decided."""
    scores = [(f"{PROPERTY}{name}", score["mean"]) for name, score in result["scores"].items()]
    gates = [
        (f"{PROPERTY}gate.{decision['metric'] or decision['kind']}", decision["outcome"])
        for decision in result.get("gate", ())
    ]
    return [*scores, *gates]


def _keep_incomplete(item: pytest.Item, trial: Trial) -> None:
    for case in trial.cases:
        if trial.unable(case):
            continue
        if result := trial.result(case):
            kept = withheld(result) if trial.unsound(case) else result
            interrupts.report(item, kept, trial.dataset(case).described())
