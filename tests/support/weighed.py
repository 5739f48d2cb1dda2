"""Cases of judges that weigh, made of thin air by the very parts that make real ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from emoprefer_bench.cases import Case
from emoprefer_bench.data.datasets import Dataset
from emoprefer_bench.document import cases
from emoprefer_bench.pairs import Clip, Pair
from emoprefer_bench.scoring.calibration import sigmoid
from emoprefer_bench.trial.result import result
from emoprefer_bench.trial.tally import Tally
from emoprefer_bench.verdicts import Round, weighed
from support.documents import ENGINE

if TYPE_CHECKING:
    from collections.abc import Sequence


def rows(name: str, labels: Sequence[str | None], *, first: int = 0) -> Dataset:
    """A data set of two pairs a clip, whose clips are numbered from `first`, so that two may share some."""
    clips = [Clip(f"{name}{row // 2}", digest=f"{first + row // 2:064}") for row in range(len(labels))]
    pairs = [
        Pair(f"{row:05}:{clip.name}", clip, f"text {row}" + " word" * (row % 4), f"other {row}", label)
        for row, (clip, label) in enumerate(zip(clips, labels, strict=True))
    ]
    return Dataset(name, pairs)


def weighing(name: str, dataset: Dataset, margins: Sequence[float]) -> dict:
    """A judge of L1 with these margins."""
    tally = Tally(Case(name, "L1", dataset.name, "text+subtitle"), dataset.pairs, [])
    tally.rounds.append(Round([weighed(m, (m, 0.0)) for m in margins], [weighed(-m, (0.0, m)) for m in margins]))
    return cases.ended(result(tally, ENGINE), "passed")


def world(
    seed: int, count: int = 240, scales: Sequence[float] = (1.0, 10.0), *, noise: int = 0
) -> tuple[list[str], list[list[float]]]:
    """What people say, and the margins of judges that each know a part of what they go by, in units of their own.

    Beside them as many judges that know nothing as `noise` says.
    """
    rng = np.random.default_rng(seed)
    seen = rng.normal(size=(count, len(scales)))
    labels = np.where(rng.random(count) < sigmoid(3 * seen.sum(1)), "a1", "a2").tolist()
    margins = [scale * column for scale, column in zip(scales, seen.T, strict=True)]
    margins += [rng.normal(size=count) for _ in range(noise)]
    return labels, [column.tolist() for column in margins]
