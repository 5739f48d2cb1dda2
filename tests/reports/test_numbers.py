"""How numbers are written."""

from __future__ import annotations

import pytest

from emoprefer_bench.reports import numbers


@pytest.mark.parametrize(
    ("written", "text"),
    [
        (numbers.points(0.01234), "+1.23"),
        (numbers.points(-0.01234), "-1.23"),
        (numbers.points(-0.00001), "+0.00"),
        (numbers.points(None), "-"),
        (numbers.points_interval([-0.0001, 0.05]), "[+0.0, +5.0]"),
        (numbers.points_interval([-0.05, -0.0006]), "[-5.0, -0.1]"),
        (numbers.points_interval(None), "-"),
    ],
)
def test_differences_have_a_sign_and_none_is_a_negative_zero(written, text):
    """In points, with two decimals, and their intervals with one."""
    assert written == text


@pytest.mark.parametrize(
    ("bounds", "around", "text"),
    [
        ([0.5, 1.0], None, "[50.0, 100.0]"),
        ([0.12341, 0.5], 0.12342, "[12.3, 50.0]"),
        ([0.12361, 0.5], 0.12362, "[12.36, 50.00]"),
    ],
)
def test_an_interval_holds_its_number(bounds, around, text):
    """With a second decimal where one would round the number out of it."""
    assert numbers.interval(bounds, around) == text


def test_a_p_has_three_decimals_or_is_said_to_be_less():
    """As a cell and in a sentence."""
    assert [numbers.p(value) for value in (0.031, 0.0004, None)] == ["0.031", "<0.001", "-"]
    assert [numbers.p_is(value) for value in (0.031, 0.0004)] == ["p = 0.031", "p < 0.001"]
