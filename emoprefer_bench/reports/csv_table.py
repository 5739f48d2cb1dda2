"""The report as one long CSV table, for spreadsheets and data frames: a row for each case and metric.

Columns: `dataset`, `case`, `model`, `prompt`, `modality`, `llm`, `variant`, `closed`, `outcome`, `complete`, `rows`,
`labelled`, `metric`, then fractions: `mean`, `sd` (over rounds, ddof 0), `low` and `high` (95% interval over clips),
and `rounds` (a value a round, separated by spaces). Where verdicts were weighed, there are rows for what is said of
margins, some of which are no fractions: nats for `slot_bias` and `log_loss`, and a correlation for `length`. What is
unknown or undefined is empty. A case that failed,
and a vote by lot, has one row, without a metric; cases that did not run have none.

Rows with a `part` are about a part of the rows: `subset:` and its name, with `longer`, the share of verdicts for the
longer text; `slice:` and its name, with `strict_acc2` and `followed`, the share of verdicts that are the shortcut's; or
`people`, with `acc2` on the rows that several people labelled, and by the alternative-annotator test `stands_in`, the
share of people in whose place the judge could be, and `advantage`, how often it is as near to the others as they are.
A data set that several people labelled has rows of this part without a case, too: `agreement` and `alpha` among people,
`best`, between what the best accuracy lies, and `best_interval`, the same from the ends of the agreement's interval;
`people:` and a name is how often the others agree with that person. Where judges were crossed, the part `crossing` has
what share of a case's errors others' descriptions mend (`mended` by two or more, `mended_by_none`), what of that chance
would, what it would gain if others described or judged, and, without a case, shares of variance.
`gain_waf2` is the difference from the best control, which is `against`, with its two-sided `p`; `pull_` and a name is
the weight of that in the verdicts; `of_best` is the part of the best possible accuracy, of which two bounds are known.
"""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

from emoprefer_bench.cases import is_crossed
from emoprefer_bench.document.cases import best_control, is_drawn, is_scored, tabled
from emoprefer_bench.reports import crossed, weighed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from emoprefer_bench.document.types import Crossing, Dataset, Document, ReportedCase, Score, ScoredCase

NAMED = ("dataset", "case", "model", "prompt", "modality", "llm", "variant")
OF_CASE = (*NAMED, "closed", "outcome", "complete", "rows", "labelled")
FORMULA = ("=", "+", "-", "@", "\t", "\r")
COLUMNS = (*OF_CASE, "metric", "mean", "sd", "low", "high", "rounds", "part", "against", "p")


def render(document: Document) -> str:
    """The table as text, lines ended by a newline."""
    text = io.StringIO()
    table = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    table.writeheader()
    for dataset, described in document["datasets"].items():
        table.writerows({"dataset": cell(dataset), **row} for row in _people(described))
        of_others = [case for case in document["cases"] if case["dataset"] == dataset and is_crossed(case)]
        cases = [*tabled(document, dataset), *of_others]
        for case in cases:
            table.writerows(_rows(case) if is_scored(case) and not is_drawn(case) else [_named(case)])
        named = {case["id"]: _named(case) for case in cases}
        for crossing in crossed.of_dataset(document, dataset):
            table.writerows(_crossed(crossing, named))
    return text.getvalue()


def _people(dataset: Dataset) -> Iterable[dict[str, Any]]:
    """How far people agree, and what follows for the best judge."""
    human = dataset.get("ceiling")
    if human is None:
        return
    of_people = {"rows": human["rows"], "labelled": human["rows"], "part": "people"}
    yield {**of_people, **_value("agreement", human["agreement"], human["agreement_interval"])}
    yield {**of_people, **_value("alpha", human["alpha"], human["alpha_interval"])}
    yield {**of_people, **_value("best", None, human["best"])}
    yield {**of_people, **_value("best_interval", None, human["best_interval"])}
    for person in human["annotators"]:
        of_person = {"rows": person["rows"], "labelled": person["rows"], "part": f"people:{person['annotator']}"}
        yield {**of_person, **_value("agreement", person["agreement"], person["interval"])}


