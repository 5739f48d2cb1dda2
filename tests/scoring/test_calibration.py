from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from emoprefer_bench.scoring import calibration
from emoprefer_bench.scoring.folds import folds


def judge(seed, clips=300, *, inverse=2.0, rows=2):
    """Margins of a judge whose probabilities are sigmoid(inverse x margin), what people said, and the clips."""
    rng = np.random.default_rng(seed)
    margins = rng.normal(size=clips * rows)
    labels = np.where(rng.random(len(margins)) < calibration.sigmoid(inverse * margins), "a1", "a2").tolist()
    return margins, labels, [f"clip{row // rows}" for row in range(len(margins))]


def first(labels):
    """Whether people preferred the first text."""
    return np.array([label == "a1" for label in labels])


def test_folds_keep_clips_whole_and_even_whatever_the_order():
    """A clip's rows are in one fold, folds differ by one clip at most, and the order of rows is nothing to them."""
    clips = [f"clip{row // 3}" for row in range(69)]
    dealt = dict(zip(clips, folds(clips), strict=True))
    assert all(dealt[clip] == fold for clip, fold in zip(clips, folds(clips), strict=True))
    assert sorted(np.bincount(list(dealt.values()))) == [4, 4, 5, 5, 5]
    assert dict(zip(clips[::-1], folds(clips[::-1]), strict=True)) == dealt


def test_the_temperature_is_that_by_which_people_decided():
    """Also as scikit-learn fits it, on both orders, with the same penalty and no intercept."""
    margins, labels, clips = judge(0)
    fitted = calibration.fit(margins, first(labels), clips)
    assert fitted.evident
    assert 1 / fitted.inverse == pytest.approx(0.5, rel=0.2)
    scaled = margins[:, None] / np.sqrt((margins**2).mean())
    both, said = np.vstack([scaled, -scaled]), np.r_[first(labels), ~first(labels)]
    library = LogisticRegression(fit_intercept=False, tol=1e-9).fit(both, said).coef_[0, 0]
    assert fitted.inverse * np.sqrt((margins**2).mean()) == pytest.approx(library, rel=1e-5)


def test_the_unit_of_margins_is_nothing_to_a_calibration():
    """Sums over tokens instead of means: another temperature, the same probabilities."""
    margins, labels, clips = judge(1)
    once, again = (calibration.calibration(scale * margins, labels, clips) for scale in (1, 40))
    assert again["temperature"] == pytest.approx(40 * once["temperature"])
    assert again["brier"]["value"] == pytest.approx(once["brier"]["value"])
    assert again["brier_as_is"]["value"] > once["brier_as_is"]["value"]


@pytest.mark.parametrize("inverse", [0.0, 1.5, -1.5])
def test_a_calibration_never_changes_a_verdict(inverse):
    """Of a judge that knows something, nothing, or the contrary: log odds never have another sign than the margin."""
    margins, labels, clips = judge(2, inverse=inverse)
    odds = calibration.cross_fitted(margins, labels, clips)
    assert (odds * margins >= 0).all()


def test_a_judge_that_is_wrong_is_no_evidence():
    """1 / T stays at 0: its labels are not to be won by turning it round."""
    margins, labels, clips = judge(3, inverse=-2.0)
    made = calibration.calibration(margins, labels, clips)
    assert made["temperature"] is None
    assert not made["evident"]
    assert made["brier"]["value"] == pytest.approx(0.25)


def test_a_judge_that_knows_nothing_is_rarely_called_evidence():
    """In 200 runs of 40 clips, in no more than about 2.5% (five is six in a hundred such sets of runs)."""
    judges = [judge(100 + seed, clips=40, inverse=0.0) for seed in range(200)]
    called = sum(calibration.fit(margins, first(labels), clips).evident for margins, labels, clips in judges)
    assert called <= 12


def test_no_row_is_judged_by_its_own_label():
    """Turning round what people said of one clip leaves that clip's log odds as they were, and changes others'."""
    margins, labels, clips = judge(4, clips=40)
    odds = calibration.cross_fitted(margins, labels, clips)
    turned = [
        {"a1": "a2", "a2": "a1"}[label] if clip == "clip7" else label for label, clip in zip(labels, clips, strict=True)
    ]
    again = calibration.cross_fitted(margins, turned, clips)
    own = np.array([clip == "clip7" for clip in clips])
    assert (odds[own] == again[own]).all()
    assert (odds[~own] != again[~own]).any()


