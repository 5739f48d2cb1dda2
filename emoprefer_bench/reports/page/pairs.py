"""What the page's browser of pairs shows: verdicts from the document, texts and answers from the transcripts.

Every distinct text is stored once, and everything else says its number: a description that four prompts share in two
orders costs as much as one. Verdicts are strings with a character a row.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args
from urllib.parse import quote

from emoprefer_bench.media.plan import SOUND_ENDINGS
from emoprefer_bench.pairs import row_of
from emoprefer_bench.reports.forms import FormError
from emoprefer_bench.verdicts import Provenance

if TYPE_CHECKING:
    from collections.abc import Sequence

    from emoprefer_bench.document.types import Dataset, Document, ReportedCase, RoundVerdicts
    from emoprefer_bench.pairs import Label

Plain = dict[str, Any]

ORDERS = ("forward", "exchanged")
PROVENANCES: tuple[str, ...] = get_args(Provenance)
_VERDICTS = {"a1": "1", "a2": "2", "same": "s", None: "-"}
_NOT_ASKED = "."


@dataclass
class Browsable:
    """All that the browser of pairs shows.

    `numbers` has each distinct text once, with its number. `index` is plain JSON: for each data set its rows; for each
    case its verdicts and the steps to each (numbers of template and answer in turn); and the clips, with the address
    that each plays from, if any. `files` are the clips' own, in the same order.
    """

    index: Plain
    numbers: dict[str, int] = field(default_factory=dict)
    files: list[Path | None] = field(default_factory=list)

    def number(self, text: str | None) -> int | None:
        """The number of a text, given now if it is new; None for none."""
        return None if text is None else self.numbers.setdefault(text, len(self.numbers))


def browsable(document: Document, transcripts: Path | None, beside: Path | None) -> Browsable:
    """Gather the pairs. Clips are linked relative to the folder `beside`.

    Without the folder `transcripts`, or where a case has none in it, the verdicts are there and the texts are not.
    Raises FormError for a transcript that doesn't belong to the document.
    """
    pairs = Browsable({"datasets": {}, "cases": {}, "clips": [], "provenances": list(PROVENANCES)})
    clips: dict[tuple[str, str], int] = {}
    for name, dataset in document["datasets"].items():
        pairs.index["datasets"][name] = _rows(name, dataset, clips)
    pairs.index["clips"] = [{"name": clip, "address": None, "kind": None} for _, clip in clips]
    pairs.files = [None] * len(clips)
    for case in document["cases"]:
        if "verdicts" in case:
            rounds = [_round(of_round) for of_round in case["verdicts"]]
            pairs.index["cases"][case["id"]] = rounds
            for row, line in _lines(case, transcripts, document["datasets"][case["dataset"]]["keys"]):
                _add(pairs, case, row, line, beside)
    return pairs


def _rows(name: str, dataset: Dataset, clips: dict[tuple[str, str], int]) -> Plain:
    keys, labels = dataset["keys"], dataset["labels"]
    rows = len(keys)
    return {
        "keys": keys,
        "labels": "".join(_VERDICTS[label] for label in labels),
        "clips": [clips.setdefault((name, key.partition(":")[2]), len(clips)) for key in keys],
        **{column: [None] * rows for column in ("a1", "a2", "subtitle", "writers")},
    }


def _round(of_round: RoundVerdicts) -> Plain:
    return {
        "forward": {
            **_ordered(of_round["forward"], of_round["forward_provenance"]),
            **_weighed(of_round.get("forward_margin"), of_round.get("forward_confidence")),
        },
        "exchanged": {
            **_ordered(of_round["exchanged"], of_round["exchanged_provenance"]),
            **_weighed(of_round.get("exchanged_margin"), of_round.get("exchanged_confidence")),
        },
    }


def _weighed(margins: Sequence[float | None] | None, confidence: Sequence[float | None] | None) -> Plain:
    """Margins and confidence, where there are any, with as many digits as anybody looks at."""
    if margins is None:
        return {}
    return {"margins": _rounded(margins), "confidence": _rounded(confidence or ())}


def _rounded(values: Sequence[float | None]) -> list[float | None]:
    return [None if value is None else float(f"{value:.4g}") for value in values]


def _ordered(verdicts: Sequence[Label | None], provenances: Sequence[Provenance | None]) -> Plain:
    readings = list(zip(verdicts, provenances, strict=True))
    return {
        "verdicts": "".join(_VERDICTS[verdict] if how else _NOT_ASKED for verdict, how in readings),
        "provenances": "".join(str(PROVENANCES.index(how)) if how else _NOT_ASKED for _, how in readings),
        "steps": [None] * len(readings),
    }


def _lines(case: ReportedCase, transcripts: Path | None, keys: list[str]) -> Iterator[tuple[int, Plain]]:
    """Give the lines of a case's transcript, each with its row; none where there is no such file."""
    transcript = case.get("transcript")
    path = transcripts / Path(transcript).name if transcripts and transcript else None
    if path is None or not path.is_file():
        return
    with path.open(encoding="utf-8", errors="surrogatepass") as file:
        for number, text in enumerate(file, start=1):
            try:
                line = json.loads(text)
                row = row_of(line["key"])
                belongs = keys[row] == line["key"] and line["round"] < len(case["verdicts"])
            except (ValueError, KeyError, IndexError, TypeError):
                belongs = False
            if not belongs:
                raise FormError(
                    f"{path}, line {number}: is no verdict of {case['id']} in this report: the transcripts are of "
                    "another run, or cut short; put the report's own beside it, or move these away"
                )
            yield row, line


def _add(pairs: Browsable, case: ReportedCase, row: int, line: Plain, beside: Path | None) -> None:
    rows = pairs.index["datasets"][case["dataset"]]
    exchanged = line["order"] == ORDERS[1]
    steps = [pairs.number(text) for step in line["steps"] for text in (step["asked"], step["answer"])]
    pairs.index["cases"][case["id"]][line["round"]][line["order"]]["steps"][row] = steps
    if rows["a1"][row] is None:
        first, second = ("a2", "a1") if exchanged else ("a1", "a2")
        rows["a1"][row], rows["a2"][row] = pairs.number(line[first]), pairs.number(line[second])
        writers = [pairs.number(writer) for writer in line["writers"]]
        rows["writers"][row] = writers[::-1] if exchanged else writers
    clip = rows["clips"][row]
    # A case may have been asked about the clip of another row on purpose.
    if pairs.index["clips"][clip]["name"] == line["clip"]:
        if rows["subtitle"][row] is None:
            rows["subtitle"][row] = pairs.number(line["subtitle"])
        if line["media"] and pairs.files[clip] is None:
            _link(pairs, clip, Path(line["media"]).absolute(), beside)


def _link(pairs: Browsable, clip: int, file: Path, beside: Path | None) -> None:
    pairs.files[clip] = file
    address = quote(os.path.relpath(file, beside).replace(os.sep, "/")) if beside else file.as_uri()
    pairs.index["clips"][clip] |= {
        "address": address,
        "kind": "audio" if file.suffix.lower() in SOUND_ENDINGS else "video",
    }
