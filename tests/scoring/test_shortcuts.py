from __future__ import annotations

import numpy as np
import pytest
from support.sources import Sources

from emoprefer_bench.pairs import EXCHANGED, Clip, Pair
from emoprefer_bench.scoring import controls
from emoprefer_bench.scoring.counts import FIRST, NONE, SECOND, group_numbers
from emoprefer_bench.scoring.intervals import score_interval
from emoprefer_bench.scoring.shortcuts import (
    answers,
    design_of,
    folds_of,
    length_and_writer_margins,
    logistic,
    signs,
    verdicts,
    widening,
    writer_margins,
)

FITTED = (writer_margins, length_and_writer_margins)


def duel(row, label, writers=("strong", "weak"), clip=None, texts=("a b", "a b")):
    """A pair of two writers, on a clip of its own unless one is named."""
    name = clip or f"clip{row}"
    return Pair(f"{row:05}:{name}", Clip(name), *texts, label, *writers)


def test_the_writer_prior_knows_who_wins() -> None:
    """It names the slot of the writer that wins elsewhere, whatever this row's own label."""
    pairs = [
        duel(row, "a1" if row % 2 else "a2", ("strong", "weak") if row % 2 else ("weak", "strong")) for row in range(20)
    ]
    pairs[3] = duel(3, "a2")
    assert answers(pairs)["writer_prior"] == ["a1" if row % 2 else "a2" for row in range(20)]


@pytest.mark.parametrize("fitted", FITTED)
def test_no_label_is_known_to_its_own_verdict(fitted) -> None:
    """Whatever the labels of a clip are, what is said of its rows stays the same."""
    sources = Sources(np.random.default_rng(1), rows=120)
    margins = fitted(sources.design, sources.label)
    for clip in sources.clips[::12]:
        own = np.array([name == clip for name in sources.clips])
        changed = np.where(own, -sources.label, sources.label)
        assert fitted(sources.design, changed)[own] == pytest.approx(margins[own], abs=1e-12)


def test_rows_of_one_clip_are_of_one_fold_and_their_order_does_not_matter() -> None:
    """Folds go by the names of clips alone, and are as large as can be."""
    clips = [f"clip{number // 2}" for number in range(40)]
    folds = dict(zip(clips, folds_of(clips).tolist(), strict=True))
    assert folds_of(clips[::-1]).tolist() == [folds[clip] for clip in clips[::-1]]
    assert np.bincount(list(folds.values())).tolist() == [4] * 5


@pytest.mark.parametrize("fitted", FITTED)
def test_the_exchanged_pair_gets_the_exchanged_verdict(fitted) -> None:
    """Fitted on exchanged pairs, the margins are negated."""
    pairs = Sources(np.random.default_rng(2), rows=80).pairs
    swapped = [pair.swapped() for pair in pairs]
    there, back = (fitted(design_of(rows), signs([pair.label for pair in rows])) for rows in (pairs, swapped))
    assert back == pytest.approx(-there, abs=1e-9)
    for said in controls.verdicts(pairs).values():
        assert len(said.forward) == len(said.exchanged) == len(pairs)
    prior = controls.verdicts(pairs)["writer_prior"]
    assert list(prior.exchanged) == [EXCHANGED[label] for label in prior.forward]


@pytest.mark.parametrize("fitted", FITTED)
def test_on_random_labels_the_fitted_controls_are_at_chance(fitted) -> None:
    """In 1,000 data sets without anything to learn, the mean is 50, and 95% intervals hold it as often as they say.

    They would not if they were as narrow as those of a judge that was fitted to nothing.
    """
    rng = np.random.default_rng(3)
    sources = Sources(rng, random=True)
    clips = group_numbers(sources.clips)
    widened = widening(fitted, sources.design, sources.label, clips)
    rights, held = [], {1.0: 0, widened: 0}
    for _ in range(1000):
        label = rng.choice([-1.0, 1.0], size=sources.rows)
        right = (np.sign(fitted(sources.design, label)) * label + 1) / 2
        rights.append(right.mean())
        for times in held:
            low, high = interval_of(right, clips, times)
            held[times] += low <= 0.5 <= high
    error = np.std(rights) / np.sqrt(len(rights))
    assert abs(np.mean(rights) - 0.5) < 4 * error
    assert held[1.0] < 900
    assert held[widened] >= 930


