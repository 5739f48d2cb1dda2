from __future__ import annotations

import re

import pytest
from support.runs import a_run, golden, prefers_longer, says, some_pairs, told
from support.sources import people_run, shortcuts_run

from emoprefer_bench.cases import Case
from emoprefer_bench.reports import html


def test_the_leaderboard_shows_every_judge_beside_the_controls(tab, pages):
    """In falling order, the controls marked; each with its score in words, beside the picture."""
    tab.open(pages("plain"))
    [rows, other] = [board.locator("li:not(.axis)") for board in tab.page.locator("#scores .board").all()]
    names = rows.locator(".name").all_inner_texts()
    assert sorted(re.sub(r"\s+", " ", name) for name in names) == [
        "always_a1 control",
        "careful S2",
        "stubborn S1",
        "vague S1",
    ]
    values = [float(value) for value in rows.locator(".value b").all_inner_texts()]
    assert values == sorted(values, reverse=True)
    assert rows.locator("path.dot.control").count() == 1
    assert rows.locator("circle.dot").count() == 3
    assert other.count() == 1


def test_the_score_and_the_reading_are_chosen(tab, pages):
    """What can't be read counts as the reference guesses it, or strictly as wrong."""
    tab.open(pages("plain"))
    vague = tab.page.locator("#scores .board").first.locator("li", has_text="vague").locator("b")
    tab.page.get_by_label("Score", exact=True).select_option(label="Swap consistency")
    assert vague.inner_text() == "0.0"
    tab.page.get_by_label("Score", exact=True).select_option(label="Accuracy, three classes")
    before = vague.inner_text()
    tab.page.get_by_label("Reading of answers").select_option(label="strict")
    assert vague.inner_text() == before
    careful = tab.page.locator("#scores .board").first.locator("li", has_text="careful").locator("b")
    assert careful.inner_text() == "50.0"


def test_other_conventions_are_a_click_away(tab, pages):
    """What ties and unread answers count for, of the score that is chosen; swap consistency has no such choice."""
    tab.open(pages("golden"))
    tab.page.get_by_text("What ties and unread answers count for").first.click()
    shown = tab.page.locator("details[open] table").first
    heads = ["Judge", "Tie is a1", "Tie is half", "Tie is wrong", "Tie is dropped", "Unread could mean"]
    assert shown.locator("thead th").all_inner_texts() == heads
    cells = shown.locator("tbody tr >> nth=0 >> td").all_inner_texts()
    first, *_ = golden()["datasets"]
    case = max(
        (one for one in golden()["cases"] if one["dataset"] == first and "scores" in one),
        key=lambda one: one["scores"]["waf2"]["mean"],
    )
    found = {one["ties"]: one["waf2"] for one in case["policies"] if one["unread"] == "wrong"}
    assert cells[:4] == [f"{100 * found[ties]:.2f}" for ties in ("a1", "half", "wrong", "dropped")]
    bounds = case["bounds"]["strict"]["waf2"]
    assert cells[4] == f"{100 * bounds['worst']:.2f} to {100 * bounds['best']:.2f}"
    tab.page.get_by_label("Score", exact=True).select_option(label="Swap consistency")
    assert tab.page.get_by_text("What ties and unread answers count for").count() == 0


def test_every_section_has_what_it_is_about(tab, pages):
    """Pictures and tables: bars, points, matrices, the manifest; and the navigation leads to each."""
    tab.open(pages("golden"))
    for link in tab.page.get_by_role("navigation", name="Sections").get_by_role("link").all():
        assert tab.page.locator(f"section{link.get_attribute('href')} h2").count() == 1
    cases = sum("scores" in case for case in golden()["cases"])
    assert tab.page.locator("#consistency .dot").count() == cases
    assert tab.page.locator("#agreement .matrix").count() == 2
    assert tab.page.locator("#answers .bar").count() == cases
    assert tab.page.locator("#scores td.tint").count() <= cases
    assert "its weights | are <gone>" in tab.page.locator("#failed").inner_text()
    assert "2 cases skipped" in tab.page.locator("#gates").inner_text()
    assert tab.page.locator("#run").get_by_text("sha256").count() == 1


