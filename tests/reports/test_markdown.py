from __future__ import annotations

import json
import re

import pytest
from support.documents import GOLDEN, case, golden, report, toy_pairs, without_scores

from emoprefer_bench.cases import Case
from emoprefer_bench.data.datasets import Dataset
from emoprefer_bench.reports import markdown


def test_the_golden_report_gives_the_golden_text():
    """A report that has every kind of case, to the byte."""
    document = json.loads((GOLDEN / "report.json").read_text(encoding="utf-8"))
    assert markdown.render(document) == (GOLDEN / "report.md").read_text(encoding="utf-8")


def test_controls_stand_first_then_what_failed_then_judges_by_rising_score():
    """What a score must be measured against is read before it."""
    table = markdown.render(golden()).split("Gain over")[0]
    rows = [line for line in table.splitlines() if line.startswith("| ")][1:]
    assert [row.split()[1] for row in rows[:4]] == ["longer", "broken", "dropped", r"gemini\_15"]
    scores = [float(re.search(r"[0-9]+\.[0-9]{2}", row)[0]) for row in rows[2:]]
    assert scores == sorted(scores)


def test_only_headline_scores_have_intervals():
    """WAF and swap consistency; more would not fit a page."""
    row = next(line for line in markdown.render(golden()).splitlines() if line.startswith(r"| qwen2\_audio"))
    assert [("[" in cell) for cell in row.split("|")[3:9]] == [True, False, False, False, True, False]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a|b", r"a\|b"),
        ("<script>alert(1)</script>", r"\<script\>alert(1)\</script\>"),
        ("[x](http://y) `z` *b* _u_", r"\[x\](http://y) \`z\` \*b\* \_u\_"),
        ("two\n\n# lines", r"two \# lines"),
        ("$x^2$ @who", r"\$x\^2\$ \@who"),
    ],
)
def test_nothing_in_a_name_is_markdown_or_html(text, shown):
    """Names and reasons are shown as they are, and can't end a table or call somebody."""
    assert markdown.escaped(text) == shown


def test_what_failed_is_listed_and_what_was_skipped_is_counted():
    """One line for each reason; a step summary of 200 skipped cases stays short."""
    pairs = toy_pairs()
    found = report(
        [
            case(
                Case("m", "S1", "toy", "audio"),
                pairs,
                ["a1"] * 6,
                outcome="failed",
                reason="waf2 fell by 9 points\nsee",
            ),
            *(without_scores(Case(f"big{n}", "S1", "toy", "audio"), "skipped", "no GPU") for n in range(3)),
            *(without_scores(Case(f"bad{n}", "S1", "toy", "audio"), "error", "no weights") for n in range(2)),
        ],
        Dataset("toy", pairs),
    )
    lines = [line for line in markdown.render(found).splitlines() if line.startswith("- ")]
    assert lines == [
        "- m-S1-toy failed: waf2 fell by 9 points",
        "- 3 cases skipped: for want of data, GPUs or packages",
        "- 2 cases error: no weights",
    ]


def test_a_data_set_whose_cases_have_no_scores_has_no_table():
    """It is said instead."""
    found = report([], Dataset("toy", toy_pairs()))
    assert "No case has scores." in markdown.render(found)
    assert "|" not in markdown.render(found)


def test_a_report_without_data_sets_is_a_text():
    """All cases were skipped: there is nothing but the reason."""
    found = report([without_scores(Case("m", "S1", "toy", "audio"), "skipped", "no data")])
    assert markdown.render(found).endswith("- m-S1-toy skipped: for want of data, GPUs or packages\n")
