from __future__ import annotations

from dataclasses import replace

import pytest
from support.documents import case, report, toy_pairs

from emoprefer_bench.cases import Case
from emoprefer_bench.data.datasets import Dataset
from emoprefer_bench.gates import baselines
from emoprefer_bench.gates import decide as gates
from emoprefer_bench.gates import limits as written
from emoprefer_bench.gates.decide import Policy
from emoprefer_bench.gates.limits import Limit, LimitError
from emoprefer_bench.pairs import EXCHANGED, Clip
from emoprefer_bench.scoring.comparisons import Rows, compared, rounds_of

LABELS = ["a1", "a2"] * 20
M = Case("m", "S1", "toy", "audio")
PROMPTS = {"name": "default", "sha256": "0" * 64}


def run(verdicts, labels=LABELS, **more):
    """A report of one case, on pairs of which two share a clip."""
    pairs = toy_pairs(labels)
    return report([case(M, pairs, verdicts, **more)], Dataset("toy", pairs))


def wrong(count, verdicts=LABELS):
    """Verdicts of which the first ones are exchanged."""
    return [EXCHANGED[verdict] for verdict in verdicts[:count]] + verdicts[count:]


def decide(now, before=None, *limits, **policy):
    """The decisions on the only case of a report, against another report as the baseline."""
    baseline = baselines.Baseline("main").merged(before) if before else None
    held = Policy([written.limit(text) for text in limits], **policy)
    return gates.decide(now["cases"][0], now["datasets"]["toy"], held, baseline, PROMPTS)


def told(decisions):
    """Kinds and outcomes, but for the prompts, which the two reports and `PROMPTS` do not share."""
    return [(one["kind"], one["outcome"]) for one in decisions if one["kind"] != "environment"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("waf2:2pp", Limit("waf2", "drop", 0.02)),
        ("waf2: .5 pp", Limit("waf2", "drop", 0.005)),
        ("strict_acc3:3%", Limit("strict_acc3", "drop", 0.03, relative=True)),
        ("swap:0pp", Limit("swap", "drop", 0.0)),
        ("min_acc2:0.6", Limit("acc2", "floor", 0.6)),
        ("min_answered:95%", Limit("answered", "floor", 0.95)),
        ("min_acc2:1", Limit("acc2", "floor", 1.0)),
    ],
)
def test_a_limit_is_a_tolerance_or_a_floor(text, expected):
    """Points are absolute, percents are of the baseline's score, floors are shares."""
    read = written.limit(text)
    assert (read.metric, read.kind, read.relative) == (expected.metric, expected.kind, expected.relative)
    assert read.amount == pytest.approx(expected.amount)


@pytest.mark.parametrize(
    "text",
    [
        *("", "waf2", "waf2:", "waf2:2", "waf2:-2pp", "waf2:2pt", "waf2:1e3pp", "first_slot:2pp", "ties:1%", ":2pp"),
        *("min_waf2:2pp", "min_waf2:60", "min_nothing:0.5", "nothing:2pp", "min_acc2:nan", "min_acc2:inf"),
    ],
)
def test_what_is_no_limit_is_refused_with_one_that_is(text):
    """Whatever was typed."""
    with pytest.raises(LimitError, match=r"write|metrics are"):
        written.limit(text)


def test_a_later_limit_replaces_an_earlier_one_of_its_kind():
    """A floor and a tolerance on the same metric stand side by side."""
    first, floor, second = (written.limit(text) for text in ("waf2:2pp", "min_waf2:0.5", "waf2:3pp"))
    assert written.merged([first, floor], [second]) == [second, floor]


def test_no_limits_and_no_baseline_decide_nothing():
    """A plain run has no gate."""
    assert decide(run(LABELS)) == []


def test_the_message_of_a_drop_has_every_number():
    """Score, baseline, difference, interval, p, tolerance, and the rows, those first that were right."""
    (drop,) = (one for one in decide(run(wrong(16)), run(LABELS), "acc2:2pp") if one["kind"] == "drop")
    assert drop["outcome"] == "fail"
    assert drop["message"].startswith("m-S1-toy: acc2 60.00, baseline 100.00: -40.00 pp, 95% interval [")
    assert "one-sided p = 0.00" in drop["message"]
    assert " at a level of 0.01; tolerated are 2.00 pp. " in drop["message"]
    assert "tolerated are 2.00 pp. Flipped: row 1 (clip0) a1 -> a2, row 2 (clip0) a2 -> a1" in drop["message"]
    assert drop["message"].endswith("and 8 more")
    assert (drop["drop"], drop["before"], drop["after"], drop["flipped"]) == (0.4, 1.0, 0.6, 16)
    assert drop["interval"][0] < 0.4 < drop["interval"][1]


