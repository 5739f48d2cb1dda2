"""The table of the paper, in its own form, and beside it a table of all prompts with intervals.

The row is that of the reference's code: model, prompt, two-class WAF and accuracy, three-class WAF and accuracy, swap
consistency; mean and standard deviation (ddof 0) over rounds in percent, with two decimals.
"""

from __future__ import annotations

import re
import tomllib
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

from emoprefer_bench.document.cases import is_control, is_weighed, scored, tabled, waf2
from emoprefer_bench.reports import cells, crossed, doubts, findings, numbers

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from emoprefer_bench.document.types import Document, ReportedCase, ScoredCase

HEADS = ("WAF$_2$", "ACC$_2$", "WAF$_3$", "ACC$_3$", "Swap")
PAPER_LLMS = (None, "qwen25", "qwen25_7b")  # of the paper's table: Qwen2.5-7B-Instruct
RULE = r"\midrule"

_ESCAPES = {character: f"\\{character}" for character in "&%$#_{}"} | {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
}

_ABOUT_PAPER = """\
% Each model by its best prompt, chosen by two-class WAF on these very rows, which flatters it: show the table of all
% prompts beside it. The spread is over rounds: 0.00 for a single one, and greedy rounds can give nothing else."""
_ABOUT_ALL = (
    "% Every prompt, in percent, with 95% intervals over clips. The judges above the rule see nothing but the texts."
)


def render(document: Document) -> str:
    """The tables of every data set, to be put into a document that loads the package booktabs."""
    blocks = []
    for name, dataset in document["datasets"].items():
        each = doubts.annotators(dataset)
        blocks += [
            f"% {_one_line(cells.about(name, dataset))}",
            _paper_table(document, name),
            _all_prompts(document, name),
            *(f"% {_one_line(sentence)}" for sentence in findings.ceiling(dataset)),
            *map(_part, [*([each] if each.rows else []), *doubts.tables(tabled(document, name))]),
            *map(_part, crossed.tables(document, name)),
            *(f"% {_one_line(sentence)}" for sentence in crossed.sentences(document, name)),
        ]
    return "\n\n".join(blocks) + "\n"


def _part(part: doubts.Table) -> str:
    columns = "l" * part.words + "c" * (len(part.heads) - part.words)
    rows = [_row(map(escaped, row)) for row in part.rows]
    return "\n".join(
        [
            f"% {_one_line(part.title)}",
            rf"\begin{{tabular}}{{{columns}}}",
            r"\toprule",
            _row(map(escaped, part.heads)),
            RULE,
            *rows,
            r"\bottomrule",
            r"\end{tabular}",
        ]
    )


def paper_rows(document: Document, dataset: str) -> list[str]:
    """The rows of the paper's table: open models by rising two-class WAF, a rule, closed ones (case["closed"]).

    Controls, variants, votes, what was weighed, incomplete and failed cases have none, nor have cases without labels.
    A model that was asked by several modalities, or judged by several text LLMs, has a row for each; a text LLM that is
    not the paper's is named. Where two prompts are equally good, the first is shown.
    """
    best: dict[tuple[str, str | None, str | None], ScoredCase] = {}
    for case in sorted(scored(document, dataset), key=lambda case: case["prompt"] or ""):
        judge = (case["model"], case["modality"], _other_llm(case))
        judges = not is_control(case) and not case.get("variant") and not is_weighed(case)
        if not judges or not case["complete"] or case["scores"]["waf2"]["mean"] is None:
            continue
        if judge not in best or waf2(case) > waf2(best[judge]):
            best[judge] = case
    inputs = {model: {modality for judge, modality, _ in best if judge == model} for model, *_ in best}
    names = {**paper_names(), **document["manifest"].get("names", {})}
    shown = sorted(best.values(), key=waf2)
    rows = {
        closed: [_paper_row(case, inputs, names) for case in shown if case.get("closed", False) is closed]
        for closed in (False, True)
    }
    return [*rows[False], *([RULE] if all(rows.values()) else []), *rows[True]]


def _other_llm(case: ScoredCase) -> str | None:
    """The text LLM of a case, where it is not the one of the paper's table."""
    return case["llm"] if case["llm"] not in PAPER_LLMS else None


@cache
def paper_names() -> dict[str, str]:
    """What the paper calls the models that it ran, by the names of files and fixtures."""
    return tomllib.loads(resources.files("emoprefer_bench.reports").joinpath("paper_names.toml").read_text())


def escaped(text: str) -> str:
    """Text as LaTeX shows it, on one line."""
    return "".join(_ESCAPES.get(character, character) for character in _one_line(text))


def _paper_row(case: ScoredCase, inputs: Mapping[str, set[str | None]], names: Mapping[str, str]) -> str:
    remarks: list[str] = [case["modality"] or "texts"] if len(inputs[case["model"]]) > 1 else []
    remarks += [f"with {llm}"] if (llm := _other_llm(case)) else []
    name = names.get(case["model"], case["model"]) + (f" ({', '.join(remarks)})" if remarks else "")
    scores = (case["scores"][metric] for metric in cells.PAPER_METRICS)
    values = (
        numbers.NONE * 2
        if score["mean"] is None
        else rf"{numbers.percent(score['mean'])}$\pm${numbers.percent(score['sd'] or 0.0)}"
        for score in scores
    )
    return _row([escaped(name), escaped(case["prompt"] or "--"), *values])


def _paper_table(document: Document, dataset: str) -> str:
    return "\n".join([_ABOUT_PAPER, *_tabular(["Model", "Prompt", *HEADS], paper_rows(document, dataset))])


def _all_prompts(document: Document, dataset: str) -> str:
    cases = tabled(document, dataset)
    rows = [_with_intervals(judge, case) for judge, case in zip(cells.judges(cases), cases, strict=True)]
    controls = sum(is_control(case) for case in cases)  # which stand first
    rule = [RULE] if 0 < controls < len(cases) else []
    heads = ["Model", "Prompt", "Input", *HEADS]
    return "\n".join([_ABOUT_ALL, *_tabular(heads, [*rows[:controls], *rule, *rows[controls:]])])


def _with_intervals(judge: str, case: ReportedCase) -> str:
    scores = (cells.score(case, metric, with_interval=True) for metric in cells.PAPER_METRICS)
    values = (score.replace("±", r"$\pm$").replace("-", "--") for score in scores)
    return _row([escaped(judge), escaped(case["prompt"] or "--"), escaped(case["modality"] or "texts"), *values])


def _tabular(heads: list[str], rows: list[str]) -> list[str]:
    columns = "l" * (len(heads) - len(HEADS)) + "c" * len(HEADS)
    return [rf"\begin{{tabular}}{{{columns}}}", r"\toprule", _row(heads), RULE, *rows, r"\bottomrule", r"\end{tabular}"]


def _row(values: Iterable[str]) -> str:
    return "& ".join(values) + r"\\"


def _one_line(text: str) -> str:
    return re.sub(r"[\s\x00-\x1f]+", " ", text)
