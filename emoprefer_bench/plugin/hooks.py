"""The pytest plugin: wires options, models, leases, trials and reports together."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from emoprefer_bench.cases import Case, takes
from emoprefer_bench.engines import gpus as gpu_leases
from emoprefer_bench.plugin import controls, interrupts, options
from emoprefer_bench.plugin.collection import DATASETS, RECORDINGS, ModelInfo, Models, Recorded, case_of, recording_of
from emoprefer_bench.plugin.collector import Collector
from emoprefer_bench.plugin.gating import Gating
from emoprefer_bench.plugin.progress import Progress
from emoprefer_bench.prompts import PromptPack

if TYPE_CHECKING:
    from emoprefer_bench.engines.engine import Engine
    from emoprefer_bench.trial.trial import Settings, Trial

MODELS = pytest.StashKey[Models]()
SETTINGS = pytest.StashKey["Settings"]()
TRIALS = pytest.StashKey[dict[str, "Trial"]]()
PACK = pytest.StashKey[PromptPack]()
GATING = pytest.StashKey[Gating]()
PROGRESS = pytest.StashKey[Progress]()
COLLECTOR = pytest.StashKey[Collector]()
RESULT = pytest.StashKey[dict[str, Any]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add our options."""
    options.add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers, and the plugins that find models, gather results and show progress."""
    config.addinivalue_line("markers", "preference(case): the case that a test is for (set by the plugin)")
    config.addinivalue_line("markers", "gpu: a case whose model needs a GPU")
    config.addinivalue_line("markers", "cpu: a case whose model needs none")
    config.addinivalue_line(
        "markers", 'gate(waf2="3pp", min_acc2=0.6): limits that a test\'s cases must hold (docs/ci.md)'
    )
    config.stash[RECORDINGS] = options.recordings(config)
    config.stash[DATASETS] = options.dataset_names(config)
    config.stash[PACK] = options.prompt_pack(config)
    config.stash[TRIALS] = {}
    models = config.stash[MODELS] = Models(config)
    config.pluginmanager.register(controls, "emoprefer-controls")
    config.pluginmanager.register(interrupts, "emoprefer-interrupts")
    config.pluginmanager.register(models, "emoprefer-models")
    progress = config.stash[PROGRESS] = Progress(config)
    config.pluginmanager.register(progress, "emoprefer-progress")
    pack = config.stash[PACK]
    gating = config.stash[GATING] = Gating(config, {"name": pack.name, "sha256": pack.digest})
    config.pluginmanager.register(gating, "emoprefer-gates")
    if not hasattr(config, "workerinput"):
        # Every run has its whole allowance, --emoprefer-max-requests; its workers count in one file.
        Path(config.invocation_params.dir, config.option.emoprefer_out, "requests").unlink(missing_ok=True)
        collector = config.stash[COLLECTOR] = Collector(config, pack, gating)
        config.pluginmanager.register(collector, "emoprefer-collector")


def pytest_collection_finish(session: pytest.Session) -> None:
    """Refuse an --emoprefer-llm that is no model, before anything runs."""
    name, known = session.config.option.emoprefer_llm, session.config.stash[MODELS].known
    if name and name not in known:
        raise pytest.UsageError(
            f"--emoprefer-llm {name}: no such model; there are {', '.join(sorted(known)) or 'none'}"
        )


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:  # noqa: ANN401  # xdist's own types
    """Keep a model's cases together under a plain -n N."""
    if config.getoption("dist") != "load":
        return None
    from emoprefer_bench.plugin.scheduling import ModelScheduling  # noqa: PLC0415

    return ModelScheduling(config, log, config.stash[DATASETS])


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int | None:
    """-n auto: one worker a visible GPU; without any, xdist decides."""
    return len(gpu_leases.visible()) or None


