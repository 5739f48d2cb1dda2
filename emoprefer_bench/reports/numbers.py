"""How numbers are written in every form: shares in percent, differences in points, p to three decimals.

None is a negative zero: `z` in a format makes it a positive one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from emoprefer_bench.document.types import Score

SMALLEST_P = 0.001  # what three decimals can show
NONE = "-"


def percent(share: float | None) -> str:
    """A share in percent, with two decimals."""
    return NONE if share is None else f"{100 * share:.2f}"


def points(difference: float | None) -> str:
    """A difference of two shares in percentage points, with its sign."""
    return NONE if difference is None else f"{100 * difference:+z.2f}"


def interval(bounds: Sequence[float] | None, around: float | None = None) -> str:
    """The interval of a share, in percent; with a second decimal where rounding would leave out what it is `around`."""
    if not bounds:
        return NONE
    low, high = (round(100 * bound, 1) for bound in bounds)
    places = 1 if around is None or low <= 100 * around <= high else 2
    return f"[{100 * bounds[0]:.{places}f}, {100 * bounds[1]:.{places}f}]"


def points_interval(bounds: Sequence[float] | None) -> str:
    """The interval of a difference, in percentage points with their signs."""
    return f"[{100 * bounds[0]:+z.1f}, {100 * bounds[1]:+z.1f}]" if bounds else NONE


def p(value: float | None) -> str:
    """A p with three decimals, as a cell of a table."""
    if value is None:
        return NONE
    return f"{value:.3f}" if value >= SMALLEST_P else f"<{SMALLEST_P}"


def p_is(value: float | None) -> str:
    """A p as a sentence says it: `p = 0.031`, `p < 0.001`."""
    cell = p(value)
    return f"p < {cell[1:]}" if cell.startswith("<") else f"p = {cell}"


def score(value: Score, *, with_interval: bool = False, with_spread: bool = True) -> str:
    """A score in percent: its mean, the standard deviation where there were several rounds, and its interval."""
    if value["mean"] is None:
        return NONE
    spread = "" if value["sd"] is None or not with_spread else f"±{percent(value['sd'])}"
    bounds = f" {interval(value['interval'], value['mean'])}" if with_interval and value["interval"] else ""
    return f"{percent(value['mean'])}{spread}{bounds}"
