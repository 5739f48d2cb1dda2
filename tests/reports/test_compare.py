from __future__ import annotations

import pytest
from support.documents import case, report, toy_pairs, without_scores

from emoprefer_bench.cases import Case
from emoprefer_bench.data.datasets import Dataset
from emoprefer_bench.document.rows import clip_of, shared_rows
from emoprefer_bench.pairs import EXCHANGED
from emoprefer_bench.reports import compare

LABELS = ["a1", "a2"] * 10
M = Case("m", "S1", "toy", "audio")


def run(verdicts, labels=LABELS, *, named=M, **more):
    """A report of one case."""
    pairs = toy_pairs(labels)
    return report([case(named, pairs, verdicts, **more)], Dataset(named.dataset, pairs))


def flipped(verdicts, count):
    """The verdicts, the first ones exchanged."""
    return [EXCHANGED[verdict] for verdict in verdicts[:count]] + verdicts[count:]


def change(before, after):
    """The change of the only case."""
    (found,) = compare.changes(before, after, "toy", ["waf2", "acc2", "swap"])
    return found


def test_a_case_is_shown_old_to_new_with_its_difference():
    """Second minus first: 20 of 20 right, then 15."""
    found = change(run(LABELS), run(flipped(LABELS, 5)))
    accuracy = found.differences["acc2"]
    assert (accuracy["other"], accuracy["score"]) == (1, 0.75)
    assert accuracy["difference"] == pytest.approx(-0.25)
    assert accuracy["mcnemar"]["second_only"] == 5
    assert found.differences["swap"]["difference"] == 0
    text = compare.render(run(LABELS), run(flipped(LABELS, 5)))
    assert ["m-S1", "acc2", "100.00", "75.00", "-25.00"] in [line.split()[:5] for line in text.splitlines()]


def test_the_rows_that_flipped_are_named():
    """By key, with both verdicts; many are counted."""
    text = compare.render(run(LABELS), run(flipped(LABELS, 2)))
    assert "m-S1-toy: 2 of 20 verdicts flipped\n  row 1 (clip0): a1 -> a2\n  row 2 (clip0): a2 -> a1" in text
    assert "and 2 more" in compare.render(run(LABELS), run(flipped(LABELS, 12)))


def test_the_same_report_has_no_difference():
    """Nothing flipped, p is 1."""
    found = change(run(LABELS), run(LABELS))
    assert found.flipped == []
    assert {difference["p_two_sided"] for difference in found.differences.values()} == {1.0}


def test_another_data_set_is_said_and_only_shared_rows_are_compared():
    """Rows whose label or text changed are left out of every number."""
    other = ["same", *LABELS[1:]]
    old, new = run(LABELS), run(flipped(LABELS, 1), other)
    found = change(old, new)
    assert found.rows == 19
    assert found.differences["acc2"]["difference"] == 0
    text = compare.render(old, new)
    assert "ANOTHER DATA SET: 1 of its 20 rows are not among the 20 of the report before" in text
    assert "ANOTHER DATA SET" not in compare.render(old, old)


def test_a_shorter_data_set_is_compared_on_what_both_have():
    """A run with --emoprefer-limit against a whole one."""
    old, new = run(LABELS), run(LABELS[:6], LABELS[:6])
    assert change(old, new).rows == 6
    assert "ANOTHER DATA SET: 0 of its 6 rows are not among the 20 of the report before" in compare.render(old, new)


def test_without_a_shared_row_nothing_is_compared():
    """It is said, instead of a table of dashes."""
    text = compare.render(run(LABELS[:2], LABELS[:2]), run(LABELS[:2], ["same", "same"]))
    assert "no row has verdicts in both reports" in text
    assert "waf2" not in text


def test_rows_that_only_one_run_answered_are_left_out():
    """An interrupted run is compared on what it has, with its unread verdicts."""
    half = [*LABELS[:8], "?", *[None] * 11]
    found = change(run(LABELS), run(half, outcome="interrupted"))
    assert found.rows == 9
    assert found.differences["acc2"]["difference"] == 0


def test_what_only_one_report_has_is_named():
    """Cases and data sets, each with the side that has it."""
    old = run(LABELS)
    new = run(LABELS, named=Case("n", "S1", "toy", "audio"))
    text = compare.render(old, new)
    assert "scores only in the report before: m-S1-toy" in text
    assert "scores only in the report after: n-S1-toy" in text
    assert "other: only in the report after" in compare.render(
        old, run(LABELS, named=Case("m", "S1", "other", "audio"))
    )


def test_a_case_without_scores_counts_as_not_there():
    """It was skipped in one of the runs."""
    old = run(LABELS)
    skipped = report([without_scores(M, "skipped", "no GPU")], Dataset("toy", toy_pairs(LABELS)))
    assert compare.render(old, skipped).endswith("scores only in the report before: m-S1-toy")


def test_rows_are_matched_by_key_and_digest():
    """Neither alone is enough: keys number rows, and a row may move."""
    old = {"keys": ["0:a", "1:b", "2:c"], "row_digests": ["x", "y", "z"]}
    new = {"keys": ["0:a", "1:c", "2:c", "3:d"], "row_digests": ["x", "z", "z", "w"]}
    assert shared_rows(old, new) == [(0, 0), (2, 2)]


def test_a_key_names_its_clip():
    """Clips may have colons; where the clip is unknown the row stands for itself."""
    assert [clip_of(key) for key in ("00001:a:b", "00002:")] == ["a:b", "00002:"]
