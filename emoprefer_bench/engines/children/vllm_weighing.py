"""Weighing texts with vLLM, the prompt read once and from then on taken from its prefix cache.

vLLM gives the log-probabilities of a prompt's tokens, so a text is weighed as the end of a prompt. It needs care:

- Where a request takes tokens from the cache, their rows are not computed: they are missing, or uninitialised memory
  (vllm-project/vllm, issue 42245), and vLLM says nothing but how many tokens those were. The last tokens of a prompt
  can be among them, as where the same text was weighed before, or another with the same beginning.
- Logits are computed for every row that wasn't cached, at once in the older of vLLM's runners. So the prompt is read
  before anything behind it is weighed, and only rows behind it ever are. Questions that come while others with the same
  prompt are being weighed, such as those about the texts of a clip, find it read.

A request never takes all of its tokens from the cache: the last is computed, since the next is to be drawn from it. So
rows that the cache went past are had by asking for the part of the prompt that the cache held: what comes next there,
and what was computed on the way.
"""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from vllm import RequestOutput, SamplingParams
    from vllm.v1.engine.async_llm import AsyncLLM

    Send = Callable[[dict[str, Any], SamplingParams, str, str], Awaitable[RequestOutput]]

FLAT = "flat_logprobs"  # lists in place of an object for each token of a prompt, clip and all, where this vLLM has them
NEEDS = {"logprob_token_ids", "skip_reading_prefix_cache", "prompt_logprobs", "detokenize"}


@dataclass(frozen=True)
class Weighed:
    """A list of log-probabilities for each text; the prompt's tokens, and how many of them came from the cache."""

    logprobs: list[list[float]]
    prompt: list[int]
    cached: int


def can_weigh(engine: AsyncLLM) -> bool:
    """Return whether this vLLM can be asked so, and doesn't run with what falsifies the answer."""
    from vllm import SamplingParams

    config = engine.vllm_config
    known = set(SamplingParams.__struct_fields__) >= NEEDS
    as_they_are = config.model_config.logprobs_mode == "raw_logprobs"
    return known and as_they_are and not getattr(config.cache_config, "kv_sharing_fast_prefill", False)


class Weigher:
    """Weighs texts behind prompts; `send` sends a request (by prompt, sampling, name and modality) to its end."""

    def __init__(self, engine: AsyncLLM, send: Send) -> None:
        self._tokenizer: Any = engine.get_tokenizer()
        self._send = send
        self._numbers = itertools.count()
        self._turns: WeakValueDictionary[str, _Turn] = WeakValueDictionary()

    async def weigh(self, prompt: dict[str, Any], texts: Sequence[Sequence[int]], modality: str) -> Weighed:
        """Weigh texts, given as token ids, behind a prompt. Raises RuntimeError where vLLM has other tokens for it."""
        turn = self._turns.setdefault(f"{modality} {prompt['prompt']} {prompt.get('multi_modal_uuids')}", _Turn())
        async with turn.lock:
            first = turn.read is None
            read = turn.read = turn.read or await self._ask(prompt, [text[0] for text in texts], modality)
            words = turn.words = turn.words or self._tokenizer(prompt["prompt"])["input_ids"]
        tokens = list(read.prompt_token_ids or [])
        bare = {name: value for name, value in prompt.items() if name != "prompt"}
        ends: dict[tuple[int, ...], set[int]] = {}
        for text in texts:
            ends.setdefault(tuple(text[:-1]), set()).add(text[-1])
        parts = {beginning: _Part(beginning, of_it, len(tokens)) for beginning, of_it in ends.items()}
        for part in parts.values():
            part.take(read, 0)
            while (unread := part.unread) is not None:
                behind = {**bare, "prompt_token_ids": [*words, *part.beginning[:unread]]}
                asked = behind if unread else prompt
                output = await self._ask(asked, part.behind(unread), modality)
                if list(output.prompt_token_ids or []) != [*tokens, *part.beginning[:unread]]:
                    raise RuntimeError("this vLLM has other tokens for a prompt with a text behind it than without it")
                part.take(output, unread)
        logprobs = [parts[tuple(text[:-1])].of(text) for text in texts]
        return Weighed(logprobs, tokens, (read.num_cached_tokens or 0) if first else len(tokens))

    async def _ask(self, prompt: dict[str, Any], following: Iterable[int], modality: str) -> RequestOutput:
        """Have a prompt read: its tokens' log-probabilities, where a text stands behind, and those that may follow."""
        from vllm import SamplingParams
        from vllm.sampling_params import RequestOutputKind

        flat = {FLAT: True} if FLAT in SamplingParams.__struct_fields__ else {}
        sampling = SamplingParams(
            output_kind=RequestOutputKind.FINAL_ONLY,
            max_tokens=1,
            temperature=0.0,
            logprob_token_ids=sorted(set(following)),
            prompt_logprobs=0 if "prompt_token_ids" in prompt else None,
            skip_reading_prefix_cache=False,
            detokenize=False,  # the uninitialised rows hold token ids that are none
            **flat,
        )
        return await self._send(prompt, sampling, f"weigh-{next(self._numbers)}", modality)


class _Turn:
    """The questions that are being weighed behind one prompt: the first has it `read`, the others wait for that.

    `words` are its tokens before those of a clip have their places in it.
    """

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.read: RequestOutput | None = None
        self.words: list[int] = []


class _Part:
    """What texts are alike in, behind a prompt of `width` tokens, up to their last ones, the `ends`.

    Its log-probabilities come to be known in no order: those of rows that were computed.
    """

    def __init__(self, beginning: Sequence[int], ends: set[int], width: int) -> None:
        self.beginning = beginning
        self._ends = ends
        self._width = width
        self._known: list[float | None] = [None] * len(beginning)
        self._last: dict[int, float] = {}

    @property
    def unread(self) -> int | None:
        """How many tokens of the beginning the next request has to end with; None where all is known."""
        if not self._ends <= self._last.keys():
            return len(self.beginning)
        return max((number for number, known in enumerate(self._known) if known is None), default=None)

    def behind(self, length: int) -> Iterable[int]:
        """What may follow so many tokens of the beginning."""
        return self._ends if length == len(self.beginning) else [self.beginning[length]]

    def take(self, output: RequestOutput, length: int) -> None:
        """Take what a request computed that ended with so many tokens of it: all rows but those of cached tokens."""
        following = _next(output)
        if length == len(self.beginning):
            self._last |= following
        elif self.beginning[length] in following:
            self._known[length] = following[self.beginning[length]]
        cached = (output.num_cached_tokens or 0) - self._width
        rows = output.prompt_logprobs or []
        for number in range(max(cached + 1, 0), length):  # the row before a token is the one that it is read off
            row = rows[number - length]
            assert row is not None
            self._known[number] = row[self.beginning[number]].logprob

    def of(self, text: Sequence[int]) -> list[float]:
        """The log-probabilities of a text with this beginning."""
        return [*(known for known in self._known if known is not None), self._last[text[-1]]]


def _next(output: RequestOutput) -> dict[int, float]:
    """Return the log-probabilities of what may follow, by token."""
    assert output.outputs[0].logprobs is not None
    return {token: value.logprob for token, value in output.outputs[0].logprobs[0].items()}
