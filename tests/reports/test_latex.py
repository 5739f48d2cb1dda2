from __future__ import annotations

import json
import re

import pytest
from support.documents import GOLDEN, case, golden, report, toy_pairs

from emoprefer_bench.cases import Case
from emoprefer_bench.data.datasets import Dataset
from emoprefer_bench.reports import latex

RIGHT = ["a1", "a2", "a1", "a2", "same", "a1"]
ONE_WRONG = ["a1", "a2", "a1", "a1", "same", "a1"]
WRONG = ["a2", "a1", "a2", "a1", "a1", "a2"]


def rows_of(*cases_):
    """The paper's rows of cases given as (model, prompt, modality, forward verdicts of each round, more)."""
    pairs = toy_pairs()
    found = [
        case(Case(model, prompt, "toy", modality), pairs, *rounds, **more)
        for model, prompt, modality, rounds, more in cases_
    ]
    return latex.paper_rows(report(found, Dataset("toy", pairs)), "toy")


def names(rows):
    """The rows' first cells."""
    return [row.split("& ")[0] for row in rows]


def test_the_golden_report_gives_the_golden_tables():
    """Both tables of a report that has every kind of case, to the byte."""
    document = json.loads((GOLDEN / "report.json").read_text(encoding="utf-8"))
    assert latex.render(document) == (GOLDEN / "report.tex").read_text(encoding="utf-8")


def test_a_models_best_prompt_is_shown():
    """By two-class WAF; where two are equally good, the first."""
    better_second = rows_of(("m", "S1", "audio", [WRONG], {}), ("m", "S3", "audio", [RIGHT], {}))
    assert [row.split("& ")[1] for row in better_second] == ["S3"]
    equal = rows_of(("m", "S2", "audio", [RIGHT], {}), ("m", "S1", "audio", [RIGHT], {}))
    assert [row.split("& ")[1] for row in equal] == ["S1"]


def test_open_models_rise_then_a_rule_then_closed_ones():
    """The order is by the score, not by the name or the report's order."""
    rows = rows_of(
        ("best", "S1", "audio", [RIGHT], {}),
        ("closed_worse", "S1", "audio", [WRONG], {"closed": True}),
        ("worst", "S1", "audio", [WRONG], {}),
        ("closed_better", "S1", "audio", [ONE_WRONG], {"closed": True}),
        ("middle", "S1", "audio", [ONE_WRONG], {}),
    )
    assert names(rows) == ["worst", "middle", "best", r"\midrule", r"closed\_worse", r"closed\_better"]


@pytest.mark.parametrize("closed", [True, False])
def test_there_is_no_rule_with_nothing_on_one_side(closed):
    """Open models alone, or closed ones alone, are one block."""
    assert names(rows_of(("m", "S1", "audio", [RIGHT], {"closed": closed}))) == ["m"]


def test_the_spread_is_that_of_the_population():
    """Over rounds, ddof 0, in percent; 0.00 for one round."""
    row = rows_of(("m", "S1", "audio", [RIGHT, WRONG], {}))[0]
    assert row == (r"m& S1& 50.00$\pm$50.00& 50.00$\pm$50.00& 50.00$\pm$50.00& 50.00$\pm$50.00& 100.00$\pm$0.00\\")
    assert rows_of(("m", "S1", "audio", [RIGHT], {}))[0].count(r"$\pm$0.00") == 5


def test_controls_variants_and_incomplete_cases_are_no_rows():
    """What is not a model's full result is not in the paper's table; the table of all prompts has it, marked."""
    pairs = toy_pairs()
    found = report(
        [
            case(Case("longer", "direct", "toy"), pairs, RIGHT),
            case(Case("killed", "S1", "toy", "audio"), pairs, [*RIGHT[:4], None, None]),
            case(Case("m", "S1", "toy", "text", variant="blind"), pairs, RIGHT),
        ],
        Dataset("toy", pairs),
    )
    assert latex.paper_rows(found, "toy") == []
    assert "longer (control)& --& texts&" in latex.render(found)
    assert "killed (incomplete)& S1& audio&" in latex.render(found)
    assert "m (blind)& S1& text&" in latex.render(found)


def test_a_model_asked_by_several_modalities_has_a_row_for_each():
    """An ablation is not a prompt."""
    rows = rows_of(
        ("m", "S1", "audio", [RIGHT], {}), ("m", "S1", "video", [WRONG], {}), ("n", "S1", "video", [RIGHT], {})
    )
    assert names(rows) == ["m (video)", "m (audio)", "n"]


def test_without_labels_there_is_nothing_to_show():
    """A data set without labels has tables without scores, not an error."""
    pairs = toy_pairs([None] * 4)
    found = report([case(Case("m", "S1", "toy", "audio"), pairs, ["a1"] * 4)], Dataset("toy", pairs))
    assert latex.paper_rows(found, "toy") == []
    assert "m& S1& audio& --& --& --& --& 100.00" in latex.render(found)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a_b & 50% #1 $x$ {y}", r"a\_b \& 50\% \#1 \$x\$ \{y\}"),
        ("\\input{/etc/passwd}", r"\textbackslash{}input\{/etc/passwd\}"),
        ("x~y^z <t> |", r"x\textasciitilde{}y\textasciicircum{}z \textless{}t\textgreater{} \textbar{}"),
        ("two\nlines\t\x00", "two lines "),
    ],
)
def test_names_can_hold_any_character(text, shown):
    """Nothing in a name is a command, a comment or a new column."""
    assert latex.escaped(text) == shown


def test_choosing_the_best_prompt_is_said_to_flatter():
    """Whoever takes the table over reads why the other one stands beside it."""
    assert "which flatters it" in latex.render(golden())


def test_every_row_has_as_many_cells_as_its_table():
    """An ampersand in a name would shift a table."""
    for table in latex.render(golden()).split(r"\begin{tabular}")[1:]:
        columns = len(re.match(r"\{([lc]+)\}", table)[1])
        rows = [line for line in table.splitlines() if line.endswith(r"\\")]
        assert {len(re.split(r"(?<!\\)&", row)) for row in rows} == {columns}


def test_a_text_llm_that_is_not_the_papers_is_named():
    """And each has a row of its own; a name of the paper's table, or of the run, stands for the model's."""
    pairs = toy_pairs()
    llms = ("qwen25_7b", "qwen3_8b")
    cases = [case(Case("qwen25omni_7b", "S3", "toy", "audiovideo", llm), pairs, RIGHT) for llm in llms]
    document = report(cases, Dataset("toy", pairs))
    assert sorted(names(latex.paper_rows(document, "toy"))) == ["Qwen2.5-Omni", r"Qwen2.5-Omni (with qwen3\_8b)"]
    document["manifest"]["names"] = {"qwen25omni_7b": "Omni"}
    assert sorted(names(latex.paper_rows(document, "toy"))) == ["Omni", r"Omni (with qwen3\_8b)"]
