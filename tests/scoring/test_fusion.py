from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from support.documents import ENGINE, report
from support.weighed import rows, weighing, world

from emoprefer_bench.cases import Case
from emoprefer_bench.data.datasets import Dataset
from emoprefer_bench.document import cases as document_cases
from emoprefer_bench.scoring import fusion
from emoprefer_bench.trial.result import result
from emoprefer_bench.trial.tally import Tally
from emoprefer_bench.verdicts import Reading, Round


def saying(name, dataset, forward, exchanged):
    """A judge that answers by S1."""
    sides = [
        [Reading(word, "parsed" if word else "ambiguous", word or "same") for word in side]
        for side in (forward, exchanged)
    ]
    tally = Tally(Case(name, "S1", dataset.name, "audio"), dataset.pairs, [Round(*sides)])
    return document_cases.ended(result(tally, ENGINE), "passed")


def fused(cases, *datasets, on=None):
    """The fused cases, valid in a report."""
    made, reasons = fusion.cases_of(cases, {dataset.name: dataset.described() for dataset in datasets}, on)
    report([*cases, *made], *datasets)
    return made, reasons


def test_judges_that_see_different_halves_are_better_together():
    """Fused beyond either, whatever the units of their margins, with an interval and a p beside the best of them."""
    labels, margins = world(0)
    dataset = rows("toy", labels)
    judges = [weighing(f"judge{place}", dataset, column) for place, column in enumerate(margins)]
    (case,), reasons = fused(judges, dataset)
    assert case["id"] == "fusion-toy-fitted-on-labels"
    assert not reasons
    gain = {of["metric"]: of for of in case["comparisons"]}["acc2"]
    assert gain["kind"] == "judge"
    assert gain["against"] == max(judges, key=lambda judge: judge["scores"]["waf2"]["mean"])["id"]
    assert gain["interval"][0] > 0
    assert set(case["fusion"]["chosen"].values()) == {5}
    first, second = case["fusion"]["weights"].values()
    assert first == pytest.approx(10 * second, rel=0.5)
    assert case["fusion"]["judged"]["brier"]["value"] < 0.2


def test_fused_judges_say_of_each_subset_how_often_they_are_for_the_longer_text():
    """It is known without the texts, which no report holds."""
    labels, margins = world(0)
    plain = rows("toy", labels)
    dataset = Dataset("toy", [replace(pair, subset="all") for pair in plain.pairs])
    (case,), _ = fused([weighing(f"judge{at}", dataset, column) for at, column in enumerate(margins)], dataset)
    part, longer = case["subsets"]["all"], [row for row in range(len(labels)) if row % 4]  # which have a longer a1
    forward = case["verdicts"][0]["forward"]
    assert part["longer"] == pytest.approx(np.mean([forward[row] == "a1" for row in longer]))
    assert part["longer_interval"][0] < part["longer"] < part["longer_interval"][1]


def test_a_gain_that_is_none_is_said_to_be_none():
    """A second judge that knows nothing adds nothing, and the interval of the gain holds 0."""
    labels, margins = world(1, scales=(1.0,), noise=1)
    dataset = rows("toy", labels)
    (case,), _ = fused([weighing(f"judge{place}", dataset, column) for place, column in enumerate(margins)], dataset)
    gain = {of["metric"]: of for of in case["comparisons"]}["acc2"]
    low, high = gain["interval"]
    assert low <= 0 <= high


def test_nothing_is_learned_where_nothing_is_to_be_learned():
    """Ten judges that know nothing, on eight data sets: right in half of the rows, as selection is inside the folds."""
    rights = []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        first = rng.integers(2, size=120).astype(float)
        part = fusion.Part(rng.normal(size=(120, 10)), first, [f"clip{row // 2}" for row in range(120)])
        odds = fusion.cross_fitted(part, part).odds
        rights.append(np.where(odds == 0, 0.5, (odds > 0) == (first == 1)).mean())
    assert np.mean(rights) == pytest.approx(0.5, abs=0.06)  # three and a half standard errors


def test_no_judge_is_believed_the_contrary_of_what_it_says():
    """One that is wrong as a rule has weight 0: its errors are not to be won."""
    labels, margins = world(2)
    dataset = rows("toy", labels)
    (case,), _ = fused(
        [
            weighing("good", dataset, margins[0]),
            weighing("wrong", dataset, [-margin for margin in margins[1]]),
        ],
        dataset,
    )
    assert case["fusion"]["weights"]["wrong-L1-toy"] == 0
    assert case["fusion"]["chosen"] == {"good-L1-toy": 5, "wrong-L1-toy": 0}


