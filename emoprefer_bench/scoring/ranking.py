"""Which describing models people prefer, which the judges prefer, and how far the two orders agree.

The model is Bradley-Terry with ties after Davidson (JASA 65, 1970), fitted by the method of Newman (JMLR 24, 2023) in
the library evalica: writer i is preferred to j with odds s_i to s_j, and a tie weighs in proportion to sqrt(s_i s_j).

A judge that weighs by L1 gives each text a score of its own, too, whatever it is paired with. By these a writer stands
as high as its texts are above the others on the same clips: least squares with an effect for each writer and each clip.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from emoprefer_bench.cases import LIKELIHOOD
from emoprefer_bench.document.rows import clip_of
from emoprefer_bench.errors import EmopreferError
from emoprefer_bench.pairs import LABELS, Label, row_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from emoprefer_bench.document.types import Dataset, ScoredCase
    from emoprefer_bench.scoring.counts import Floats

DRAWS = 200
PEOPLE = "people"
# Each writer also wins and loses a tenth of a comparison against an average one, so that a writer who won everything
# has a finite strength; against a hundred true comparisons it can't be seen.
PRIOR = 0.1

Writers = tuple[str, str]


class RankingError(EmopreferError):
    """There is nothing to rank, or no library to do it; the message says how to mend it."""


class Match(NamedTuple):
    """A verdict on the texts of two writers, in the order in which they stood."""

    clip: str
    first: str
    second: str
    verdict: Label


class Weight(NamedTuple):
    """The score of a writer's text about a clip, in nats a token (L1)."""

    clip: str
    writer: str
    score: float


class Estimate(NamedTuple):
    """A value and its 95% interval over clips: quantiles of the bootstrap.

    A bootstrap shuffles writers who are nearly equal, so the interval of a rank correlation lies low and may not even
    reach the value.
    """

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Ranking:
    """How the writers stand with people or with a judge.

    `strengths` are natural logarithms with mean 0, strongest first: a difference of 0.7 is odds of 2 to 1, or with
    `scores` one of 0.7 nats a token. There, `comparisons` are texts. `kendall`
    (tau-b) and `spearman` compare the order with that of people; None for people themselves.
    """

    name: str
    comparisons: int
    strengths: dict[str, Estimate]
    kendall: Estimate | None = None
    spearman: Estimate | None = None
    scores: bool = False


def writers_in(transcript: Path, rows: int) -> list[Writers | None]:
    """Who wrote the texts of each of a data set's `rows`, by a case's transcript; None where it doesn't say."""
    writers: list[Writers | None] = [None] * rows
    with transcript.open(encoding="utf-8") as lines:
        for line in map(json.loads, lines):
            if line["order"] == "forward" and all(line["writers"]):
                writers[row_of(line["key"])] = (line["writers"][0], line["writers"][1])
    return writers


def of_people(labels: Sequence[Label | None], keys: Sequence[str], writers: Sequence[Writers | None]) -> list[Match]:
    """The labelled rows of a data set as comparisons; rows whose writers are unknown or the same tell nothing."""
    rows = zip(labels, keys, writers, strict=True)
    return [
        Match(clip_of(key), *names, label) for label, key, names in rows if label and names and names[0] != names[1]
    ]


def of_judge(case: ScoredCase, keys: Sequence[str], writers: Sequence[Writers | None]) -> list[Match]:
    """The verdicts of a case that were read, of every round and both orders, so that preferring a slot evens out."""
    matches = []
    for of_round in case["verdicts"]:
        matches += of_people(of_round["forward"], keys, writers)
        matches += of_people(of_round["exchanged"], keys, [names and (names[1], names[0]) for names in writers])
    return matches


def of_scores(case: ScoredCase, keys: Sequence[str], writers: Sequence[Writers | None]) -> list[Weight]:
    """The scores of a case that was weighed by L1, each text of a clip once; none of any other case."""
    weights = case["verdicts"][0].get("forward_weights") if case["prompt"] == LIKELIHOOD else None
    rows = zip(keys, writers, weights or [], strict=True) if weights else ()
    return list(
        dict.fromkeys(
            Weight(clip_of(key), writer, score)
            for key, names, scores in rows
            if names and scores and names[0] != names[1]
            for writer, score in zip(names, scores, strict=True)
        )
    )


def rank_dataset(
    dataset: Dataset, cases: Sequence[ScoredCase], writers: Sequence[Writers | None], draws: int = DRAWS
) -> list[Ranking]:
    """Rank the `writers` of a data set's rows by its labels and by each of the cases on it, as `rank` does."""
    people = of_people(dataset["labels"], dataset["keys"], writers)
    scores = {case["id"]: of_scores(case, dataset["keys"], writers) for case in cases}
    return rank(people, {case["id"]: of_judge(case, dataset["keys"], writers) for case in cases}, draws, scores)