@pytest.fixture(scope="session")
def gpus(request: pytest.FixtureRequest) -> Iterator[gpu_leases.Gpus]:
    """The GPUs leased to the current model (and its text LLM); leased anew when the model changes."""
    info: ModelInfo = request.param
    known = request.config.stash[MODELS].known
    llms = {case.llm for item in request.session.items if (case := case_of(item)) and case.model == info.name}
    count = max([info.gpus, *(known[llm].gpus for llm in llms if llm in known and info.gpus)])
    with gpu_leases.lease(count, gpu_leases.visible(), gpu_leases.lock_folder()) as leased:
        yield leased


@dataclass(frozen=True)
class BoundCase:
    """A case inside its test: `run` it, once. It fails the test where a gate does."""

    case: Case
    run: Callable[[], dict[str, Any]]


@pytest.fixture
def case(request: pytest.FixtureRequest, gpus: gpu_leases.Gpus) -> BoundCase:  # noqa: ARG001  # the lease comes first
    """The case of this test. `case.run()` asks, matches and scores, puts the result on the report, and returns it."""
    selected = case_of(request.node)
    if selected is None:
        raise pytest.UsageError(f"{request.node.nodeid}: the fixture `case` needs a model; declare one in conftest.py")
    config = request.config
    if recording := recording_of(request.node):
        return BoundCase(selected, lambda: _replay(request, recording))
    engines = _engines(request, selected)
    for name, engine in engines.items():
        if lacking := engine.missing():
            pytest.skip(f"{name}: {lacking}")

    def run() -> dict[str, Any]:
        return _run(request, selected)

    trials = config.stash[TRIALS]
    if selected.model not in trials or selected not in trials[selected.model].cases:
        trials[selected.model] = _trial(request, selected)
    return BoundCase(selected, run)


def _engines(request: pytest.FixtureRequest, case: Case) -> dict[str, Engine]:
    """The engines that the case's fixtures declare: the judge, and the text LLM where it has one."""
    from emoprefer_bench.engines.weights import WeightsError  # noqa: PLC0415

    names = dict.fromkeys(name for name in (case.model, case.llm) if name)
    try:
        return {name: request.getfixturevalue(name) for name in names}
    except WeightsError as error:
        pytest.skip(str(error))


def _trial(request: pytest.FixtureRequest, first: Case) -> Trial:
    """All that is asked of the model in this process: every case that it was given and that can run here."""
    from emoprefer_bench.trial.trial import Trial  # noqa: PLC0415

    config = request.config
    engines: dict[str, Engine] = {}
    selected: list[Case] = []
    for case in map(case_of, _given(request.session)):
        if case is None or case.model != first.model or case in selected or _why_not(config, case):
            continue
        try:
            of_case = _engines(request, case)
        except pytest.skip.Exception:
            continue
        if not any(engine.missing() for engine in of_case.values()):
            engines |= of_case
            selected.append(case)
    return Trial(_settings(config), first.model, selected, engines)


def _given(session: pytest.Session) -> list[pytest.Item]:
    """The tests that this process is to run, as far as it knows: with xdist its own, and not those of the others."""
    if not hasattr(session.config, "workerinput"):
        return session.items
    from emoprefer_bench.plugin.scheduling import given  # noqa: PLC0415  # xdist

    return given(session)


def _run(request: pytest.FixtureRequest, case: Case) -> dict[str, Any]:
    """Run the case's trial, if no other case did, and put the result on the item before anything can fail."""
    config = request.config
    trial = config.stash[TRIALS][case.model]
    progress = config.stash[PROGRESS]
    try:
        trial.run(progress.of(request.node))
    except KeyboardInterrupt:
        with interrupts.none():
            _keep_incomplete(request.node, trial)
        raise
    result, fault = trial.result(case), trial.fault(case)
    if result is None:
        pytest.fail(fault or f"{case.id} was not asked", pytrace=False)
    return _reported(request, result, trial.dataset(case).described(), fault)


