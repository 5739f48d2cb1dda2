from __future__ import annotations

import itertools
import json
import math
import warnings
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score

from emoprefer_bench.scoring.counts import group_numbers, plain, ratio, table, tables
from emoprefer_bench.scoring.metrics import (
    LABEL_SCORES,
    METRICS,
    REFERENCE,
    STRICT,
    Treatment,
    case_metrics,
    metric_from_tables,
    reference_scores,
    score_bounds,
    scores,
    scores_from_counts,
    spread,
    strict_scores,
    swap_consistency,
)
from emoprefer_bench.verdicts import Verdicts

POLICIES = [
    Treatment(ties, unread) for ties in ("a1", "half", "wrong", "dropped") for unread in ("same", "wrong", "dropped")
]
UNDEFINED = dict.fromkeys(LABEL_SCORES)


def drawn(rng: np.random.Generator, rows: int, values: tuple[Any, ...]) -> list[Any]:
    """Values in proportions that are themselves drawn, so that some are often absent."""
    return [values[code] for code in rng.choice(len(values), rows, p=rng.dirichlet([0.5] * len(values)))]


def samples(values: tuple[Any, ...], seed: int) -> list[tuple[list[Any], list[Any]]]:
    """Labels and predictions of 150 cases, from one row to 400."""
    rng = np.random.default_rng(seed)
    sizes = [1, 2, 3, 8, 40, 400] * 25
    return [(drawn(rng, rows, ("a1", "a2", "same")), drawn(rng, rows, values)) for rows in sizes]


def one_way(forward: list[Any], exchanged: list[Any] | None = None) -> Verdicts:
    """One round whose two readings are alike."""
    back = forward if exchanged is None else exchanged
    return Verdicts(forward, back, forward, back)


def weighted(labels: list[Any], predictions: list[Any]) -> tuple[float | None, float | None]:
    """What scikit-learn says, with unread verdicts as a class that is no label."""
    if not labels:
        return None, None
    predicted = [prediction or "none" for prediction in predictions]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn warns of classes that are absent
        return f1_score(labels, predicted, average="weighted"), accuracy_score(labels, predicted)


def close(found: dict[str, float | None], expected: dict[str, float | None], tolerance: float = 1e-12) -> bool:
    """Whether the scores agree, where None agrees with None alone."""
    return found.keys() == expected.keys() and all(
        found[name] is value if value is None else found[name] == pytest.approx(value, abs=tolerance, rel=0)
        for name, value in expected.items()
    )


def test_reference_scores_are_those_of_scikit_learn() -> None:
    """WAF and accuracy equal scikit-learn's to 1e-12 under the reference's rules, also where classes are absent."""
    for labels, predictions in samples(("a1", "a2", "same"), seed=1):
        two = [(y, "a1" if p == "same" else p) for y, p in zip(labels, predictions, strict=True) if y != "same"]
        waf2, acc2 = weighted([y for y, _ in two], [p for _, p in two])
        waf3, acc3 = weighted(labels, predictions)
        assert close(reference_scores(labels, predictions), {"waf2": waf2, "acc2": acc2, "waf3": waf3, "acc3": acc3})


def test_strict_scores_are_those_of_scikit_learn_with_a_class_that_is_never_right() -> None:
    """An unread verdict, and in the two-class scores a tie, is a class of its own that no row is labelled with."""
    for labels, predictions in samples(("a1", "a2", "same", None), seed=2):
        two = [(y, p) for y, p in zip(labels, predictions, strict=True) if y != "same"]
        waf2, acc2 = weighted([y for y, _ in two], [p for _, p in two])
        waf3, acc3 = weighted(labels, predictions)
        assert close(strict_scores(labels, predictions), {"waf2": waf2, "acc2": acc2, "waf3": waf3, "acc3": acc3})


