from __future__ import annotations

import pytest

from emoprefer_bench.reports import numbers


@pytest.mark.parametrize(
    ("bounds", "around", "written"),
    [
        ((0.3321, 0.6588), 0.4949, "[33.2, 65.9]"),
        ((0.99955, 0.99964), 0.9996, "[99.95, 99.96]"),
        ((0.0, 0.00041), 0.0004, "[0.00, 0.04]"),
        ((1.0, 1.0), 1.0, "[100.0, 100.0]"),
        ((0.99955, 0.99964), None, "[100.0, 100.0]"),
        (None, 0.5, "-"),
    ],
)
def test_an_interval_holds_the_number_before_it(bounds, around, written):
    """As it is printed: 99.96 with [100.0, 100.0] behind it would look like a mistake."""
    assert numbers.interval(bounds, around) == written
