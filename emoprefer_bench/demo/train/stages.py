"""The stages of learning. Each is a mixture of questions; what comes first makes the next one learnable.

A judge that is asked for verdicts from the start stays at chance: it first has to perceive, to read, and to name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from emoprefer_bench.demo.train.questions import Kind, Modality

Recipes = Mapping[tuple[Kind, ...], float]
"""Kinds of questions that are asked about one clip, and the weight of each such choice."""
Course = Mapping[Modality, tuple[float, Recipes]]
"""For each modality the share of batches, and what is asked in them."""


@dataclass(frozen=True, slots=True)
class Stage:
    """So many steps of so many questions, at a step size that rises at once and falls to a tenth.

    `matches` is the weight of whether the texts of a question fit, `slots` that of which of them it is; both are read
    off the texts' ends before the last layer.
    """

    name: str
    steps: int
    batch: int
    rate: float
    long_share: float
    course: Course
    examined: tuple[Kind, ...] = ()
    matches: float = 1.0
    slots: float = 1.0
    verdicts: float = 1.0


SENSES = Stage("senses", 160, 24, 2e-3, 0, {})
"""Eyes and ears by themselves: each token of theirs is to tell the emotion."""

PAIRING: Recipes = {("name", "account", "account", "fits", "fits", "pair", "pair", "pair"): 1}
MATCHING: Recipes = {("account", "fits", "fits", "pair", "pair", "pair", "pair", "pair"): 1}
BRIEF: Recipes = {("brief",) * 8: 1}
WRITING: tuple[Kind, ...] = ("account", "account", "account", "description", "description", "description")
JUDGING: Recipes = {("judge",) * 6: 0.45, ("judge_described",) * 6: 0.22, WRITING: 0.25, ("pair",) * 6: 0.08}
POLISHING: Recipes = {("judge",) * 6: 0.4, ("judge_described",) * 6: 0.2, WRITING: 0.2, ("pair",) * 6: 0.2}
FINISHING: Recipes = {("judge",) * 6: 0.4, ("judge_described",) * 6: 0.2, WRITING: 0.3, ("pair",) * 6: 0.1}
UNSEEN: Recipes = {("description",) * 6: 0.3, ("compare",) * 6: 0.5, ("judge",) * 6: 0.2}

STAGES = (
    Stage(
        "pairs", 150, 32, 2e-3, 0.15,
        {"audiovideo": (0.3, PAIRING), "audio": (0.2, PAIRING), "video": (0.25, PAIRING), "text": (0.25, BRIEF)},
        ("name", "fits", "pair"),
        matches=0,
        slots=0,
        verdicts=0,
    ),
    Stage(
        "matching", 110, 32, 2e-3, 0.15,
        {"audiovideo": (0.3, MATCHING), "audio": (0.2, MATCHING), "video": (0.25, MATCHING), "text": (0.25, BRIEF)},
        ("fits", "pair"),
        slots=0,
        verdicts=0,
    ),
    Stage(
        "slots", 70, 32, 2e-3, 0.15,
        {"audiovideo": (0.3, MATCHING), "audio": (0.2, MATCHING), "video": (0.25, MATCHING), "text": (0.25, BRIEF)},
        ("fits", "pair"),
        verdicts=0,
    ),
    Stage(
        "judging", 130, 24, 2e-3, 0.3,
        {"audiovideo": (0.36, JUDGING), "audio": (0.18, JUDGING), "video": (0.26, JUDGING), "text": (0.2, UNSEEN)},
        ("account", "judge", "judge_described"),
    ),
    Stage(
        "polishing", 400, 24, 1.8e-3, 0.4,
        {
            "audiovideo": (0.38, POLISHING),
            "audio": (0.18, POLISHING),
            "video": (0.24, POLISHING),
            "text": (0.2, UNSEEN),
        },
        ("judge", "judge_described"),
    ),
    Stage(
        "finishing", 500, 24, 1.5e-3, 0.5,
        {
            "audiovideo": (0.38, FINISHING),
            "audio": (0.2, FINISHING),
            "video": (0.22, FINISHING),
            "text": (0.2, UNSEEN),
        },
        ("account", "judge", "judge_described"),
    ),
)  # fmt: skip