@pytest.mark.parametrize(("correct", "rows", "percent"), [(379, 563, "67.32"), (1073, 1625, "66.03")])
def test_published_two_class_accuracies(correct: int, rows: int, percent: str) -> None:
    """The published accuracies are these counts of rows."""
    found = reference_scores(["a2"] * rows, ["a2"] * correct + ["a1"] * (rows - correct))
    assert f"{100 * (found['acc2'] or 0):.2f}" == percent


def test_published_three_class_scores_of_a_judge_that_never_ties() -> None:
    """379 right of 563 labelled a1 or a2 is 67.32, and with 11 rows labelled same it is 66.03 of 574."""
    labels = ["a1"] * 300 + ["a2"] * 263 + ["same"] * 11
    predictions = ["a1"] * 200 + ["a2"] * 100 + ["a2"] * 179 + ["a1"] * 84 + ["a1"] * 11
    found = reference_scores(labels, predictions)
    assert (round(100 * found["acc2"], 2), round(100 * found["acc3"], 2)) == (67.32, 66.03)


def test_published_swap_consistency() -> None:
    """454 of 574 rows that keep their verdict when exchanged are 79.09 percent."""
    found = swap_consistency(["a1"] * 574, ["a2"] * 454 + ["a1"] * 120)
    assert f"{100 * (found or 0):.2f}" == "79.09"


def test_always_a1_scores_the_published_baseline() -> None:
    """201 of 379 rows labelled a1 give a judge that always says a1 the published WAF of 36.76."""
    labels = ["a1"] * 201 + ["a2"] * 178
    assert f"{100 * (reference_scores(labels, ['a1'] * 379)['waf2'] or 0):.2f}" == "36.76"


def test_a_silent_judge_is_paid_by_the_reference_and_not_by_the_strict_scores() -> None:
    """Unread verdicts earn the reference's judge the share of a1; strictly they earn nothing."""
    labels, silence = ["a1", "a1", "a1", "a2", "same"], [None] * 5
    assert reference_scores(labels, silence)["acc2"] == 0.75
    assert reference_scores(labels, silence)["acc3"] == 0.2
    assert strict_scores(labels, silence) == {"waf2": 0.0, "acc2": 0.0, "waf3": 0.0, "acc3": 0.0}


@pytest.mark.parametrize("treatment", POLICIES)
def test_no_rows_have_no_scores(treatment: Treatment) -> None:
    """Without rows the scores are None under every treatment; filterwarnings=error holds numpy to silence."""
    assert scores([], [], treatment) == UNDEFINED
    assert scores([None, None], ["a1", None], treatment) == UNDEFINED


def test_rows_labelled_same_alone_have_three_class_scores_only() -> None:
    """The two-class scores need a row labelled a1 or a2."""
    assert strict_scores(["same"], ["same"]) == {"waf2": None, "acc2": None, "waf3": 1.0, "acc3": 1.0}


def test_unlabelled_rows_are_left_out() -> None:
    """A row that nobody labelled changes no score."""
    assert strict_scores(["a1", None, "a2"], ["a1", "a1", "a1"]) == strict_scores(["a1", "a2"], ["a1", "a1"])


@pytest.mark.parametrize("treatment", POLICIES)
def test_all_ties_and_all_unread_are_defined(treatment: Treatment) -> None:
    """A judge that only ties, or is never read, has scores, or None where its rows are dropped."""
    labels = ["a1", "a2", "same"]
    tied, unread = scores(labels, ["same"] * 3, treatment), scores(labels, [None] * 3, treatment)
    assert tied["acc2"] == {"a1": 0.5, "half": 0.5, "wrong": 0.0, "dropped": None}[treatment.ties]
    assert tied["acc3"] == pytest.approx(1 / 3)
    assert unread["acc3"] == {"same": pytest.approx(1 / 3), "wrong": 0.0, "dropped": None}[treatment.unread]