def test_exchanging_the_texts_of_rows_exchanges_the_fused_verdicts():
    """No intercept, nothing centred: turning a third of the rows round turns their log odds round."""
    labels, margins = world(3)
    first = np.array([label == "a1" for label in labels], dtype=float)
    clips = [f"clip{row // 2}" for row in range(len(labels))]
    part = fusion.Part(np.stack(margins, 1), first, clips)
    turn = np.arange(len(labels)) % 3 == 0
    turned = fusion.Part(
        np.where(turn[:, None], -part.features, part.features), np.where(turn, 1 - first, first), clips
    )
    assert fusion.cross_fitted(turned, turned).odds == pytest.approx(
        np.where(turn, -1, 1) * fusion.cross_fitted(part, part).odds, rel=1e-3
    )


def test_a_verdict_is_never_fitted_on_labels_of_its_clip():
    """Also where the clip lies in another data set under another name: its digest tells."""
    labels, margins = world(4)
    clips = [f"clip{row // 2}" for row in range(len(labels))]
    first = np.array([label == "a1" for label in labels], dtype=float)
    train = fusion.Part(np.stack(margins, 1), first, clips)
    changed = fusion.Part(train.features, np.where(np.array(clips) == "clip3", 1 - first, first), clips)
    for test in (train, train.where(np.arange(0, 40))):
        own = np.array(test.clips) == "clip3"
        once, again = (fusion.cross_fitted(part, test).odds for part in (train, changed))
        assert (once[own] == again[own]).all()
        assert (once[~own] != again[~own]).any()


def test_a_data_set_without_labels_is_judged_by_another_ones():
    """Fitted on the one, applied to the other, and there is no score of what nobody labelled."""
    labels, margins = world(5)
    told, blank = rows("told", labels), rows("blank", [None] * len(labels), first=1000)
    cases = [weighing(f"judge{place}", of, column) for of in (told, blank) for place, column in enumerate(margins)]
    made, reasons = fused(cases, told, blank, on="told")
    assert not reasons
    assert [case["dataset"] for case in made] == ["told", "blank"]
    assert made[1]["fusion"]["on"] == "told"
    assert made[1]["fusion"]["judged"] is None
    assert made[1]["scores"]["waf2"]["mean"] is None
    said = made[1]["verdicts"][0]["forward"]
    assert np.mean([verdict == label for verdict, label in zip(said, labels, strict=True)]) > 0.8
    own, reasons = fused(cases, told, blank)
    assert [case["dataset"] for case in own] == ["told"]
    assert reasons == ["fusion-blank: people preferred a text on 0 clips of blank, and fitting takes 50"]


def test_the_digest_of_a_clip_keeps_it_out_across_data_sets():
    """Another data set with the same clips, renamed: the fold of a clip is the same, so its own labels are not seen."""
    labels, margins = world(6)
    once, other = rows("once", labels), rows("other", labels)
    cases = [weighing(f"judge{place}", of, column) for of in (once, other) for place, column in enumerate(margins)]
    first, second = fused(cases, once, other, on="once")[0]
    assert first["verdicts"][0]["forward_margin"] == second["verdicts"][0]["forward_margin"]


def test_verdicts_stand_in_for_margins():
    """A judge that answers takes part with +1, -1 and 0; one that always names the first slot says nothing."""
    labels, margins = world(7, scales=(1.0,))
    dataset = rows("toy", labels)
    exchanged = ["a2" if label == "a1" else "a1" for label in labels]
    judges = [
        weighing("weighs", dataset, margins[0]),
        saying("knows", dataset, labels, exchanged),
        saying("stuck", dataset, ["a1"] * len(labels), ["a1"] * len(labels)),
    ]
    (case,), _ = fused(judges, dataset)
    assert case["scores"]["acc2"]["mean"] > 0.95
    assert case["fusion"]["weights"]["stuck-S1-toy"] == 0
    assert case["modality"] == "audio+subtitle"


@pytest.mark.parametrize(("clips", "there"), [(49, 0), (50, 1)])
def test_fitting_takes_fifty_labelled_clips(clips, there):
    """Not fifty rows: those of a clip are no more than one."""
    labels, margins = world(8, 2 * clips)
    dataset = rows("toy", labels)
    made, reasons = fused([weighing(f"judge{place}", dataset, column) for place, column in enumerate(margins)], dataset)
    assert (len(made), len(reasons)) == (there, 1 - there)


def test_one_judge_is_not_fused():
    """Controls and variants are no judges here either."""
    labels, margins = world(9)
    dataset = rows("toy", labels)
    blind = {**weighing("blind", dataset, margins[1]), "variant": "blind"}
    made, reasons = fused([weighing("judge", dataset, margins[0]), blind], dataset)
    assert not made
    assert reasons == ["fusion-toy: there is nothing to fuse: 1 judges have verdicts on toy"]
