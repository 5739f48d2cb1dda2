"""Whose fault errors are, where the truth is known: by hand, and in simulations of models that describe and compare."""

from __future__ import annotations

import json

import numpy as np
import pytest
from support.describers import Model, crossed
from support.documents import case, report, toy_pairs

from emoprefer_bench.cases import Case
from emoprefer_bench.data.datasets import Dataset
from emoprefer_bench.scoring.crossing import Evidence, crossings, faults, variance_shares

SIMULATIONS = 100
SOUND = Model()


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (Model(describes=0.7), {"descriptions"}),
        (Model(compares=0.65), {"comparing"}),
        (Model(describes=0.65, compares=0.6), {"descriptions", "comparing"}),
        (SOUND, set()),
    ],
)
def test_whose_fault_errors_are_is_found_out_and_no_other(model, expected) -> None:
    """In at least 95 of 100 data sets of 574 rows, among three models without fault, who aren't blamed either."""
    rng = np.random.default_rng(20)
    right = acquitted = 0
    for _ in range(SIMULATIONS):
        evidence = crossed(rng, {"model": model, "other": SOUND, "third": SOUND, "last": SOUND})
        found = {name for name in ("descriptions", "comparing") if faults(evidence, "model-S2")[name]["found"]}
        right += found == expected
        acquitted += not any(faults(evidence, "other-S2")[name]["found"] for name in ("descriptions", "comparing"))
    assert right >= 95
    assert acquitted >= 95


def test_what_mends_errors_tells_descriptions_from_comparing() -> None:
    """Two others mend errors by bad descriptions far more often than those by bad comparing."""
    rng = np.random.default_rng(21)
    for _ in range(SIMULATIONS):
        models = {"describes": Model(describes=0.6, compares=0.95), "compares": Model(describes=0.95, compares=0.6)}
        evidence = crossed(rng, {**models, "third": SOUND, "last": SOUND})
        by_descriptions, by_comparing = (faults(evidence, f"{name}-S2") for name in models)
        assert by_descriptions["mended"]["interval"][0] > by_comparing["mended"]["interval"][1]
        assert by_descriptions["none"]["interval"][1] < by_comparing["none"]["interval"][0]
        assert by_comparing["none"]["share"] > 3 * by_comparing["none"]["by_chance"]


def test_intervals_hold_what_is_true() -> None:
    """Of gains and shares of variance, that are known from a thousand data sets; nearly 95 in 100."""
    rng = np.random.default_rng(22)
    models = {"model": Model(describes=0.7), "other": SOUND, "third": Model(compares=0.7)}
    values, bounds = [], []
    for _ in range(1_000):
        evidence = crossed(rng, models)
        shares, judged = variance_shares(evidence.grid(), evidence.clips), faults(evidence, "model-S2")
        values.append([judged["descriptions"]["gain"], *(share["value"] for share in shares.values())])
        bounds.append([judged["descriptions"]["interval"], *(share["interval"] for share in shares.values())])
    truth, held = np.mean(values, axis=0)[:, None], np.array(bounds)
    coverage = ((held[..., :1] <= truth) & (truth <= held[..., 1:])).mean((0, 2))
    assert (coverage > 0.92).all()
    assert (coverage < 0.98).all()


def test_where_nothing_differs_a_gain_is_not_known_to_be_none() -> None:
    """Nor is one of all rows known to be all: twenty clips may be of models that differ on some."""
    right, wrong, clips = np.ones(40), np.zeros(40), np.arange(40) // 2

    def gain(own, other):
        evidence = Evidence({("m", "m"): own, ("m", "o"): other}, clips, {"m-S2": ("m", "m")}, ["m", "o"])
        return faults(evidence, "m-S2")["descriptions"]

    same, better = gain(right, right), gain(wrong, right)
    assert (same["gain"], same["found"], better["gain"], better["found"]) == (0.0, False, 1.0, True)
    low, high = same["interval"]
    assert -0.2 < low == -high < -0.1
    assert 0.6 < better["interval"][0] < better["interval"][1] == 1.0


def _shares(grid):
    shares = variance_shares(np.array(grid, dtype=float), np.arange(len(grid[0][0])))
    return [round(share["value"], 6) for share in shares.values()]


def test_shares_of_variance_by_hand() -> None:
    """Grids of judges by describers by rows: what goes with one alone is all of that one's."""
    describer = [[[1, 1], [0, 0]]] * 2
    judge = [[[1, 1], [1, 1]], [[0, 0], [0, 0]]]
    assert _shares(describer) == [1, 0, 0]
    assert _shares(judge) == [0, 1, 0]
    assert _shares([[[1, 1], [0, 0]], [[0, 0], [1, 1]]]) == [0, 0, 1]
    assert _shares([[[1, 1], [0, 1]], [[1, 0], [0, 0]]]) == [0.5, 0.5, 0]  # a row of each
    assert variance_shares(np.ones((2, 2, 3)), np.arange(3)) is None
    assert variance_shares(np.ones((1, 2, 3)), np.arange(3)) is None


