"""Weighing labels by the words that a server was likeliest to answer with.

OpenAI's servers, and those that speak like them, list the likeliest tokens at each place of an answer (`top_logprobs`).
A label can be read off those along the answer that was given; one that isn't listed there is only bounded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST_LISTED = 20  # tokens at a place: the most that OpenAI lists, and what vLLM's server allows unless told otherwise
PLACES = 4  # of an answer, in which each label ends


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