def test_rows_that_share_a_clip_are_no_independent_evidence():
    """Twelve lost rows on six clips confirm nothing at 0.01, on twelve they do."""
    pairs = toy_pairs(LABELS)
    alone = [replace(pair, key=f"{row:05}:c{row}", clip=Clip(f"c{row}")) for row, pair in enumerate(pairs)]
    before, now = (report([case(M, alone, words)], Dataset("toy", alone)) for words in (LABELS, wrong(12)))
    assert told(decide(now, before, "acc2:2pp")) == [("drop", "fail")]
    assert told(decide(run(wrong(12)), run(LABELS), "acc2:2pp")) == [("drop", "inconclusive")]


def test_what_confirms_a_drop_is_a_choice():
    """The same drop under a laxer p."""
    assert told(decide(run(wrong(12)), run(LABELS), "acc2:2pp", p=0.05)) == [("drop", "fail")]


def test_an_inconclusive_drop_says_what_would_be_seen():
    """Only strictness fails it."""
    decisions = decide(run(wrong(2)), run(LABELS), "acc2:2pp")
    (drop,) = (one for one in decisions if one["kind"] == "drop")
    assert (
        "40 rows can't confirm it at p < 0.01; the smallest drop that they would show is 17.50 pp." in drop["message"]
    )
    assert gates.failing(decisions) == []
    assert gates.failing(decisions, strict=True) == [drop]


@pytest.mark.parametrize("metric", ["waf2", "acc3", "swap", "strict_waf2", "answered"])
def test_every_metric_can_be_held(metric):
    """Silence after a good run drops them all, but what counts silence as a tie."""
    decisions = decide(run(["?"] * 40), run(LABELS), f"{metric}:10pp")
    assert told(decisions) == [("drop", "fail")]


def test_a_score_that_is_undefined_is_inconclusive_never_passed():
    """Without labels there is nothing to hold."""
    unlabelled = [None] * 40
    decisions = decide(run(LABELS, unlabelled), run(LABELS, unlabelled), "acc2:2pp", "min_acc2:0.5")
    assert told(decisions) == [("floor", "inconclusive"), ("drop", "inconclusive")]
    assert all("undefined" in one["message"] for one in decisions if one["kind"] != "environment")


@pytest.mark.parametrize(("score", "outcome"), [(20, "pass"), (21, "fail")])
def test_a_floor_holds_at_its_very_value(score, outcome):
    """20 of 40 wrong are 50%."""
    assert told(decide(run(wrong(score)), None, "min_acc2:0.5")) == [("floor", outcome)]


def test_a_changed_data_set_is_never_compared():
    """Rows that changed, came or went are told apart, each with the first key."""
    decisions = decide(run([*LABELS, "a1"], [*LABELS, "a1"]), run(LABELS), "acc2:2pp", "min_acc2:0.5")
    assert told(decisions) == [("floor", "pass"), ("dataset", "fail")]
    assert "rows 1 added (first: row 41 (clip20)); nothing is compared" in decisions[-1]["message"]
    labels = ["same", *LABELS[1:-1]]
    (decision,) = decide(run(labels, labels), run(LABELS))
    assert "rows 1 changed (first: row 1 (clip0)), 1 removed (first: row 40 (clip19))" in decision["message"]


def test_a_limited_run_is_held_against_the_first_rows():
    """And a change within these is still a change."""
    before = run(LABELS)
    assert told(decide(run(wrong(20)[:20], LABELS[:20]), before, "acc2:2pp", limit=20)) == [("drop", "fail")]
    assert told(decide(run(LABELS[:10], ["same", *LABELS[1:10]]), before, limit=10)) == [("dataset", "fail")]