PAIRS = toy_pairs(("a1", "a2", "a1", "a2", "same", "a1"))
OWN = ["a1", "a1", "a2", "a1", "same", "a1"]  # wrong in rows 1, 2, 3 of those that count


def _case(model, words, variant=None, describer=None):
    return case(Case(model, "S2", "toy", "video", variant=variant, describer=describer), PAIRS, words)


def _run(*more):
    cases = [
        _case("judge", OWN),
        _case("judge", ["a1", "a2", "a1", "a1", "same", "a1"], "by-other", "other"),
        _case("judge", ["a2", "a2", "a2", "a1", "same", "a2"], "reference"),
        _case("judge", ["a1"] * 6, "undescribed"),
        _case("other", ["a1", "a2", "a1", "a2", "same", "a1"]),
        _case("other", ["a1", "a2", "a2", "a2", "same", "a1"], "by-judge", "judge"),
        _case("other", ["?", "a2", "a1", "a2", "same", "a1"], "reference"),
        *more,
    ]
    dataset = Dataset("toy", PAIRS)
    return crossings(cases, {"toy": dataset.described()}), cases, dataset


def test_a_crossing_by_hand() -> None:
    """Row 2 is mended by two, row 3 by one, row 4 by none; `same` rows don't count, and what can't be read is wrong."""
    (crossing,), cases, dataset = _run()
    assert (crossing["dataset"], crossing["prompt"], crossing["rows"], crossing["clips"]) == ("toy", "S2", 5, 3)
    assert crossing["describers"] == ["judge", "other", "reference"]
    acc2 = {(cell["judge"], cell["description"]): cell["acc2"] for cell in crossing["cells"]}
    assert (acc2["judge", "judge"], acc2["judge", "undescribed"]) == (0.4, 0.6)
    assert acc2["judge", "other"] == acc2["other", "reference"] == acc2["other", "judge"] == 0.8
    judged = crossing["judges"][0]
    assert (judged["case"], judged["errors"], judged["others"]) == ("judge-S2-toy", 3, ["other", "reference"])
    assert judged["mended"]["share"] == judged["none"]["share"] == pytest.approx(1 / 3)
    assert judged["mended"]["by_chance"] == pytest.approx(0.8 * 0.2)
    assert judged["none"]["by_chance"] == pytest.approx(0.2 * 0.8)
    assert judged["descriptions"]["gain"] == pytest.approx((0.8 + 0.2) / 2 - 0.4)
    assert judged["comparing"]["gain"] == pytest.approx(0.8 - 0.4)
    assert crossing["judges"][1]["mended"] is None  # it errs nowhere
    document = report(cases, dataset)
    json.dumps({**document, "crossings": [crossing]}, allow_nan=False)


def test_judges_by_s3_are_the_text_llms() -> None:
    """Whoever describes has a case of its own; the errors of each are held against the others' descriptions."""
    cases = [
        case(Case(model, "S3", "toy", "video", "llm", variant=variant), PAIRS, words)
        for model, words, variant in (("one", OWN, None), ("two", ["a1"] * 6, None), ("one", OWN, "undescribed"))
    ]
    (crossing,) = crossings(cases, {"toy": Dataset("toy", PAIRS).described()})
    assert {cell["judge"] for cell in crossing["cells"]} == {"llm"}
    assert [judged["others"] for judged in crossing["judges"]] == [["two"], ["one"]]
    assert crossing["judges"][0]["comparing"] is None
    assert crossing["judges"][0]["mended"] is None  # by two of one
    assert crossing["variance"] is None


def test_a_reference_of_some_rows_is_a_cell_and_no_describer() -> None:
    """Rows without one aren't asked about."""
    some = _case("judge", ["a1", "a2", None, None, None, None], "reference")
    _, cases, dataset = _run()
    kept = [one for one in cases if one["variant"] != "reference"]
    (crossing,) = crossings([*kept, {**some, "complete": True}], {"toy": dataset.described()})
    assert crossing["describers"] == ["judge", "other"]
    (cell,) = (cell for cell in crossing["cells"] if cell["description"] == "reference")
    assert (cell["rows"], cell["acc2"]) == (2, 1.0)


def test_without_crossed_cases_there_is_no_crossing() -> None:
    """Two judges by S2 alone are no crossing; an audit is none either."""
    cases = [_case("judge", OWN), _case("other", OWN), _case("judge", OWN, "blind")]
    assert crossings(cases, {"toy": Dataset("toy", PAIRS).described()}) == []
