"""What a child sends, checked and cleaned once, where it is read.

Everything behind this can trust it: texts are legible and can be written in any file, numbers are finite and count
something. The workers of other environments are not ours, and a model's server, or a clip, may shape what they say.
"""

from __future__ import annotations

import contextlib
import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, get_args

from emoprefer_bench.errors import EmopreferError
from emoprefer_bench.pairs import Answer, Finish, Scores
from emoprefer_bench.printable import on_one_line, printable

FINISHES: tuple[Finish, ...] = get_args(Finish)
UNANSWERED: tuple[Finish, ...] = ("refused", "overlong", "error")
LONGEST_MESSAGE = 4000  # characters of an error; the child's log has the rest
MOST = 1 << 53  # of tokens or seconds: what any reader of JSON takes for an integer
NAME = re.compile(r"[\w.:-]{1,100}", re.ASCII)
DIGITS = 19  # of an integer; what has more is too large for anything that is counted here


class MessageError(EmopreferError, ValueError):
    """Something that the protocol doesn't allow; the message says what."""


@dataclass(frozen=True, slots=True)
class Ready:
    """What a child says of itself: how many questions it wants at once, on what it runs, which weights it loaded.

    `scores` are the texts that it can weigh.
    """

    concurrency: int
    device: str
    revision: str | None
    scores: Scores = False


def decode(line: bytes) -> dict[str, Any] | None:
    """The JSON object of a line, or None where it holds none that can be read."""
    with contextlib.suppress(ValueError, RecursionError):
        message: object = json.loads(line, parse_int=_integer)
        if isinstance(message, dict):
            return message
    return None


def ready(message: dict[str, Any]) -> Ready:
    """Read a `ready` message. Raises MessageError."""
    concurrency = message.get("concurrency", 1)
    if not isinstance(concurrency, int) or isinstance(concurrency, bool) or concurrency < 1:
        raise MessageError(
            f"the engine's 'ready' says concurrency {_shown(concurrency)}: it must be an integer from 1 on"
        )
    revision = message.get("revision")
    known = isinstance(revision, str) and NAME.fullmatch(revision)
    scores: Scores = message.get("scores") or False
    if scores not in (True, False, "labels"):
        raise MessageError(f"the engine's 'ready' says scores {_shown(scores)}: it must be true, false or \"labels\"")
    return Ready(concurrency, one_line(message.get("device", "")), str(revision) if known else None, scores)


def answer(message: dict[str, Any], score: Sequence[str] | None = None) -> Answer:
    """Read an `answer` message; `score` are the texts that were to be weighed. Raises MessageError."""
    text, finish = message.get("text", None if score is None else ""), message.get("finish") or "stop"
    if not isinstance(text, str):
        raise MessageError(f"its text is {_shown(text)}, not a string")
    if finish not in FINISHES:
        raise MessageError(f"finish {_shown(finish)} is none of {', '.join(FINISHES)}")
    tokens = {name: _count(name, number) for name, number in _numbers(message, "tokens")}
    seconds = {name: float(_number(name, number)) for name, number in _numbers(message, "seconds")}
    weighed = None if score is None or finish in UNANSWERED else logprobs(message.get("logprobs"), score)
    return Answer(encodable(text), finish, tokens, seconds, logprobs=weighed)


def logprobs(rows: object, score: Sequence[str]) -> tuple[tuple[float, ...] | None, ...]:
    """Check the log-probabilities of an answer about the texts of `score`. Raises MessageError."""
    if not isinstance(rows, (list, tuple)) or len(rows) != len(score):
        count = f"of {len(rows)}" if isinstance(rows, (list, tuple)) else _shown(rows)
        raise MessageError(f"its logprobs are {count}, and {len(score)} texts were to be weighed: one list a text")
    return tuple(_weighed(row) for row in rows)


def _weighed(row: object) -> tuple[float, ...] | None:
    """The log-probabilities of one text's tokens; None where they could only be bounded."""
    if row is None:
        return None
    if not isinstance(row, (list, tuple)) or not row:
        raise MessageError(f"its logprobs hold {_shown(row)}, which is no list of one number for each token of a text")
    for number in row:
        if isinstance(number, bool) or not isinstance(number, (int, float)):
            raise MessageError(f"its logprobs hold {_shown(number)}, which is no number")
        if not -MOST <= number <= 0:
            raise MessageError(f"its logprobs hold {_shown(number)}: the logarithm of a probability is finite and <= 0")
    return tuple(float(number) for number in row)


def encodable(text: str) -> str:
    """The text with what UTF-8 can't hold (half a pair of surrogates) replaced."""
    return text.encode(errors="replace").decode()


def legible(text: object) -> str:
    """What a child says went wrong, for people: its lines without control characters, within reason."""
    cut = str(text)[: LONGEST_MESSAGE + 1]
    shown = cut if len(cut) <= LONGEST_MESSAGE else f"{cut[:LONGEST_MESSAGE]} ..."
    return printable(shown)


def one_line(text: object) -> str:
    """A name that a child gives, such as its device's; empty for what is no text."""
    return on_one_line(text[:200]).strip() if isinstance(text, str) else ""


def _numbers(message: dict[str, Any], field: str) -> list[tuple[str, Any]]:
    """The named numbers of a field, without those that are null."""
    numbers = message.get(field) or {}
    if not isinstance(numbers, dict):
        raise MessageError(f"its {field} are {_shown(numbers)}, not an object of numbers")
    for name in numbers:
        if not isinstance(name, str) or not NAME.fullmatch(name):
            raise MessageError(f"its {field} have the name {_shown(name)}, which is none")
    return [(name, number) for name, number in numbers.items() if number is not None]


def _count(name: str, number: object) -> int:
    count = _number(name, number)
    if count != int(count):
        raise MessageError(f"{name} is {_shown(number)}, and tokens are counted in integers")
    return int(count)


def _number(name: str, number: object) -> float:
    if isinstance(number, bool) or not isinstance(number, (int, float)):
        raise MessageError(f"{name} is {_shown(number)}, not a number")
    if not 0 <= number <= MOST:
        raise MessageError(f"{name} is {_shown(number)}, which counts nothing")
    return number


def _integer(digits: str) -> int | float:
    """An integer of JSON; one that is too large for anything counted is as good as infinite."""
    return int(digits) if len(digits) <= DIGITS else math.copysign(math.inf, -1 if digits.startswith("-") else 1)


def _shown(value: object) -> str:
    try:
        return one_line(repr(value)[:80])
    except (RecursionError, ValueError):  # nested too deep, or an integer of thousands of digits
        return "what can't be shown"
