"""Runs with transcripts, made of thin air by the very parts that make real ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from emoprefer_bench.cases import Case
from emoprefer_bench.data.datasets import Dataset
from emoprefer_bench.pairs import Answer, Clip, Pair
from emoprefer_bench.trial.result import result
from emoprefer_bench.trial.tally import Tally
from emoprefer_bench.trial.transcripts import Step, Transcripts
from emoprefer_bench.verdicts import read
from support import documents

if TYPE_CHECKING:
    from collections.abc import Callable

    Steps = list[tuple[str, str]]
    Teller = Callable[[Pair, bool], Steps]

HALF = "half a character \ud800"
HOSTILE = [
    "</script><script>window.hacked = 1</script>",
    "<img src=x onerror='window.hacked = 1'><svg onload='window.hacked = 1'>",
    "<!--<script>",
    "]]></style><style>body { display: none }</style>",
    "<iframe srcdoc='<script>parent.hacked = 1</script>'></iframe><base href='https://example.invalid/'>",
    "\u202egnorts si ecrof eht\u202d\u2066 and isolates that never end \u2067\u2068",
    "a null \x00, an escape \x1b[31m, a bell \x07",
    "W" * 3000,
    "\u2028 and \u2029 end lines in old JavaScript",
    "{{packs}} ${window.hacked = 1} {{script}} javascript:window.hacked=1 &lt;b&gt; \\u003cb\\u003e '\"`",
]


def golden() -> dict:
    """The golden report: every kind of case that there is, and no transcripts."""
    return json.loads((documents.GOLDEN / "report.json").read_text(encoding="utf-8"))


def says(label: str) -> Teller:
    """A judge of S1 that always says the same."""
    return lambda pair, exchanged: [("judge", label)]


def prefers_longer(pair: Pair, exchanged: bool) -> Steps:  # noqa: FBT001  # every teller is told which order it is
    """A judge of S2 that takes the longer text, and describes the clip first."""
    return [
        ("describe", f"An account of {pair.clip.name}."),
        ("judge_described", "a1" if len(pair.a1) > len(pair.a2) else "a2"),
    ]


def told(folder: Path, pairs: list[Pair], judges: dict[Case, Teller], rounds: int = 1) -> dict:
    """Ask every judge about all pairs in both orders; write the transcripts and return the document."""
    found = []
    with Transcripts(folder / "transcripts") as transcripts:
        for case, teller in judges.items():
            tally = Tally.empty(case, pairs, rounds)
            for number in range(rounds):
                for row in range(len(pairs)):
                    for exchanged in (False, True):
                        _tell(tally, transcripts, row, number, teller, exchanged=exchanged)
            found.append(
                {
                    **result(tally, documents.ENGINE, transcript=f"transcripts/{case.id}.jsonl"),
                    "outcome": "passed",
                    "reason": None,
                }
            )
    names = dict.fromkeys(case.dataset for case in judges)
    return documents.report(found, *(Dataset(name, pairs) for name in names))


def _tell(tally: Tally, transcripts: Transcripts, row: int, number: int, teller: Teller, *, exchanged: bool) -> None:
    pair = tally.pairs[row].swapped() if exchanged else tally.pairs[row]
    steps = teller(pair, exchanged)
    reading = read(Answer(steps[-1][1]))
    one = tally.rounds[number]
    (one.exchanged if exchanged else one.forward)[row] = reading
    asked = [Step(template, Answer(text)) for template, text in steps]
    transcripts.write(tally.case, row, number, pair, asked, reading, exchanged=exchanged)


def some_pairs(rows: int = 24) -> list[Pair]:
    """Pairs on half as many clips. The longer text is the preferred one in two of three; each fourth is a tie."""
    clips = [
        Clip(f"clip{number}", digest=f"{number:064}", subtitle=f"Sentence {number}.") for number in range(rows // 2)
    ]
    made = []
    for row in range(rows):
        short, long = f"Short text {row}.", f"This is the long text of row {row}, which says more."
        a1, a2 = (long, short) if row % 2 else (short, long)
        longer = "a1" if row % 2 else "a2"
        label = "same" if row % 4 == 3 else longer if row % 3 else {"a1": "a2", "a2": "a1"}[longer]
        made.append(
            Pair(f"{row:05}:{clips[row // 2].name}", clips[row // 2], a1, a2, label, "first writer", "second writer")
        )
    return made


def a_run(folder: Path, rows: int = 24) -> dict:
    """Three judges beside a control, on two data sets of the same pairs."""

    def one(model: str, prompt: str, dataset: str = "toy", modality: str | None = "audiovideo") -> Case:
        return Case(model, prompt, dataset, modality)

    judges: dict[Case, Teller] = {
        one("always_a1", "direct", modality=None): says("a1"),
        one("careful", "S2"): prefers_longer,
        one("stubborn", "S1"): says("a2"),
        one("vague", "S1"): lambda pair, exchanged: [("judge", "Both have merit." if exchanged else "a1")],
        one("stubborn", "S1", "other"): says("same"),
    }
    return told(folder, some_pairs(rows), judges)


def a_hostile_run(folder: Path) -> dict:
    """Every text that a stranger could have written is hostile, and so are the names that are shown."""
    clip = Clip("clip <script>window.hacked = 1</script>", digest="0" * 64, subtitle=HOSTILE[0])
    pairs = [
        Pair(f"{row:05}:{clip.name}", clip, text, HOSTILE[-1 - row], "a1", f"writer {text}", text)
        for row, text in enumerate(HOSTILE)
    ]
    case = Case("judge <b onclick=alert(1)>", "S4", "toy <script>", "video+subtitle", "llm")
    document = told(
        folder,
        pairs,
        {case: lambda pair, exchanged: [("describe", pair.a1), ("reason", pair.a2), ("conclude", HALF + " a1")]},
    )
    hostile = "".join(HOSTILE[:7])
    document["cases"][0] |= {"faults": {hostile: 2}, "reason": hostile, "outcome": "failed"}
    document["cases"][0]["gate"] = [{"outcome": hostile, "kind": hostile, "metric": None, "message": hostile}]
    document["manifest"]["arguments"] += HOSTILE
    return document
