"""Scoring what was inferred already: a folder of the reference's files becomes cases, and nothing is asked.

The reference names its files `{model}-{input}-{kind}-{data}-round{r}.npz`, with `-{llm}` before the round where a text
LLM had the last word, and writes the exchanged pairs as data set `{data}reverse`.
Source: zeroQiaoba/AffectGPT, folder EmoPrefer.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from emoprefer_bench.cases import SUBTITLE, Case, NamedCase
from emoprefer_bench.data.datasets import Dataset
from emoprefer_bench.pairs import EXCHANGED, Clip, Label, Pair, shown_row
from emoprefer_bench.printable import has_control
from emoprefer_bench.replay.npz import Answers, ReplayError, read
from emoprefer_bench.trial.result import result
from emoprefer_bench.trial.tally import Tally
from emoprefer_bench.verdicts import Reading, Round

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from emoprefer_bench.document.types import Dataset as Described
    from emoprefer_bench.document.types import Engine, Engines, ScoredResult

PROMPTS = {"normal": "S1", "cot-answer": "S2", "cot-answer2": "S3", "cot-answer3": "S4"}
ON_THE_WAY = ("cot-description", "cot-reasoning")
BY_LLM = ("cot-answer2", "cot-answer3", "cot-reasoning")
CLOSED = ("gpt", "gemini")
# The reference's input types by ours. Its `text` is the subtitle.
MODALITIES = {
    "audio": "audio",
    "video": "video",
    "audiovideo": "audiovideo",
    "text": "text" + SUBTITLE,
    "audiotext": "audio" + SUBTITLE,
    "videotext": "video" + SUBTITLE,
    "audiovideotext": "audiovideo" + SUBTITLE,
    "xxx": "audiovideo",  # an older version's, which doesn't say
}

_NAME = re.compile(
    rf"(?P<model>.+)-(?P<input>{'|'.join(MODALITIES)})-(?P<kind>{'|'.join((*PROMPTS, *ON_THE_WAY))})"
    r"-(?P<data>[^-]+?)(?P<reverse>reverse)?(-(?P<llm>.+))?-round(?P<round>0|[1-9][0-9]*)\.npz"
)


@dataclass(frozen=True, slots=True)
class RoundFiles:
    """The files of one round: the pairs as they stand, and exchanged; None where a file is not there."""

    number: int
    forward: Path | None
    reverse: Path | None


@dataclass(frozen=True, slots=True)
class Recording:
    """A case that was inferred already, known from file names alone. Its rounds are in the order of their numbers.

    `id` is the case's, with input type and text LLM behind it where the folder has several of them for the same case.
    """

    id: str
    case: Case
    rounds: tuple[RoundFiles, ...]

    def load(self, dataset: Dataset | None = None) -> tuple[ScoredResult, Described]:
        """Read and score it, see `load`."""
        return load(self, dataset)

    def named(self) -> NamedCase:
        """Give what identifies the case in a report."""
        return {**self.case.named(), "id": self.id}


@dataclass(frozen=True, slots=True)
class Found:
    """What a folder holds: `recordings` by model, data set and prompt; `ignored` says of each other .npz file why."""

    recordings: tuple[Recording, ...]
    ignored: dict[str, str]


def find(folder: Path) -> Found:
    """Look through a folder's file names; no file is opened. Raises ReplayError where no answer file is there."""
    files: dict[Case, dict[int, dict[str, Path]]] = defaultdict(lambda: defaultdict(dict))
    ignored: dict[str, str] = {}
    for path in sorted(folder.glob("*.npz")):
        name = _NAME.fullmatch(path.name)
        if has_control(path.name):
            ignored[path.name] = "its name has a control character"
        elif name is None or (name["llm"] and name["kind"] not in BY_LLM):  # older versions left the LLM out
            ignored[path.name] = "its name is none that the reference gives"
        elif name["kind"] in ON_THE_WAY:
            ignored[path.name] = "what was said on the way to an answer is not needed"
        else:
            files[_case(name)][int(name["round"])]["reverse" if name["reverse"] else "forward"] = path
    if not files:
        raise ReplayError(
            f"{folder}: there is no answer file such as qwen25omni_7b-audiovideo-normal-emoprefer-round1.npz"
        )
    return Found(tuple(_recordings(files)), ignored)


