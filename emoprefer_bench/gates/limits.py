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
_SHARE = re.compile(r"(\d+(?:\.\d*)?|\.\d+)\s*(%?)")


class LimitError(EmopreferError):
    """A limit can't be understood; the message shows one that can."""


@dataclass(frozen=True, slots=True)
class Limit:
    """How far a metric may lie under its baseline (`drop`), or how low it may be at all (`floor`).

    `amount` is a fraction: in percentage points / 100, or where it is `relative`, of the baseline's score.
    """

    metric: str
    kind: Literal["drop", "floor"]
    amount: float
    relative: bool = False


def limit(text: str) -> Limit:
    """Read `waf2:2pp`, `waf2:3%` or `min_acc2:0.6`. Raises LimitError."""
    name, colon, value = text.strip().partition(":")
    if not colon:
        raise LimitError(f"{text!r} is no limit: write waf2:2pp, waf2:3% or min_acc2:0.6")
    return named_limit(name.strip(), value.strip())


def named_limit(name: str, value: str | float) -> Limit:
    """Read a limit from its name and value, as a `gate` mark gives them. Raises LimitError."""
    metric = name.removeprefix(_FLOOR)
    if metric not in GATED:
        raise LimitError(f"{name!r} is no gate: metrics are {', '.join(GATED)}; min_ before one makes it a floor")
    if name.startswith(_FLOOR):
        return Limit(metric, "floor", _share(name, value))
    match = _DROP.fullmatch(str(value))
    if not match:
        raise LimitError(
            f"{name}:{value} is no tolerance: write {name}:2pp for two percentage points, or {name}:2% for two percent "
            "of the baseline's score"
        )
    return Limit(metric, "drop", float(match[1]) / 100, relative=match[2] == "%")


def merged(*sources: Iterable[Limit]) -> list[Limit]:
    """All limits, where a later source replaces an earlier one's for the same metric and kind."""
    return list({(limit.metric, limit.kind): limit for source in sources for limit in source}.values())


def _share(name: str, value: str | float) -> float:
    match = _SHARE.fullmatch(str(value))
    share = float(match[1]) / (100 if match[2] else 1) if match else -1.0
    if not 0 <= share <= 1:
        raise LimitError(f"{name}:{value} is no share: write {name}:0.6 or {name}:60%")
    return share
