from __future__ import annotations

import itertools
import json
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.proportion import proportion_confint
from support.worlds import TwoRuns

from emoprefer_bench.scoring.metrics import METRICS
from emoprefer_bench.scoring.resampling import exchanged
from emoprefer_bench.scoring.statistics import (
    MOST_DRAWS,
    cluster_intervals,
    cohen_kappa,
    draws_for,
    drop_test,
    mcnemar_exact,
    paired_difference,
    share_of_level,
    smallest_visible_drop,
    wilson,
)
from emoprefer_bench.verdicts import Verdicts

WORDS = np.array(["a1", "a2", "same", None], dtype=object)


def words(codes: np.ndarray) -> list[Any]:
    """Verdicts from their numbers."""
    return WORDS[codes].tolist()


def one_way(forward: list[Any], back: list[Any] | None = None) -> Verdicts:
    """One round whose two readings are alike."""
    back = forward if back is None else back
    return Verdicts(forward, back, forward, back)


class Runs:
    """Two runs of one judge on 574 rows (301 labelled a1, 262 a2, 11 same), of which 5% flip between runs.

    A tenth of the rows is decided by a coin in every run, so a twentieth differs between two runs, and the truth
    doesn't.
    `drop` is the share of rows that the second run has lost for good.
    """

    def __init__(self, rng: np.random.Generator, drop: float = 0.0, rows_a_clip: int = 1) -> None:
        rows = 574
        self.label = rng.permutation(np.repeat([0, 1, 2], [301, 262, 11]))
        self.clips = (np.arange(rows) // rows_a_clip).tolist()
        coin = rng.random(rows) < 0.1
        able = np.where(coin, 0.5, rng.random(rows) < 0.62 / 0.9)
        lost = (able == 1) & (rng.random(rows) < drop / 0.62)
        self.baseline = self.run(rng, able)
        self.current = self.run(rng, np.where(lost, 0.0, able))

    def run(self, rng: np.random.Generator, able: np.ndarray) -> list[Verdicts]:
        """One run, right with the probability that each row has."""
        right = rng.random(len(able)) < able
        verdict = np.where(right, self.label % 2, 1 - self.label % 2)
        return [one_way(words(verdict), words(1 - verdict))]

    def tested(self, **options: Any) -> Any:
        """The second run held against the first."""
        return drop_test(
            words(self.label), self.clips, self.baseline, self.current, tolerance=0.02, **{"draws": 300, **options}
        )


def test_wilson_agrees_with_statsmodels() -> None:
    """Wilson's interval is statsmodels' to 1e-9, for any share, number and confidence."""
    rng = np.random.default_rng(1)
    for n in rng.integers(1, 3_000, 300).tolist():
        successes = int(rng.integers(0, n + 1))
        for confidence in (0.9, 0.95, 0.99):
            expected = proportion_confint(successes, n, 1 - confidence, method="wilson")
            assert wilson(successes, n, confidence) == pytest.approx(expected, abs=1e-9)


def test_wilson_of_the_published_accuracy() -> None:
    """379 of 563 lies within [63.3, 71.1] percent."""
    low, high = wilson(379, 563) or (0, 0)
    assert (round(100 * low, 1), round(100 * high, 1)) == (63.3, 71.1)


def test_wilson_at_its_ends() -> None:
    """No trials have no interval; none and all right stay within 0 and 1 without touching the other side."""
    assert wilson(0, 0) is None
    none, every = wilson(0, 20), wilson(20, 20)
    assert none is not None
    assert every is not None
    assert (none[0], every[1]) == pytest.approx((0, 1))
    assert none[1] == pytest.approx(1 - every[0])


def test_kappa_agrees_with_scikit_learn() -> None:
    """Cohen's kappa is scikit-learn's to 1e-9 on rows where both are read."""
    rng = np.random.default_rng(2)
    for rows in [5, 20, 300] * 40:
        first = rng.choice(4, rows, p=[0.5, 0.3, 0.1, 0.1])
        second = np.where(rng.random(rows) < 0.5, first, rng.choice(4, rows))
        read = (first < 3) & (second < 3)
        if len(set(first[read]) | set(second[read])) < 2:
            continue
        expected = cohen_kappa_score(first[read], second[read])
        assert cohen_kappa(words(first), words(second)) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    ("first", "second"),
    [([], []), ([None], ["a1"]), (["a1", "a1"], ["a1", "a1"])],
    ids=["no rows", "unread", "one class"],
)
def test_kappa_is_undefined_where_chance_explains_everything(first: list[Any], second: list[Any]) -> None:
    """Without rows, or with one verdict alone, kappa is None."""
    assert cohen_kappa(first, second) is None


