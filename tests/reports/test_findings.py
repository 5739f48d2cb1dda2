from __future__ import annotations

import pytest
from support.documents import case, report, toy_pairs

from emoprefer_bench.cases import Case
from emoprefer_bench.data.datasets import Dataset
from emoprefer_bench.pairs import EXCHANGED, Clip, Pair
from emoprefer_bench.reports import findings
from emoprefer_bench.scoring import controls
from emoprefer_bench.scoring.comparisons import METRICS, compared, rounds_of, with_variants
from emoprefer_bench.scoring.comparisons import Rows as RowsOf
from emoprefer_bench.trial.variants import variants_of

LABELS = ["a1", "a2"] * 15
TEXTS = ("one", "one two")
M = Case("m", "S1", "toy", "audio")


def pairs(labels=LABELS):
    """Pairs on clips of their own, of which the preferred text is never the longer one."""
    return [
        Pair(f"{row:05}:c{row}", Clip(f"c{row}"), *(TEXTS if label == "a1" else TEXTS[::-1]), label)
        for row, label in enumerate(labels)
    ]


def judged(verdicts, **more):
    """A case on these pairs."""
    return case(M, pairs(), verdicts, **more)


def test_a_judge_is_compared_with_every_control_by_every_metric():
    """Whether or not the controls' cases are run; what a control says is what its case says."""
    found = judged(LABELS)["comparisons"]
    assert {(one["against"], one["metric"]) for one in found} == {
        (control, metric) for control in ("longer", "always_a1", "random") for metric in METRICS
    }
    (longer,) = (one for one in found if (one["against"], one["metric"]) == ("longer", "acc2"))
    assert (longer["score"], longer["other"], longer["difference"]) == (1.0, 0.0, 1.0)
    assert longer["mcnemar"]["first_only"] == 30
    assert longer["p_two_sided"] < 0.001


def test_what_controls_say_is_what_their_cases_say(bench):
    """The coin of `random` too."""
    bench.run("-k", "toy and (longer or always_a1 or random)")
    cases, keys = bench.cases(), [pair.split(":")[1] for pair in bench.report()["datasets"]["toy"]["keys"]]
    texts = [("he is sad", "he is very happy today"), ('quote "x", ok', "b c"), ("one", "two three")]
    for order in ("forward", "exchanged"):
        turn = 1 if order == "forward" else -1
        asked = [Pair("", Clip(key), *both[::turn]) for key, both in zip(keys, texts, strict=True)]
        for name, said in controls.answers(asked).items():
            assert cases[f"{name}-toy"]["verdicts"][0][order] == said, name


def test_a_control_is_compared_with_no_control():
    """It is one."""
    assert case(Case("longer", "direct", "toy"), pairs(), LABELS)["comparisons"] == []


def test_pairs_without_texts_are_compared_with_no_control():
    """As in a replay that has no data set."""
    blank = [Pair(f"{row:05}:", Clip(f"row {row}"), "", "", label) for row, label in enumerate(LABELS)]
    assert case(M, blank, LABELS)["comparisons"] == []


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        (LABELS, "m-S1-toy beats "),
        ([EXCHANGED[label] for label in LABELS], "m-S1-toy is beaten by "),
        (["a1"] * 30, "m-S1-toy can't be told from "),
    ],
)
def test_one_line_says_whether_a_judge_beats_the_best_control(verdicts, expected):
    """By how much and how surely, and no more than p allows."""
    (line,) = findings.against_controls([judged(verdicts)])
    assert line.startswith(expected)
    assert "points [" in line
    assert "], p < 0.001" in line or "], p = 0." in line or "], p = 1.000" in line


@pytest.mark.parametrize(
    ("p", "interval", "expected"),
    [
        (0.03, [0.01, 0.3], "m-S1-toy beats "),
        (0.03, [-0.036, 0.461], "m-S1-toy can't be told from "),
        (0.06, [0.13, 0.19], "m-S1-toy can't be told from "),
        (0.03, None, "m-S1-toy can't be told from "),
    ],
)
def test_what_p_and_interval_do_not_both_say_is_not_said(p, interval, expected):
    """On few clips they differ."""
    found = judged(LABELS)
    for one in found["comparisons"]:
        one |= {"p_two_sided": p, "interval": interval}
    (line,) = findings.against_controls([found])
    assert line.startswith(expected)


def test_the_best_control_is_the_one_with_the_best_score():
    """Not the one that the judge beats most."""
    (line,) = findings.against_controls([judged(LABELS)])
    others = {one["against"]: one["other"] for one in judged(LABELS)["comparisons"] if one["metric"] == "waf2"}
    best = max(others, key=lambda name: others[name])
    assert line.startswith(f"m-S1-toy beats the control {best}: waf2 100.00 against {100 * others[best]:.2f}, +")