def _replay(request: pytest.FixtureRequest, recording: Recorded) -> dict[str, Any]:
    """Score a recording, with the texts of its data set where that is there."""
    from emoprefer_bench.data import datasets  # noqa: PLC0415
    from emoprefer_bench.replay import npz  # noqa: PLC0415

    source = _settings(request.config).sources.get(recording.case.dataset)
    try:
        there = source is not None and source.missing(media=False) is None
        read = datasets.read(source, sound=False, picture=False, subtitles=False) if there and source else None
        result, dataset = recording.load(read)
    except (npz.ReplayError, datasets.DatasetError) as error:
        failure = str(error)
    else:
        return _reported(request, result, dataset, None)
    pytest.fail(failure, pytrace=False)


def _reported(
    request: pytest.FixtureRequest, result: dict[str, Any], dataset: dict[str, Any], fault: str | None
) -> dict[str, Any]:
    """Put a result on the item before anything can fail, then fail it by its fault or its gates."""
    node = request.node
    node.stash[RESULT] = {"case": result, "dataset": dataset}
    if fault:
        pytest.fail(fault, pytrace=False)
    why = request.config.stash[GATING].check(node, result, dataset)
    node.user_properties += _properties(result)
    if why:
        pytest.fail(why, pytrace=False)
    return result


def _properties(result: dict[str, Any]) -> list[tuple[str, object]]:
    """What --junitxml says of a case: its scores, and what its gates decided."""
    scores = [(f"emoprefer.{name}", score["mean"]) for name, score in result["scores"].items()]
    gates = [(f"emoprefer.gate.{one['metric'] or one['kind']}", one["outcome"]) for one in result["gate"]]
    return [*scores, *gates]


def _keep_incomplete(item: pytest.Item, trial: Trial) -> None:
    for case in trial.cases:
        if result := trial.result(case):
            interrupts.report(item, result, trial.dataset(case).described())


@pytest.hookimpl(wrapper=True)
def pytest_runtestloop(session: pytest.Session) -> Generator[None, Any, Any]:
    """Where there are models, let SIGTERM interrupt the run, and an interrupted run keep what its workers have."""
    if len(session.config.stash[MODELS].known) <= len(controls.CONTROLS):
        return (yield)
    with interrupts.by_sigterm():
        try:
            return (yield)
        except KeyboardInterrupt:
            if dsession := session.config.pluginmanager.get_plugin("dsession"):
                interrupts.gather(dsession)
            raise


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a case that can't run here before anything is leased or loaded."""
    selected = case_of(item)
    if selected and not recording_of(item) and (reason := _why_not(item.config, selected)):
        pytest.skip(reason)


def _why_not(config: pytest.Config, case: Case) -> str | None:
    """All that is missing for a case, each with the way to get it."""
    known, reasons = config.stash[MODELS].known, []
    info = known[case.model]
    if not takes(info.modality, case.modality):
        reasons.append(f"{case.model} takes {info.modality}, not {case.modality} (--emoprefer-modality)")
    if lacking := _settings(config).sources[case.dataset].missing(media=case.sound or case.picture):
        reasons.append(lacking)
    for name, use in (
        (case.model, ""),
        (case.llm, f", the text LLM of {case.prompt} (--emoprefer-llm chooses another)"),
    ):
        if name and name not in known:
            reasons.append(f"there is no model {name}{use}")
        elif name and known[name].closed and config.option.emoprefer_max_requests is None:
            reasons.append(f"{name} is a paid service: allow it a number of requests, --emoprefer-max-requests N{use}")
        elif name and known[name].gpus > len(gpu_leases.visible()):
            wanted, seen = known[name].gpus, len(gpu_leases.visible())
            reasons.append(f"{name} needs {wanted} GPU{'s' * (wanted > 1)}, of which {seen} can be seen here{use}")
    return "; ".join(reasons) or None


def _settings(config: pytest.Config) -> Settings:
    if SETTINGS not in config.stash:
        config.stash[SETTINGS] = options.settings(config, config.stash[PACK])
    return config.stash[SETTINGS]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
    """Put the result on the report of the test's call, which also travels from xdist workers."""
    report = yield
    if selected := case_of(item):
        recording = recording_of(item)
        report.emoprefer_case = {**selected.named(), "id": recording.id} if recording else selected.named()
        if call.when == "call" and RESULT in item.stash:
            report.emoprefer = item.stash[RESULT]
    return report
