"""Text that others wrote, before it reaches a terminal, a log, or a line of a table.

Control characters move cursors, open links, set clipboards, and at the start of a line of a CI log they are commands.
"""

from __future__ import annotations

import re
from typing import TypeVar, cast

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_BREAK = re.compile(r"[\t\n]+")
_COMMAND = re.compile(r"^([ \t]*)(?=::|##)", re.MULTILINE)  # to the logs of GitHub, Azure and TeamCity
_MARK = "\N{REPLACEMENT CHARACTER}"

T = TypeVar("T")


def printable(text: str) -> str:
    """The text with every control character but tab and newline, and every lone surrogate, made visible."""
    return _CONTROL.sub(_MARK, text)


def no_command(text: str) -> str:
    """Printable text, no line of which is a command to a CI log: a mark stands before what would be one."""
    return _COMMAND.sub(rf"\1{_MARK}", printable(text))


def on_one_line(text: str) -> str:
    """Likewise, with tabs and newlines as blanks."""
    return _BREAK.sub(" ", printable(text))


def has_control(text: str) -> bool:
    """Whether the text has a character that a name must not have."""
    return bool(_CONTROL.search(text) or _BREAK.search(text))


def cleaned(value: T) -> T:
    """Plain JSON with every string in it printable, and every key of a dictionary on one line."""
    if isinstance(value, str):
        return cast("T", printable(value))
    if isinstance(value, list):
        return cast("T", [cleaned(element) for element in value])
    if isinstance(value, dict):
        return cast("T", {on_one_line(str(key)): cleaned(element) for key, element in value.items()})
    return value
