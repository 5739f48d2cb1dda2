"""Weighing texts through a server's chat completions.

OpenAI's servers, and those that speak like them, list the likeliest tokens at each place of an answer (`top_logprobs`).
A label can be read off those along the answer that was given; one that isn't listed there is only bounded.

vLLM's own server gives the log-probabilities of a prompt's tokens, too (`prompt_logprobs`), so a text is weighed as the
end of a prompt: an answer that is begun. Where it begins is told by the tokens of the prompt without it, which is read
once before. For the log-probabilities vLLM computes the whole prompt, whatever is in its prefix cache: the clip is read
anew for each text.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from emoprefer_bench.pairs import LABELS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    Complete = Callable[..., Awaitable[Any]]
    """Sends messages and fields of the request's body beside them; returns the completion."""

MOST_LISTED = 20  # tokens at a place: the most that OpenAI lists, and what vLLM's server allows unless told otherwise
PLACES = 4  # of an answer, in which each label ends
KEPT_PROMPTS = 128  # more than clips are asked about at once

AS_TOKENS = {"return_token_ids": True}
AS_BEGUN = {
    "continue_final_message": True,
    "add_generation_prompt": False,
    "prompt_logprobs": 0,  # none but those of the prompt's own tokens
    "return_prompt_text": True,
}


class ServerWeigher:
    """Weighs texts through one server: labels alone, or with `any_text` (vLLM's own) whatever there is."""

    def __init__(self, *, any_text: bool) -> None:
        self._any_text = any_text
        self._prompts: OrderedDict[str, list[int]] = OrderedDict()
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def weigh(
        self, complete: Complete, messages: list[Any], texts: Sequence[str], name: str
    ) -> tuple[Any, list[list[float] | None]]:
        """Return the last completion and a list of log-probabilities for each text, None where it was only bounded.

        `name` is that of the prompt: the same for the same messages. Raises RuntimeError for a server that can't weigh.
        """
        if set(texts) <= set(LABELS):
            told = await complete(
                messages, max_tokens=PLACES, logprobs=True, top_logprobs=MOST_LISTED, **self._extra(AS_TOKENS)
            )
            logprobs = [listed(_places(told), text) for text in texts]
            prompt = getattr(told, "prompt_token_ids", None)
        else:
            told, logprobs, prompt = None, [None] * len(texts), await self._read(complete, messages, name)
        for number, text in enumerate(texts):
            if logprobs[number] is None and prompt and self._any_text:
                begun = [*messages, {"role": "assistant", "content": text}]
                told = await complete(begun, max_tokens=1, **AS_TOKENS, **AS_BEGUN)
                logprobs[number] = behind(told, prompt, text)
        return told, logprobs

    def _extra(self, fields: dict[str, Any]) -> dict[str, Any]:
        """Return fields that no server but vLLM's is to be sent."""
        return fields if self._any_text else {}

    async def _read(self, complete: Complete, messages: list[Any], name: str) -> list[int]:
        """Return the tokens of a prompt; questions about one prompt have it read once."""
        async with self._turns.setdefault(name, asyncio.Lock()):
            if name not in self._prompts:
                tokens = _tokens(await complete(messages, max_tokens=1, **AS_TOKENS))
                while len(self._prompts) >= KEPT_PROMPTS:
                    self._prompts.popitem(last=False)
                self._prompts[name] = tokens
            return self._prompts[name]


def listed(content: Sequence[Any], text: str) -> list[float] | None:
    """Return the log-probabilities of a text's tokens, or None where they were only bounded.

    `content` has a completion's tokens, each with those that were likeliest in its place. The text's own token is the
    longest of them that it begins with.
    """
    logprobs: list[float] = []
    for place in content:
        known = {entry.token: entry.logprob for entry in (*place.top_logprobs, place)}
        token = max((token for token in known if token and text.startswith(token)), key=len, default=None)
        if token is None:
            return None
        logprobs.append(min(known[token], 0.0))
        text = text.removeprefix(token)
        if not text:
            return logprobs
        if token != place.token:  # the answer went another way, and what would have followed here isn't listed
            return None
    return None


def behind(told: Any, prompt: Sequence[int], text: str) -> list[float]:
    """Return the log-probabilities of the tokens of a text that a completion's own prompt ends with.

    `prompt` has the tokens of the prompt without the text. Raises RuntimeError where they can't be told.
    """
    rows = getattr(told, "prompt_logprobs", None)
    tokens = _tokens(told)
    if not rows or len(rows) != len(tokens):
        raise RuntimeError("the server gave no log-probabilities of a prompt, so it can't weigh texts: leave L1 out")
    if tokens[: len(prompt)] != list(prompt) or len(tokens) == len(prompt):
        raise RuntimeError("the server's chat template opens an answer otherwise where it is begun: leave L1 out")
    whole = getattr(told, "prompt_text", None)
    if not (text == text.strip() if whole is None else whole.endswith(text)):
        raise RuntimeError(f"the server's chat template changes a text: {text[:40]!r}")
    behind = zip(rows[len(prompt) :], tokens[len(prompt) :], strict=True)
    return [min(row[str(token)]["logprob"], 0.0) for row, token in behind]


def _places(told: Any) -> Any:
    """Return the tokens of an answer. Raises RuntimeError where their log-probabilities are missing."""
    places = told.choices[0].logprobs if told.choices else None
    if places is None or not places.content:
        raise RuntimeError("the server gave no log-probabilities, so it can't weigh words: leave P1 out for it")
    return places.content


def _tokens(told: Any) -> list[int]:
    """Return the tokens of a completion's prompt. Raises RuntimeError for a server that doesn't tell."""
    tokens: list[int] | None = getattr(told, "prompt_token_ids", None)
    if not tokens:
        raise RuntimeError("the server doesn't tell the tokens of a prompt, so it can't weigh texts: leave L1 out")
    return tokens