def rank(
    people: Sequence[Match],
    judges: Mapping[str, Sequence[Match]],
    draws: int = DRAWS,
    scores: Mapping[str, Sequence[Weight]] | None = None,
) -> list[Ranking]:
    """Rank by people, then by each judge, and by the `scores` of those who give any.

    Intervals come from drawing clips, the same draws for all, seeded. The scores are of texts that judges compared.
    Raises RankingError without any comparison by people, and where evalica is not installed.
    """
    if not people:
        raise RankingError("no labelled row has two writers: they stand in columns model1 and model2 of the data set")
    everything = [*people, *(comparison for judge in judges.values() for comparison in judge)]
    writers = sorted({writer for comparison in everything for writer in comparison[1:3]})
    clips = sorted({comparison.clip for comparison in everything})
    drawn = np.random.default_rng(0).multinomial(len(clips), np.full(len(clips), 1 / len(clips)), size=draws)
    times = np.vstack([np.ones(len(clips)), drawn])
    by_people = _strengths(people, writers, clips, times)
    rankings = [_ranking(PEOPLE, people, writers, by_people)]
    for name, comparisons in judges.items():
        if comparisons:
            by_judge = _strengths(comparisons, writers, clips, times)
            agreement = _estimate(kendall(by_people, by_judge)), _estimate(spearman(by_people, by_judge))
            rankings.append(_ranking(name, comparisons, writers, by_judge, *agreement))
        if weights := (scores or {}).get(name):
            by_score = _heights(weights, writers, clips, times)
            agreement = _estimate(kendall(by_people, by_score)), _estimate(spearman(by_people, by_score))
            ranking = _ranking(f"{name}, by score", weights, writers, by_score, *agreement)
            rankings.append(replace(ranking, scores=True))
    return rankings


def kendall(first: Floats, second: Floats) -> Floats:
    """Kendall's tau-b of values (..., n) and others: (...); NaN where all of one are equal."""
    signs = [np.sign(values[..., :, None] - values[..., None, :]) for values in (first, second)]
    return _cosine(*(sign.reshape(*sign.shape[:-2], -1) for sign in signs))


def spearman(first: Floats, second: Floats) -> Floats:
    """Spearman's rank correlation of values (..., n) and others: (...); NaN where all of one are equal."""
    return _cosine(*(np.sign(values[..., :, None] - values[..., None, :]).sum(-1) for values in (first, second)))


def _cosine(first: Floats, second: Floats) -> Floats:
    norm = np.sqrt((first**2).sum(-1) * (second**2).sum(-1))
    cosine = np.full(norm.shape, np.nan)
    np.divide((first * second).sum(-1), norm, out=cosine, where=norm > 0)
    return cosine


def _ranking(
    name: str,
    comparisons: Sequence[Match | Weight],
    writers: list[str],
    strengths: Floats,
    kendalls: Estimate | None = None,
    spearmans: Estimate | None = None,
) -> Ranking:
    estimates = {writer: _estimate(strengths[:, column]) for column, writer in enumerate(writers)}
    strongest_first = dict(sorted(estimates.items(), key=lambda item: -item[1].value))
    return Ranking(name, len(comparisons), strongest_first, kendalls, spearmans)


def _strengths(
    comparisons: Sequence[Match], writers: list[str], clips: list[str], times: NDArray[np.float64]
) -> Floats:
    """Fit each row of `times` (draws, clips), which says how often a clip counts: strengths (draws, writers)."""
    cells = {cell: column for column, cell in enumerate(dict.fromkeys(comparison[1:] for comparison in comparisons))}
    rows = {clip: row for row, clip in enumerate(clips)}
    by_clip = np.zeros((len(clips), len(cells)))
    np.add.at(
        by_clip,
        ([rows[comparison.clip] for comparison in comparisons], [cells[comparison[1:]] for comparison in comparisons]),
        1,
    )
    return np.array([_fit(list(cells), weights, writers) for weights in times @ by_clip])


def _heights(weights: Sequence[Weight], writers: list[str], clips: list[str], times: NDArray[np.float64]) -> Floats:
    """The writers' effects beside the clips', for each row of `times` (draws, clips): (draws, writers), mean 0."""
    code, place = ({name: number for number, name in enumerate(names)} for names in (writers, clips))
    normal, right = np.zeros((len(clips), len(writers), len(writers))), np.zeros((len(clips), len(writers)))
    for clip in {weight.clip for weight in weights}:
        of_clip = [weight for weight in weights if weight.clip == clip]
        design = np.zeros((len(of_clip), len(writers)))
        design[np.arange(len(of_clip)), [code[weight.writer] for weight in of_clip]] = 1
        design -= design.mean(0)
        normal[place[clip]] = design.T @ design
        right[place[clip]] = design.T @ np.array([weight.score for weight in of_clip])
    heights = [np.linalg.lstsq(np.tensordot(drawn, normal, 1), drawn @ right, rcond=None)[0] for drawn in times]
    return np.array([height - height.mean() for height in heights])


def _fit(cells: list[tuple[str, str, Label]], weights: Floats, writers: list[str]) -> Floats:
    try:
        import evalica  # noqa: PLC0415  # an extra
    except ImportError:
        raise RankingError("ranking needs evalica: pip install 'emoprefer-bench[rank]'") from None
    code = {writer: number for number, writer in enumerate(writers, 1)}
    outcome = dict(zip(LABELS, (evalica.Winner.X, evalica.Winner.Y, evalica.Winner.Draw), strict=True))
    average = [0] * len(writers)
    fitted = evalica.newman(
        [*(code[first] for first, _, _ in cells), *code.values(), *average],
        [*(code[second] for _, second, _ in cells), *average, *code.values()],
        [*(outcome[verdict] for _, _, verdict in cells), *[evalica.Winner.X] * 2 * len(writers)],
        weights=[*weights, *[PRIOR] * 2 * len(writers)],
        limit=1000,
    )
    logs = np.log(fitted.scores.loc[list(code.values())].to_numpy(dtype=np.float64))
    return np.asarray(logs - logs.mean())


def _estimate(values: Floats) -> Estimate:
    """The first value is the observed one, the others are the bootstrap's."""
    low, high = np.nanquantile(values[1:], [0.025, 0.975]) if np.isfinite(values[1:]).any() else (np.nan, np.nan)
    return Estimate(float(values[0]), float(low), float(high))
