from __future__ import annotations

import pytest
from support.runs import HOSTILE


@pytest.mark.parametrize("name", ["plain", "rounds", "golden", "empty", "hostile"])
def test_a_page_opens_without_a_word_and_fetches_nothing(tab, pages, name):
    """No message on the console, no error, no dialog, nothing against its policy, no request but the page itself."""
    tab.open(pages(name))
    assert tab.unsound() == []
    assert tab.requests == [pages(name).as_uri()]


def test_hostile_text_is_inert_and_to_be_read(tab, pages):
    """Nothing in it runs, becomes an element, breaks out of its place or is hidden."""
    tab.open(pages("hostile"))
    page = tab.page
    for details in page.locator("details").all():
        details.evaluate("(node) => { node.open = true; }")
    assert page.evaluate("window.hacked") is None
    assert page.locator("img, iframe, b b, base, main script, main style, [onerror], [onload], [onclick]").count() == 0
    shown = page.locator(".text div.said").all_inner_texts()
    for text in HOSTILE[:5]:
        assert text in shown
    assert any("\u2400" in text and "\u241b[31m" in text and "\u2407" in text for text in shown)
    assert "half a character \ufffd a1" in page.locator(".answers").first.inner_text().replace("\ud800", "\ufffd")
    assert tab.unsound() == []


def test_marks_that_turn_the_direction_end_with_their_text(tab, pages):
    """Whatever surrounds a right-to-left mark stays as it is: every foreign text has a direction of its own."""
    tab.open(pages("hostile"))
    alone = "(node) => getComputedStyle(node).unicodeBidi === 'isolate' && node.dir === 'auto'"
    foreign = tab.page.locator(".said")
    assert foreign.count() > 40
    assert all(text.evaluate(alone) for text in foreign.all())
