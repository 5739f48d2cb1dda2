"""A report as data frames, for notebooks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from emoprefer_bench.document.cases import best_control, is_scored
from emoprefer_bench.document.reading import MARGINS, READINGS, read

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pandas as pd

    from emoprefer_bench.document.types import Dataset, Document, ReportedCase, Score

NAMED = ("dataset", "model", "prompt", "modality", "llm", "variant", "describer", "closed")
STATES = ("outcome", "reason", "complete", "rows", "labelled")
PAIR = ("case", "round", "row", "pair", "label")


class Report:
    """A run's report. `document` is all of it, as document/types.py describes it."""

    def __init__(self, document: Document) -> None:
        self.document = document

    def cases(self, *, subsets: bool = False) -> pd.DataFrame:
        """A row a case, by its id: what it is, its outcome, and for each score mean, low and high (fractions).

        A case without scores has none: its cells are empty, and `reason` says why. `gain` is the difference of waf2
        from the best control, which is `gain_against`, with its p. With `subsets`, there is a row for each subset of
        each case, too, which is named in the column `subset`; it is empty where all rows are meant. There,
        `longer` is the share of verdicts for the longer text.
        """
        import pandas as pd  # noqa: PLC0415  # for people who look at results

        rows = [row for case in self.document["cases"] for row in (_subsets(case) if subsets else [_case(case)])]
        columns = ["case", *NAMED, *STATES, *(["subset"] if subsets else [])]
        frame = pd.DataFrame(rows) if rows else pd.DataFrame(columns=columns)
        return frame.set_index("case").astype(dict.fromkeys(("rows", "labelled"), "Int64"))

    def verdicts(self) -> pd.DataFrame:
        """A row a verdict: case, pair and round; what people said, and the judge in both orders, with provenance.

        `pair` is the row's key and `row` its number, counted from 1. Columns `forward`, `exchanged` are read strictly
        (None: unread), `..._reference` by the reference's rule, `..._provenance` says how. A verdict on the exchanged
        pair is raw: a1 names the text that stood first there. Where verdicts were weighed, `..._margin` (nats) and
        `..._confidence` are those of document/types.py.
        """
        import pandas as pd  # noqa: PLC0415  # likewise

        rows = (row for case in self.document["cases"] for row in _verdicts(case, self.document["datasets"]))
        return pd.DataFrame(rows, columns=[*PAIR, *READINGS, *MARGINS])


def load(path: str | Path) -> Report:
    """Read a run's report.json, or that of the folder which holds it. Raises DocumentError."""
    file = Path(path).expanduser()
    return Report(read(file / "report.json" if file.is_dir() else file))


def _case(case: ReportedCase) -> dict[str, Any]:
    row: dict[str, Any] = {"case": case["id"], **{name: case.get(name) for name in NAMED}}
    row |= {name: case.get(name) for name in STATES}
    return {**row, **_scores(case["scores"]), **_gain(case)} if is_scored(case) else row


def _gain(case: ReportedCase) -> dict[str, Any]:
    """The headline: how much better a judge is than the best control; nothing for what isn't compared with any."""
    best = best_control(case)
    if best is None:
        return {}
    low, high = best["interval"] or (None, None)
    gain = {"gain": best["difference"], "gain_low": low, "gain_high": high}
    return {**gain, "gain_p": best["p_two_sided"], "gain_against": best["against"]}


def _subsets(case: ReportedCase) -> Iterator[dict[str, Any]]:
    """The row of a case, and one for each of its subsets."""
    whole = _case(case)
    yield {**whole, "subset": None}
    for name, part in (case.get("subsets") or {}).items() if is_scored(case) else ():
        kept = {column: whole[column] for column in ("case", *NAMED, *STATES)}
        sizes = {"rows": part["rows"], "labelled": part["labelled"]}
        low, high = part.get("longer_interval") or (None, None)
        longer = {"longer": part.get("longer"), "longer_low": low, "longer_high": high}
        yield {**kept, **sizes, "subset": name, **_scores(part["scores"]), **longer}


def _scores(scores: Mapping[str, Score]) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for name, score in scores.items():
        low, high = score["interval"] or (None, None)
        row |= {name: score["mean"], f"{name}_low": low, f"{name}_high": high}
    return row


def _verdicts(case: ReportedCase, datasets: dict[str, Dataset]) -> Iterator[dict[str, Any]]:
    for number, verdicts in enumerate(case.get("verdicts") or ()):
        dataset = datasets[case["dataset"]]
        columns: dict[str, list[Any]] = dict(verdicts)  # type: ignore[arg-type]  # all its values are lists
        for row, (key, label) in enumerate(zip(dataset["keys"], dataset["labels"], strict=True)):
            pair = {"case": case["id"], "round": number, "row": row + 1, "pair": key, "label": label}
            yield {**pair, **{name: column[row] for name, column in columns.items()}}
