from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import t as of_student
from support.worlds import Regime, TwoRuns, true_scores, worlds

from emoprefer_bench.scoring.intervals import difference_interval, score_interval, student
from emoprefer_bench.scoring.metrics import METRICS
from emoprefer_bench.scoring.statistics import cluster_intervals, paired_difference
from emoprefer_bench.verdicts import Verdicts

DEMO = Regime(20, "48 on 20", 0.87, 0.2)
"""As few rows and clips, and as high a score, as the README's own judge has."""


def one_way(forward: list[Any], back: list[Any] | None = None) -> Verdicts:
    """One round whose two readings are alike."""
    back = forward if back is None else back
    return Verdicts(forward, back, forward, back)


def accuracy(right: list[bool], clips: list[int] | None = None, **options: Any) -> tuple[float, float] | None:
    """The interval of the accuracy of a judge that is right or wrong on rows labelled a1."""
    said = one_way(["a1" if each else "a2" for each in right])
    clips = clips or list(range(len(right)))
    return cluster_intervals(["a1"] * len(right), [said], clips, metrics=["acc2"], **options)["acc2"]


def missed(regime: Regime, sets: int, metric: str) -> tuple[float, float]:
    """The shares of data sets whose interval lies above and below the truth, each truth near the regime's."""
    rng = np.random.default_rng(1)
    truths = regime.truth + rng.uniform(-0.02, 0.02, sets)
    bounds = [score_interval(by_clip, metric) for by_clip in worlds(rng, regime, truths)]
    low, high = np.array(bounds).T
    expected = true_scores(regime, truths, metric)
    return float(np.mean(low > expected)), float(np.mean(high < expected))


@pytest.mark.parametrize("metric", ["waf2", "acc2", "swap"])
@pytest.mark.parametrize(
    "regime",
    [DEMO, Regime(30, "1", 0.95, 0.0), Regime(50, "1-3", 0.67, 0.5), Regime(100, "1-3", 0.87, 0.3)],
    ids=lambda regime: f"{regime.clips} clips at {regime.truth}",
)
def test_intervals_cover_the_truth(regime: Regime, metric: str) -> None:
    """Of 1,500 data sets 94-98% hold the truth, and neither side misses it in 4%; docs/statistics.md has them all."""
    above, below = missed(regime, 1_500, metric)
    assert 0.94 <= 1 - above - below <= 0.98
    assert max(above, below) <= 0.04


@pytest.mark.parametrize(("drop", "flips"), [(0.0, 0.02), (0.02, 0.0), (0.05, 0.02)])
def test_intervals_of_differences_cover_the_truth(drop: float, flips: float) -> None:
    """However few rows differ, and all of them for the worse: 94% or more of 1,000 intervals hold the true drop."""
    rng = np.random.default_rng(2)
    held = 0
    for _ in range(1_000):
        lost = rng.binomial(100, drop) / 100
        runs = TwoRuns(rng, flips=flips, drop=lost, rows=100)
        low, high = difference_interval(runs.by_clip, "acc3") or (1, 0)
        held += low <= drop * (1 - 2 * flips) <= high
    assert held >= 940


