"""How models are found, and the test cases that they give."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import pytest

from emoprefer_bench.plugin.private import FIXTURE
from emoprefer_bench.plugin.stash import DATASETS, RECORDINGS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from emoprefer_bench.cases import Case
    from emoprefer_bench.plugin.models import ModelInfo
    from emoprefer_bench.replay.recorded import Recorded

CONTROLS = "emoprefer-controls"


class Models:
    """A plugin of its own that finds the models of every conftest.py and makes the cases from them."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self.known: dict[str, ModelInfo] = {}

    def pytest_plugin_registered(self, plugin: object) -> None:
        """Look for models in a conftest.py: pytest registers each as a plugin."""
        if inspect.ismodule(plugin):
            for value in vars(plugin).values():
                # Nothing but a fixture is asked for its attributes, since what else lies there may run code then.
                if type(value) is FIXTURE and (info := getattr(value, "emoprefer_model", None)):
                    self.known[info.name] = info

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Parametrize every test that takes `case` by model x prompt x data set.

        The parameter is the lease of GPUs alone, the same for all cases of a model, so that pytest keeps it and the
        model's fixture until the model changes. The case itself is a mark. A `case` that takes no `gpus` is somebody
        else's fixture.
        """
        if not {"case", "gpus"} <= set(metafunc.fixturenames):
            return
        self._join_controls()
        recordings = self._config.stash[RECORDINGS]
        params = _replayed(recordings) if recordings else []
        datasets, known = self._config.stash[DATASETS], self.known
        if recordings:  # the controls alone are judged anew, on what was recorded
            datasets = tuple(name for name in datasets if name in {recorded.case.dataset for recorded in recordings})
            known = {name: info for name, info in self.known.items() if info.modality is None}
        params += [
            pytest.param(info, id=case.id, marks=(OF_CASE.with_args(case), NEEDS_GPU if info.gpus else NEEDS_NONE))
            for info in known.values()
            for case in self.cases(info, datasets)
        ]
        metafunc.parametrize("gpus", params, indirect=True, scope="session")

    def cases(self, info: ModelInfo, datasets: Iterable[str]) -> list[Case]:
        """The cases of one model, data set by data set; with --emoprefer-audit each followed by its variants."""
        from emoprefer_bench.cases import Case
        from emoprefer_bench.plugin.models import DEFAULT_LLM
        from emoprefer_bench.trial.strategies import USES_LLM
        from emoprefer_bench.trial.variants import variants_of

        option = self._config.option
        modality = info.modality and (option.emoprefer_modality or info.modality)
        llm = option.emoprefer_llm or info.llm or DEFAULT_LLM
        cases = [
            Case(info.name, prompt, dataset, modality, llm if prompt in USES_LLM else None, closed=info.closed)
            for dataset in datasets
            for prompt in info.prompts
        ]
        if not option.emoprefer_audit:
            return cases
        return [audited for case in cases for audited in (case, *variants_of(case))]

    def _join_controls(self) -> None:
        """Add the controls to the models, when the first test takes a case: they are declared as models are."""
        if not self._config.pluginmanager.has_plugin(CONTROLS):
            from emoprefer_bench.plugin import controls

            self._config.pluginmanager.register(controls, CONTROLS)

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """One contiguous block a model, the largest first, so that the smaller fill the gaps on other workers."""
        by_need = sorted(self.known, key=lambda name: -self.known[name].gpus)
        rank = {name: position for position, name in enumerate(by_need)}
        items.sort(key=lambda item: rank.get(case.model, -1) if (case := case_of(item)) else -1)


# Marks by name are looked up each time, which hundreds of cases would pay for at every collection.
OF_CASE, NEEDS_GPU, NEEDS_NONE = pytest.mark.preference, pytest.mark.gpu, pytest.mark.cpu


def recording_of(item: pytest.Item) -> Recorded | None:
    """The recording that a test item replays, or None."""
    mark = item.get_closest_marker("preference")
    return mark.kwargs.get("recording") if mark else None


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
    mark = item.get_closest_marker("preference")
    return mark.args[0] if mark else None
