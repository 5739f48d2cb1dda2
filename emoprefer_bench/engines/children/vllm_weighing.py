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
    from collections.abc import Awaitable, Callable, Sequence

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
        read = None
        async with turn.lock:
            if not turn.tokens:
                turn.words = self._tokenizer(prompt["prompt"])["input_ids"]
                read = await self._ask(turn, prompt, (), {text[0] for text in texts}, modality)
        ends: dict[tuple[int, ...], set[int]] = {}
        for text in texts:
            ends.setdefault(tuple(text[:-1]), set()).add(text[-1])
        for beginning, of_it in ends.items():
            while (unread := turn.unread(beginning, of_it)) is not None:
                following = of_it if unread == len(beginning) else {beginning[unread]}
                await self._ask(turn, prompt, beginning[:unread], following, modality)
        logprobs = [[turn.known[tuple(text[:end])] for end in range(1, len(text) + 1)] for text in texts]
        cached = (read.num_cached_tokens or 0) if read else len(turn.tokens)
        return Weighed(logprobs, turn.tokens, cached)

    async def _ask(
        self, turn: _Turn, prompt: dict[str, Any], before: tuple[int, ...], following: set[int], modality: str
    ) -> RequestOutput:
        """Have a prompt read with tokens `before` behind it, and its turn take what they and the `following` weigh."""
        from vllm import SamplingParams
        from vllm.sampling_params import RequestOutputKind

        flat: dict[str, Any] = {FLAT: True} if FLAT in SamplingParams.__struct_fields__ else {}
        sampling = SamplingParams(
            output_kind=RequestOutputKind.FINAL_ONLY,
            max_tokens=1,
            temperature=0.0,
            logprob_token_ids=sorted(following),
            prompt_logprobs=0 if before else None,
            skip_reading_prefix_cache=False,
            detokenize=False,  # the uninitialised rows hold token ids that are none
            **flat,
        )
        if before:
            bare = {name: value for name, value in prompt.items() if name != "prompt"}
            prompt = {**bare, "prompt_token_ids": [*turn.words, *before]}
        output = await self._send(prompt, sampling, f"weigh-{next(self._numbers)}", modality)
        turn.take(output, before, following)
        return output


class _Turn:
    """The questions that are being weighed behind one prompt: the first has it read, the others wait for that.

    `tokens` are the prompt's, `words` those before a clip's have their places among them. `known` is what a token
    weighs behind those before it, by all of them: what texts are alike in is computed for one of them.
    """

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.words: list[int] = []
        self.tokens: list[int] = []
        self.known: dict[tuple[int, ...], float] = {}

    def unread(self, beginning: tuple[int, ...], ends: set[int]) -> int | None:
        """How many tokens of a beginning the next request has to end with, so that all and the `ends` become known.

        None where they are.
        """
        if any((*beginning, end) not in self.known for end in ends):
            return len(beginning)
        numbers = reversed(range(len(beginning)))
        return next((number for number in numbers if beginning[: number + 1] not in self.known), None)

    def take(self, output: RequestOutput, before: tuple[int, ...], following: set[int]) -> None:
        """Take what a request computed that ended with the tokens `before`: all rows but those of cached tokens."""
        self.tokens = self.tokens or list(output.prompt_token_ids or [])  # the first request is for the prompt alone
        if list(output.prompt_token_ids or []) != [*self.tokens, *before]:
            raise RuntimeError("this vLLM has other tokens for a prompt with a text behind it than without it")
        of_next = _next(output)
        self.known |= {(*before, token): of_next[token] for token in following}
        cached = (output.num_cached_tokens or 0) - len(self.tokens)
        rows = output.prompt_logprobs or []
        for number in range(max(cached + 1, 0), len(before)):  # the row before a token is the one that it is read off
            row = rows[number - len(before)]
            assert row is not None
            self.known[before[: number + 1]] = row[before[number]].logprob


def _next(output: RequestOutput) -> dict[int, float]:
    """Return the log-probabilities of what may follow, by token."""
    assert output.outputs[0].logprobs is not None
    return {token: value.logprob for token, value in output.outputs[0].logprobs[0].items()}
