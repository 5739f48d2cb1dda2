from __future__ import annotations

from itertools import pairwise

import pytest


@pytest.mark.parametrize("name", ["plain", "golden", "hostile"])
def test_a_phone_is_wide_enough(tab, pages, name):
    """At 390 pixels nothing but tables goes beyond the edge, and those scroll; words of any length break."""
    tab.page.set_viewport_size({"width": 390, "height": 800})
    tab.open(pages(name))
    tab.choose("Judge", "any")
    assert tab.page.evaluate("document.documentElement.scrollWidth") == 390
    beyond = "(node) => !node.closest('.scroll, svg') && node.getBoundingClientRect().right > 391"
    assert tab.page.evaluate(f"[...document.querySelectorAll('main *')].filter({beyond}).length") == 0


def test_the_page_follows_the_system_until_told_otherwise(tab, pages):
    """Dark where the system is dark; the button turns it over, and names what it changes to."""
    tab.open(pages("plain"))
    background = "getComputedStyle(document.body).backgroundColor"
    light = tab.page.evaluate(background)
    tab.page.emulate_media(color_scheme="dark")
    dark = tab.page.evaluate(background)
    assert light == "rgb(255, 255, 255)" != dark
    tab.page.get_by_role("button", name="Light").click()
    assert tab.page.evaluate(background) == light
    tab.page.get_by_role("button", name="Dark").click()
    assert tab.page.evaluate(background) == dark


CONTRAST = """
([text, paper]) => {
  const probe = document.body.appendChild(document.createElement("p"));
  const light = (name) => {
    probe.style.color = `var(--${name})`;
    const [r, g, b] = getComputedStyle(probe).color.match(/[\\d.]+/g).map((part) => part / 255)
      .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const [dark, bright] = [light(text), light(paper)].sort((a, b) => a - b);
  probe.remove();
  return (bright + 0.05) / (dark + 0.05);
}
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground(tab, pages, scheme):
    """Every colour that text has reaches 4.5 to 1, as WCAG 2.2 asks for at level AA (criterion 1.4.3)."""
    tab.page.emulate_media(color_scheme=scheme)
    tab.open(pages("plain"))
    for colour in ("ink", "soft", "blue", "orange", "green", "red"):
        for paper in ("paper", "raised"):
            assert tab.page.evaluate(CONTRAST, [colour, paper]) >= 4.5, (colour, paper)


def test_the_keyboard_reaches_everything(tab, pages):
    """The first stop skips to the scores; a filter is changed, a table scrolled and a page turned without a mouse."""
    tab.open(pages("plain"))
    page = tab.page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the scores"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "scores"
    tab.filter("Judge").focus()
    page.keyboard.type("stub")
    assert tab.filter("Judge").locator("option:checked").inner_text() == "stubborn S1"
    assert page.evaluate("document.activeElement.matches('.filters select')")
    page.keyboard.press("Tab")
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.get_by_role("button", name="Next").focus()
    page.keyboard.press("Enter")
    assert tab.rows()[0] == 11
    assert page.locator(".scroll:not([tabindex='0'])").count() == 0


UNNAMED = """
() => [...document.querySelectorAll("select, input, button, table, section, nav, video, [role=region], [role=img]")]
  .filter((node) => !node.labels?.length && !node.getAttribute("aria-label") && !node.caption?.textContent)
  .filter((node) => !(node.matches("button") && node.textContent) && !node.querySelector(":scope > h4"))
  .filter((node) => !document.getElementById(node.getAttribute("aria-labelledby"))?.textContent).length
"""


def test_everything_has_a_name_for_those_who_listen(tab, pages):
    """Controls, tables, regions and players are named; headings go down one step at a time; ids are unique."""
    tab.open(pages("plain"))
    unnamed = tab.page.evaluate(UNNAMED)
    levels = [
        int(level[1])
        for level in tab.page.evaluate("[...document.querySelectorAll('h1,h2,h3,h4,h5')].map((e) => e.tagName)")
    ]
    twice = "[...document.querySelectorAll('[id]')].map((e) => e.id).filter((id, i, all) => all.indexOf(id) !== i)"
    assert unnamed == 0
    assert levels[0] == 1
    assert all(below - above <= 1 for above, below in pairwise(levels))
    assert tab.page.evaluate(twice) == []
    assert tab.page.evaluate("document.documentElement.lang") == "en"
