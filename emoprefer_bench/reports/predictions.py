"""Predictions for pairs that nobody labelled, as challenges ask for them: a CSV in row order, and a zip of it."""

from __future__ import annotations

import csv
import io
import zipfile
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

from emoprefer_bench.pairs import LABELS, Label

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from emoprefer_bench.pairs import Pair

# The earliest date that a zip can hold: the same predictions are then the same bytes.
EPOCH = (1980, 1, 1, 0, 0, 0)


class PredictionsError(Exception):
    """A case has no prediction for some row; the message says which."""


class Prediction(NamedTuple):
    """A row of the file."""

    name: str
    a1: str
    a2: str
    preference: Label


def predictions(case: dict[str, Any], pairs: Sequence[Pair]) -> list[Prediction]:
    """What a case of the report's document says of each pair of its data set, in row order.

    Every row must have a verdict, so the reference's reading is taken: an answer that can't be read counts as what it
    mentions first, or else as `same`. Of several rounds the most frequent verdict is taken, and of equally frequent
    ones the earliest. Only the order as it stands counts. Raises PredictionsError where a row was not answered.
    """
    rounds = [one["forward_reference"] for one in case["verdicts"]]
    found = []
    for row, pair in enumerate(pairs):
        votes = [verdicts[row] for verdicts in rounds if row < len(verdicts)]
        if not votes or None in votes:
            raise PredictionsError(f"{case['id']}: {pair.key} was not answered; run it again, what is answered is kept")
        preference = Counter(votes).most_common(1)[0][0]
        found.append(Prediction(pair.clip.name, pair.a1, pair.a2, LABELS[LABELS.index(preference)]))
    return found


def write(path: Path, rows: Iterable[Prediction]) -> Path:
    """Write the CSV file and beside it a zip of it, whose path is returned; the same rows are the same bytes."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
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
