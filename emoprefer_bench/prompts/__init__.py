"""Prompt packs: the wording of the questions, kept in TOML files.

A pack has a `name` and the templates `subtitle`, `judge`, `describe`, `judge_described`, `compare`, `reason` and
`conclude`. Fields are `{a1}`, `{a2}`, `{subtitle}`, `{description}`, `{reasoning}`, and of rows that have a question
`{question}` and `{criterion}`. With `whitespace = "fold"`, what
is filled in loses its line breaks: see `folded`. Without it, or with "keep", everything arrives as it is.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal, TypedDict, get_args

from emoprefer_bench.errors import EmopreferError

DEFAULT = Path(__file__).with_name("default.toml")
QUESTION = Path(__file__).with_name("question.toml")
ON_THE_WHOLE = "which answer is better on the whole"  # the criterion of a question that has none

Whitespace = Literal["keep", "fold"]

WIDE_COLON = "\N{FULLWIDTH COLON}"
# What the EmoPrefer paper's code drops in front of an answer, once each and in this order: "input", "output",
# "translation", "let us translate:", and the English words (MERTools, MER2026_Track3, utils/qwen25.py and qwen3.py).
INTRODUCTIONS = ("输入", "输出", "翻译", f"让我们来翻译一下{WIDE_COLON}", "output", "Output", "input", "Input")

_FIELD = re.compile(r"\{(a1|a2|subtitle|description|reasoning|question|criterion)\}")


class PromptPackError(EmopreferError):
    """A prompt pack that can't be used; the message says which file and how to mend it."""


class PackName(TypedDict):
    """What a report says of a pack: its name, and the SHA-256 (hex) of the file's bytes."""

    name: str
    sha256: str


@dataclass(frozen=True)
class PromptPack:
    """The wording of one pack. `digest` is the SHA-256 (hex) of the file's bytes."""

    name: str
    digest: str
    subtitle: str
    judge: str
    describe: str
    judge_described: str
    compare: str
    reason: str
    conclude: str
    whitespace: Whitespace = "keep"

    def described(self) -> PackName:
        """What a report says of the pack."""
        return {"name": self.name, "sha256": self.digest}

    @property
    def asks(self) -> bool:
        """Whether it has a place for a row's own question wherever texts are judged."""
        return all("{question}" in text for text in (self.judge, self.judge_described, self.compare, self.reason))

    def render(self, template: str, **values: str) -> str:
        """The named template with its fields replaced in one pass: text that came in is never read as a template."""
        if self.whitespace == "fold":
            values = {name: folded(value) for name, value in values.items()}
        return _FIELD.sub(lambda field: values.get(field[1], field[0]), getattr(self, template))


def folded(text: str) -> str:
    """The text on one line, as the EmoPrefer paper's code has it: a blank for each newline and tab, none at the ends.

    Runs of blanks stay runs, and no other character changes.
    """
    return text.replace("\n", " ").replace("\t", " ").strip()


def flattened(text: str) -> str:
    """An answer without words such as "Output:" in front and without newlines, as the EmoPrefer paper's code has it.

    Nothing takes the place of a newline.
    """
    text = text.strip()
    for word in INTRODUCTIONS:
        text = text.removeprefix(word)
    text = text.strip().removeprefix(":").removeprefix(WIDE_COLON)
    return text.replace("\n", "").strip()


def load(path: Path = DEFAULT) -> PromptPack:
    """Read a pack. Raises PromptPackError for a file that is missing, no TOML, or short of a template."""
    try:
        raw = path.read_bytes()
        table = tomllib.loads(raw.decode())
    except OSError as error:
        raise PromptPackError(f"{path}: can't read the prompt pack ({error.strerror})") from None
    except ValueError as error:
        raise PromptPackError(f"{path}: the prompt pack is not valid TOML: {error}") from None
    known = {field.name for field in fields(PromptPack)} - {"digest"}
    faults = [f"has no {name!r}" for name in sorted(known - {"whitespace"} - table.keys())]
    faults += [f"has {name!r}, which is not a template" for name in sorted(table.keys() - known)]
    faults += [
        f"has a {name!r} that is not text" for name in sorted(known & table.keys()) if not isinstance(table[name], str)
    ]
    choices = get_args(Whitespace)
    if isinstance(given := table.get("whitespace", "keep"), str) and given not in choices:
        faults.append(f"has the whitespace {given!r}, which is none of {', '.join(choices)}")
    if faults:
        raise PromptPackError(f"{path}: the prompt pack {'; '.join(faults)} (compare with {DEFAULT})")
    return PromptPack(digest=hashlib.sha256(raw).hexdigest(), **table)