def test_gates_are_shown_with_their_outcome_and_story(tab, tmp_path):
    """An outcome is a sign and a word, never a colour alone."""
    document = golden()
    numbers = {"baseline": 0.7, "current": 0.6, "drop": 0.1, "p": 0.0004}
    document["cases"][0]["gate"] = [
        {"outcome": "fail", "kind": "drop", "metric": "waf2", "message": "waf2 fell", **numbers},
        {
            "outcome": "inconclusive",
            "kind": "floor",
            "metric": "acc2",
            "message": "unsure",
            "score": None,
            "floor": 0.6,
        },
    ]
    html.write(document, tmp_path / "page.html")
    rows = tab.open(tmp_path / "page.html").page.get_by_role("region", name="Gates", exact=True).locator("tbody tr")
    first, second = (row.split("\t") for row in rows.all_inner_texts())
    assert first[2:] == ["\u2715 fail", "waf2 drop", "70.0", "60.0", "\u221210.0", "< 0.001", "waf2 fell"]
    assert second[2:] == ["? inconclusive", "acc2 floor", "60.0", "\u2013", "\u2013", "\u2013", "unsure"]


def test_no_more_is_claimed_than_p_allows(tab, tmp_path):
    """Better or worse below 0.05 alone, as the terminal says it, wherever the interval lies."""
    document = golden()
    one = next(case for case in document["cases"] if case.get("comparisons"))
    known = next(other for other in one["comparisons"] if other["metric"] == "waf2")
    numbers = [(0.2, 0.01), (-0.2, 0.049), (0.2, 0.05), (0.2, None)]
    changed = {**known, "against": "another", "interval": [0.1, 0.3]}
    one["comparisons"] = [{**changed, "difference": difference, "p_two_sided": p} for difference, p in numbers]
    html.write(document, tmp_path / "page.html")
    page = tab.open(tmp_path / "page.html").page
    page.get_by_text("All comparisons").first.click()
    rows = page.get_by_role("region", name="Judge minus the other").first.locator("tbody tr", has_text="another")
    unknown = "can\u2019t be told apart"
    assert [row.split("\t")[2] for row in rows.all_inner_texts()] == ["better", "worse", unknown, unknown]


def test_a_judge_is_held_against_the_best_control(tab, pages, tmp_path):
    """One row a judge: which control it is, by how much, and whether that is more than chance."""
    tab.open(pages("plain"))
    best = tab.page.get_by_role("region", name="Against the best control").first
    rows = [row.split("\t") for row in best.locator("tbody tr").all_inner_texts()]
    assert len(rows) == 3
    assert {row[2] for row in rows} <= {"better", "worse", "can\u2019t be told apart"}
    careful = next(row for row in rows if "careful" in row[0])
    [one] = [one for one in a_run(tmp_path)["cases"] if one["id"] == "careful-S2-toy"]
    controls = [other for other in one["comparisons"] if (other["kind"], other["metric"]) == ("control", "waf2")]
    strongest = max(controls, key=lambda other: other["other"])
    assert (careful[1], careful[3].replace("\u2212", "-")) == (
        strongest["against"],
        f"{100 * strongest['difference']:+.1f}",
    )


def test_a_variant_of_a_judge_is_another_row(tab, tmp_path):
    """A judge without its clip stands beside itself with it, and neither hides the other."""
    document = golden()
    judge = next(case for case in document["cases"] if case["id"] == "qwen25omni_7b-S2-toy")
    document["cases"].append({**judge, "id": f"{judge['id']}-blind", "variant": "blind", "modality": "text"})
    html.write(document, tmp_path / "page.html")
    names = tab.open(tmp_path / "page.html").page.locator(".board .name").all_inner_texts()
    assert {"qwen25omni_7b S2", "qwen25omni_7b S2 blind"} <= {name.strip() for name in names}
    models = tab.page.get_by_role("region", name="models by data set").locator("tbody th").all_inner_texts()
    assert {"qwen25omni_7b", "qwen25omni_7b blind"} <= set(models)


