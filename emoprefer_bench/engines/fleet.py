"""A judge on a Ray cluster: the same declaration, whose replicas run on the cluster's nodes.

This process knows nothing of Ray. One child is the cluster's client (children/cluster/bridge.py) and is asked as any
other child. What the nodes have of engine and weights is found out by another, which ends at once
(children/cluster/survey.py).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from emoprefer_bench.engines.engine import ChildEngine, Engine, Session
from emoprefer_bench.engines.gpus import Gpus
from emoprefer_bench.engines.served import ServedEngine
from emoprefer_bench.engines.sight import Sight, packed, unpacked
from emoprefer_bench.pairs import Sampling, Scores
from emoprefer_bench.prompts import Whitespace
from emoprefer_bench.protocol.environment import without_secrets
from emoprefer_bench.protocol.messages import legible
from emoprefer_bench.protocol.parent import Launch, LoadError

SURVEY_SECONDS = 300.0
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
AUTHENTICATION = ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH")
"""What a client of the cluster needs of this process's environment; no engine gets them."""


class FleetError(LoadError):
    """A cluster that can't be used, or whose nodes are not alike; the message says which and why."""


@dataclass(frozen=True)
class Cluster:
    """A Ray cluster, and how many replicas of each judge are wanted on it. What was seen there is kept.

    `ways` are options of the bridge that nobody needs but its tests: `silence`, and `shared`.
    """

    address: str
    replicas: int
    ways: dict[str, Any] = field(default_factory=dict, compare=False)
    _seen: dict[str, Sight | FleetError] = field(default_factory=dict, compare=False, repr=False)

    def sight(self, declared: dict[str, Any], gpus: int) -> Sight:
        """What the nodes that could run a replica have of a declared engine, looked up once. Raises FleetError."""
        asked = {"address": self.address, "engine": declared, "gpus": gpus, "folder": str(Path.cwd())}
        key = json.dumps(asked, sort_keys=True)
        if key not in self._seen:
            try:
                self._seen[key] = _survey(key)
            except FleetError as error:
                self._seen[key] = error
        sight = self._seen[key]
        if isinstance(sight, FleetError):
            raise FleetError(str(sight))
        return sight

    def look_again(self) -> None:
        """Forget what was seen of weights that no node had."""
        for key, sight in list(self._seen.items()):
            if isinstance(sight, FleetError) or sight.identity is None:
                del self._seen[key]


class FleetEngine:
    """A judge whose replicas run on a cluster, each with `gpus` GPUs. Its keys are those of the same judge here.

    Clips are decoded where they are asked about, so that it wants none decoded here.
    """

    plan = None

    def __init__(self, engine: ChildEngine, cluster: Cluster, gpus: int) -> None:
        share = engine.options.get("data_parallel", 1)
        options = {name: value for name, value in engine.options.items() if name != "data_parallel"}
        self._engine = replace(engine, options=options)
        self._cluster = cluster
        self._gpus = max(gpus // share, min(gpus, 1))
        self._declared = packed(self._engine)
        self.kind, self.options, self.settings = engine.kind, engine.options, engine.settings

    @property
    def sampling(self) -> Sampling:
        """How its answers are drawn."""
        return self._engine.sampling

    @property
    def durable(self) -> bool:
        """Whether its answers are kept for later runs."""
        return self._engine.durable

    @property
    def whitespace(self) -> Whitespace:
        """Whether the texts in its prompts are folded."""
        return self._engine.whitespace

    @property
    def flat_answers(self) -> bool:
        """Whether what it said is flattened before it is asked about it."""
        return self._engine.flat_answers

    @property
    def sent_sound(self) -> str | None:
        """How it is sent sound now, where it was sent otherwise before."""
        return self._engine.sent_sound

    @property
    def scores(self) -> Scores | None:
        """Which texts it can weigh."""
        return self._engine.scores

    @property
    def name(self) -> str:
        """The engine, and its version on the nodes."""
        return replace(self._engine, version=self._sight().version).name

    def identity(self) -> dict[str, Any] | None:
        """Its identity as the nodes find it; None as long as its weights were on none of them. Raises FleetError."""
        return self._sight().identity

    def identity_once_loaded(self, revision: str | None) -> dict[str, Any]:
        """The same where no node knows its weights even after loading."""
        return replace(unpacked(self._declared, Gpus()), version=self._sight().version).identity_once_loaded(revision)

    def missing(self) -> str | None:
        """What the nodes lack. Raises FleetError."""
        lacking = self._sight().missing
        return lacking and f"on the nodes of {self._cluster.address}, {lacking}"

    @asynccontextmanager
    async def open(self, log: Path) -> AsyncIterator[Session]:
        """Start the bridge, which starts the replicas, and end both with the context."""
        from emoprefer_bench.engines.session import ChildSession

        session = ChildSession(self._launch(log), at_once=True)
        await session.start()
        self._cluster.look_again()
        try:
            yield session
        finally:
            await session.close()

    def _sight(self) -> Sight:
        return self._cluster.sight(self._declared, self._gpus)

    def _launch(self, log: Path) -> Launch:
        options = {
            "address": self._cluster.address,
            "replicas": self._cluster.replicas,
            "gpus": self._gpus,
            "engine": self._declared,
            "identity": self.identity(),
            "folder": str(Path.cwd()),
            **self._cluster.ways,
        }
        engine = self._engine
        return Launch(
            (sys.executable, "-m", "emoprefer_bench.engines.children.cluster.bridge"),
            {"model": engine.model, "revision": engine.revision, "options": options},
            log,
            {"CUDA_VISIBLE_DEVICES": ""},
            timeout=2 * engine.timeout + 60,  # a replica whose engine fell silent, and did so again
            secrets=AUTHENTICATION,
        )


def cluster(address: str, replicas: int) -> Cluster:
    """A cluster by its address. Raises FleetError for one on a network whose ports might be open to anybody."""
    host = address.rpartition(":")[0]
    if host not in LOOPBACK and not os.environ.get("RAY_AUTH_MODE"):
        raise FleetError(
            f"whoever reaches the ports of {address} runs code on its nodes: start them with RAY_AUTH_MODE=token, and "
            "set that here with the cluster's RAY_AUTH_TOKEN; or say RAY_AUTH_MODE=disabled where nobody else reaches "
            "them (docs/cluster.md)"
        )
    return Cluster(address, replicas)


def placed(engine: Engine, cluster: Cluster | None, gpus: int) -> Engine:
    """The engine, on the cluster if there is one and it can run there; servers and functions stay where they are."""
    if cluster is None or not isinstance(engine, ChildEngine) or isinstance(engine, ServedEngine):
        return engine
    return FleetEngine(engine, cluster, gpus)


def _survey(asked: str) -> Sight:
    """Ask the cluster by a child. Raises FleetError."""
    try:
        done = subprocess.run(
            [sys.executable, "-m", "emoprefer_bench.engines.children.cluster.survey"],
            input=asked,
            env={**without_secrets(os.environ, AUTHENTICATION), "CUDA_VISIBLE_DEVICES": ""},
            capture_output=True,
            text=True,
            timeout=SURVEY_SECONDS,
            start_new_session=True,  # what interrupts the run ends this by the run
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise FleetError(f"the cluster was silent for {SURVEY_SECONDS:.0f} s") from None
    try:
        said = json.loads(done.stdout)
    except ValueError:
        ended = "\n  ".join(done.stderr.splitlines()[-12:])
        raise FleetError(legible(f"looking into the cluster failed; the last lines are:\n  {ended}")) from None
    if "failed" in said:
        raise FleetError(legible(said["failed"]))
    return Sight(**said)