def test_policies_for_ties_and_unread_verdicts() -> None:
    """Each treatment gives the accuracy that its words say."""
    labels = ["a1", "a1", "a2", "a2", "a2", "a2"]
    predictions = ["same", "a1", "same", None, "a2", "a1"]
    accuracy = {
        ("a1", "same"): 3 / 6,
        ("half", "same"): 3.5 / 6,
        ("wrong", "same"): 2 / 6,
        ("dropped", "same"): 2 / 3,
        ("a1", "wrong"): 3 / 6,
        ("half", "wrong"): 3 / 6,
        ("wrong", "wrong"): 2 / 6,
        ("dropped", "wrong"): 2 / 4,
        ("a1", "dropped"): 3 / 5,
        ("half", "dropped"): 3 / 5,
        ("wrong", "dropped"): 2 / 5,
        ("dropped", "dropped"): 2 / 3,
    }
    assert {(p.ties, p.unread): scores(labels, predictions, p)["acc2"] for p in POLICIES} == pytest.approx(accuracy)


def test_half_a_tie_is_half_a_row_of_each_class() -> None:
    """Doubling every row, and reading one of each two ties as a1 and the other as a2, is the `half` treatment."""
    treatment = Treatment(ties="half", unread="wrong")
    for labels, predictions in samples(("a1", "a2", "same"), seed=3):
        broken = [p if p != "same" else half for half in ("a1", "a2") for p in predictions]
        found, expected = scores(labels, predictions, treatment), strict_scores(labels * 2, broken)
        assert close({"waf2": found["waf2"]}, {"waf2": expected["waf2"]})
        assert close({"acc2": found["acc2"]}, {"acc2": expected["acc2"]})


def test_dropped_rows_are_as_if_they_were_never_asked() -> None:
    """Dropping unread verdicts equals leaving their rows out."""
    for labels, predictions in samples(("a1", "a2", "same", None), seed=4):
        kept = [(y, p) for y, p in zip(labels, predictions, strict=True) if p]
        found = scores(labels, predictions, Treatment("wrong", "dropped"))
        assert close(found, strict_scores([y for y, _ in kept], [p for _, p in kept]))


def test_the_two_named_policies() -> None:
    """`reference_scores` and `strict_scores` are two of the policies."""
    labels, predictions = ["a1", "a2", "same"], ["same", None, "a2"]
    assert reference_scores(labels, predictions) == scores(labels, predictions, REFERENCE)
    assert strict_scores(labels, predictions) == scores(labels, predictions, STRICT)


@pytest.mark.parametrize(("ties", "unread"), [("a2", "same"), ("a1", "a1")])
def test_a_policy_that_there_is_none_of_is_refused(ties: Any, unread: Any) -> None:
    """The message says what the choices are."""
    with pytest.raises(ValueError, match="is one of"):
        Treatment(ties, unread)


@pytest.mark.parametrize("score", [reference_scores, strict_scores, swap_consistency, score_bounds])
def test_bad_verdicts_are_named(score: Any) -> None:
    """A word that is no verdict, and lengths that don't match, are errors that say so."""
    with pytest.raises(ValueError, match="not 'tie'"):
        score(["a1"], ["tie"])
    with pytest.raises(ValueError, match="1 labels or forward verdicts, 2 verdicts"):
        score(["a1"], ["a1", "a2"])


def test_counts_of_many_groups_are_scored_at_once() -> None:
    """An array of counts gives the scores of each table in it, NaN where a table is empty."""
    rng = np.random.default_rng(5)
    counts = rng.integers(0, 5, (4, 3, 3, 4))
    counts[2, 1] = 0
    together = scores_from_counts(counts, STRICT)
    for index in np.ndindex(4, 3):
        alone = scores_from_counts(counts[index], STRICT)
        assert all(np.array_equal(together[name][index], alone[name], equal_nan=True) for name in LABEL_SCORES)
    assert math.isnan(together["waf3"][2, 1])


def readings(predictions: list[Any], classes: tuple[str, ...]) -> itertools.product[Any]:
    """All that the unread predictions may have meant."""
    return itertools.product(*[classes if p is None else (p,) for p in predictions])


