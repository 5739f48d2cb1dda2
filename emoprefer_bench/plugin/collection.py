"""How models are found, and the test cases that they give."""

from __future__ import annotations

import inspect
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from emoprefer_bench.cases import Case, is_crossed
from emoprefer_bench.plugin import private
from emoprefer_bench.plugin.models import LEASE, model_of, models_in
from emoprefer_bench.plugin.stash import DATASETS, RECORDINGS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from emoprefer_bench.plugin.models import ModelInfo
    from emoprefer_bench.replay.recorded import Recorded


class Models:
    """A plugin of its own that finds the models that each test can see, and makes the cases from them.

    A test sees the models of each conftest.py above it and of its module, as it sees other fixtures.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._of_plugins: dict[str, None] = {}
        self._seen: dict[object, dict[str, ModelInfo]] = {}
        self.in_use = False

    def pytest_plugin_registered(self, plugin: object) -> None:
        """Note the names of the models in a conftest.py: pytest registers each as a plugin."""
        if inspect.ismodule(plugin):
            self._of_plugins |= dict.fromkeys(info.name for info in models_in(plugin))

    def of(self, node: pytest.Item | pytest.Collector) -> dict[str, ModelInfo]:
        """The models that a test can see, by name: those of plugins and of its module, and the controls."""
        place = node.parent or node
        if place not in self._seen:
            modules = [module for each in node.listchain() if inspect.ismodule(module := getattr(each, "obj", None))]
            inside = [info.name for module in modules for info in models_in(module)]
            names = dict.fromkeys([*self._of_plugins, *inside])
            infos = {name: model_of(private.fixture_of(node, name)) for name in names}
            self._seen[place] = {name: replace(info, name=name) for name, info in infos.items() if info}
            self._join_controls(self._seen[place])
        return self._seen[place]

    @pytest.hookimpl(trylast=True)
    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Parametrize every test that takes this plugin's `case` by model x prompt x data set.

        The parameter is the lease of GPUs alone, the same for all cases of a model, so that pytest keeps it and the
        model's fixture until the model changes. The case itself is a mark.
        """
        if not takes_case(metafunc):
            return
        self.in_use = True
        recordings = self._config.stash[RECORDINGS]
        params = _replayed(recordings) if recordings else []
        datasets, infos = self._config.stash[DATASETS], list(self.of(metafunc.definition).values())
        if recordings:  # the controls alone are judged anew, on what was recorded
            datasets = tuple(name for name in datasets if name in {recorded.case.dataset for recorded in recordings})
            infos = [info for info in infos if info.modality is None]
        of_models = {info.name: self.cases(info, datasets) for info in infos}
        if self._config.option.emoprefer_cross and not recordings:
            self._cross(metafunc.definition, of_models)
        params += [
            pytest.param(info, id=case.id, marks=(OF_CASE.with_args(case), NEEDS_GPU if info.gpus else NEEDS_NONE))
            for info in infos
            for case in of_models[info.name]
        ]
        metafunc.parametrize(LEASE, params, indirect=True, scope="session")

    def cases(self, info: ModelInfo, datasets: Iterable[str]) -> list[Case]:
        """The cases of one model, data set by data set; with --emoprefer-audit each followed by its variants."""
        from emoprefer_bench.plugin.models import DEFAULT_LLM
        from emoprefer_bench.trial.strategies import USES_LLM
        from emoprefer_bench.trial.variants import variants_of

        option = self._config.option
        modality = info.modality and (option.emoprefer_modality or info.modality)
        llm = option.emoprefer_llm or info.llm or DEFAULT_LLM
        cases = [
            Case(info.name, prompt, dataset, modality, llm if prompt in USES_LLM else None, closed=info.closed)
            for dataset in datasets
            for prompt in self._prompts(info)
        ]
        if not option.emoprefer_audit:
            return cases
        return [audited for case in cases for audited in (case, *variants_of(case))]

    def _cross(self, node: pytest.Item, of_models: dict[str, list[Case]]) -> None:
        """Add the cases in which judges get the descriptions of others, for all that can run here."""
        from emoprefer_bench.data import datasets
        from emoprefer_bench.plugin.skips import lacks
        from emoprefer_bench.plugin.stash import settings_of
        from emoprefer_bench.trial.crossing import crossed

        sources = settings_of(self._config).sources
        here = [case for cases in of_models.values() for case in cases if not lacks(node, case)]
        known = [name for name in {case.dataset for case in here} if datasets.has_references(sources[name])]
        for case in crossed(here, known):
            of_models[case.model].append(case)

    def _prompts(self, info: ModelInfo) -> Iterable[str]:
        """By what the model is asked: by what its fixture names and, if it takes any prompt, --emoprefer-prompt."""
        from emoprefer_bench.cases import DIRECT

        more = self._config.option.emoprefer_prompt if info.prompts != (DIRECT,) else ()
        return dict.fromkeys((*info.prompts, *more))

    def _join_controls(self, seen: dict[str, ModelInfo]) -> None:
        """Add the controls to the models of a test. Raises CollectError for a model that is called like one."""
        from emoprefer_bench.plugin import controls

        for name, info in controls.MODELS.items():
            if name in seen:
                raise pytest.Collector.CollectError(
                    f"the model {name} ({_place(self._config, seen[name])}) is called like a control, which every run "
                    "has: give it another name"
                )
            seen[name] = info

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """One contiguous block a model, the largest first, so that the smaller fill the gaps on other workers."""
        if not self.in_use:
            return
        self._leave_uncrossed(items)
        gpus: dict[str, int] = {}
        models = [case.model if (case := case_of(item)) else None for item in items]
        for item, model in zip(items, models, strict=True):
            if model:
                info = self.of(item).get(model)  # none for the model of a recording
                gpus.setdefault(model, info.gpus if info else 0)
        rank = {model: place for place, model in enumerate(sorted(gpus, key=lambda model: -gpus[model]))}
        places = {item: rank[model] if model else -1 for item, model in zip(items, models, strict=True)}
        items.sort(key=places.__getitem__)

    def _leave_uncrossed(self, items: list[pytest.Item]) -> None:
        """Deselect the cases that get the descriptions of a model whose own cases were not selected, or whose own."""
        of_items = {item: case for item in items if (case := case_of(item))}
        selected = {(case.model, case.prompt, case.dataset) for case in of_items.values() if case.variant is None}
        alone = [
            item
            for item, case in of_items.items()
            if is_crossed(case.named())
            and not {(name, case.prompt, case.dataset) for name in (case.model, case.describer) if name} <= selected
        ]
        if alone:
            items[:] = [item for item in items if item not in alone]
            self._config.hook.pytest_deselected(items=alone)

    def refusal(self, items: Sequence[pytest.Item]) -> str | None:
        """Why a run of these tests makes no sense: a text LLM that is no model, or a name that means two; or None."""
        llm: str | None = self._config.option.emoprefer_llm
        of_tests = [(item, case, self.of(item)) for item in items if (case := case_of(item))]
        if llm and not any(llm in models for _, _, models in of_tests):
            there = sorted({name for _, _, models in of_tests for name in models})
            return f"--emoprefer-llm {llm}: no such model; there are {', '.join(there) or 'none'}"
        meant: dict[str, tuple[pytest.Item, ModelInfo]] = {}
        for item, case, models in of_tests:
            if recording_of(item):
                continue
            for name in case.engines:
                if name in models:
                    first, info = meant.setdefault(name, (item, models[name]))
                    if info.declared is not models[name].declared:
                        return self._two_things(name, first, item)
        return None

    def _two_things(self, name: str, first: pytest.Item, second: pytest.Item) -> str:
        """Say of a name what it means in two tests."""
        (one, other) = (
            f"{_place(self._config, self.of(item)[name])} in {item.nodeid.partition('::')[0]}"
            for item in (first, second)
        )
        return f"the model {name} means two things in this run, {one} and {other}: rename one, or run them apart"