def test_mcnemar_agrees_with_statsmodels() -> None:
    """The exact two-sided p is statsmodels' to 1e-9."""
    rng = np.random.default_rng(3)
    for first, second in [(0, 1), (1, 0), (4, 4), *rng.integers(0, 60, (200, 2)).tolist()]:
        expected = mcnemar([[9, first], [second, 9]], exact=True).pvalue
        assert mcnemar_exact(first, second) == pytest.approx(expected, abs=1e-9)


def test_mcnemar_one_sided() -> None:
    """One-sided p asks whether the first is better; the two sides share the one outcome in the middle."""
    assert mcnemar_exact(7, 0, "greater") == 1 / 128
    assert mcnemar_exact(0, 7, "greater") == 1.0
    assert mcnemar_exact(5, 3, "greater") + mcnemar_exact(3, 5, "greater") == pytest.approx(1 + 56 / 256)
    assert mcnemar_exact(0, 0) == mcnemar_exact(0, 0, "greater") == 1.0


def test_mcnemar_of_many_rows_neither_overflows_nor_rounds_away() -> None:
    """Ten thousand changed rows are fine."""
    assert mcnemar_exact(5_000, 5_000) == 1.0
    assert 0 < mcnemar_exact(5_500, 4_500) < 1e-20


def test_exchanging_judges_keeps_what_they_share() -> None:
    """Each clip's verdicts go to one judge or the other: the sum of the two never changes, and each is drawn evenly."""
    by_clip = np.random.default_rng(9).integers(0, 5, (12, 2, 4)).astype(float)
    drawn = next(exchanged(by_clip, 0, 4_000))
    assert drawn.shape == (4_000, 2, 4)
    assert np.array_equal(drawn.sum(1), np.broadcast_to(by_clip.sum((0, 1)), (4_000, 4)))
    assert drawn.mean(0) == pytest.approx(np.broadcast_to(by_clip.sum((0, 1)) / 2, (2, 4)), rel=0.05)


def test_every_coin_falls_for_itself() -> None:
    """Twenty clips of one change are exchanged as twenty coins fall, whatever part of the draws they are made in."""
    by_clip = np.zeros((20, 2, 1))
    by_clip[:, 0] = 1
    first, second = itertools.islice(exchanged(by_clip, 1, 20_000), 2)
    for drawn in (first, second):
        assert drawn[:, 0, 0].mean() == pytest.approx(10, abs=0.1)
        assert drawn[:, 0, 0].var() == pytest.approx(5, abs=0.2)
    assert not np.array_equal(first, second)
    assert np.corrcoef(first[:, 0, 0], second[:, 0, 0])[0, 1] == pytest.approx(0, abs=0.03)


def test_the_draws_are_seeded_and_blind_to_the_order_of_clips() -> None:
    """The same clips in another order give the same draws, another seed gives others."""
    by_clip = np.random.default_rng(10).integers(0, 3, (300, 2, 4)).astype(float)
    drawn = next(exchanged(by_clip, 0, 50))
    assert np.array_equal(next(exchanged(by_clip[::-1], 0, 50)), drawn)
    assert not np.array_equal(next(exchanged(by_clip, 1, 50)), drawn)


def test_randomisation_is_mcnemar_for_accuracy_of_independent_rows() -> None:
    """With one row a clip, p of the accuracy is McNemar's exact p, but for the number of draws."""
    rng = np.random.default_rng(10)
    label = np.zeros(200, dtype=int)
    first, second = ((rng.random(200) < share).astype(int) for share in (0.3, 0.4))
    found = paired_difference(
        words(label),
        list(range(200)),
        [one_way(words(first))],
        [one_way(words(second))],
        metrics=["acc2"],
        draws=50_000,
    )["acc2"]
    exact = found["mcnemar"]
    assert exact is not None
    assert (exact["first_only"], exact["second_only"]) == (
        int(((first == 0) & (second == 1)).sum()),
        int(((first == 1) & (second == 0)).sum()),
    )
    assert found["p_two_sided"] == pytest.approx(exact["p_two_sided"], abs=0.01)
    assert found["p_one_sided"] == pytest.approx(exact["p_one_sided"], abs=0.01)
    assert found["difference"] == pytest.approx((exact["first_only"] - exact["second_only"]) / 200)