def _rows(case: ScoredCase) -> Iterable[dict[str, Any]]:
    of_case = _named(case)
    yield from (_score(of_case, metric, score) for metric, score in case["scores"].items())
    if best := best_control(case):
        more = {"against": best["against"], "p": number(best["p_two_sided"])}
        yield {**of_case, **_value("gain_waf2", best["difference"], best["interval"]), **more}
    for name, pull in case.get("pulls", {}).items():
        yield {**of_case, **_value(f"pull_{name}", pull["weight"], pull["interval"])}
    if beside := case.get("of_ceiling"):
        of_people = {**of_case, "labelled": beside.get("rows", ""), "part": "people"}
        yield {**of_people, **_value("acc2", beside["acc2"], beside.get("interval"))}
        if test := beside["alternative"]:
            yield {**of_people, **_value("stands_in", test["wins"] / len(test["annotators"]), None)}
            yield {**of_people, **_value("advantage", test["advantage"], None)}
        yield {**of_case, **_value("of_best", None, beside["relative"])}
    for name, part in case.get("subsets", {}).items():
        of_part = {**of_case, "rows": part["rows"], "labelled": part["labelled"], "part": f"subset:{name}"}
        yield from (_score(of_part, metric, score) for metric, score in part["scores"].items())
        if "longer" in part:
            yield {**of_part, **_value("longer", part["longer"], part.get("longer_interval"))}
    for part in case.get("slices", {}).get("shortcuts", ()):
        of_part = {**of_case, "rows": part["rows"], "labelled": part["rows"], "part": f"slice:{part['slice']}"}
        yield {**of_part, **_value("strict_acc2", part["acc2"], part["interval"])}
        if "followed" in part:
            yield {**of_part, **_value("followed", part["followed"], part["followed_interval"])}
    for metric, estimate in weighed.estimates(case).items():
        yield {**of_case, **_value(metric, estimate["value"], estimate["interval"])}


def _crossed(crossing: Crossing, named: Mapping[str, dict[str, Any]]) -> Iterable[dict[str, Any]]:
    """Whose fault the errors of each case are, and what makes verdicts differ."""
    part = {"rows": crossing["rows"], "labelled": crossing["rows"], "part": "crossing"}
    for judged in crossing["judges"]:
        of_case = {**named[judged["case"]], **part}
        for metric, mended in (("mended", judged["mended"]), ("mended_by_none", judged["none"])):
            if mended:
                yield {**of_case, **_value(metric, mended["share"], mended["interval"])}
                yield {**of_case, **_value(f"{metric}_by_chance", mended["by_chance"], None)}
        for metric, fault in (("others_describe", judged["descriptions"]), ("others_judge", judged["comparing"])):
            if fault:
                yield {**of_case, **_value(f"gain_{metric}", fault["gain"], fault["interval"])}
    of_all = {"dataset": cell(crossing["dataset"]), "prompt": crossing["prompt"], **part}
    if shares := crossing["variance"]:
        by_name = {"describer": shares["describer"], "judge": shares["judge"], "interaction": shares["interaction"]}
        for name, share in by_name.items():
            yield {**of_all, **_value(f"variance_{name}", share["value"], share["interval"])}


def _score(of_rows: dict[str, Any], metric: str, score: Score) -> dict[str, Any]:
    return {
        **of_rows,
        **_value(metric, score["mean"], score["interval"]),
        "sd": number(score["sd"]),
        "rounds": " ".join(map(number, score["rounds"])),
    }


def _value(metric: str, value: float | None, interval: list[float] | None) -> dict[str, str]:
    low, high = interval or (None, None)
    return {"metric": metric, "mean": number(value), "low": number(low), "high": number(high)}


def _named(case: ReportedCase) -> dict[str, Any]:
    return {column: cell(case.get(column)) for column in OF_CASE} | {"case": cell(case["id"])}


def number(value: float | None) -> str:
    """A number with ten digits; nothing for none."""
    return "" if value is None else f"{value:.10g}"


def cell(value: Any) -> Any:  # noqa: ANN401  # a cell is whatever the case says
    """A value as a cell that no spreadsheet takes for a formula."""
    if isinstance(value, bool):
        return str(value).lower()
    # A spreadsheet takes a text that begins like a formula for one.
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value
