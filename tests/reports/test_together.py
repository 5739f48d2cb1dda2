"""How judges go with each other, on verdicts that can be counted by hand."""

from __future__ import annotations

import pytest
from support.runs import says, told

from emoprefer_bench.cases import Case
from emoprefer_bench.pairs import Clip, Pair
from emoprefer_bench.reports.page.together import together

LABELS = ("a1", "a1", "a2", "a2", "same", "a1")


def says_each(*words):
    """A judge that says each of the words about its row, in both orders."""
    return lambda pair, exchanged: [("judge", words[int(pair.key[:5])])]


@pytest.fixture
def document(tmp_path):
    """Two judges, a control and a variant on six pairs of three clips."""
    clips = [Clip(f"clip{number}", digest=f"{number:064}") for number in range(3)]
    pairs = [
        Pair(f"{row:05}:clip{row // 2}", clips[row // 2], f"one {row}", f"two {row}", label)
        for row, label in enumerate(LABELS)
    ]
    judges = {
        Case("left", "S1", "toy", "video"): says_each("a1", "a2", "a1", "a1", "a1", "no idea"),
        Case("right", "S1", "toy", "video"): says_each("a1", "a2", "a1", "a2", "a1", "a2"),
        Case("always_a1", "direct", "toy", None): says("a1"),
        Case("left", "S1", "toy", "text", variant="blind"): says("a1"),
    }
    return told(tmp_path, pairs, judges)


def test_agreement_is_counted_where_both_are_read(document):
    """Shares and kappa of each two, people among them; an unread verdict takes its row out."""
    agreement = together(document, "toy")["agreement"]
    found = {tuple(pair[:2]): pair[2:] for pair in agreement["pairs"]}
    assert agreement["cases"] == [case["id"] for case in document["cases"]]
    assert len(found) == 10
    assert found[1, 2] == [5, 0.8, pytest.approx((0.8 - 0.56) / 0.44, abs=1e-4)]
    assert found[0, 2] == [6, pytest.approx(2 / 6, abs=1e-4), pytest.approx(-1 / 7, abs=1e-4)]
    assert found[3, 4] == [6, 1.0, None]


def test_what_all_judges_miss_is_told_by_row_and_clip(document):
    """Of pairs with a winner. A control or a variant that is right doesn't count, an unread answer is a miss."""
    missed = together(document, "toy")["missed"]
    assert (missed["judges"], missed["asked"], missed["rows"]) == (2, 5, [1, 2, 5])
    assert missed["clips"] == [["clip2", 1, 1], ["clip0", 1, 2], ["clip1", 1, 2]]
    assert missed["independent"] == pytest.approx(4 / 5 * 3 / 5 * 5)


def test_one_judge_shares_no_errors(document):
    """Nor is there anything to agree with."""
    document["cases"] = document["cases"][:1]
    assert together(document, "toy") == {"agreement": None, "missed": None}