@pytest.mark.parametrize("ties", ["a1", "half", "wrong", "dropped"])
def test_bounds_are_the_extremes_over_every_reading(ties: Any) -> None:
    """No reading of the unread verdicts scores outside the bounds, and some reading reaches each."""
    rng = np.random.default_rng(6)
    treatment = Treatment(ties=ties)
    for _ in range(40):
        rows = int(rng.integers(1, 12))
        labels, predictions = drawn(rng, rows, ("a1", "a2", "same")), drawn(rng, rows, ("a1", "a2", "same"))
        for row in rng.choice(rows, min(rows, 5), replace=False):
            predictions[row] = None
        bounds = score_bounds(labels, predictions, treatment)
        for classes, names in ((("a1", "a2"), ("waf2", "acc2")), (("a1", "a2", "same"), ("waf3", "acc3"))):
            found = [scores(labels, list(reading), treatment) for reading in readings(predictions, classes)]
            for name in names:
                values = [score[name] for score in found if score[name] is not None]
                expected = (min(values), max(values)) if values else (None, None)
                assert (bounds[name]["worst"], bounds[name]["best"]) == pytest.approx(expected, abs=1e-12)


def test_bounds_meet_where_everything_was_read() -> None:
    """Without unread verdicts both bounds are the strict score."""
    labels, predictions = ["a1", "a2", "same", "a1"], ["a1", "a1", "same", "same"]
    exact = strict_scores(labels, predictions)
    bounds = score_bounds(labels, predictions)
    assert {name: bounds[name]["worst"] for name in LABEL_SCORES} == pytest.approx(exact)
    assert {name: bounds[name]["best"] for name in LABEL_SCORES} == pytest.approx(exact)


def test_bounds_without_rows_are_undefined() -> None:
    """No rows, no bounds."""
    assert score_bounds([], []) == {name: {"worst": None, "best": None} for name in LABEL_SCORES}


def test_swap_consistency_counts_all_rows() -> None:
    """a1 then a2, a2 then a1 and same twice are consistent; everything else, unread verdicts too, is not."""
    verdicts = ["a1", "a2", "same", None]
    consistent = [pair for pair in itertools.product(verdicts, repeat=2) if swap_consistency([pair[0]], [pair[1]])]
    assert consistent == [("a1", "a2"), ("a2", "a1"), ("same", "same")]
    assert swap_consistency(["a1", None], ["a2", None]) == 0.5
    assert swap_consistency([], []) is None


def test_a_case_has_every_metric_from_the_reading_it_belongs_to() -> None:
    """Reference metrics come from the reference's readings, the others from the strict ones."""
    labels = ["a1", "a2", "same", None]
    verdicts = Verdicts(
        forward=["a1", None, "same", "a2"],
        exchanged=["a2", "a1", None, "a2"],
        forward_reference=["a1", "same", "same", "a2"],
        exchanged_reference=["a2", "a1", "same", "a2"],
    )
    found = {name: value["mean"] for name, value in case_metrics(labels, [verdicts]).items()}
    assert tuple(found) == METRICS
    assert {name: found[name] for name in LABEL_SCORES} == pytest.approx(
        reference_scores(labels, verdicts.forward_reference)
    )
    assert {name: found[f"strict_{name}"] for name in LABEL_SCORES} == pytest.approx(
        strict_scores(labels, verdicts.forward)
    )
    assert found["swap"] == swap_consistency(verdicts.forward_reference, verdicts.exchanged_reference) == 0.5
    assert found["strict_swap"] == swap_consistency(verdicts.forward, verdicts.exchanged) == 0.25
    assert (found["answered"], found["ties"], found["first_slot"]) == (6 / 8, 1 / 6, 2 / 5)


