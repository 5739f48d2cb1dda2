from __future__ import annotations

import json

import pytest
from support.weighed import world


def test_confidence_is_drawn_and_said(tab, pages):
    """For each judge that weighs, and for the fused ones, two pictures, each with its numbers as a table."""
    tab.open(pages("weighed"))
    section = tab.page.locator("#confidence")
    assert section.locator("svg.square").count() == 8
    assert section.locator("p", has_text="No evidence").count() == 1  # of the judge that knows nothing
    calibration = report(tab)["cases"][0]["weighing"]["calibration"]
    cells = section.locator("article").first.locator("table").first.locator("tbody td:nth-child(2)")
    assert cells.all_text_contents() == [f"{100 * bin_['accuracy']:.1f}" for bin_ in calibration["bins"]]
    assert section.locator("article").first.locator("svg.square").first.locator("circle").count() == 5
    assert section.locator("table").last.locator("tbody tr").count() == 4
    assert tab.unsound() == []


def report(tab):
    """The report that the page was given."""
    return json.loads(tab.page.locator("#report").text_content())


def test_what_is_so_by_design_is_said_to_be(tab, pages):
    """Swap consistency of margins is no score of the judge's."""
    tab.open(pages("weighed"))
    tab.page.locator("#scores summary", has_text="All scores as a table").first.click()
    assert tab.page.locator("#scores table").get_by_text("by design").count() >= 4
    assert tab.page.locator("#agreement table", has_text="Position bias").count() == 0


@pytest.mark.parametrize(
    ("order", "place"),
    [
        ("greatest margin first", lambda margin: -abs(margin)),
        ("smallest margin first", abs),
        ("from a1 to a2", lambda margin: -margin),
    ],
)
def test_pairs_are_sorted_by_margin(tab, pages, order, place):
    """By the chosen judge's; a page later the order goes on."""
    _, margins = world(0, noise=1)
    wanted = [row + 1 for row in sorted(range(240), key=lambda row: place(margins[1][row]))]
    tab.open(pages("weighed"))
    tab.choose("Judge", "judge1 L1")
    assert tab.rows() == list(range(1, 11))
    tab.choose("Order of pairs", order)
    assert tab.rows() == wanted[:10]
    tab.page.get_by_role("button", name="Next").click()
    assert tab.rows() == wanted[10:20]


def test_a_pair_says_its_margin_and_confidence(tab, pages):
    """In both orders, where an answer would stand, and in the table of all verdicts on it."""
    _, margins = world(0, noise=1)
    tab.open(pages("weighed"))
    tab.choose("Judge", "judge0 L1")
    words = tab.pair(0).locator(".answers").inner_text()
    margin = float(f"{margins[0][0]:.4g}")
    for first in (margin, -margin):
        assert f"{first:+.3g} nats for the first; confidence ".replace("-", "\u2212") in words
    assert "Margin" in tab.pair(0).locator("table").first.text_content()


def test_judges_that_answer_have_no_order_by_margin(tab, pages):
    """There is nothing to sort by."""
    tab.open(pages("plain"))
    assert tab.filter("Order of pairs").count() == 0
