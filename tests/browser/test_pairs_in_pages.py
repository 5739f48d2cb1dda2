from __future__ import annotations

import re


def test_filters_leave_the_pairs_that_they_name(tab, pages):
    """Each filter alone, as the verdicts that were made have it."""
    tab.open(pages("plain"))
    tab.choose("Judge", "careful S2")
    assert tab.found() == "24 of 24"
    for name, option, found in [
        ("People said", "same", 6),
        ("Verdict", "a1", 12),
        ("Verdict when exchanged", "a2", 12),
        ("Exchanging the texts", "changes nothing", 24),
        ("Exchanging the texts", "flips the choice", 0),
        ("With people", "agrees", 12),
        ("With people", "disagrees", 12),
        ("Disagrees with", "stubborn S1", 12),
        ("Disagrees with", "always_a1", 12),
        ("Answer was", "parsed", 24),
    ]:
        tab.choose(name, option)
        assert tab.found() == f"{found} of 24", (name, option)
        tab.choose(name, "any")
    assert tab.unsound() == []


def test_filters_work_together_and_are_cleared(tab, pages):
    """Every one narrows; Clear takes them all back, the judge among them."""
    tab.open(pages("plain"))
    tab.choose("Judge", "careful S2")
    tab.choose("With people", "disagrees")
    tab.choose("Verdict", "a1")
    tab.choose("People said", "same")
    assert (tab.found(), tab.rows()) == ("6 of 24", [4, 8, 12, 16, 20, 24])
    tab.page.get_by_role("button", name="Clear").click()
    assert tab.found() == "24 of 24"
    assert tab.filter("Judge").input_value() == ""


def test_answers_are_filtered_by_how_they_were_read(tab, pages):
    """Without a judge, a pair is left where any judge fits; unread answers are a verdict of their own."""
    tab.open(pages("plain"))
    tab.choose("Judge", "any")
    tab.choose("Answer was", "ambiguous")
    assert tab.found() == "24 of 24"
    tab.choose("Judge", "stubborn S1")
    assert tab.found() == "0 of 24"
    tab.choose("Answer was", "any")
    tab.choose("Exchanging the texts", "flips the choice")
    assert tab.found() == "24 of 24"
    tab.choose("Judge", "vague S1")
    assert tab.found() == "0 of 24"
    tab.choose("Exchanging the texts", "any")
    tab.choose("Verdict when exchanged", "unread")
    assert tab.found() == "24 of 24"


def test_words_are_searched_in_texts_and_answers(tab, pages):
    """Whatever the case of the letters, and signs are signs, not patterns."""
    tab.open(pages("plain"))
    tab.choose("Judge", "careful S2")
    box = tab.filter("Search")
    for words, found in [
        ("LONG TEXT OF ROW 7,", [8]),
        ("account of clip5.", [11, 12]),
        ("clip5", [11, 12]),
        ("row .*", []),
        ("both have", []),
    ]:
        box.fill(words)
        tab.page.wait_for_timeout(400)
        assert tab.rows() == found, words
    tab.choose("Judge", "vague S1")
    assert tab.found() == "24 of 24"
    assert tab.filter("Search").input_value() == "both have"
    box.fill("nowhere")
    tab.page.wait_for_timeout(400)
    assert tab.found() == "0 of 24"
    tab.page.get_by_role("button", name="Clear").click()
    assert (tab.found(), tab.filter("Search").input_value()) == ("24 of 24", "")


def test_another_data_set_has_its_own_judges(tab, pages):
    """Choosing one begins anew."""
    tab.open(pages("plain"))
    tab.choose("Data set", "other")
    assert tab.filter("Judge").locator("option").all_inner_texts() == ["any", "stubborn S1"]
    tab.choose("Judge", "stubborn S1")
    tab.choose("Verdict", "same")
    assert tab.found() == "24 of 24"


