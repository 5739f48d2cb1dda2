from __future__ import annotations

import pytest
from support.documents import case, golden, report, toy_pairs, without_scores

from emoprefer_bench.cases import Case
from emoprefer_bench.data.datasets import Dataset
from emoprefer_bench.reports import compare, findings, grids, terminal

LABELS = ("a1", "a2", "a1", "a2", "same", "a1")


def tables(text: str) -> list[str]:
    """The lines of tables: those whose columns stand apart."""
    return [line for line in text.splitlines() if "  " in line.strip() or line.startswith("--")]


def judged(model: str, verdicts=LABELS, **more) -> dict:
    """A case on the toy pairs."""
    control = model in ("longer", "always_a1", "random")
    named = Case(model, "direct" if control else "S1", "toy", None if control else "audio")
    return case(named, toy_pairs(LABELS), list(verdicts), **more)


def toy(*cases_: dict) -> dict:
    """A report of these cases."""
    return report(list(cases_), Dataset("toy", toy_pairs(LABELS)))


@pytest.mark.parametrize("verbosity", [-1, 0, 1])
def test_tables_fit_eighty_columns(verbosity):
    """Also with several rounds, intervals and long names; what was left out for that is said."""
    text = terminal.render(golden(), verbosity=verbosity)
    assert tables(text)
    assert [line for line in tables(text) if len(line) > grids.WIDTH] == []
    if verbosity >= 0:
        assert "Left out to fit: swap's interval, deviations, acc3, waf3, acc2." in text


def test_a_wide_terminal_shows_all_that_there_is():
    """Every column, both intervals, and deviations."""
    text = terminal.render(golden(), width=200)
    assert "Left out" not in text
    heads = next(line for line in text.splitlines() if line.startswith("judge"))
    assert heads.split() == ["judge", "prompt", "waf2", "acc2", "waf3", "acc3", "swap", "answered"]
    assert "70.00±10.00 [31.5, 92.2]" in text
    assert "91.67±8.33 [31.4, 99.6]" in text


def test_what_is_left_out_goes_step_by_step():
    """An interval of swap before a column, and no more than is needed."""
    found = toy(judged("longer"), judged("qwen25omni_7b"))
    steps = []
    for width in range(120, 40, -1):
        text = terminal.render(found, width=width)
        (left_out,) = [line for line in text.splitlines() if line.startswith("Left out to fit: ")] or [""]
        steps += [left_out] if left_out not in steps else []
    gone = ["swap's interval", "acc3", "waf3", "acc2", "waf2's interval"]
    assert steps == ["", *(f"Left out to fit: {', '.join(gone[: count + 1])}." for count in range(len(gone)))]


def test_the_headings_are_explained_beneath():
    """What the two scores are, and which rows are controls; without controls, nothing is said of them."""
    with_controls = terminal.render(toy(judged("longer"), judged("m")))
    assert "waf2: weighted F1 on pairs with a winner; swap: same verdict in either order." in with_controls
    assert terminal.CONTROLS in with_controls
    lines = with_controls.splitlines()
    (first, second) = (place for place, line in enumerate(lines) if line.startswith("-----"))
    assert lines[first + 1].startswith("longer ")
    assert second == first + 2
    assert lines[second + 1].startswith("m ")
    assert terminal.CONTROLS not in terminal.render(toy(judged("m")))


def test_a_control_that_is_not_shown_is_called_one():
    """The best of all counts, whether or not a table shows it."""
    judge = judged("m")
    for shown in ("longer", "always_a1"):
        (line,) = findings.against_controls([judged(shown), judge])
        assert " longer: waf2" in line
        assert ("the control longer" in line) == (shown != "longer")


def test_no_form_for_other_programs_is_shown():
    """LaTeX is --emoprefer-latex's."""
    assert "\\\\" not in terminal.render(toy(judged("m")), verbosity=2)


def test_why_a_case_failed_is_said_once():
    """Where pytest showed it above, it is counted."""
    found = toy(judged("m"), without_scores(Case("n", "S1", "toy", "audio"), "failed", "n can't be loaded: no memory"))
    assert "1 failed: n can't be loaded: no memory" in terminal.render(found)
    assert "1 failed: see above" in terminal.render(found, failures_above=True)


def test_a_comparison_fits_eighty_columns():
    """With the names that cases of this repository have."""
    named = Case("qwen25omni_7b", "S1", "emopreferv2", "audiovideo")
    pairs = toy_pairs(LABELS)
    found = report([case(named, pairs, list(LABELS))], Dataset("emopreferv2", pairs))
    text = compare.render(found, found)
    assert "qwen25omni_7b-S1 answered" in text
    assert [line for line in tables(text) if len(line) > grids.WIDTH] == []


def test_skips_of_an_older_report_are_counted_by_their_reasons():
    """Reports of 0.1 don't say what cases need."""
    skipped = [without_scores(Case(f"m{n}", "S1", "toy", "audio"), "skipped", "large needs 8 GPUs") for n in range(7)]
    assert "7 cases were skipped. So many of them need\n     7  large needs 8 GPUs\n" in terminal.render(toy(*skipped))
    assert terminal.render(toy(*skipped), verbosity=-1).endswith("7 cases were skipped")