def test_a_change_on_one_clip_proves_nothing() -> None:
    """Twenty rows that change together on one clip are one event: p is a half, where McNemar, taking rows, is sure."""
    labels = ["a1"] * 100
    first, second = one_way(labels), one_way(["a2"] * 20 + ["a1"] * 80)
    clips = [0] * 20 + list(range(1, 81))
    found = paired_difference(labels, clips, [first], [second], metrics=["acc2"])["acc2"]
    assert found["mcnemar"] is not None
    assert found["mcnemar"]["p_one_sided"] < 1e-5
    assert found["p_one_sided"] == pytest.approx(0.5, abs=0.03)
    assert found["p_two_sided"] == 1.0


def test_a_difference_has_two_sides() -> None:
    """Exchanging the judges turns the sign of the difference and of its interval, and leaves the two-sided p."""
    runs = Runs(np.random.default_rng(11), drop=0.05)
    labels = words(runs.label)
    there = paired_difference(labels, runs.clips, runs.baseline, runs.current, metrics=["waf2"])["waf2"]
    back = paired_difference(labels, runs.clips, runs.current, runs.baseline, metrics=["waf2"])["waf2"]
    assert there["difference"] == pytest.approx(-(back["difference"] or 0))
    assert there["interval"] is not None
    assert back["interval"] is not None
    assert there["interval"] == pytest.approx((-back["interval"][1], -back["interval"][0]), abs=0.003)
    assert there["p_two_sided"] == pytest.approx(back["p_two_sided"], abs=0.01)
    assert there["p_one_sided"] is not None
    assert back["p_one_sided"] is not None
    assert there["p_one_sided"] + back["p_one_sided"] == pytest.approx(1, abs=0.02)


def test_a_judge_does_not_differ_from_itself() -> None:
    """The same verdicts twice: every difference is 0 and p is 1; the interval is what two clips could make of it."""
    runs = Runs(np.random.default_rng(12))
    found = paired_difference(words(runs.label), runs.clips, runs.baseline, runs.baseline, draws=200)
    assert tuple(found) == METRICS
    for difference in found.values():
        assert difference["difference"] == 0.0
        assert difference["interval"] == pytest.approx((-0.0049, 0.0049), abs=1e-4)
        assert difference["p_two_sided"] == difference["p_one_sided"] == 1.0


def test_only_shared_rounds_are_compared() -> None:
    """A run of three rounds against one of one round is compared by the first, where McNemar's test applies."""
    labels = ["a1"] * 10
    right, wrong = one_way(["a1"] * 10), one_way(["a2"] * 10)
    options: dict[str, Any] = {"metrics": ["acc2"], "draws": 200}
    found = paired_difference(labels, list(range(10)), [right, wrong, wrong], [right], **options)["acc2"]
    assert (found["score"], found["other"]) == (1.0, 1.0)
    assert found["mcnemar"] is not None
    two = paired_difference(labels, list(range(10)), [right, wrong], [right, right], **options)["acc2"]
    assert (two["score"], two["other"], two["mcnemar"]) == (0.5, 1.0, None)


def test_no_change_raises_no_alarm() -> None:
    """With no true change and two runs that differ on 5% of 574 rows, 1% of 1,000 fail, or what that may come to."""
    rng = np.random.default_rng(13)
    failed = [Runs(rng, rows_a_clip=1 + trial % 2).tested(metric="waf2")["outcome"] == "fail" for trial in range(1_000)]
    assert sum(failed) <= 18


@pytest.mark.parametrize("metric", ["waf2", "strict_acc2"])
def test_a_true_drop_is_caught(metric: str) -> None:
    """With the same noise, a true drop of 5 points fails in at least 90% of runs."""
    rng = np.random.default_rng(14)
    failed = [Runs(rng, drop=0.05).tested(metric=metric)["outcome"] == "fail" for _ in range(200)]
    assert sum(failed) >= 180


