"""How far a trial has come, as people are told while it runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Headway:
    """`done` of `total` verdicts, of which so many were `stored`: their answers were there before anything was asked.

    `what` is the clip that was last judged, or what else is done; then `working` is false, and no verdict can come.
    """

    done: int
    total: int
    what: str
    stored: int = 0
    working: bool = True


Progress = Callable[[Headway], None]
