"""Several judges as one: a logistic regression over their margins, fitted on what people said of other clips.

Whatever exchanging the texts negates stays negated: features are margins (nats), or where a judge has none its verdicts
in both orders (+1 for the first text, -1 for the second, 0 for a tie or an unread answer), scaled and never centred,
and there is no intercept. Weights are 0 or more, so that no judge is believed the contrary of what it says. Which
judges take part is decided inside each fold, with the scale and the weights: a fused verdict is never fitted on what
people said of its clip, in whatever data set.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np

from emoprefer_bench.cases import FUSED, modality_of
from emoprefer_bench.document.cases import ended, is_control, is_fitted, result, waf2
from emoprefer_bench.document.rows import clip_of
from emoprefer_bench.errors import EmopreferError
from emoprefer_bench.scoring import calibration, case, comparisons, slices
from emoprefer_bench.scoring.calibration import sigmoid
from emoprefer_bench.scoring.folds import FOLDS, folds
from emoprefer_bench.verdicts import Verdicts

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from emoprefer_bench.cases import Modality, NamedCase
    from emoprefer_bench.document.types import Dataset, Engines, Fusion, Judged, RoundVerdicts, Scored, ScoredCase
    from emoprefer_bench.pairs import Label
    from emoprefer_bench.scoring.counts import Codes, Floats

FEWEST = 50
"""So many clips with a preferred text are needed to fit on."""

RULE = "logistic regression over margins, no intercept, weights of 0 or more, L2 with C = 1, fitted on other clips"
NAME = "fusion"
_VALUES: dict[Label | None, float] = {"a1": 1.0, "a2": -1.0, "same": 0.0, None: 0.0}
_INNER = 4

Judge = tuple[str, str | None, str | None, str | None]
"""What a judge is known by in several data sets: model, prompt, modality and text LLM."""


class FusionError(EmopreferError):
    """A data set has no fused case; the message says why."""


@dataclass(frozen=True, slots=True)
class Part:
    """Rows to fit on, or to judge: features (rows, judges), whether people preferred the first text, and clips."""

    features: Floats
    first: Floats
    clips: list[str]

    def where(self, rows: Codes) -> Part:
        """Some of the rows."""
        return Part(self.features[rows], self.first[rows], [self.clips[row] for row in rows])


@dataclass(frozen=True, slots=True)
class Fused:
    """Log odds of the first text, a row each, and the weights (folds, judges) in units of the features."""

    odds: Floats
    weights: Floats


def cases_of(
    cases: Iterable[ScoredCase], datasets: Mapping[str, Dataset], on: str | None = None
) -> tuple[list[ScoredCase], list[str]]:
    """The fused case of each data set that can have one, and for the others why they have none.

    `on` names the data set whose labels all are fitted on; without it, each is fitted on its own.
    """
    judges = [
        judge
        for judge in cases
        if judge["complete"] and not is_control(judge) and not is_fitted(judge) and not judge.get("variant")
    ]
    made, reasons = [], []
    for name in dict.fromkeys(judge["dataset"] for judge in judges):
        try:
            made.append(_case(judges, datasets, name, on or name))
        except FusionError as reason:
            reasons.append(f"{NAME}-{name}: {reason}")
    return made, reasons


def cross_fitted(train: Part, test: Part) -> Fused:
    """The log odds of the rows of `test`, each fitted on the rows of `train` that lie on no clip of its fold."""
    dealt = dict(zip(train.clips, folds(train.clips).tolist(), strict=True))
    alone = [clip for clip in test.clips if clip not in dealt]
    dealt |= dict(zip(alone, folds(alone).tolist(), strict=True))
    own, other = (np.array([dealt[clip] for clip in part.clips], dtype=np.intp) for part in (train, test))
    odds, weights = np.zeros(len(test.clips)), []
    for fold in range(FOLDS):
        of_fold = fit(train.where(np.flatnonzero(own != fold)))
        rows = np.flatnonzero(other == fold)
        odds[rows] = test.features[rows] @ of_fold
        weights.append(of_fold)
    return Fused(odds, np.array(weights))


def fit(train: Part) -> Floats:
    """Weights of 0 or more, one a judge: 0 for those that are not chosen.

    How many of the best judges take part is decided by the log loss on held-out clips of the rows that are given, and
    which are the best on the rest of these. The numbers tried are 1, 2, 4, ... and all.
    """
    inner = folds(train.clips, _INNER)
    sizes = _sizes(train.features.shape[1])
    losses = np.zeros(len(sizes))
    for fold in range(_INNER):
        seen, held = train.where(np.flatnonzero(inner != fold)), train.where(np.flatnonzero(inner == fold))
        ranked = _ranked(seen)
        for place, size in enumerate(sizes):
            odds = held.features @ _weights(seen, ranked[:size])
            losses[place] += np.logaddexp(0.0, np.where(held.first == 1, -odds, odds)).sum()
    return _weights(train, _ranked(train)[: sizes[int(np.argmin(losses))]])


def _sizes(judges: int) -> list[int]:
    return sorted({*(2**power for power in range(judges.bit_length()) if 2**power <= judges), judges})


def _ranked(train: Part) -> list[int]:
    """The judges by how well each alone, with a temperature of its own, says what people said."""

    def loss(judge: int) -> float:
        margins = train.features[:, judge]
        odds = margins * calibration.fit(margins, train.first == 1, train.clips).inverse
        return float(np.logaddexp(0.0, np.where(train.first == 1, -odds, odds)).sum())

    return sorted(range(train.features.shape[1]), key=loss)


def _weights(train: Part, judges: Sequence[int]) -> Floats:
    """Fit some judges; one whose weight would be negative is left out, the most negative first."""
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415  # an extra

    weights = np.zeros(train.features.shape[1])
    scale = np.sqrt((train.features**2).mean(0))
    left = [judge for judge in judges if scale[judge] > 0]
    said = np.r_[train.first, 1 - train.first]
    while left:
        scaled = train.features[:, left] / scale[left]
        model = LogisticRegression(fit_intercept=False, solver="newton-cholesky").fit(
            np.vstack([scaled, -scaled]), said
        )
        fitted = model.coef_[0] / scale[left]
        if fitted.min() >= 0:
            weights[left] = fitted
            break
        del left[int(np.argmin(model.coef_[0]))]
    return weights


def _case(judges: Sequence[ScoredCase], datasets: Mapping[str, Dataset], name: str, on: str) -> ScoredCase:
    known = {of: {_judge(each): each for each in judges if each["dataset"] == of} for of in (name, on)}
    shared = [judge for judge in known[name] if judge in known[on]]
    if len(shared) < 2:  # noqa: PLR2004  # one judge is itself
        raise FusionError(f"there is nothing to fuse: {len(shared)} judges have verdicts on {_both(name, on)}")
    dataset, source = datasets[name], datasets[on]
    test, labelled = _part(dataset, [known[name][judge] for judge in shared]), _labelled(source)
    train = _part(source, [known[on][judge] for judge in shared]).where(labelled)
    if (clips := len(set(train.clips))) < FEWEST:
        raise FusionError(f"people preferred a text on {clips} clips of {on}, and fitting takes {FEWEST}")
    fused = cross_fitted(train, test)
    cases = [known[name][judge] for judge in shared]
    fusion: Fusion = {
        "on": on,
        "pairs": len(train.clips),
        "clips": clips,
        "weights": {each["id"]: float(weight) for each, weight in zip(cases, fused.weights.mean(0), strict=True)},
        "chosen": {each["id"]: int(count) for each, count in zip(cases, (fused.weights > 0).sum(0), strict=True)},
        "folds": FOLDS,
        "judged": _judged(fused.odds, test, _labelled(dataset)),
    }
    return _reported(cases, dataset, fused.odds, fusion)


def _both(name: str, on: str) -> str:
    return name if name == on else f"both {on} and {name}"


def _judge(of: ScoredCase) -> Judge:
    return of["model"], of["prompt"], of["modality"], of["llm"]


def _part(dataset: Dataset, cases: Sequence[ScoredCase]) -> Part:
    names = [clip_of(key) for key in dataset["keys"]]
    digests = dataset.get("clip_digests") or [None] * len(names)
    return Part(
        np.stack([_feature(each) for each in cases], axis=1),
        np.array([label == "a1" for label in dataset["labels"]], dtype=np.float64),
        [digest or name for digest, name in zip(digests, names, strict=True)],
    )


def _labelled(dataset: Dataset) -> Codes:
    return np.flatnonzero([label in ("a1", "a2") for label in dataset["labels"]])


def _feature(of: ScoredCase) -> Floats:
    """A judge's margins, or its verdicts in both orders, averaged over rounds."""
    margins = of["verdicts"][0].get("forward_margin")
    if margins:
        return np.array([margin or 0.0 for margin in margins])
    rounds = [
        [
            (_VALUES[forward] - _VALUES[exchanged]) / 2
            for forward, exchanged in zip(of_round["forward"], of_round["exchanged"], strict=True)
        ]
        for of_round in of["verdicts"]
    ]
    return np.asarray(np.mean(rounds, axis=0))