def two_orders(lost: int, gained: int, *, exchanged: int) -> Any:
    """100 rows labelled a1: some lost and gained in the forward order, so many lost in the other."""
    before = ["a2"] * gained + ["a1"] * (100 - gained)
    after = ["a1"] * gained + ["a2"] * lost + ["a1"] * (100 - gained - lost)
    back = ["a2"] * 100  # on the exchanged pair: the same text
    worse = ["a2"] * (100 - exchanged) + ["a1"] * exchanged
    runs = Verdicts(before, back, before, back), Verdicts(after, worse, after, worse)
    return drop_test(["a1"] * 100, list(range(100)), *([run] for run in runs), metric="acc2", tolerance=0.02)


def test_the_exchanged_order_confirms_a_drop() -> None:
    """Nine lost and three gained are no proof; with nine others that the exchanged order lost, they are."""
    assert two_orders(9, 3, exchanged=0)["outcome"] == "inconclusive"
    assert two_orders(9, 3, exchanged=12)["p"] < 0.01
    assert two_orders(9, 3, exchanged=12)["drop"] == pytest.approx(0.06)


def test_a_drop_in_one_order_is_seen_although_the_other_stands() -> None:
    """Ten rows lost in the forward order alone have McNemar's p, or little more."""
    found = two_orders(10, 0, exchanged=0)
    assert found["p"] == pytest.approx(2**-10, rel=0.5)
    assert found["outcome"] == "fail"


def test_two_looks_keep_the_level() -> None:
    """Without a change p is under 0.05 in no more runs than that, though two drops are looked at."""
    rng = np.random.default_rng(23)
    small = []
    for _ in range(300):
        runs = TwoRuns(rng, flips=0.08, rows=120)
        tested = drop_test(
            runs.labels, runs.clips, runs.baseline, runs.current, metric="acc2", tolerance=-1, draws=200, alpha=0.25
        )
        small.append((tested["p"] or 0) <= 0.05)
    assert 0.01 < np.mean(small) < 0.085


def test_a_drop_within_the_tolerance_passes_however_sure() -> None:
    """Exactly the tolerance is not beyond it, though the test is sure of the drop."""
    labels = ["a1"] * 1_000
    current = one_way(["a2"] * 20 + ["a1"] * 980)
    found = drop_test(labels, list(range(1_000)), [one_way(labels)], [current], metric="acc2", tolerance=0.02)
    assert found["drop"] == pytest.approx(0.02)
    assert (found["p"] or 1) < 0.01
    assert found["outcome"] == "pass"


def test_a_drop_that_the_rows_cannot_confirm_is_inconclusive() -> None:
    """A large drop on ten rows is beyond the tolerance but not sure; the smallest visible one is seven rows of ten."""
    labels = ["a1"] * 10
    current = one_way(["a2"] * 3 + ["a1"] * 7)
    found = drop_test(labels, list(range(10)), [one_way(labels)], [current], metric="acc2", tolerance=0.02)
    assert (found["drop"], found["rows"], found["outcome"]) == (pytest.approx(0.3), 10, "inconclusive")
    assert found["p"] == pytest.approx(1 / 8, abs=0.01)
    assert found["smallest_visible_drop"] == 0.7


def test_seven_lost_rows_are_seen() -> None:
    """At 0.01 seven rows that all got worse are the fewest that can fail a gate."""
    labels = ["a1"] * 100
    outcomes = []
    for lost in (6, 7, 8):
        current = one_way(["a2"] * lost + ["a1"] * (100 - lost))
        found = drop_test(labels, list(range(100)), [one_way(labels)], [current], metric="acc2", tolerance=0.02, seed=2)
        outcomes.append(found["outcome"])
    assert outcomes == ["inconclusive", "fail", "fail"]


def test_the_smallest_visible_drop_is_the_first_significant_one() -> None:
    """A drop of just that size has p under alpha, and the next smaller one has not."""
    runs = Runs(np.random.default_rng(15))
    visible = runs.tested(metric="acc2", draws=10_000)["smallest_visible_drop"]
    null = np.sort(np.random.default_rng(16).binomial(30, 0.5, 10_000) * 2.0 - 30)
    assert visible * 563 == pytest.approx(round(visible * 563))
    assert 0.01 < visible < 0.03
    found = smallest_visible_drop(null, 1_000)
    assert found is not None
    p = [(1 + (null >= drop).sum()) / 10_001 for drop in (found, found - 2)]
    assert p[0] < 0.01 <= p[1]


def test_too_few_rows_show_no_drop_at_all() -> None:
    """Six rows can't be sure of anything at 0.01; seven can, if all are lost."""
    assert smallest_visible_drop(np.zeros(1_000), 6) is None
    assert smallest_visible_drop(np.zeros(1_000), 7) == 1.0
    assert smallest_visible_drop(np.zeros(1_000), 5, alpha=0.05) == 1.0


