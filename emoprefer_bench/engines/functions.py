"""Judges that are Python functions, called in this process: controls, heuristics, and clients of one's own."""

from __future__ import annotations

import asyncio
import inspect
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emoprefer_bench.cases import MEDIA
from emoprefer_bench.engines.engine import DeclarationError
from emoprefer_bench.pairs import Answer, Question, Sampling, Scores
from emoprefer_bench.prompts import Whitespace
from emoprefer_bench.protocol import messages

if TYPE_CHECKING:
    from emoprefer_bench.engines.engine import Session
    from emoprefer_bench.media.plan import MediaPlan

NAMELESS = "function"

Said = str | Answer | dict[str, Any]
"""What a function returns: the text of its answer, or more: an answer, or a dict as a worker's (worker.OneByOne)."""


@dataclass(frozen=True)
class FunctionEngine:
    """A function from a question to its answer's text (or an Answer), or to a promise of it (`async def`).

    With a `version`, its answers are kept for later runs under that and its `name`. `looks_at` says which media of a
    clip it opens itself (`audio`, `video` or `audiovideo`): they count as seen and heard, as tokens of models do. One
    that weighs texts says so (`scores=True`).
    """

    function: Callable[[Question], Said | Awaitable[Said]]
    name: str = NAMELESS
    sampling: Sampling = field(default_factory=Sampling)
    plan: MediaPlan | None = None
    durable: bool = False
    whitespace: Whitespace = "keep"
    flat_answers: bool = False
    concurrency: int = 8
    device: str = "CPU"
    about: str = ""
    scores: Scores = False
    version: str = ""
    looks_at: str | None = None

    def __post_init__(self) -> None:
        """Raise DeclarationError for a function whose answers are kept under no name, or that looks at no medium."""
        if self.durable and self.name == NAMELESS:
            raise DeclarationError(
                "function(...) needs a name=... where its answers are kept (version=..., durable=True): they are kept "
                "under that, and another function of the same name would be given them. Take a new version when the "
                "function changes"
            )
        if self.looks_at is not None and not MEDIA.get(self.looks_at):
            raise DeclarationError(f"function(..., looks_at={self.looks_at!r}): say audio, video or audiovideo")

    @property
    def sent_sound(self) -> None:
        """It is sent none."""

    def identity(self) -> dict[str, Any]:
        """Its name and version: a function is as good as these say."""
        version = {"version": self.version} if self.version else {}
        return {"engine": "function", "name": self.name, **version}

    def identity_once_loaded(self, revision: str | None) -> dict[str, Any]:  # noqa: ARG002  # it has no weights
        """The same: it is known before."""
        return self.identity()

    def missing(self) -> None:
        """It needs nothing."""

    @asynccontextmanager
    async def open(self, log: Path) -> AsyncIterator[Session]:
        """There is nothing to start; what it raises is written into the log."""
        yield FunctionSession(self.function, self.name, log, self.concurrency, self.device, self.scores)


@dataclass
class FunctionSession:
    """Questions to a function. What it raises, and what is no answer, is the question's error and no other's."""

    function: Callable[[Question], Said | Awaitable[Said]]
    name: str
    log: Path
    concurrency: int
    device: str
    scores: Scores
    revision: str | None = None
    restarts: int = 0
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)

    async def answer(self, question: Question, clip: dict[str, Any] | None) -> Answer:  # noqa: ARG002  # reads the question
        """Call the function."""
        try:
            async with self._turn:
                await asyncio.sleep(0)  # between two calls, what ends the run has its turn
                said = self.function(question)
            if inspect.isawaitable(said):
                said = await said
        except Exception as error:  # noqa: BLE001  # whatever a user's code raises
            return Answer(self._raised(error), "error")
        try:
            if isinstance(said, Answer) and isinstance(said.text, str):
                return _checked(said, question)
            if isinstance(said, (str, dict)):
                return messages.answer({"text": said} if isinstance(said, str) else said, question.score)
        except messages.MessageError as error:
            return Answer(f"the answer of the function {self.name!r} is none: {error}", "error")
        kind = "None" if said is None else f"something of type {type(said).__name__}"
        return Answer(
            f"the function returned {kind}, and must return the text of its answer (a string, such as 'a1') or an "
            "emoprefer_bench.Answer",
            "error",
        )

    def _raised(self, error: Exception) -> str:
        """Say in a line what the function raised, and where; the log has all of it."""
        frames = traceback.extract_tb(error.__traceback__)
        place = f"{Path(frames[-1].filename).name}, line {frames[-1].lineno}"
        what, *_ = traceback.format_exception_only(error)[-1].strip().splitlines()
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("a", encoding="utf-8", errors="replace") as log:
            log.writelines(traceback.format_exception(error))
        return messages.legible(f"the function raised {what} ({place}; logs/{self.log.name} has it whole)")


def _checked(said: Answer, question: Question) -> Answer:
    """An answer that a function made itself, checked as a child's is. Raises MessageError."""
    fields = {field: getattr(said, field) for field in ("text", "finish", "tokens", "seconds", "logprobs")}
    return replace(messages.answer(fields, question.score), device=messages.one_line(said.device))
