"""Predictions for pairs that nobody labelled, as challenges ask for them: a CSV in row order, and a zip of it."""

from __future__ import annotations

import csv
import io
import zipfile
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from emoprefer_bench.cases import VARIANTS, is_crossed
from emoprefer_bench.data import datasets
from emoprefer_bench.document.cases import is_control, is_drawn, is_scored
from emoprefer_bench.errors import EmopreferError
from emoprefer_bench.pairs import Label, shown_row
from emoprefer_bench.reports.forms import FormError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from emoprefer_bench.data.datasets import Source
    from emoprefer_bench.document.types import Document, ScoredCase
    from emoprefer_bench.pairs import Pair

# The earliest date that a zip can hold: the same predictions are then the same bytes.
EPOCH = (1980, 1, 1, 0, 0, 0)


class PredictionsError(EmopreferError):
    """A case has no prediction for some row; the message says which."""


class Prediction(NamedTuple):
    """A row of the file."""

    name: str
    a1: str
    a2: str
    preference: Label


def predictions(case: ScoredCase, pairs: Sequence[Pair]) -> list[Prediction]:
    """What a case of the report's document says of each pair of its data set, in row order.

    Of a data set that is labelled in part, only the rows without a label are predicted.
    Every row must have a verdict, so the reference's reading is taken: an answer that can't be read counts as what it
    mentions first, or else as `same`. Of several rounds the most frequent verdict is taken, and of equally frequent
    ones the earliest. Only the order as it stands counts. Raises PredictionsError where a row was not answered.
    """
    rounds = [of_round["forward_reference"] for of_round in case["verdicts"]]
    entries = []
    in_part = any(pair.label is None for pair in pairs)
    for row, pair in enumerate(pairs):
        if in_part and pair.label:
            continue
        votes = [verdict for verdicts in rounds if row < len(verdicts) and (verdict := verdicts[row])]
        if len(votes) < len(rounds):
            place = shown_row(pair.key)
            raise PredictionsError(f"{case['id']}: {place} was not answered; run it again, what is answered is kept")
        preference = Counter(votes).most_common(1)[0][0]
        entries.append(Prediction(pair.clip.name, pair.a1, pair.a2, preference))
    return entries


def write(path: Path, rows: Iterable[Prediction]) -> Path:
    """Write the CSV file and beside it a zip of it, whose path is returned; the same rows are the same bytes."""
    text = io.StringIO()
    rows = list(rows)
    # Before Python 3.13, csv leaves a lone carriage return without quotation marks, and readers end a row there.
    alone = any("\r" in cell for row in rows for cell in row)
    table = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL if alone else csv.QUOTE_MINIMAL)
    table.writerow(Prediction._fields)
    table.writerows(rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text.getvalue(), encoding="utf-8", newline="")
    zipped = path.with_suffix(".zip")
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as archive:
        member = zipfile.ZipInfo(path.name, EPOCH)
        member.compress_type = zipfile.ZIP_DEFLATED
        archive.writestr(member, text.getvalue())
    return zipped


def write_predictions(document: Document, sources: Mapping[str, Source], limit: int | None, path: Path) -> list[str]:
    """Write what each judge, vote or fusion prefers, with a zip beside; of several cases, each to a file with its id.

    `sources` and `limit` are those of the run: where its data sets lie, and how many rows of each it read. Rows that
    people labelled are left out of a data set that is labelled in part. Controls, the variants of an audit and votes
    by lot make no predictions. A `path` that doesn't end in `.csv` gets that. Returns a line for each file.
    Raises FormError.
    """
    if path.suffix.lower() != ".csv":
        path = path.with_name(f"{path.name.removesuffix('.zip')}.csv")
    scored = [case for case in document["cases"] if is_scored(case)]
    judged = [case for case in scored if not is_control(case) and not is_drawn(case)]
    made = [case for case in judged if case.get("variant") not in VARIANTS and not is_crossed(case)]
    lines = []
    for case in made:
        target = path if len(made) == 1 else path.with_name(f"{path.stem}-{case['id']}{path.suffix}")
        source = sources[case["dataset"]]
        try:
            read = datasets.read(source, sound=False, picture=False, subtitles=False, limit=limit)
            zipped = write(target, predictions(case, read.pairs))
        except (OSError, PredictionsError, datasets.DatasetError) as error:
            raise FormError(f"{target}: the predictions can't be written: {error}") from None
        part = f" ({unlabelled} rows without a label)" if (unlabelled := len(read.pairs) - read.labelled) else ""
        lines.append(f"predictions{part}: {target}, {zipped}")
    return lines
