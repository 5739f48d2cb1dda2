"""A judge behind an address: declared here, asked by a child process that holds the key."""

from __future__ import annotations

import contextlib
import importlib.util
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from emoprefer_bench.engines.engine import ChildEngine, Engine

# Options that say how a server is reached, never what it answers; they stay out of the key of a question.
WAYS = frozenset(
    {
        "attempts", "base_url", "concurrency", "health_seconds", "key", "ledger", "max_requests", "request_timeout",
        "session_header",
    },
)  # fmt: skip


@dataclass(frozen=True)
class ServedEngine(ChildEngine):
    """A judge that a server runs. Its `revision` is what its answers are kept under, or else its address."""

    def identity(self) -> dict[str, Any]:
        """Model, revision or address, what is sent of a clip, and the options that can change an answer."""
        return {
            "engine": self.kind,
            "model": self.model,
            "revision": self.revision or self.options.get("base_url"),
            "options": {name: value for name, value in sorted(self.options.items()) if name not in WAYS},
            "decoding": self.plan.settings() if self.plan else None,
        }

    @property
    def sent_sound(self) -> str | None:
        """In floats to a server of vLLM's kind, where it was in 16 bits, which some heard 32,768 times too loud."""
        vllm = self.kind == "openai" and self.options.get("dialect", "vllm") == "vllm"
        return "float" if vllm else None

    def identity_once_loaded(self, revision: str | None) -> dict[str, Any]:  # noqa: ARG002  # a server says none
        """The same: it is known before."""
        return self.identity()

    def _revision(self) -> str | None:
        return self.revision

    def missing(self) -> str | None:
        """The first package that is not installed, or the variable of the key that is not set."""
        for module, extra in self.packages:
            package = module.partition(".")[0]
            if importlib.util.find_spec(package) is None or importlib.util.find_spec(module) is None:
                return f"{module} is not installed: pip install 'emoprefer-bench[{extra}]'"
        key = self.options.get("key")
        if key and not os.environ.get(key):
            return f"{key} is not set: put the key of {self.model}'s server into that environment variable"
        return None


def bounded(engine: Engine, bound: int | None, ledger: Path) -> Engine:
    """The same engine, allowed `bound` requests together with all others that count in the file `ledger`.

    Requests are counted as they are sent, so those that are sent again count again. Engines that ask no server are
    returned as they are.
    """
    if bound is None or not isinstance(engine, ServedEngine):
        return engine
    with contextlib.suppress(OSError):  # the child, which has to write it, says what is wrong
        ledger.parent.mkdir(parents=True, exist_ok=True)
    options = {**engine.options, "max_requests": bound, "ledger": str(ledger.resolve())}
    return replace(engine, options=options)