def test_what_else_changed_is_a_warning_with_both_values():
    """What either run doesn't know is no change."""
    before = run(LABELS)
    before["cases"][0]["engine"]["judge"]["device"] = "NVIDIA A100"
    now = run(LABELS)
    assert not [one for one in decide(now, before) if "device" in one["message"]]
    now["cases"][0]["engine"]["judge"]["device"] = "NVIDIA H200"
    (one,) = decide(now, before)
    assert one["outcome"] == "warn"
    assert one["changes"]["judge's device"] == ["NVIDIA A100", "NVIDIA H200"]
    assert "judge's device NVIDIA A100 -> NVIDIA H200" in one["message"]


@pytest.mark.parametrize(("tolerance", "warned"), [("2pp", True), ("6pp", False), ("2%", True), ("6%", False)])
def test_a_tolerance_under_the_engines_own_noise_is_said(tolerance, warned):
    """It is not widened for that."""
    now = run(LABELS, noise={"rows": 10, "verdicts": 20, "flips": 1, "rate": 0.05, "interval": [0, 0.2]})
    decisions = decide(now, run(LABELS), f"acc2:{tolerance}")
    noise = [one for one in decisions if one["kind"] == "noise"]
    assert bool(noise) == warned
    assert all("1 of 20 verdicts flipped when asked again (5.00%)" in one["message"] for one in noise)
    assert all(one["tolerance"] == pytest.approx(int(tolerance[0]) / 100) for one in decisions if one["kind"] == "drop")


def test_flips_are_of_the_reading_and_the_orders_that_the_metric_counts():
    """An answer that can't be read is an a1 to the reference; a flip of the exchanged order concerns swap alone."""
    pairs = toy_pairs(["a1", "a2"])
    before = report([case(M, pairs, ["a1", "a2"])], Dataset("toy", pairs))
    now = report([case(M, pairs, ["?", "a2"])], Dataset("toy", pairs))
    rows = gates.Rows.of(now["datasets"]["toy"])
    both = [gates.rounds_of(one["cases"][0], 2) for one in (before, now)]
    assert gates.flipped("acc2", rows, *both) == []
    assert gates.flipped("strict_acc2", rows, *both) == [
        {"key": "00000:clip0", "order": "forward", "was": "a1", "now": None, "was_right": True}
    ]
    assert [flip["order"] for flip in gates.flipped("swap", rows, *both)] == ["exchanged"]


def test_a_test_has_its_share_of_the_runs_level():
    """What confirms a drop alone doesn't as one of forty; the message has p, the share, the level and the number."""
    alone, of_forty = (
        next(one for one in decide(run(wrong(16)), run(LABELS), "acc2:2pp", tests=tests) if one["kind"] == "drop")
        for tests in (1, 40)
    )
    assert (alone["outcome"], of_forty["outcome"]) == ("fail", "inconclusive")
    assert alone["p"] == pytest.approx(of_forty["p"], abs=0.002)
    assert (of_forty["alpha"], of_forty["level"], of_forty["tests"]) == (pytest.approx(0.000251, abs=1e-6), 0.01, 40)
    assert "at a level of 0.00025 (0.01 for the 40 tests of this run)" in of_forty["message"]
    assert "40 rows can't confirm it at p < 0.00025" in of_forty["message"]


def test_an_improvement_reads_like_one():
    """It says by how much, how surely, and how to keep it; no word of what is tolerated, or of flips."""
    decisions = decide(run(LABELS), run(wrong(16)), "acc2:2pp")
    (rise,) = (one for one in decisions if one["kind"] == "improvement")
    assert rise["message"].startswith("m-S1-toy: acc2 rose to 100.00, baseline 60.00: +40.00 pp, 95% interval [+")
    assert ", one-sided p = 0.00" in rise["message"]
    assert rise["message"].endswith("--emoprefer-compare main --emoprefer-update puts it into the baseline")
    assert rise["p_rise"] < 0.01
    assert rise["p"] > 0.99


def test_rounds_that_cannot_be_compared_are_said():
    """In a run and in a baseline that has more; the first are compared all the same."""
    pairs = toy_pairs(LABELS)
    one, three = (report([case(M, pairs, *[LABELS] * rounds)], Dataset("toy", pairs)) for rounds in (1, 3))
    decisions = decide(three, one, "acc2:2pp")
    assert told(decisions) == [("rounds", "warn"), ("drop", "pass")]
    assert "m-S1-toy: has 3 rounds, and 1 in the baseline main: the first alone is compared" in [
        decision["message"] for decision in decisions
    ]
    assert told(decide(one, three, "acc2:2pp")) == [("rounds", "warn"), ("drop", "pass")]
    assert told(decide(three, three, "acc2:2pp")) == [("drop", "pass")]


