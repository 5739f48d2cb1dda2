"""What each model needs of the GPUs of this machine, and what to change where it doesn't fit (`--emoprefer-memory`)."""

from __future__ import annotations

import sys
from dataclasses import dataclass

import pytest

from emoprefer_bench.engines import gpus
from emoprefer_bench.engines.children import memory
from emoprefer_bench.engines.engine import ChildEngine
from emoprefer_bench.errors import EmopreferError
from emoprefer_bench.plugin import listing, private
from emoprefer_bench.plugin.models import ModelInfo
from emoprefer_bench.printable import printable

LOCAL = ("vllm", "transformers")


@dataclass(frozen=True)
class Judge:
    """A model of ours: how many GPUs its fixture asks for, its engine, and what that needs; None for unknown."""

    info: ModelInfo
    engine: ChildEngine
    needs: memory.Needs | None


def show(config: pytest.Config) -> None:
    """Print a line for each model that runs on GPUs, `ok` or `-`, and what it needs; one for all of no known size."""
    sys.stdout.write(printable("".join(f"{line}\n" for line in lines(config))))


def lines(config: pytest.Config) -> list[str]:
    """Return them."""
    free = sorted(memory.free_memory(",".join(gpus.visible())), reverse=True)
    if not free:
        return ["-  no GPU, or a driver that doesn't tell how much of its memory is free"]
    judges = [judge for info, fixture in listing.declared(config).values() if (judge := _judge(info, fixture))]
    told = [_line(judge, judge.needs, judges, free) for judge in judges if judge.needs]
    unknown = [judge.info.name for judge in judges if not judge.needs]
    why = "their weights are not here, and the hub doesn't say"
    return [*told, f"-  what these need is not known ({why}): {', '.join(unknown)}"] if unknown else told


def _judge(info: ModelInfo, fixture: object) -> Judge | None:
    try:
        engine = private.called(fixture, gpus.Gpus())
    except (EmopreferError, ValueError, TypeError):  # --emoprefer-list says what is wrong with it
        return None
    if not info.gpus or not isinstance(engine, ChildEngine) or engine.kind not in LOCAL:
        return None
    return Judge(info, engine, memory.needs(engine.kind, engine.model, engine.revision, engine.options))


def _line(judge: Judge, needs: memory.Needs, judges: list[Judge], free: list[int]) -> str:
    name, cards = judge.info.name, free[: judge.info.gpus]
    on = f"{judge.info.gpus} GPU{'s' * (judge.info.gpus > 1)} with {sum(cards) / memory.GIB:.1f} GiB free"
    if len(cards) < judge.info.gpus:
        return f"-  {name}: {needs}; it asks for {judge.info.gpus} GPUs, and {len(free)} are here"
    cures = needs.cures(cards, whole_context=judge.engine.kind == "vllm")
    if not cures:
        return f"ok {name}: {needs}; fits {on}"
    smaller = _sister(judge, judges, cards)
    return f"-  {name}: {needs}; too large for {on}: {', or '.join([*cures, *smaller])}"


def _sister(judge: Judge, judges: list[Judge], cards: list[int]) -> list[str]:
    """Name the largest model of the same line that fits the same GPUs."""
    line = judge.info.name.split("_")[0]
    fitting = [
        (other.needs.weights, other.info.name)
        for other in judges
        if other.needs
        and other.info.name.split("_")[0] == line
        and other.info.modality == judge.info.modality
        and not other.needs.cures(cards, whole_context=other.engine.kind == "vllm")
    ]
    return [f"{max(fitting)[1]}, its smaller sister"] if fitting else []
