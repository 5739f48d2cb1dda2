"""What a model thinks before it speaks is no part of its answer; it is cut here, where answers are read.

Every engine's answers come through here, those of functions, external workers and servers too, so no engine has to cut.
The stored text of an answer stays whole, with its thought: a rule that is mended here then mends old answers as well.

Each form has a mark that opens a thought and one that closes it. A thought that was closed is left out, and what stands
around it stays. A closing mark without an opening one ends a thought that the prompt opened (the chat templates of
Qwen3 and DeepSeek-R1 do), so all before it goes. A thought without an end says nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

# (what opens a thought, what closes it) and who writes it so. The names and marks are those of vLLM's reasoning parsers
# (vllm/reasoning) and of the models' own chat templates.
_FORMS = (
    # Qwen3, DeepSeek-R1, MiMo, MiniCPM-o; <seed:think> of Seed-OSS, <mm:think> of MiniMax, <think:...> of Hunyuan.
    (r"<(?:\w+[:|])?(?:think|thought)(?:ing|s)?(?:_\w+)?(?::[^\s<>]+)?\s*>",
     r"</(?:\w+[:|])?(?:think|thought)(?:ing|s)?(?:_\w+)?(?::[^\s<>]+)?\s*>"),
    # Asked for by prompts, and by tuning on their answers.
    (r"<(?:reasoning|scratchpad)\s*>", r"</(?:reasoning|scratchpad)\s*>"),
    # Magistral.
    (r"\[think\]", r"\[/think\]"),
    # Kimi.
    ("\N{WHITE LEFT-POINTING TRIANGLE}think\N{WHITE RIGHT-POINTING TRIANGLE}",
     "\N{WHITE LEFT-POINTING TRIANGLE}/think\N{WHITE RIGHT-POINTING TRIANGLE}"),
    # Kimi K3.
    (r"<\|open\|>\s*think\s*<\|sep\|>", r"<\|close\|>\s*think\s*<\|sep\|>"),
    # Command A; Sky-T1 and OpenThinker.
    (r"<\|(?:start_thinking|begin_of_thought|think(?:ing)?)\|>",
     r"<\|(?:end_thinking|end_of_thought|/think(?:ing)?)\|>"),
    # Gemma 4: the two marks differ, and the first is followed by the channel's name.
    (r"<\|channel>(?:\s*thought\b)?", r"<channel\|>"),
)  # fmt: skip

_MARK = re.compile(
    "|".join(f"(?P<open{n}>{opening})|(?P<close{n}>{closing})" for n, (opening, closing) in enumerate(_FORMS)),
    re.IGNORECASE,
)
_SIGN = re.compile("[<\\[\N{WHITE LEFT-POINTING TRIANGLE}]")
_OPENED = re.compile(rf"(?:{'|'.join(opening for opening, _ in _FORMS)})\s*\Z", re.IGNORECASE)

# gpt-oss ("harmony"): each message names its channel; `final` is for the reader, `analysis` and `commentary` are not.
# https://github.com/openai/harmony/blob/main/docs/format.md
_CHANNEL = "<|channel|>"
_MESSAGE = re.compile(
    r"<\|channel\|>\s*(\w+)[^<]*(?:<\|constrain\|>[^<]*)?<\|message\|>"
    r"(.*?)(?=<\|(?:end|return|call|start|channel)\|>|\Z)",
    re.DOTALL,
)

# The same, where a server or a tokenizer dropped the marks and left the names of role and channel behind.
_BARE_ANALYSIS = re.compile(r"\s*analysis(?=[^\sa-z:.,])")
_BARE_FINAL = "assistantfinal"

# Gemma 4 without its marks: the channel's name is left of an empty thought.
_BARE_NAME = "thought\n"


def spoken(text: str) -> str | None:
    """Return what an answer says after (and around) its thoughts, or None where it ended within one.

    An answer without a thought is returned as it is.
    """
    if _CHANNEL in text:
        said = [body for channel, body in _MESSAGE.findall(text) if channel == "final"]
        return _outside("\n".join(said)) if said else None
    if _BARE_FINAL in text:
        return text.rpartition(_BARE_FINAL)[2].strip()
    if _BARE_ANALYSIS.match(text):
        return None
    return _outside(text.removeprefix(_BARE_NAME))


def opened_by(prompt: str) -> str:
    """Return the opening mark that a prompt ends with, or nothing.

    The model goes on from it, so it belongs before its answer: without it, a thought that was cut off can't be told.
    """
    opened = _OPENED.search(prompt)
    return opened[0] if opened else ""


def marks(token: str) -> bool:
    """Return whether a token of a tokenizer opens or closes thoughts, so that text without it can't be read."""
    return token == _CHANNEL or _MARK.fullmatch(token) is not None


def _outside(text: str) -> str | None:
    said: list[str] = []
    thinking: list[str] = []  # the forms of the thoughts that are open, the outermost first
    end = None
    for mark in _marks(text):
        opens, form = str(mark.lastgroup).startswith("open"), str(mark.lastgroup)[-1]
        if not thinking and opens:
            said.append(text[end or 0 : mark.start()])
        elif not thinking:
            said.clear()
        if not opens:
            del thinking[thinking.index(form) if form in thinking else len(thinking) :]
        elif form not in thinking:  # a model may write the mark again that its prompt ended with
            thinking.append(form)
        end = mark.end()
    if end is None:
        return text
    return None if thinking else "".join((*said, text[end:])).strip()


def _marks(text: str) -> Iterator[re.Match[str]]:
    """All marks of a text. Their first signs are looked for alone, since thoughts are long and marks are few."""
    for sign in _SIGN.finditer(text):
        mark = _MARK.match(text, sign.start())
        if mark:
            yield mark