def load(recording: Recording, dataset: Dataset | None = None) -> tuple[ScoredResult, Described]:
    """Read and score a recording: the case and its data set, as both stand in a report's document.

    The labels of all files must agree, and with those of `dataset` where it is given. Without it, texts and clips are
    unknown, so that every row counts as a clip of its own. Where a file of exchanged pairs is missing, what needs both
    orders (swap consistency) is undefined. A predicted label counts as read, since the file no longer
    says what the answer was: the strict scores know no unread verdict. Raises ReplayError.
    """
    rounds = [_read(files) for files in recording.rounds]
    first, _ = rounds[0]
    for forward, reverse in rounds:
        _check_labels(first, forward, forward.labels)
        if reverse:
            _check_labels(first, reverse, [EXCHANGED[label] if label else None for label in reverse.labels])
    known = dataset or _stand_in(recording.case.dataset, first.labels)
    _check_dataset(first, known)
    both_orders = all(reverse for _, reverse in rounds)  # else the exchanged files that are there say nothing of rounds
    tally = Tally(
        recording.case,
        known.pairs,
        [
            Round(_readings(f.verdicts), _readings(r.verdicts) if r and both_orders else [None] * len(known.pairs))
            for f, r in rounds
        ],
    )
    files = {answers.path.name: answers.digest for of_round in rounds for answers in of_round if answers}
    tally.used = len(files) * len(known.pairs)
    engine: Engines = {
        "judge": _engine(recording.case.model, files),
        "llm": _engine(recording.case.llm, files) if recording.case.llm else None,
    }
    return {**result(tally, engine), **recording.named(), "complete": True}, known.described()


def _case(name: re.Match[str]) -> Case:
    model, closed = name["model"], name["model"].startswith(CLOSED)
    return Case(model, PROMPTS[name["kind"]], name["data"], MODALITIES[name["input"]], name["llm"], closed=closed)


def _recordings(files: dict[Case, dict[int, dict[str, Path]]]) -> Iterable[Recording]:
    ids = [case.id for case in files]
    for case in sorted(
        files, key=lambda case: (case.model, case.dataset, case.prompt, str(case.modality), str(case.llm))
    ):
        parts = (case.id, case.modality, case.llm) if ids.count(case.id) > 1 else (case.id,)
        rounds = [RoundFiles(n, paths.get("forward"), paths.get("reverse")) for n, paths in sorted(files[case].items())]
        yield Recording("-".join(part for part in parts if part), case, tuple(rounds))


def _read(files: RoundFiles) -> tuple[Answers, Answers | None]:
    if files.forward is None:
        raise ReplayError(
            f"{files.reverse}: the forward file of round {files.number} is missing, which the scores are of"
        )
    return read(files.forward), read(files.reverse) if files.reverse else None


def _readings(verdicts: Sequence[Label]) -> list[Reading | None]:
    return [Reading(verdict, "parsed", verdict) for verdict in verdicts]


def _check_labels(first: Answers, other: Answers, labels: Sequence[Label | None]) -> None:
    """Check the labels of a file, in the order of the forward files, against those of the first file."""
    _check_rows(other, len(first.labels), first.path.name)
    for row, (expected, label) in enumerate(zip(first.labels, labels, strict=True), 1):
        if expected != label:
            exchanged = "" if labels is other.labels else ", exchanged back,"
            raise ReplayError(
                f"{other.path}, row {row}: the label{exchanged} is {label}, but {first.path.name} has {expected} there"
            )


def _check_dataset(first: Answers, dataset: Dataset) -> None:
    _check_rows(first, len(dataset.pairs), f"data set {dataset.name}")
    for row, (label, pair) in enumerate(zip(first.labels, dataset.pairs, strict=True), 1):
        if label != pair.label and label and pair.label:
            raise ReplayError(
                f"{first.path}, row {row}: the label is {label}, but data set {dataset.name} has {pair.label} in "
                f"{shown_row(pair.key)}: its rows stand in another order, or its labels are others"
            )


def _check_rows(answers: Answers, expected: int, where: str) -> None:
    if len(answers.labels) != expected:
        raise ReplayError(f"{answers.path}: has {len(answers.labels)} rows, but {where} has {expected}")


def _stand_in(name: str, labels: Sequence[Label | None]) -> Dataset:
    return Dataset(name, [Pair(f"{row:05}:", Clip(f"row {row}"), "", "", label) for row, label in enumerate(labels)])


def _engine(name: str, files: dict[str, str]) -> Engine:
    identity = {"engine": "replay", "files": files}
    return {"name": name, "engine": "replay", "device": None, "identity": identity, "sampling": None, "greedy": None}
