"""What was said on the way to each verdict, written beside the report for people to read.

One file a case, one JSON line a verdict, written anew by every run (answers from the store included), in the order in
which the verdicts came. Texts and answers lie here and not in the report, which can so be shared where the data may
not.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from emoprefer_bench.cases import Case
from emoprefer_bench.pairs import Answer, Pair
from emoprefer_bench.reading.thinking import spoken
from emoprefer_bench.trial.store import StoreError
from emoprefer_bench.verdicts import Reading


@dataclass(frozen=True, slots=True)
class Step:
    """A question of a strategy, by its template, and what came back; `score` are the texts that it weighed."""

    template: str
    answer: Answer
    score: Sequence[str] = ()


Steps = list[Step]


class Transcripts:
    """The open files of one trial's cases under a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[str, IO[str]] = {}
        self._open = contextlib.ExitStack()

    def __enter__(self) -> Self:
        with self._writing():
            self._folder.mkdir(parents=True, exist_ok=True)
            if not os.access(self._folder, os.W_OK):  # found out before anything is asked
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._writing():
            self._open.close()

    def write(
        self, case: Case, row: int, round_: int, pair: Pair, steps: Steps, reading: Reading, *, exchanged: bool
    ) -> None:
        """Write one verdict, on the row `row` (from 0). `pair` is in the order that was asked.

        `steps` are in the order in which they were asked. Raises StoreError where the disk is full or can't be written.
        """
        line = {
            "row": row + 1,  # as people count
            "round": round_,
            "order": "exchanged" if exchanged else "forward",
            "key": pair.key,
            "clip": pair.clip.name,
            "media": str(pair.clip.video or pair.clip.audio or ""),
            "subtitle": pair.clip.subtitle,
            "a1": pair.a1,
            "a2": pair.a2,
            "label": pair.label,
            "writers": [pair.model1, pair.model2],
            **({"question": pair.question, "criterion": pair.criterion} if pair.question else {}),
            "steps": [_described(step) for step in steps],
            "verdict": reading.label,
            "reference": reading.reference,
            "provenance": reading.provenance,
        }
        with self._writing():
            self._file(case).write(json.dumps(line, ensure_ascii=False) + "\n")

    def _file(self, case: Case) -> IO[str]:
        if case.id not in self._files:
            path = self._folder / f"{case.id}.jsonl"
            self._files[case.id] = self._open.enter_context(path.open("w", encoding="utf-8", errors="surrogatepass"))
        return self._files[case.id]

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StoreError(self._folder, "what was said", error.strerror) from error


def _described(step: Step) -> dict[str, Any]:
    """One question and what was said to it; beside it the whole answer, where the model thought before.

    One that weighed has its texts, each with the log-probabilities of its tokens.
    """
    text = step.answer.text
    said = spoken(text)
    described = {"asked": step.template, "answer": said or "", **({} if said == text else {"whole": text})}
    if step.answer.logprobs is None:
        return described
    rows = zip(step.score, step.answer.logprobs, strict=True)
    return {**described, "weighed": [{"text": weighed, "logprobs": row} for weighed, row in rows]}
