"""A small simulation of gated runs: `python tests/simulations/gates.py` is the whole one, with its figures in docs."""

from __future__ import annotations

import numpy as np
import pytest
from simulations.gates import KINDS, agrees, alarms, caught, climbed, counted, disagreement, drop_and_p, slid, waf2
from support.worlds import TwoRuns


def test_the_simulation_tests_as_the_package_does() -> None:
    """Its p is that of the package but for the draws, with one and with two rows a clip."""
    assert agrees(8) < 0.02


def test_two_runs_differ_on_twice_as_many_rows_as_each_flips() -> None:
    """That is the number to know."""
    assert 0.045 < disagreement(0.025) < 0.053


def test_counts_are_those_of_rows() -> None:
    """Pairs of runs that are drawn as counts have the drops of pairs that are drawn row by row."""
    rng = np.random.default_rng(0)
    before, after, changed = counted(rng, 4_000, 0.025, 0.05)
    pairs = [TwoRuns(rng, flips=0.025, drop=0.05) for _ in range(100)]
    drops = [drop_and_p(pair, 0.01, rng)[0] for pair in pairs]
    assert (before.sum(-1) == 563).all()
    assert (after.sum(-1) == 563).all()
    assert np.mean(waf2(before) - waf2(after)) == pytest.approx(np.mean(drops), abs=0.003)
    assert np.std(waf2(before) - waf2(after)) == pytest.approx(np.std(drops), rel=0.2)
    moved = changed[:, KINDS.any((-2, -1))].sum(1)
    other, lost = 2 * 0.025 * 0.975, 29 / 574  # the chance that an order flips, and the share of rows that are lost
    assert moved.mean() == pytest.approx(563 * (lost * (1 - other**2) + (1 - lost) * (1 - (1 - other) ** 2)), rel=0.02)


def test_forty_cases_without_a_change_raise_no_alarm() -> None:
    """At a level of 0.01, under 2% of 500 runs fail."""
    assert alarms(500, 40, 0.025) < 0.02


def test_one_true_drop_among_forty_is_caught() -> None:
    """Five points, where two runs differ on 2.5% of the rows anyhow: in 80% of runs or more."""
    assert caught(100, 40, 0.0125) >= 0.8


def test_nine_green_runs_move_no_baseline() -> None:
    """Neither down, where each is a point worse than the last, nor up, where nothing changes."""
    assert slid("within", histories=10) < -0.05
    assert slid("a rise", histories=10) == 0.0
    assert abs(climbed(20, 0.025, "a rise")[0]) < climbed(20, 0.025, "no fall")[0]
