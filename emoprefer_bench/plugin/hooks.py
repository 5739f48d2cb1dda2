"""The pytest plugin: wires options, models, leases, trials and reports together.

It is loaded wherever the package is installed. A project that has no models pays for what this file imports, and for
nothing else: whatever a case needs is imported where the first case needs it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from emoprefer_bench.plugin import fixtures, interrupts, options, private
from emoprefer_bench.plugin.collection import Models, case_of, declares_models, recording_of
from emoprefer_bench.plugin.collector import Collector
from emoprefer_bench.plugin.gating import Gating
from emoprefer_bench.plugin.progress import Progress
from emoprefer_bench.plugin.stash import (
    CLUSTER,
    COLLECTOR,
    DATASETS,
    GATING,
    MODELS,
    NEEDS,
    NOTES,
    PROGRESS,
    RECORDINGS,
    RESULT,
    TRIALS,
    pack_of,
)


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
    config.stash[CLUSTER] = options.cluster(config)
    config.stash[RECORDINGS] = options.recordings(config)
    config.stash[DATASETS] = options.dataset_names(config)
    if config.option.emoprefer_prompts:
        pack_of(config)  # before anything runs: it may be unfit
    config.stash[TRIALS] = {}
    models = config.stash[MODELS] = Models(config)
    config.pluginmanager.register(fixtures, "emoprefer-fixtures")
    config.pluginmanager.register(interrupts, "emoprefer-interrupts")
    config.pluginmanager.register(models, "emoprefer-models")
    for name, module in options.judge_modules(config).items():
        config.pluginmanager.register(module, f"emoprefer-judges-{name}")
    if config.option.emoprefer_plan:
        from emoprefer_bench.plugin import planning

        config.pluginmanager.register(planning.Planning(config), "emoprefer-planning")
    progress = config.stash[PROGRESS] = Progress(config)
    config.pluginmanager.register(progress, "emoprefer-progress")
    gating = config.stash[GATING] = Gating(config)
    config.pluginmanager.register(gating, "emoprefer-gates")
    if not hasattr(config, "workerinput"):
        # Every run has its whole allowance, --emoprefer-max-requests, and judges of its own; its workers write both
        # into files. Where these can't be taken away, nothing can be written either: a run that asks will say so.
        for name in ("requests", "judges"):
            with contextlib.suppress(OSError):
                Path(config.invocation_params.dir, config.option.emoprefer_out, name).unlink(missing_ok=True)
        collector = config.stash[COLLECTOR] = Collector(config, gating)
        config.pluginmanager.register(collector, "emoprefer-collector")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """Refuse what can't be run, or couldn't be kept, before anything runs; also ahead of xdist, which gives it out."""
    config = session.config
    refusal = config.stash[MODELS].refusal(session.items)
    if refusal is None and not config.option.collectonly and any(map(case_of, session.items)):
        from emoprefer_bench.plugin import writing

        refusal = writing.why_not(config)
    if refusal:
        private.refuse(session, refusal)


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> int | None:
    """--emoprefer-list shows what there is, --emoprefer-memory what it needs of the GPUs; neither runs anything."""
    if not (config.option.emoprefer_list or config.option.emoprefer_memory):
        return None
    from emoprefer_bench.plugin import fitting, listing

    with private.configured(config):
        if config.option.emoprefer_list:
            listing.show(config)
        if config.option.emoprefer_memory:
            fitting.show(config)
    return 0


def pytest_report_header(config: pytest.Config) -> str | None:
    """Where there are models, say what they find on this machine."""
    if not declares_models(config):
        return None
    from emoprefer_bench.plugin import seen

    return seen.header(config)


def pytest_report_teststatus(report: pytest.TestReport) -> tuple[str, str, tuple[str, dict[str, bool]]] | None:
    """Count a skipped case and print no letter for it: hundreds can't run on any one machine, and a digest says why."""
    if report.skipped and hasattr(report, "emoprefer_case") and not hasattr(report, "wasxfail"):
        return "skipped", "", ("SKIPPED", {"yellow": True})
    return None


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:  # noqa: ANN401  # xdist's own types
    """Keep a model's cases together under a plain -n N."""
    if config.getoption("dist") != "load":
        return None
    from emoprefer_bench.plugin.scheduling import Scheduling

    return Scheduling(config, log, config.stash[DATASETS])


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """-n auto: one worker a visible GPU; without any, and where there are no models, xdist decides.

    On a cluster, one: the models take turns there.
    """
    if not declares_models(config):
        return None
    if config.option.emoprefer_ray:
        return 1
    from emoprefer_bench.engines import gpus

    return len(gpus.visible()) or None


@pytest.hookimpl(wrapper=True)
def pytest_runtestloop(session: pytest.Session) -> Generator[None, Any, Any]:
    """Where there are models, let SIGTERM interrupt the run, and an interrupted run keep what its workers have."""
    if not (session.config.stash[MODELS].in_use or declares_models(session.config)):
        return (yield)
    with interrupts.by_sigterm():
        try:
            return (yield)
        except KeyboardInterrupt:
            interrupts.gather(session.config)
            raise


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a case that can't run here before anything is leased or loaded."""
    selected = case_of(item)
    if selected is None:
        return
    item.stash[RESULT], item.stash[NOTES] = None, []  # a plugin may run a test again, as --reruns does
    if recording_of(item):
        return
    from emoprefer_bench.plugin.skips import lacks

    if lacking := lacks(item, selected):
        item.stash[NEEDS] = list(dict.fromkeys(lack.need for lack in lacking))
        pytest.skip("; ".join(lack.reason for lack in lacking))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
    """Put the result on the report of the test's call, which also travels from xdist workers."""
    report = yield
    if selected := case_of(item):
        recording = recording_of(item)
        report.emoprefer_case = {**selected.named(), "id": recording.id} if recording else selected.named()
        if needs := item.stash.get(NEEDS, None):
            report.emoprefer_needs = needs
        if call.when == "call" and (result := item.stash.get(RESULT, None)):
            report.emoprefer = result
        if call.when == "call" and item.stash.get(NOTES, None):
            report.emoprefer_notes = item.stash[NOTES]
    return report
