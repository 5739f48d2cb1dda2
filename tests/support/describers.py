"""Models that describe clips and compare descriptions with texts, and whose fault their errors are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from emoprefer_bench.cases import Case
from emoprefer_bench.data.datasets import Dataset
from emoprefer_bench.pairs import EXCHANGED, Clip, Pair
from emoprefer_bench.scoring.crossing import Evidence, crossings

from . import documents

ROWS, CLIPS = 574, 400
MISLED = 0.2  # how often a judge is right by a description that is wrong


@dataclass(frozen=True)
class Model:
    """How often a model's description of a clip is right, and its comparison of a right one with a row's texts."""

    describes: float = 0.9
    compares: float = 0.85


def crossed(rng: np.random.Generator, models: dict[str, Model], rows: int = ROWS, clips: int = CLIPS) -> Evidence:
    """Every model with the descriptions of every model.

    A description is right or wrong for all rows of its clip and all judges. A comparison is right or wrong for all
    descriptions that are right, in four of five cases: the fifth is noise.
    """
    _, of_row = np.unique(np.sort(rng.integers(clips, size=rows)), return_inverse=True)
    described = {name: (rng.random(clips) < model.describes)[of_row] for name, model in models.items()}
    rights = {}
    for judge, model in models.items():
        firm = rng.random(rows) < model.compares
        for describer, is_true in described.items():
            compared = np.where(rng.random(rows) < 0.8, firm, rng.random(rows) < model.compares)
            rights[judge, describer] = np.where(is_true, compared, rng.random(rows) < MISLED).astype(float)
    return Evidence(rights, of_row, {f"{name}-S2": (name, name) for name in models}, list(models))


def crossed_run() -> dict:
    """A report of three judges by S2: one that describes badly, one that compares badly, and one without fault."""
    models = {"seer": Model(), "teller": Model(describes=0.6), "chooser": Model(compares=0.6)}
    evidence = crossed(np.random.default_rng(4), models, rows=240, clips=120)
    clips = [Clip(f"clip{number}") for number in range(120)]
    labels = np.random.default_rng(5).choice(["a1", "a2"], size=240).tolist()
    pairs = [
        Pair(f"{row:05}:{clips[clip].name}", clips[clip], f"text {row}", f"other text {row}", label)
        for row, (clip, label) in enumerate(zip(evidence.clips.tolist(), labels, strict=True))
    ]
    cases = []
    for (judge, describer), rights in evidence.rights.items():
        of_other = {} if judge == describer else {"variant": f"by-{describer}", "describer": describer}
        words = [label if right else EXCHANGED[label] for label, right in zip(labels, rights, strict=True)]
        cases.append(documents.case(Case(judge, "S2", "toy", "video", **of_other), pairs, words))
    without = Case("seer", "S2", "toy", "video", variant="undescribed")
    cases.append(documents.case(without, pairs, ["a1"] * len(pairs)))
    made = documents.report(cases, Dataset("toy", pairs))
    return documents.valid({**made, "crossings": crossings(cases, made["datasets"])})
