"""What the plugin keeps in pytest's stashes."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from emoprefer_bench.cases import Case
    from emoprefer_bench.engines.fleet import Cluster
    from emoprefer_bench.plugin.collection import Models
    from emoprefer_bench.plugin.collector import Collector
    from emoprefer_bench.plugin.gating import Gating
    from emoprefer_bench.plugin.progress import Progress
    from emoprefer_bench.prompts import PromptPack
    from emoprefer_bench.replay.recorded import Recorded
    from emoprefer_bench.trial.trial import Settings, Trial

CLUSTER: pytest.StashKey[Cluster | None] = pytest.StashKey()
DATASETS: pytest.StashKey[Collection[str]] = pytest.StashKey()
RECORDINGS: pytest.StashKey[Sequence[Recorded]] = pytest.StashKey()
MODELS: pytest.StashKey[Models] = pytest.StashKey()
SETTINGS: pytest.StashKey[Settings] = pytest.StashKey()
TRIALS: pytest.StashKey[dict[Case, Trial]] = pytest.StashKey()
ASKED: pytest.StashKey[bool] = pytest.StashKey()
PACK: pytest.StashKey[PromptPack] = pytest.StashKey()
GATING: pytest.StashKey[Gating] = pytest.StashKey()
PROGRESS: pytest.StashKey[Progress] = pytest.StashKey()
COLLECTOR: pytest.StashKey[Collector] = pytest.StashKey()
FITTED: pytest.StashKey[set[str]] = pytest.StashKey()
RESULT: pytest.StashKey[dict[str, Any] | None] = pytest.StashKey()
NOTES: pytest.StashKey[list[str]] = pytest.StashKey()
NEEDS: pytest.StashKey[list[str]] = pytest.StashKey()


def pack_of(config: pytest.Config) -> PromptPack:
    """The run's prompt pack, read when it is first wanted. Raises UsageError for one that can't be used."""
    if PACK not in config.stash:
        from emoprefer_bench.plugin import options

        config.stash[PACK] = options.prompt_pack(config)
    return config.stash[PACK]


def settings_of(config: pytest.Config) -> Settings:
    """The settings of the run's trials, made when the first is wanted."""
    if SETTINGS not in config.stash:
        from emoprefer_bench.plugin import options

        config.stash[SETTINGS] = options.settings(config, pack_of(config))
    return config.stash[SETTINGS]