def test_a_run_without_cases_says_so(tab, pages):
    """An empty page is no blank one."""
    assert tab.open(pages("empty")).page.locator("#pairs").get_by_text("No case was run").count() == 1


def test_a_picture_shows_what_a_judge_is_worth_without_a_shortcut(tab, tmp_path):
    """Accuracy with and against the shortcut as two marks, and in words beside them; the tables have the numbers."""
    page = tmp_path / "page.html"
    document = shortcuts_run()
    html.write(document, page)
    tab.open(page)
    row = tab.page.locator("#shortcuts .board").first.locator("li", has_text="follower")
    judge = next(case for case in document["cases"] if case["model"] == "follower")
    parts = {part["slice"]: part for part in judge["slices"]["shortcuts"]}
    there, against = (f"{100 * parts[f'{relation} longer']['acc2']:.0f}" for relation in ("with", "against"))
    assert row.locator("b").inner_text() == f"{there}, {against}"
    assert (row.locator("path.dot.control").count(), row.locator("circle.dot").count()) == (1, 1)
    followed = parts["against longer"]
    low, high = (f"{100 * bound:.1f}" for bound in followed["followed_interval"])
    assert f"follows {100 * followed['followed']:.0f} ({low}\N{EN DASH}{high})" in row.inner_text()
    weight = f"{judge['pulls']['longer']['weight']:.2f}"
    assert tab.page.locator("#shortcuts table b", has_text=weight).count() == 1
    omission = f"{100 * judge['subsets']['omission']['scores']['waf2']['mean']:.1f}"
    assert (
        omission
        in tab.page.locator("#shortcuts table", has_text="subset").locator("tr", has_text="omission").first.inner_text()
    )
    assert tab.unsound() == []


def test_the_page_says_how_far_people_agree(tab, tmp_path):
    """With the bounds of the best judge, and each judge's part of it."""
    page = tmp_path / "page.html"
    document = people_run()
    html.write(document, page)
    tab.open(page)
    text = tab.page.locator("#shortcuts").inner_text()
    best = document["datasets"]["toy"]["ceiling"]["best"]
    assert f"an accuracy between {100 * best[0]:.1f} and {100 * best[1]:.1f}" in text
    low, high = document["datasets"]["toy"]["ceiling"]["alpha_interval"]
    assert f"({low:.2f} to {high:.2f})" in text
    row = tab.page.locator("#shortcuts table", has_text="Stands in for").locator("tr", has_text="able")
    assert row.locator("td").last.inner_text() == "3 of 3"
    people = tab.page.locator("#shortcuts table", has_text="Others agree").locator("tbody tr")
    first = document["datasets"]["toy"]["ceiling"]["annotators"][0]
    assert people.count() == 3
    assert f"{100 * first['agreement']:.1f}" in people.first.inner_text()
    assert tab.unsound() == []


def test_judges_are_held_against_each_other(tab, pages):
    """A matrix of kappas or shares, whose every cell opens the pairs on which the two differ."""
    tab.open(pages("plain"))
    box = tab.page.locator("#together")
    assert "Kappa takes off what they would share by chance" in box.inner_text()
    matrix = box.locator("table.mutual").first
    assert matrix.locator("tbody th").count() == 5
    cell = matrix.get_by_role("button", name=re.compile("^careful S2, stubborn S1: kappa 0.00, 50.0% of 24 rows$"))
    assert cell.inner_text() == "0.00"
    tab.page.get_by_label("Measure").select_option(label="Share of equal verdicts")
    assert cell.inner_text() == "50.0"
    cell.click()
    assert (tab.filter("Judge").input_value(), tab.found()) == ("careful-S2-toy", "12 of 24")
    assert tab.unsound() == []


