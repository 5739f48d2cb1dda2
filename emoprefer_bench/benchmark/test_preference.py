"""The benchmark: every model x prompt x data set is one case of this test."""

from emoprefer_bench import BoundCase


def test_preference(case: BoundCase) -> None:
    """Judge every pair in both orders, match the answers to labels, and score them."""
    assert case.run()["complete"]