def _judged(odds: Floats, test: Part, labelled: Codes) -> Judged | None:
    if not len(labelled):
        return None
    clips = [test.clips[row] for row in labelled]
    return calibration.judged(odds[labelled], odds[labelled], test.first[labelled] == 1, clips)


def _reported(cases: Sequence[ScoredCase], dataset: Dataset, odds: Floats, fusion: Fusion) -> ScoredCase:
    rows, written = comparisons.Rows.of(dataset), _written(odds)
    verdicts = [
        Verdicts(written["forward"], written["exchanged"], written["forward_reference"], written["exchanged_reference"])
    ]
    named: NamedCase = {
        "id": f"{NAME}-{dataset['name']}-{FUSED}",
        "model": NAME,
        "prompt": None,
        "dataset": dataset["name"],
        "modality": cast("Modality", modality_of(each["modality"] for each in cases)),
        "llm": None,
        "variant": FUSED,
    }
    best = max(cases, key=waf2)
    scores: Scored = {
        **case.measured(rows.labels, rows.clips, verdicts),
        "provenance": {"weighed": 2 * len(odds)},
        "slices": {},
        "pulls": {},
        "of_ceiling": None,
        "subsets": slices.of_dataset(dataset, rows, verdicts),
        "comparisons": comparisons.compared(
            best["id"], "judge", rows, verdicts, comparisons.rounds_of(best, len(odds))
        ),
    }
    identity = {"engine": NAME, "on": fusion["on"], "of": [each["id"] for each in cases], "rule": RULE}
    engines: Engines = {
        "judge": {
            "name": NAME, "engine": NAME, "identity": identity, "device": None, "sampling": None, "greedy": None
        },
        "llm": None,
    }  # fmt: skip
    made = ended(result(named, scores, [written], engines, complete=True), "passed")
    return cast("ScoredCase", {**made, "fusion": fusion})


def _written(odds: Floats) -> RoundVerdicts:
    """One round as a report has it; the margins are log odds."""
    forward: list[Label | None] = ["same" if odd == 0 else "a1" if odd > 0 else "a2" for odd in odds]
    exchanged: list[Label | None] = ["same" if odd == 0 else "a2" if odd > 0 else "a1" for odd in odds]
    confidence = sigmoid(np.abs(odds)).tolist()
    return {
        "forward": forward,
        "forward_reference": forward,
        "forward_provenance": ["weighed"] * len(odds),
        "exchanged": exchanged,
        "exchanged_reference": exchanged,
        "exchanged_provenance": ["weighed"] * len(odds),
        "forward_margin": odds.tolist(),
        "exchanged_margin": (-odds).tolist(),
        "forward_confidence": confidence,
        "exchanged_confidence": confidence,
    }