def test_the_reference_reads_nothing_as_same() -> None:
    """Where the reference has nothing to read, its verdict is a tie, in the swap too."""
    silent = Verdicts([None], [None], [None], [None])
    found = case_metrics(["same"], [silent])
    assert (found["acc3"]["mean"], found["swap"]["mean"]) == (1.0, 1.0)
    assert (found["strict_acc3"]["mean"], found["strict_swap"]["mean"]) == (0.0, 0.0)


def test_mean_and_deviation_over_rounds() -> None:
    """Over rounds a metric has its values, their mean and their standard deviation with ddof 0."""
    found = case_metrics(["a1", "a1"], [one_way(["a1", "a1"]), one_way(["a1", "a2"])])["acc2"]
    assert found == {"mean": 0.75, "sd": 0.25, "rounds": [1.0, 0.5]}


def test_one_round_has_no_deviation() -> None:
    """A spread of 0 would say that rounds agree; one round says nothing of the kind."""
    assert case_metrics(["a1"], [one_way(["a1"])])["acc2"] == {"mean": 1.0, "sd": None, "rounds": [1.0]}


def test_a_metric_undefined_in_a_round_has_no_mean() -> None:
    """The mean of the rounds that happen to be defined would be a mean of something else."""
    found = case_metrics(["a1"], [one_way(["a1"]), one_way(["same"])])["first_slot"]
    assert found == {"mean": None, "sd": None, "rounds": [1.0, None]}
    assert spread([]) == {"mean": None, "sd": None, "rounds": []}


@pytest.mark.parametrize(
    "verdicts", [[], [None] * 3, ["same"] * 3, ["a1"] * 3], ids=["no rows", "all unread", "all ties", "one class"]
)
@pytest.mark.parametrize("label", ["a1", "same", None])
@pytest.mark.parametrize("rounds", [0, 1, 2])
def test_edge_cases_are_plain_json(verdicts: list[Any], label: Any, rounds: int) -> None:
    """Every metric of an extreme case is a float or None: JSON without NaN, and no numpy type (xdist carries none)."""
    found = case_metrics([label] * len(verdicts), [one_way(verdicts)] * rounds)
    json.dumps(found, allow_nan=False)
    numbers = [number for one in found.values() for number in (one["mean"], one["sd"], *one["rounds"])]
    assert {type(number) for number in numbers} <= {float, type(None)}


def test_tables_of_groups_add_up() -> None:
    """The tables of clips sum to the table of all rows, whatever the order of the rows."""
    rng = np.random.default_rng(7)
    labels, forward, exchanged = (drawn(rng, 60, ("a1", "a2", "same", None)) for _ in range(3))
    rounds = [one_way(forward, exchanged), one_way(exchanged, forward)]
    clips = group_numbers([f"clip{number}" for number in rng.integers(0, 9, 60)])
    by_clip = tables(labels, rounds, clips)
    assert by_clip.shape == (clips.max() + 1, 2, 2, 2, 4, 4)
    assert np.array_equal(by_clip.sum(0), tables(labels, rounds)[0])
    assert by_clip.sum() == 60 * 2 * 2 * 2


def test_a_table_counts_pairs_of_values() -> None:
    """Rows and columns run over a1, a2, same, none."""
    counted = table(["a1", "a1", None], ["a2", "a2", "same"])
    assert (counted[0, 1], counted[3, 2], counted.sum()) == (2, 1, 3)


def test_groups_are_numbered_as_they_appear() -> None:
    """Names may be anything that can be a key."""
    assert group_numbers(["b", "a", "b", 3]).tolist() == [0, 1, 0, 2]


def test_division_by_nothing_is_not_a_number_and_silent() -> None:
    """NaN inside, None outside."""
    assert np.isnan(ratio([1.0, 0.0], 0)).all()
    assert plain(ratio(0, 0)) is None
    assert plain(ratio(1, 4)) == 0.25


def test_an_unknown_metric_is_named() -> None:
    """The message lists the metrics that there are."""
    with pytest.raises(ValueError, match="no metric 'waf4'; there are waf2"):
        metric_from_tables(tables([], []), "waf4")