def test_a_pair_tells_its_whole_story(tab, pages):
    """Both texts, people's and the judge's choice marked, the description once, and the answers in both orders."""
    tab.open(pages("plain"))
    tab.choose("Judge", "careful S2")
    shown = tab.pair(0)
    texts = shown.locator(".text")
    assert texts.nth(0).locator(".tag").all_inner_texts() == ["people preferred this"]
    assert texts.nth(1).locator(".tag").all_inner_texts() == ["judge chose this"]
    assert "Short text 0." in texts.nth(0).inner_text()
    assert "by second writer" in texts.nth(1).inner_text()
    assert "Sentence 0." in shown.locator(".seen").inner_text()
    assert shown.get_by_text("An account of clip0.").count() == 1
    assert shown.locator(".answers h4").all_inner_texts() == [
        "Asked a1, a2 \u2192 a2",
        "Asked a2, a1 \u2192 a2 (said a1)",
    ]
    assert shown.locator(".answers h5").all_inner_texts() == ["Description of the clip", "Answer", "Answer"]


def test_a_flip_is_told_by_the_text_that_was_chosen(tab, pages):
    """A judge that always says a2 chooses a1 when it stands second."""
    tab.open(pages("plain"))
    tab.choose("Judge", "stubborn S1")
    assert "flipped" in tab.pair(0).locator(".badges").inner_text()
    assert tab.pair(0).locator(".answers h4").nth(1).inner_text() == "Asked a2, a1 \u2192 a1 (said a2)"


def test_all_judges_of_a_pair_are_compared_and_chosen(tab, pages):
    """The table of all verdicts leads to each judge's own words."""
    tab.open(pages("plain"))
    tab.choose("Judge", "any")
    table = tab.pair(0).get_by_role("region", name="Verdicts on row 1")
    assert table.locator("tbody tr").count() == 4
    table.get_by_role("button", name="vague").click()
    assert tab.filter("Judge").locator("option:checked").inner_text() == "vague S1"
    assert "Both have merit." in tab.pair(0).inner_text()


def test_every_round_is_shown(tab, pages):
    """Each with its own answers."""
    tab.open(pages("rounds"))
    assert tab.pair(0).locator(".answers > h4").all_inner_texts() == ["Round 1", "Round 2"]


def test_pairs_are_turned_over_in_pages(tab, pages):
    """Ten at a time; the ends say that they are ends."""
    tab.open(pages("plain"))
    pager = tab.page.get_by_role("navigation", name="Pages of pairs")
    assert pager.get_by_role("button", name="Previous").is_disabled()
    pager.get_by_role("button", name="Next").click()
    pager.get_by_role("button", name="Next").click()
    assert (tab.rows(), pager.locator("span").inner_text()) == ([21, 22, 23, 24], "Page 3 of 3")
    assert pager.get_by_role("button", name="Next").is_disabled()
    tab.choose("People said", "same")
    assert tab.rows()[0] == 4


def test_a_cell_of_a_matrix_opens_its_pairs(tab, pages):
    """The picture leads to what it counts."""
    tab.open(pages("plain"))
    tab.page.locator("#agreement").get_by_label("Judge").select_option(label="stubborn S1 on toy")
    labels = tab.page.get_by_role("region", name="Verdict by people\u2019s label")
    cell = labels.get_by_role("button", name=re.compile("^same, a2: "))
    assert cell.inner_text() == "6"
    cell.click()
    assert tab.found() == "6 of 24"
    assert tab.page.evaluate("document.activeElement.id") == "pairs"
    tab.page.locator("#agreement").get_by_role("button", name="a2, a2: 24").click()
    assert tab.found() == "24 of 24"


def test_without_transcripts_the_pairs_say_why_there_are_no_texts(tab, pages):
    """Verdicts can still be filtered."""
    tab.open(pages("golden"))
    assert "this page was made without them" in tab.page.locator(".pair").first.inner_text()
    tab.choose("Verdict", "a2")
    assert tab.rows() != []