def test_a_small_share_of_a_level_can_be_reached() -> None:
    """Thirteen rows, all lost, have p = 1 / 8192: under a share of 0.00025 that 10,000 draws could hardly tell."""
    labels = ["a1"] * 100
    outcomes = []
    for lost in (11, 13):
        after = one_way(["a2"] * lost + ["a1"] * (100 - lost))
        found = drop_test(
            labels, list(range(100)), [one_way(labels)], [after], metric="acc2", tolerance=0, alpha=0.00025
        )
        assert found["p"] == pytest.approx(2.0**-lost, rel=0.3)
        outcomes.append(found["outcome"])
    assert outcomes == ["inconclusive", "fail"]


def test_draws_are_made_where_they_are_needed() -> None:
    """As many as tell a p of alpha, but no fewer than always, and no more than a million."""
    assert draws_for(0.01) == 10_000
    assert draws_for(0.00025) == 200_000
    assert draws_for(1e-9) == MOST_DRAWS


@pytest.mark.parametrize("draws", [9, 99])
def test_p_is_exact_with_any_number_of_draws(draws: int) -> None:
    """Without a change, p of few draws is under a level no more often than the level says."""
    rng = np.random.default_rng(21)
    clips = list(range(12))
    found = []
    for _ in range(1_000):
        one, other = (one_way(words(rng.integers(0, 2, 12))) for _ in range(2))
        difference = paired_difference(
            ["a1"] * 12, clips, [one], [other], metrics=["acc2"], draws=draws, seed=len(found)
        )
        found.append(difference["acc2"]["p_one_sided"])
    for level in (0.1, 0.2, 0.5):
        assert np.mean(np.array(found) <= level) <= level + 0.03


def test_shares_add_up_to_the_level() -> None:
    """Forty independent tests at their shares raise an alarm as often as one at the level; one test has all of it."""
    assert share_of_level(0.01, 1) == pytest.approx(0.01)
    assert share_of_level(0.01, 0) == pytest.approx(0.01)
    assert 1 - (1 - share_of_level(0.01, 40)) ** 40 == pytest.approx(0.01)
    assert share_of_level(0.01, 40) == pytest.approx(0.00025, rel=0.01)


def test_an_improvement_passes() -> None:
    """A better run has a negative drop, a p near 1, and passes."""
    runs = Runs(np.random.default_rng(17), drop=0.05)
    found = drop_test(words(runs.label), runs.clips, runs.current, runs.baseline, metric="waf2", tolerance=0.0)
    assert found["outcome"] == "pass"
    assert found["drop"] is not None
    assert found["drop"] < 0
    assert (found["p"] or 0) > 0.9


def test_an_undefined_metric_is_inconclusive() -> None:
    """A score that can't be computed is no pass."""
    found = drop_test([None], [0], [one_way(["a1"])], [one_way(["a1"])], metric="waf2", tolerance=0.02)
    assert (found["drop"], found["p"], found["interval"], found["rows"]) == (None, None, None, 0)
    assert found["outcome"] == "inconclusive"


EXTREMES = list(itertools.product(["a1", "same", None], ["a1", "same", None], [0, 1, 4], [0, 1, 2]))


@pytest.mark.parametrize(("label", "verdict", "rows", "rounds"), EXTREMES)
def test_edge_cases_are_plain_json(label: Any, verdict: Any, rows: int, rounds: int) -> None:
    """Empty data, one row, one class, all ties, all unread: defined, without numpy's warnings, and plain JSON types."""
    labels, clips, judge = [label] * rows, list(range(rows)), [one_way([verdict] * rows)] * rounds
    found = [
        cluster_intervals(labels, judge, clips),
        paired_difference(labels, clips, judge, judge, draws=30),
        drop_test(labels, clips, judge, judge, metric="waf2", tolerance=0.02, draws=30),
    ]
    json.dumps(found, allow_nan=False)
    assert types_in(found) <= {float, int, str, type(None)}


def types_in(value: Any) -> set[type]:
    """The types of the leaves of a nested result."""
    if isinstance(value, dict):
        return types_in(list(value.values()))
    if isinstance(value, list | tuple):
        return set().union(*map(types_in, value))
    return {type(value)}