def test_cases_without_labels_or_comparisons_say_nothing():
    """Nothing is claimed without a difference."""
    unlabelled = case(M, toy_pairs([None] * 6), ["a1"] * 6)
    assert findings.against_controls([unlabelled]) == []
    assert findings.against_controls([{"id": "skipped", "outcome": "skipped"}]) == []
    assert findings.deltas([unlabelled]) == ""
    assert findings.gates([unlabelled]) == ""
    assert findings.noise([unlabelled]) == []


def test_a_model_whose_engine_died_is_named_once():
    """However many of its cases say so; a model whose engine lived is not."""
    cases = [{"model": name, "restarts": count} for name, count in (("m", 2), ("m", 2), ("n", 0))]
    (line,) = findings.restarts([*cases, {"model": "skipped"}])
    assert line.startswith("m: its engine died 2 times and was started again")


def test_the_delta_table_has_before_after_and_how_sure():
    """Against a run that was worse."""
    now, then = judged(LABELS), judged([EXCHANGED[label] for label in LABELS[:15]] + LABELS[15:])
    rows = RowsOf.of(Dataset("toy", pairs()).described())
    now["comparisons"] += compared("main", "baseline", rows, rounds_of(now, 30), rounds_of(then, 30))
    text = findings.deltas([now])
    assert text.startswith("compared with the baseline main\n")
    assert ["m-S1-toy", "acc2", "50.00", "100.00", "+50.00"] in [line.split()[:5] for line in text.splitlines()]


def test_gates_are_counted_and_told_the_failed_ones_first():
    """What passed is a number."""
    outcomes = ("warn", "pass", "inconclusive", "fail", "pass")
    gate = [{"kind": "drop", "outcome": outcome, "message": outcome + "!"} for outcome in outcomes]
    assert findings.gates([{"gate": gate}]).splitlines() == [
        "gates: 2 passed, 1 failed, 1 inconclusive, 1 warning",
        "  failed: fail!",
        "  inconclusive: inconclusive!",
        "  warning: warn!",
    ]


def test_policies_and_bounds_stand_in_the_report():
    """Every treatment of ties and silence, and how far silence could move each score."""
    verdicts = ["same", "?", *LABELS[2:]]
    found = report([judged(verdicts)], Dataset("toy", pairs()))["cases"][0]
    policies = {(one["ties"], one["unread"]): one["acc2"] for one in found["policies"]}
    assert len(policies) == 12
    assert policies["a1", "same"] == found["scores"]["acc2"]["mean"] == pytest.approx(29 / 30)
    assert policies["wrong", "wrong"] == found["scores"]["strict_acc2"]["mean"] == pytest.approx(28 / 30)
    assert policies["half", "wrong"] == pytest.approx(28.5 / 30)
    assert policies["dropped", "dropped"] == 1.0
    assert found["bounds"]["strict"]["acc2"] == {"worst": pytest.approx(28 / 30), "best": pytest.approx(29 / 30)}


WRONG = [EXCHANGED[label] for label in LABELS]


@pytest.mark.parametrize(
    ("blind", "other", "sound", "picture", "said"),
    [
        (WRONG, WRONG, LABELS, LABELS, "goes by what it hears and what it sees: with either alone"),
        (WRONG, WRONG, WRONG, WRONG, "goes by what it hears and what it sees: it needs both"),
        (WRONG, WRONG, LABELS, WRONG, "goes by what it hears: without the picture"),
        (WRONG, WRONG, WRONG, LABELS, "goes by what it sees: without the sound"),
        (WRONG, LABELS, WRONG, WRONG, "goes by having a clip, and not by which"),
        (LABELS, WRONG, WRONG, LABELS, "goes by the texts: without the clip"),
    ],
)
def test_the_audit_says_what_a_judge_goes_by(blind, other, sound, picture, said):
    """A judge that is right, and one run of it for each thing that is taken away."""
    whole = Case("m", "S1", "toy", "audiovideo")
    runs = [whole, *variants_of(whole)]
    said_by = (LABELS, blind, other, sound, picture)
    cases = [case(run, pairs(), verdicts) for run, verdicts in zip(runs, said_by, strict=True)]
    with_variants(cases, {"toy": Dataset("toy", pairs()).described()})
    lines = findings.senses(cases)
    assert len(lines) == 1
    assert lines[0].startswith(f"m-S1-toy {said}")