def test_strictness_counts_that_nothing_was_compared():
    """A case that the baseline lacks fails a strict run, unless that run adds it."""
    pairs = toy_pairs(LABELS)
    other = report([case(Case("n", "S1", "toy", "audio"), pairs, LABELS)], Dataset("toy", pairs))
    decisions = decide(run(LABELS), other, "acc2:2pp")
    assert told(decisions) == [("new", "warn")]
    assert gates.failing(decisions) == []
    assert gates.failing(decisions, strict=True) == decisions
    assert gates.failing(decisions, strict=True, adding=True) == []


def settled(settings):
    """A report of a judge with these settings."""
    made = run(LABELS)
    made["cases"][0]["engine"]["judge"] |= settings
    return made


def test_a_changed_setting_is_named():
    """Which one, before and after; one that came or went is so, too."""
    before = settled({"identity": {"options": {"max_tokens": 512}}, "sampling": {"temperature": 0.7, "seed": 1}})
    now = settled({"identity": {"options": {"max_tokens": 1024}}, "sampling": {"temperature": 0.7, "top_p": 0.8}})
    (decision,) = decide(now, before)
    expected = (
        "judge's options.max_tokens 512 -> 1024; judge's sampling.seed 1 -> nothing; judge's sampling.top_p nothing"
    )
    assert expected in decision["message"]
    assert "settings" not in decision["message"]
    assert decision["changes"]["judge's options.max_tokens"] == ["512", "1024"]


def test_a_baseline_that_does_not_know_its_settings_says_so():
    """One of version 0.1 has a digest of them alone."""
    before, now = settled({"sampling": {"temperature": 0.7}}), settled({"sampling": {"temperature": 0.2}})
    baseline = baselines.Baseline("main").merged(before)
    del baseline.cases["m-S1-toy"]["settings"]
    (decision,) = gates.decide(now["cases"][0], now["datasets"]["toy"], Policy(), baseline, PROMPTS)
    assert "judge's settings" in decision["message"]
    assert "(which of them is not in this baseline; one that is saved now has them)" in decision["message"]


SPOKEN = Case("m", "S1", "toy", "audio+subtitle")


def spoken(words, named=SPOKEN):
    """A report of one case on pairs of which the first clip's subtitle is given; None: subtitles were not read."""
    pairs = [
        replace(pair, clip=replace(pair.clip, subtitle=words and (words if pair.clip.name == "clip0" else "Well.")))
        for pair in toy_pairs(LABELS)
    ]
    return report([case(named, pairs, LABELS)], Dataset("toy", pairs))


def test_changed_subtitles_are_another_data_set_to_who_is_told_them():
    """To a judge that is told none they are no change, and where either run doesn't know them they are unknown."""
    before, now = spoken("I am fine."), spoken("I am not.")
    decisions = decide(now, before, "acc2:2pp")
    assert told(decisions) == [("dataset", "fail")]
    assert "the subtitles of 1 clips changed (first: clip0); nothing is compared" in decisions[-1]["message"]
    assert told(decide(before, before, "acc2:2pp")) == [("drop", "pass")]
    for one, other in ((spoken(None), now), (now, spoken(None))):
        assert told(decide(one, other, "acc2:2pp")) == [("drop", "pass")]
    deaf = [spoken(words, M) for words in ("I am fine.", "I am not.")]
    assert told(decide(deaf[1], deaf[0], "acc2:2pp")) == [("drop", "pass")]


def raised(now, before, *limits):
    """Why a run may not take its place in the baseline, with its decisions and comparisons on the case."""
    baseline = baselines.Baseline("main").merged(before)
    of_run, dataset = now["cases"][0], now["datasets"]["toy"]
    of_run["gate"] = decide(now, before, *limits)
    rows = Rows.of(dataset)
    own, other = rounds_of(of_run, 40), baseline.rounds(of_run["id"], 40)
    of_run["comparisons"] = compared("main", "baseline", rows, own, other)
    return gates.why_not_raised(of_run, "main")