def test_rows_without_a_label_get_a_confidence_too():
    """Where people said `same` or nothing, the other clips' temperature says it."""
    margins, labels, clips = judge(5, clips=60)
    labels[:4] = [None, None, "same", "same"]
    odds = calibration.cross_fitted(margins, labels, clips)
    assert (np.sign(odds) == np.sign(margins)).all()


@pytest.mark.parametrize("labels", [["a1", "a2"], ["same", None], [None, None]])
def test_nothing_can_be_fitted_on_one_clip(labels):
    """There is no other to fit on, so there is no calibration."""
    assert calibration.calibration(np.array([1.0, -1.0]), labels, ["clip", "clip"]) is None


def test_with_few_pairs_the_brier_score_stands_alone():
    """49 pairs have no diagram, 50 have one."""
    margins, labels, clips = judge(6, clips=50, rows=1)
    few, enough = (calibration.calibration(margins[:n], labels[:n], clips[:n]) for n in (49, 50))
    assert few["brier"]["value"] < 0.25
    assert [few[part] for part in ("log_loss", "log_loss_as_is", "error", "bins", "answered")] == [None] * 5
    assert len(enough["bins"]) == 5
    assert enough["error"]["value"] is not None


def test_a_calibrated_judge_errs_as_one_is_expected_to():
    """The probabilities are true here: in most draws the error stays under what 95% of such judges show."""
    made = [calibration.calibration(*judge(200 + seed, clips=100, rows=1))["error"] for seed in range(40)]
    assert sum(error["value"] <= error["perfect_most"] for error in made) >= 34
    assert np.mean([error["value"] for error in made]) == pytest.approx(
        np.mean([error["perfect"] for error in made]), abs=0.02
    )


def test_the_error_of_a_perfect_judge_falls_with_rows():
    """A reader who takes the error for a fault of the judge would blame small data sets."""
    few, many = (calibration.calibration(*judge(7, clips=clips, rows=1))["error"] for clips in (50, 2000))
    assert few["perfect"] > 3 * many["perfect"]


def test_overconfidence_shows_in_the_bins():
    """Margins taken as they are by a judge whose temperature is 5: confidence is above accuracy in the surest bin."""
    margins, labels, _ = judge(8, clips=1000, inverse=0.2)
    surest = calibration.reliability(5 * margins, first(labels))[-1]
    assert surest["interval"][1] < surest["confidence"]
    assert surest["rows"] == 400


def test_who_keeps_silent_where_unsure_is_right_more_often():
    """Accuracy falls as more is answered; the last point is the accuracy on all rows."""
    margins, labels, clips = judge(9)
    points = calibration.calibration(margins, labels, clips)["answered"]
    assert [point["share"] for point in points] == pytest.approx([tenth / 10 for tenth in range(1, 11)])
    assert points[0]["accuracy"] > points[-1]["accuracy"] + 0.1
    assert points[-1]["accuracy"] == pytest.approx(((margins > 0) == first(labels)).mean())


def test_equal_margins_are_answered_together():
    """Where only two sizes of margins are there, there are two points; a margin of 0 is half right."""
    points = calibration.accuracy_by_share(
        np.array([2.0, -2, 1, 1, 0, 0]), np.array([True, False, True, True, True, False])
    )
    assert [point["share"] for point in points] == pytest.approx([2 / 6, 4 / 6, 1])
    assert [point["accuracy"] for point in points] == pytest.approx([1, 1, 5 / 6])


@pytest.mark.parametrize("rows", [1, 3])
def test_intervals_hold_the_truth_over_clips(rows):
    """Brier's, of 60 clips whose rows are copies of each other: the rows of a clip are no more evidence than one."""
    held, runs = 0, 150
    truth = calibration.brier(*_copies(0, 20_000, 1))["value"]
    for seed in range(1, runs + 1):
        low, high = calibration.brier(*_copies(seed, 60, rows))["interval"]
        held += low <= truth <= high
    assert held / runs >= 0.9


def _copies(seed, clips, rows):
    margins, labels, names = judge(seed, clips, rows=1)
    return np.repeat(2 * margins, rows), np.repeat(first(labels), rows), np.repeat(names, rows).tolist()


def test_the_order_of_rows_is_nothing_to_a_calibration():
    """The same pairs, backwards: the same numbers."""
    margins, labels, clips = judge(10, clips=80)
    once = calibration.calibration(margins, labels, clips)
    again = calibration.calibration(margins[::-1], labels[::-1], clips[::-1])
    assert again["brier"]["value"] == pytest.approx(once["brier"]["value"])
    assert again["error"] == pytest.approx(once["error"])
    assert again["answered"] == once["answered"]
