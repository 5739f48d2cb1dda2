"""What a judge is to the rest: a declaration, and the session in which its questions are answered.

A declared engine costs nothing. Its child process starts when a session is opened, and is started again when it dies.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from emoprefer_bench.engines.gpus import Gpus
from emoprefer_bench.engines.weights import named, revision_of
from emoprefer_bench.errors import EmopreferError
from emoprefer_bench.media.plan import MediaPlan
from emoprefer_bench.pairs import Answer, Question, Sampling, Scores
from emoprefer_bench.prompts import Whitespace

if TYPE_CHECKING:
    from emoprefer_bench.protocol.parent import Launch

# Options that change how fast an answer comes, never what it says; they stay out of the key of a question.
PACE = frozenset(
    {
        "batch_size", "block_size", "data_parallel", "data_parallel_size", "enforce_eager", "gpu_memory_utilization",
        "kv_cache_memory_bytes", "max_num_batched_tokens", "max_num_seqs", "pipeline_parallel_size",
        "tensor_parallel_size",
    },
)  # fmt: skip


class DeclarationError(EmopreferError, ValueError):
    """A judge that can't be declared so; the message says what to declare instead."""


class Session(Protocol):
    """An open engine: answers questions, many in flight."""

    concurrency: int
    device: str
    revision: str | None
    """Which weights were loaded, where the engine says it."""
    scores: Scores
    """Which texts it can weigh."""

    @property
    def restarts(self) -> int:
        """How often it died and was started again."""

    async def answer(self, question: Question, clip: dict[str, Any] | None) -> Answer:
        """Answer one question; `clip` has the protocol's clip fields. Failed for good means `finish="error"`."""


class Engine(Protocol):
    """A declared judge, as a model fixture returns it."""

    @property
    def sampling(self) -> Sampling:
        """How its answers are drawn."""

    @property
    def plan(self) -> MediaPlan | None:
        """How it wants clips decoded; None if it takes the files alone, or no clip."""

    @property
    def durable(self) -> bool:
        """Whether its answers are kept for later runs."""

    @property
    def whitespace(self) -> Whitespace:
        """Whether the texts in its prompts are folded, whatever the prompt pack says."""

    @property
    def flat_answers(self) -> bool:
        """Whether what it said is flattened before it is asked about it."""

    @property
    def sent_sound(self) -> str | None:
        """How it is sent sound now, where it was sent otherwise by earlier versions; part of a question's key then."""

    @property
    def scores(self) -> Scores | None:
        """Which texts it can weigh; None where only its session can tell."""

    @property
    def name(self) -> str:
        """What a person reads, such as `vllm 0.32.0`."""

    def identity(self) -> dict[str, Any] | None:
        """What identifies the judge in a question's key; None as long as its weights were never seen here."""

    def identity_once_loaded(self, revision: str | None) -> dict[str, Any]:
        """The same where the weights weren't seen even after loading; `revision` is what the engine says of them."""

    def missing(self) -> str | None:
        """What this machine lacks to run it and how to get that, or None."""

    def open(self, log: Path) -> AbstractAsyncContextManager[Session]:
        """Start it. Raises LoadError."""


@dataclass(frozen=True)
class ChildEngine:
    """A judge in a child process that speaks docs/protocol.md.

    `settings` are what an adapter fixes (its family and version, the system prompt); they are part of a question's key,
    as are the `options` that can change an answer. The option `data_parallel=n` is ours: n children, each with its
    share of the GPUs. `env` names the secrets of this process's environment that the child gets. With
    `whitespace="fold"`, texts in its prompts are folded, whatever the prompt pack says; with `flat_answers`, what it
    said is flattened (prompts.flattened) before it is asked about it. `scores` is set where no child need be asked
    which texts it can weigh.
    """

    kind: str
    version: str
    command: tuple[str, ...]
    model: str
    revision: str | None = None
    options: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    sampling: Sampling = field(default_factory=Sampling)
    plan: MediaPlan | None = None
    gpus: Gpus = field(default_factory=Gpus)
    packages: tuple[tuple[str, str], ...] = ()
    timeout: float = 900.0
    durable: bool = True
    env: tuple[str, ...] = ()
    whitespace: Whitespace = "keep"
    flat_answers: bool = False
    scores: Scores | None = None

    @property
    def name(self) -> str:
        """The engine and its version."""
        return f"{self.kind} {self.version}".strip()

    @property
    def sent_sound(self) -> str | None:
        """As ever."""
        return None

    def identity(self) -> dict[str, Any] | None:
        """Model, revision, engine, version, adapter, decoding and the options that can change an answer."""
        revision = self._revision()
        return None if revision is None else self._identity(revision)

    def identity_once_loaded(self, revision: str | None) -> dict[str, Any]:
        """The identity with the revision that the child loaded; unless it says one, with all that is declared."""
        return self._identity(revision or f"unknown, of {self.revision or 'the default branch'}")

    def missing(self) -> str | None:
        """The first package that is not installed, with the command that installs it."""
        for module, extra in self.packages:
            if importlib.util.find_spec(module) is None:
                return f"{module} is not installed: pip install 'emoprefer-bench[{extra}]'"
        return None

    @asynccontextmanager
    async def open(self, log: Path) -> AsyncIterator[Session]:
        """Start the child, or children, and end them with the context."""
        from emoprefer_bench.engines.session import ChildSession, ParallelSession

        launches = self.launches(log)
        session = ParallelSession(launches) if len(launches) > 1 else ChildSession(launches[0])
        await session.start()
        try:
            yield session
        finally:
            await session.close()

    def launches(self, log: Path) -> list[Launch]:
        """How its child is started, or its children. Raises LoadError."""
        from emoprefer_bench.protocol.parent import Launch, LoadError

        options = {**self.settings, **self.options}
        count = options.pop("data_parallel", 1)
        share, rest = divmod(len(self.gpus.ids), count)
        if rest:
            raise LoadError(f"data_parallel={count} can't share out {len(self.gpus.ids)} GPUs evenly")
        # The very weights that the key names, though the hub's branch may have moved on since they were downloaded.
        pinned = None if not self.packages or Path(self.model).exists() else self._revision()
        load = {"model": self.model, "revision": pinned or self.revision, "options": options}
        return [
            Launch(self.command, load, log, _environment(ids), self.gpus.descriptors, self.timeout, self.env)
            for ids in (self.gpus.ids[first : first + share] for first in range(0, count * (share or 1), share or 1))
        ]

    def _revision(self) -> str | None:
        if not self.packages:
            return self.revision or "unversioned"
        return revision_of(self.model, self.revision, self.options.get("download_dir"))

    def _identity(self, revision: str) -> dict[str, Any]:
        options = {name: value for name, value in sorted(self.options.items()) if name not in PACE}
        return {
            "engine": self.kind,
            "version": self.version,
            "model": Path(self.model).name if Path(self.model).exists() else self.model,
            "revision": revision,
            "options": {name: named(value) for name, value in options.items()} if self.packages else options,
            "settings": self.settings,
            "decoding": self.plan.settings() if self.plan else None,
        }


def _environment(gpus: Sequence[str]) -> dict[str, str]:
    return {
        "CUDA_VISIBLE_DEVICES": ",".join(gpus),
        "TOKENIZERS_PARALLELISM": "false",
        "OMP_WAIT_POLICY": os.environ.get("OMP_WAIT_POLICY", "PASSIVE"),  # likewise torch's: five times, measured
        "OPENBLAS_NUM_THREADS": "1",  # numpy's threads spin while they wait: many times the time on a busy machine
    }