def test_a_baseline_takes_no_fall_and_no_luck():
    """A gated score that fell within its tolerance, one that rose within it, and what is inconclusive stay outside."""
    assert raised(run(wrong(1)), run(LABELS), "acc2:5pp") == "acc2 fell by 2.50 pp"
    assert raised(run(LABELS), run(wrong(1)), "acc2:5pp") == "no score rose beyond its tolerance"
    assert raised(run(wrong(3)), run(LABELS), "acc2:5pp") == "acc2 is inconclusive"
    assert raised(run(LABELS), run(wrong(16)), "acc2:5pp") is None
    assert raised(run(LABELS), run(LABELS), "acc2:5pp") is None


def test_a_rise_of_one_score_does_not_carry_the_fall_of_another():
    """Every gated score counts."""
    before, now = run(wrong(16)), run([*LABELS[:-1], "?"])
    assert raised(now, before, "acc2:2pp", "answered:10pp") == "answered fell by 2.50 pp"
    assert raised(now, before, "acc2:2pp") is None


def test_without_limits_the_scores_of_the_table_may_not_fall():
    """Nothing is tolerated where nothing is said."""
    assert (raised(run(wrong(1)), run(LABELS)) or "").startswith("waf2 fell by 2.5")
    assert raised(run(LABELS), run(wrong(1))) is None


def of_subsets(verdicts, subsets=("flip", "omission")):
    """A report of one case, whose rows are in two subsets by halves."""
    pairs = [
        replace(pair, subset=subsets[row // 20] if subsets else None) for row, pair in enumerate(toy_pairs(LABELS))
    ]
    return report([case(M, pairs, verdicts)], Dataset("toy", pairs))


def test_a_limit_may_be_about_one_subset():
    """A drop in it fails where the whole data set holds, and the other way round."""
    worse = [EXCHANGED[label] if row < 20 else label for row, label in enumerate(LABELS)]
    before, now = of_subsets(LABELS), of_subsets(worse)
    [flip, omission] = [
        decision
        for decision in decide(now, before, "acc2[flip]:2pp", "acc2[omission]:2pp")
        if decision["kind"] == "drop"
    ]
    assert (flip["metric"], flip["outcome"], flip["rows"]) == ("acc2[flip]", "fail", 20)
    assert (flip["before"], flip["after"], flip["flipped"]) == (1.0, 0.0, 20)
    assert "acc2[flip] 0.00, baseline 100.00" in flip["message"]
    assert (omission["outcome"], omission["drop"]) == ("pass", 0.0)


def test_a_floor_may_be_about_one_subset():
    """It holds the score of these rows alone."""
    worse = [EXCHANGED[label] if row < 20 else label for row, label in enumerate(LABELS)]
    flip, omission = decide(of_subsets(worse), None, "min_acc2[flip]:0.6", "min_acc2[omission]:0.6")
    assert (flip["metric"], flip["outcome"], flip["score"]) == ("acc2[flip]", "fail", 0.0)
    assert (omission["outcome"], omission["score"]) == ("pass", 1.0)


@pytest.mark.parametrize("text", ["acc2[flap]:2pp", "min_acc2[flap]:0.6"])
def test_a_subset_that_is_not_there_holds_nothing_and_says_so(text):
    """The message has the subsets that there are; a data set without any says how to name their column."""
    now = of_subsets(LABELS)
    [decision] = [one for one in decide(now, now, text) if one["kind"] != "environment"]
    assert (decision["metric"], decision["outcome"]) == ("acc2[flap]", "inconclusive")
    assert "has no subset 'flap'; its subsets are flip, omission" in decision["message"]
    bare = of_subsets(LABELS, ())
    [decision] = [one for one in decide(bare, bare, text) if one["kind"] != "environment"]
    assert "--emoprefer-subset" in decision["message"]


def test_a_limit_of_a_subset_stands_beside_that_of_all_rows():
    """They are about different things, so neither replaces the other; a name may hold what it likes."""
    limits = [written.limit(text) for text in ("waf2:2pp", "waf2[a:b [c]]:1pp", "waf2[a:b [c]]:3pp")]
    assert [(limit.name, limit.amount) for limit in written.merged(limits)] == [
        ("waf2", 0.02),
        ("waf2[a:b [c]]", 0.03),
    ]
