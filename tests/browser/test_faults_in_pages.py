from __future__ import annotations

from support.describers import crossed_run


def test_whose_fault_errors_are_is_drawn_and_said(tab, pages):
    """A bar for each judge's errors, one for what makes verdicts differ, and the numbers of both as tables."""
    tab.open(pages("crossed"))
    section = tab.page.locator("#faults")
    (crossing,) = crossed_run()["crossings"]
    assert section.locator("ol.board li").count() == 3
    assert section.locator("svg.bar").count() == 4
    blamed = section.locator("table", has_text="None mends").locator("tbody tr")
    assert [row.split("\t")[0] for row in blamed.all_inner_texts()] == [judged["case"] for judged in crossing["judges"]]
    assert blamed.locator("b").count() == 2  # the teller's descriptions, and the chooser's comparing
    cells = section.locator("table", has_text="no description").locator("tbody")
    assert cells.locator("tr").all_inner_texts()[-1].startswith("no description")
    assert tab.unsound() == []


def test_judges_with_the_descriptions_of_others_stand_apart(tab, pages):
    """They are no rows among the scores, and can be looked at pair by pair all the same."""
    tab.open(pages("crossed"))
    assert tab.page.locator("#scores ol.board").first.locator("li .name").count() == 3
    tab.choose("Judge", "seer S2 by-teller")
    assert tab.found() == "240 of 240"


def test_a_run_without_crossing_has_no_such_picture(tab, pages):
    """Nothing is drawn of nothing."""
    tab.open(pages("plain"))
    assert tab.page.locator("#faults").count() == 0
