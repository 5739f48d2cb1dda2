"""Limits: how far a score may fall, or how low it may be, as people write them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from emoprefer_bench.document.cases import METRICS
from emoprefer_bench.errors import EmopreferError

GATED = tuple(name for name in METRICS if name not in ("ties", "first_slot"))  # of which more is better

_FLOOR = "min_"
_DROP = re.compile(r"(\d+(?:\.\d*)?|\.\d+)\s*(pp|%)")
_SUBSET = re.compile(r"(\w+)\[(.+)\]", re.DOTALL)
_SHARE = re.compile(r"(\d+(?:\.\d*)?|\.\d+)\s*(%?)")


class LimitError(EmopreferError):
    """A limit can't be understood; the message shows one that can."""


@dataclass(frozen=True, slots=True)
class Limit:
    """How far a metric may lie under its baseline (`drop`), or how low it may be at all (`floor`).

    `amount` is a fraction: in percentage points / 100, or where it is `relative`, of the baseline's score. With
    `subset`, the limit is about the rows of that alone.
    """

    metric: str
    kind: Literal["drop", "floor"]
    amount: float
    relative: bool = False
    subset: str | None = None

    @property
    def name(self) -> str:
        """What it is about, as people write it: `waf2`, or `waf2[flip]`."""
        return self.metric if self.subset is None else f"{self.metric}[{self.subset}]"


def limit(text: str) -> Limit:
    """Read `waf2:2pp`, `waf2:3%`, `min_acc2:0.6`, or `waf2[flip]:2pp` for one subset. Raises LimitError."""
    name, colon, value = text.strip().rpartition(":")
    if not colon:
        raise LimitError(f"{text!r} is no limit: write waf2:2pp, waf2:3%, waf2[subset]:2pp or min_acc2:0.6")
    return named_limit(name.strip(), value.strip())


def named_limit(name: str, value: str | float) -> Limit:
    """Read a limit from its name and value, as a `gate` mark gives them. Raises LimitError."""
    metric, subset = _about(name.removeprefix(_FLOOR))
    if metric not in GATED:
        raise LimitError(
            f"{name!r} is no gate: metrics are {', '.join(GATED)}; min_ before one makes it a floor, and the name of a "
            "subset in brackets behind it, as in waf2[flip], is about that alone"
        )
    if name.startswith(_FLOOR):
        return Limit(metric, "floor", _share(name, value), subset=subset)
    match = _DROP.fullmatch(str(value))
    if not match:
        raise LimitError(
            f"{name}:{value} is no tolerance: write {name}:2pp for two percentage points, or {name}:2% for two percent "
            "of the baseline's score"
        )
    return Limit(metric, "drop", float(match[1]) / 100, relative=match[2] == "%", subset=subset)


def merged(*sources: Iterable[Limit]) -> list[Limit]:
    """All limits, where a later source replaces an earlier one's for the same metric, subset and kind."""
    return list({(limit.name, limit.kind): limit for source in sources for limit in source}.values())


def _about(name: str) -> tuple[str, str | None]:
    """Part `waf2[flip]` into metric and subset."""
    match = _SUBSET.fullmatch(name)
    return (match[1], match[2]) if match else (name, None)


def _share(name: str, value: str | float) -> float:
    match = _SHARE.fullmatch(str(value))
    share = float(match[1]) / (100 if match[2] else 1) if match else -1.0
    if not 0 <= share <= 1:
        raise LimitError(f"{name}:{value} is no share: write {name}:0.6 or {name}:60%")
    return share