# Marks by name are looked up each time, which hundreds of cases would pay for at every collection.
OF_CASE, NEEDS_GPU, NEEDS_NONE = pytest.mark.preference, pytest.mark.gpu, pytest.mark.cpu


def recording_of(item: pytest.Item) -> Recorded | None:
    """The recording that a test item replays, or None."""
    mark = _mark(item)
    return mark.kwargs.get("recording") if mark else None


def takes_case(metafunc: pytest.Metafunc) -> bool:
    """Whether a test takes this plugin's `case`: another's, and one that is parametrized, are no business of ours."""
    if "case" not in metafunc.fixturenames:
        return False
    from emoprefer_bench.plugin.fixtures import bound_case

    return private.reaches(metafunc, "case", bound_case)


def declares_models(config: pytest.Config) -> bool:
    """Whether a conftest.py that was loaded for this run's arguments has models.

    A process that starts xdist's workers collects nothing, so that it knows no more.
    """
    modules = [plugin for plugin in private.plugins(config) if inspect.ismodule(plugin)]
    return any(True for module in modules for _ in models_in(module))


def _place(config: pytest.Config, info: ModelInfo) -> str:
    """Where a model is declared, as people find it."""
    code = getattr(info.declared, "__code__", None)
    if code is None:
        return info.name
    file = Path(code.co_filename)
    inside = file.is_relative_to(config.rootpath)
    return f"{file.relative_to(config.rootpath) if inside else file}:{code.co_firstlineno}"


def _replayed(recordings: Sequence[Recorded]) -> list[Any]:
    """Parameters for recordings: no fixture of theirs is asked for, and they need nothing."""
    from emoprefer_bench.plugin.models import ModelInfo

    return [
        pytest.param(
            ModelInfo(recorded.case.model, 0, recorded.case.modality, (recorded.case.prompt,)),
            id=recorded.id,
            marks=(OF_CASE.with_args(recorded.case, recording=recorded), NEEDS_NONE),
        )
        for recorded in recordings
    ]


def case_of(item: pytest.Item) -> Case | None:
    """The case that a test item is for, or None."""
    mark = _mark(item)
    return mark.args[0] if mark else None


def _mark(item: pytest.Item) -> pytest.Mark | None:
    """The mark that carries a test's case; a project may have marks of that name for other ends."""
    return next(
        (mark for mark in item.iter_markers("preference") if mark.args and isinstance(mark.args[0], Case)), None
    )