def test_all_right_is_not_certain() -> None:
    """Twenty clips without an error may be of a judge that errs on some 18%: the bound is the clips', not the rows'."""
    assert accuracy([True] * 20) == pytest.approx((0.820, 1.0), abs=0.001)
    assert accuracy([True] * 60, [row // 3 for row in range(60)]) == accuracy([True] * 20)
    assert accuracy([False] * 20) == pytest.approx((0.0, 0.180), abs=0.001)
    low, high = accuracy([True] * 574) or (0, 0)
    assert (round(100 * low, 1), high) == (99.3, 1.0)


def test_the_bound_of_no_error_holds() -> None:
    """A judge that errs so seldom that most data sets show no error: 94% or more of 1,000 intervals hold its score."""
    rng = np.random.default_rng(3)
    for alike in (0.0, 0.5):
        regime = Regime(20, "48 on 20", 0.98, alike)
        truths = np.full(1_000, 0.98)
        expected = true_scores(regime, truths[:1], "acc2")[0]
        bounds = [score_interval(by_clip, "acc2") or (1, 0) for by_clip in worlds(rng, regime, truths)]
        assert np.mean([low <= expected <= high for low, high in bounds]) >= 0.94


def test_clips_that_agree_in_being_half_right_are_not_certain() -> None:
    """Where every clip has the same share, the bounds are what one clip against all others would make of it."""
    half = accuracy([True, False] * 20, [row // 2 for row in range(40)])
    assert half == pytest.approx((0.448, 0.552), abs=0.001)


def test_what_a_control_does_is_certain() -> None:
    """That always_a1 is never consistent needs no evidence; what people prefer does, and so does a coin."""
    labels = ["a1", "a2"] * 20
    said = one_way(["a1"] * 40)
    clips = [row // 2 for row in range(40)]
    found = cluster_intervals(labels, [said], clips, metrics=["swap", "answered", "waf2"], fixed=True)
    assert (found["swap"], found["answered"]) == ((0.0, 0.0), (1.0, 1.0))
    assert found["waf2"] is not None
    assert found["waf2"][0] < 1 / 3 < found["waf2"][1]
    coin = one_way(["a1", "a2"] * 20, ["a2", "a2"] * 20)
    swap = cluster_intervals(labels, [coin], list(range(40)), metrics=["swap"], fixed=True)["swap"]
    assert swap is not None
    assert swap[0] < 0.5 < swap[1]


def test_one_clip_gives_no_interval() -> None:
    """Nor do more clips of which one alone has rows that count; two give a wide one."""
    assert accuracy([True, False], [0, 0]) is None
    labels, said = ["a1", "a1", "same"], one_way(["a1", "a2", "a1"])
    assert cluster_intervals(labels, [said], [0, 0, 1], metrics=["acc2"])["acc2"] is None
    low, high = accuracy([True, False], [0, 1]) or (1, 0)
    assert (low, high) == pytest.approx((0.002, 0.998), abs=0.002)


def test_copies_of_a_row_on_its_clip_add_no_certainty() -> None:
    """The interval is that of the clips, not of the rows."""
    rng = np.random.default_rng(5)
    right = (rng.random(200) < 0.7).tolist()
    once = accuracy(right)
    assert accuracy(right * 5, list(range(200)) * 5) == pytest.approx(once)
    as_rows = accuracy(right * 5)
    assert once is not None
    assert as_rows is not None
    assert (once[1] - once[0]) / (as_rows[1] - as_rows[0]) == pytest.approx(5**0.5, rel=0.02)


def test_intervals_are_blind_to_the_order_of_rows() -> None:
    """The same rows in another order give the same bounds to the last digit, for scores and differences."""
    runs = TwoRuns(np.random.default_rng(6), flips=0.1, drop=0.1, rows_a_clip=3)
    order = np.random.default_rng(7).permutation(574)

    def shuffled(run: Verdicts) -> Verdicts:
        return one_way([run.forward[row] for row in order], [run.exchanged[row] for row in order])

    labels, clips = [runs.labels[row] for row in order], [runs.clips[row] for row in order]
    before, after = shuffled(runs.baseline[0]), shuffled(runs.current[0])
    assert cluster_intervals(labels, [before], clips) == cluster_intervals(runs.labels, runs.baseline, runs.clips)
    there = paired_difference(runs.labels, runs.clips, runs.baseline, runs.current, draws=200)
    assert paired_difference(labels, clips, [before], [after], draws=200) == there


def test_independent_rows_have_wilsons_interval() -> None:
    """With one row a clip, accuracy has the bounds of Wilson's, but for t and n - 1."""
    right = [True] * 67 + [False] * 33
    n, t = 99, of_student(99).ppf(0.975)
    centre, half = 0.67 + t**2 / (2 * n), t * (0.67 * 0.33 / n + t**2 / (4 * n**2)) ** 0.5
    expected = (centre - half) / (1 + t**2 / n), (centre + half) / (1 + t**2 / n)
    assert accuracy(right) == pytest.approx(expected, abs=1e-4)


def test_the_mean_over_rounds_has_one_interval() -> None:
    """Ten rounds that repeat each other are no more evidence than one."""
    labels, said = ["a1", "a2"] * 20, one_way(["a1"] * 30 + ["a2"] * 10)
    clips = list(range(40))
    once, again = (cluster_intervals(labels, [said] * rounds, clips) for rounds in (1, 10))
    assert all(again[metric] == pytest.approx(once[metric]) for metric in METRICS)


def test_every_metric_has_an_interval_around_it() -> None:
    """Of both readings, in bounds, and wider where more is asked for."""
    (by_clip,) = worlds(np.random.default_rng(8), Regime(60, "1-3", 0.67, 0.3), np.array([0.67]))
    for metric in METRICS:
        low, high = score_interval(by_clip, metric) or (1, 0)
        lower, higher = score_interval(by_clip, metric, 0.99) or (1, 0)
        assert 0 <= lower <= low < high <= higher <= 1


@pytest.mark.parametrize("freedom", [1, 2, 3, 4, 5, 7, 19, 100, 573, 100_000])
def test_student_agrees_with_scipy(freedom: int) -> None:
    """Student's t to a hundred thousandth, at any freedom and confidence."""
    for probability in (0.9, 0.95, 0.975, 0.995):
        assert student(probability, freedom) == pytest.approx(of_student(freedom).ppf(probability), rel=1e-5)