def interval_of(right, clips, widened):
    """The interval of an accuracy, from the rows that are right (1), wrong (0), or of which nothing was said (1/2)."""
    cells = clips * 16 + np.where(right == 1, FIRST, np.where(right == 0, SECOND, NONE))
    tables = np.bincount(cells, minlength=16 * (clips.max() + 1)).reshape(-1, 1, 1, 1, 4, 4).astype(float)
    return score_interval(np.tile(tables, (1, 1, 2, 2, 1, 1)), "strict_acc2", widened=widened)


def test_they_find_what_is_there() -> None:
    """Where length and writers decide, the model of both is better than either alone."""
    rng = np.random.default_rng(4)
    shares = []
    for _ in range(20):
        sources = Sources(rng)
        margins = (np.sign(sources.design.longer), *(fitted(sources.design, sources.label) for fitted in FITTED))
        shares.append([np.mean(np.sign(margin) == sources.label) for margin in margins])
    longer, writers, together = np.mean(shares, axis=0)
    assert together > max(longer, writers) + 0.015
    assert min(longer, writers) > 0.6


def test_the_logistic_fit_is_where_its_loss_is_level() -> None:
    """The slope of the loss, which is convex, is 0 at its weights; also where every label can be told."""
    rng = np.random.default_rng(5)
    features = rng.normal(size=(200, 4))
    for labels in (np.sign(features @ [1, -2, 0, 0.5] + rng.normal(size=200)), np.sign(features[:, 0])):
        weights = logistic(features, labels)
        chance = 1 / (1 + np.exp(labels * (features @ weights)))
        assert weights - features.T @ (labels * chance) == pytest.approx(np.zeros(4), abs=1e-6)


def test_what_the_data_do_not_allow_is_not_run() -> None:
    """Without writers, labels or subtitles there is nothing to go by."""
    assert answers([]) == {}
    assert answers([duel(0, "a1", (None, None)), duel(1, "a2", (None, None))]) == {}
    assert answers([duel(0, None), duel(1, None)]) == {}
    assert answers([duel(0, "a1", ("same", "same"))]) == {}
    assert set(controls.verdicts([duel(0, "a1", (None, None))])) == set(controls.CONTROLS)
    assert controls.verdicts([duel(0, "a1", texts=("", ""))]) == {}


def test_a_writer_met_on_one_clip_alone_is_unknown_there() -> None:
    """However many rows the clip has; on another clip it is known."""
    pairs = [duel(row, "a1", ("north", "south"), clip="only") for row in range(8)]
    assert answers(pairs)["writer_prior"] == ["same"] * 8
    pairs.append(duel(8, None, ("south", "north")))
    assert answers(pairs)["writer_prior"] == ["same"] * 8 + ["a2"]


def test_word_overlap_prefers_the_text_with_more_of_the_subtitle() -> None:
    """Words count once, in any case and between any marks; as many words are a tie."""
    clip = Clip("c", subtitle="I miss her, she is gone.")
    texts = [
        ('He says "I MISS her".', "A man who is sad is sad is sad"),
        ("sad", "she is gone"),
        ("gone gone gone", "gone, they say"),
    ]
    pairs = [Pair(f"{row:05}:c", clip, a1, a2, None) for row, (a1, a2) in enumerate(texts)]
    assert answers(pairs) == {"word_overlap": ["a1", "a2", "same"]}


def test_margins_too_small_to_tell_are_ties() -> None:
    """A fit is no more exact than its last step."""
    assert verdicts(np.array([1e-12, -1e-12, 0.1, -0.1])) == ["same", "same", "a1", "a2"]
