"""One model's cases stay on one xdist worker, so that the model is loaded once and its clips are decoded once.

A run without cases is scheduled as if this package weren't installed.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

import pytest
from xdist.scheduler import LoadScheduling, LoadScopeScheduling

if TYPE_CHECKING:
    from xdist.workermanage import WorkerController

PENDING = 2  # xdist runs an item only when it knows the next one


class Scheduling:
    """What `-n` schedules by: ModelScheduling, or xdist's own where no case was collected."""

    def __init__(self, config: pytest.Config, log: Any, datasets: Collection[str]) -> None:  # noqa: ANN401  # xdist's
        self._config, self._log, self._datasets = config, log, datasets
        self._chosen: Any = ModelScheduling(config, log, datasets)
        self._begun = False

    def schedule(self) -> None:
        """Choose by what the workers collected, once they have, and give out the first tests."""
        if not self._begun:
            self._begun = True
            collected = dict(self._chosen.registered_collections)
            ids = [nodeid for of_worker in collected.values() for nodeid in of_worker]
            if not any(model_in(nodeid, self._datasets) for nodeid in ids):
                self._chosen = LoadScheduling(self._config, self._log)
                for node, of_worker in collected.items():
                    self._chosen.add_node(node)
                    self._chosen.add_node_collection(node, of_worker)
        self._chosen.schedule()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  # all else that xdist asks a scheduler for
        return getattr(self._chosen, name)


class ModelScheduling(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """A unit of work is all that was collected for one model; other tests are units of their own.

    A case that took its worker down is given up, and the rest of its unit goes to another worker. (`--dist loadgroup`
    loses groups on pytest 9.2, xdist#1386, and hangs after a crash, xdist#1371.)
    """

    def __init__(self, config: pytest.Config, log: Any, datasets: Collection[str]) -> None:  # noqa: ANN401  # xdist's
        """`datasets` are the names by which the id of a case is told from other ids."""
        super().__init__(config, log)
        self._datasets = frozenset(datasets)

    def _split_scope(self, nodeid: str) -> str:
        return model_in(nodeid, self._datasets) or nodeid

    def remove_node(self, node: WorkerController) -> str | None:
        """Requeue what a lost worker had not finished, but for the item that it died on, whose id is returned."""
        units = self.assigned_work.pop(node)
        unfinished = {scope: [item for item, done in unit.items() if not done] for scope, unit in units.items()}
        pending = [item for items in unfinished.values() for item in items]
        if not pending:
            return None
        crashed: str = pending[0]
        for scope, items in unfinished.items():
            rest: dict[str, Any] = dict.fromkeys((item for item in items if item != crashed), False)
            if rest:
                self.workqueue[scope] = rest
        for other in self.assigned_work:
            self._reschedule(other)
        return crashed

    def _reschedule(self, node: WorkerController) -> None:
        if node.shutting_down:
            return
        while self._pending_of(self.assigned_work[node]) < PENDING:
            if not self.workqueue:
                node.shutdown()
                return
            self._assign_work_unit(node)


def model_in(nodeid: str, datasets: Collection[str]) -> str | None:
    """The model in the id of a case (`...[model-S1-demo]`); None for any other test."""
    model, *others = nodeid.partition("[")[2].rstrip("]").split("-")
    return model if any(other in datasets for other in others) else None
