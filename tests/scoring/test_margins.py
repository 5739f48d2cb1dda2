from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats
from support.weighed import rows, weighing, world

from emoprefer_bench.pairs import EXCHANGED, Answer
from emoprefer_bench.scoring import folds
from emoprefer_bench.scoring.shortcuts import longer_by
from emoprefer_bench.scoring.weighing import confidences
from emoprefer_bench.scoring.weighing import weighing as said
from emoprefer_bench.verdicts import Round, read, weighed


def words(better, bias, mass=0.1):
    """P1's reading in one order, of a judge that prefers the first text by `better` and its slot by `bias` nats."""
    odds = better + bias
    first, second = (mass / 2 / (1 + math.exp(sign * odds)) for sign in (-1, 1))
    return weighed(better, (math.log(first), math.log(second), math.log(mass / 2)))


def of_p1(pairs, better, bias):
    """A round of P1."""
    return Round([words(value, bias) for value in better], [words(-value, bias) for value in better])


def test_the_slot_bias_and_the_mass_are_those_of_the_words():
    """However strong the bias, the margins are free of it; with it, no row is consistent before averaging."""
    pairs = rows("toy", ["a1"] * 40).pairs
    better = np.linspace(-0.4, 0.4, 40)
    strong, none = (said(pairs, of_p1(pairs, better, bias)) for bias in (1.5, 0.0))
    assert strong["slot_bias"]["value"] == pytest.approx(1.5)
    assert strong["slot_bias"]["interval"] == pytest.approx([1.5, 1.5])
    assert strong["swap_before"]["value"] == 0.0
    assert none["swap_before"]["value"] == 1.0
    assert strong["mass"]["value"] == pytest.approx(0.1)
    assert strong["calibration"] == none["calibration"]


def test_l1_has_no_words_to_speak_of():
    """Its weights are scores of texts."""
    dataset = rows("toy", ["a1", "a2"] * 10)
    made = weighing("judge", dataset, [0.1, -0.2] * 10)["weighing"]
    assert {"slot_bias", "swap_before", "mass"}.isdisjoint(made)


def test_the_correlation_with_length_is_that_of_both_orders():
    """Pearson's over each pair and its exchange, so that it doesn't matter which text stands first."""
    labels, margins = world(0)
    pairs = rows("toy", labels).pairs
    lengths = [longer_by(pair) for pair in pairs]
    followed = [margin + 0.5 * length for margin, length in zip(margins[0], lengths, strict=True)]
    both = stats.pearsonr([*followed, *(-m for m in followed)], [*lengths, *(-length for length in lengths)])
    turned = [pair.swapped() if row % 3 else pair for row, pair in enumerate(pairs)]
    signs = [-1 if row % 3 else 1 for row in range(len(pairs))]
    for texts, values in ((pairs, followed), (turned, [s * m for s, m in zip(signs, followed, strict=True)])):
        length = said(texts, Round([weighed(m, ()) for m in values], [weighed(-m, ()) for m in values]))["length"]
        assert length["value"] == pytest.approx(both.statistic)
        assert length["interval"][0] < both.statistic < length["interval"][1]


def test_rows_that_failed_or_were_not_asked_count_for_nothing():
    """What is said is of the rows weighed in both orders; a confidence is there where there is a margin."""
    labels, margins = world(1, count=60)
    pairs = rows("toy", labels).pairs
    whole = Round([weighed(m, ()) for m in margins[0]], [weighed(-m, ()) for m in margins[0]])
    part = Round(
        [*whole.forward[:40], *[None] * 20], [*whole.exchanged[:39], read(Answer("no", "error")), *[None] * 20]
    )
    assert said(pairs, part) == said(pairs[:39], Round(whole.forward[:39], whole.exchanged[:39]))
    assert [confidence is None for confidence in confidences(pairs, part)] == [False] * 40 + [True] * 20
    assert said(pairs, Round([None] * 60, [None] * 60)) is None


def test_the_verdict_is_the_margins_sign():
    """`same` is 0 and nothing else, and the exchanged pair has the exchanged verdict."""
    for margin, label in ((1e-300, "a1"), (-1e-300, "a2"), (0.0, "same"), (-0.0, "same")):
        reading, exchanged = weighed(margin, ()), weighed(-margin, ())
        assert (reading.label, reading.reference, reading.provenance) == (label, label, "weighed")
        assert exchanged.label == EXCHANGED[label]


def test_intervals_over_clips_are_those_of_one_row_a_clip():
    """Copies of a clip's rows are no evidence, whichever mean is taken; one clip alone has no interval."""
    values, clips = np.random.default_rng(0).random(30), [f"clip{number}" for number in range(30)]
    often, named = np.repeat(values, 4), np.repeat(clips, 4).tolist()
    for interval in (folds.share_interval, folds.mean_interval):
        assert interval(often, named) == pytest.approx(interval(values, clips))
        assert interval(values[:1], clips[:1]) is None
    t_interval = stats.t.interval(0.95, 29, values.mean(), stats.sem(values))
    assert folds.mean_interval(values, clips) == pytest.approx(t_interval)
    assert folds.cosine_interval(often, often**2, named) == pytest.approx(
        folds.cosine_interval(values, values**2, clips)
    )
    assert folds.cosine_interval(values, 2 * values, clips) is None