def test_what_all_judges_miss_is_a_click_away(tab, tmp_path):
    """The clips by name, and their pairs in the browser of pairs."""
    judges = {Case("longer", "S2", "toy", "video"): prefers_longer, Case("second", "S1", "toy", "video"): says("a2")}
    html.write(told(tmp_path, some_pairs(8), judges), tmp_path / "page.html")
    box = tab.open(tmp_path / "page.html").page.locator("#together")
    assert "in 2 of 6 pairs" in box.inner_text()
    rows = box.get_by_role("region", name="that all judges miss").locator("tbody tr").all_inner_texts()
    assert [row.split("\t") for row in rows] == [["clip3", "1", "1"], ["clip0", "1", "2"]]
    box.get_by_role("button", name="Show these pairs").click()
    assert (tab.found(), tab.rows()) == ("2 of 8", [1, 7])
    assert tab.unsound() == []


def test_kappa_and_consistency_without_ties_are_explained_where_they_stand(tab, pages):
    """Below the table that has them."""
    tab.open(pages("plain"))
    words = tab.page.get_by_role("region", name="Position bias").locator("xpath=following-sibling::p").inner_text()
    assert "Without ties:" in words
    assert "Kappa (Cohen):" in words


APART = """
() => [...document.querySelectorAll(".scatter svg")].map((picture) => {
  const box = (node) => node.getBoundingClientRect();
  const [names, marks] = ["text.point", "path.dot"].map((kind) => [...picture.querySelectorAll(kind)].map(box));
  const meet = (a, b) => a.left < b.right - 1 && a.right > b.left + 1 && a.top < b.bottom - 2 && a.bottom > b.top + 2;
  const beyond = names.filter((one) => one.left < box(picture).left || one.right > box(picture).right);
  const others = (one) => [...marks, ...names.filter((other) => other !== one)];
  const upon = names.filter((one) => others(one).some((other) => meet(one, other)));
  return [names.length, marks.length, beyond.length, upon.length];
})
"""


@pytest.mark.parametrize("width", [1400, 420])
def test_every_point_has_its_name_and_none_lies_on_another(tab, tmp_path, width):
    """The best in its corner, and several in one place."""
    document = golden()
    one = next(case for case in document["cases"] if case["id"] == "qwen25omni_7b-S2-toy")
    for number in range(12):
        score, swap = (1.0, 1.0) if number < 3 else (0.5 + number / 50, 0.9)
        scores = {**one["scores"], "waf2": {**one["scores"]["waf2"], "mean": score}}
        scores["swap"] = {**one["scores"]["swap"], "mean": swap}
        name = "a judge of quite a long name " * (number == 5) + f"judge_{number}"
        document["cases"].append({**one, "id": f"judge_{number}-S2-toy", "model": name, "scores": scores})
    html.write(document, tmp_path / "page.html")
    tab.page.set_viewport_size({"width": width, "height": 900})
    pictures = tab.open(tmp_path / "page.html").page.evaluate(APART)
    assert pictures[0][0] > 12
    assert all(picture == [picture[1], picture[1], 0, 0] for picture in pictures)
    assert tab.unsound() == []


def test_what_failed_comes_first(tab, tmp_path):
    """Above the scores, with the reason; a run in which all went well has no such section."""
    document = golden()
    for case in document["cases"]:
        case["outcome"] = "passed" if case["outcome"] != "skipped" else "skipped"
    html.write(document, tmp_path / "page.html")
    assert tab.open(tmp_path / "page.html").page.locator("#failed").count() == 0
    document["cases"][2] |= {"outcome": "failed", "reason": "the engine fell over"}
    document["cases"][0] |= {"outcome": "interrupted", "reason": ""}
    html.write(document, tmp_path / "page.html")
    page = tab.open(tmp_path / "page.html").page
    assert page.locator("main > section").first.get_attribute("id") == "failed"
    assert "the engine fell over" in page.locator("#failed").inner_text()
    assert "the same command goes on with it" in page.locator("#failed").inner_text()
    assert page.locator("#sections a").first.inner_text() == "Failed"
