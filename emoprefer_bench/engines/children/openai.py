"""Run as `python -m emoprefer_bench.engines.children.openai`: the child that asks a server which speaks OpenAI's API.

That is OpenAI itself, and what speaks like it: a vLLM server, or a fleet of them, at their addresses or behind one.
"""

from __future__ import annotations

import base64
import json
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import openai
from openai import AsyncOpenAI, OpenAI

from emoprefer_bench.engines.children import parts
from emoprefer_bench.engines.children.addresses import Address, Addresses
from emoprefer_bench.engines.children.options import checked
from emoprefer_bench.engines.children.remote import (
    PASSING,
    Given,
    Options,
    PassingError,
    Remote,
    UnanswerableError,
    UnreachableError,
    check_answered_by,
    loading,
    redirected,
    retry_after,
)
from emoprefer_bench.engines.children.server_weighing import ServerWeigher
from emoprefer_bench.protocol.worker import serve

if TYPE_CHECKING:
    from collections.abc import Callable

CHECK_SECONDS = 30.0  # for a server at one of several addresses to say how it is
FILTERED = ("content_filter", "content_policy", "moderation", "safety")
OVERLONG = ("context_length_exceeded", "maximum context length", "maximum model length")
FINISHES = {"stop": "stop", "length": "length", "content_filter": "refused"}


@dataclass(frozen=True)
class Form:
    """How a server wants a question.

    `picture` goes as a `video` file or as `images`. `dialect` `vllm` takes `top_k` and `repetition_penalty`, too.
    `extra` goes into the body of every request as it is. The question stands behind the clip unless `text_first`.
    """

    picture: str = "video"
    dialect: str = "vllm"
    extra: dict[str, Any] | None = None
    system: str | None = None
    text_first: bool = False


class Chat:
    """A model behind the chat completions of such a server; `any_text` says that it is vLLM's own."""

    def __init__(
        self,
        client: AsyncOpenAI,
        model: str,
        form: Form,
        session_header: str | None = None,
        *,
        any_text: bool = False,
    ) -> None:
        self._client = client
        self._model = model
        self._form = form
        self._session_header = session_header
        self._weigher = ServerWeigher(any_text=any_text)

    async def send(self, question: dict[str, Any], sending: Callable[[], None]) -> Given:
        """Send a question, in one request or more; see remote.Provider."""
        content = content_of(question, self._form)
        messages, headers = _messages(question, content, self._form), self._session(question["clip"])
        if not question.get("score"):
            settings = _sampling(question["sampling"], self._form)
            return given_of(await self._complete(messages, headers, sending, **settings), content)

        async def complete(messages: Any, **fields: Any) -> Any:
            return await self._complete(messages, headers, sending, **_weighing(fields, self._form))

        name = json.dumps([question["prompt"], question["modality"], (question["clip"] or {}).get("digest")])
        told, logprobs = await self._weigher.weigh(complete, messages, question["score"], name)
        return replace(given_of(told, content), text="", finish="stop", logprobs=logprobs)

    async def _complete(
        self, messages: Any, headers: dict[str, str] | None, sending: Callable[[], None], **settings: Any
    ) -> Any:
        """Send one request."""
        sending()
        try:
            completion = await self._client.chat.completions.create(
                model=self._model, messages=messages, extra_headers=headers, **settings
            )
        except openai.APIError as error:
            raise _failure(error) from None
        if self._form.dialect == "openai":  # a server of one's own calls its model what it likes
            check_answered_by(self._model, completion.model)
        return completion

    def _session(self, clip: dict[str, Any] | None) -> dict[str, str] | None:
        """Return the header that tells a router which questions belong together."""
        return {self._session_header: clip["digest"]} if self._session_header and clip else None


def content_of(question: dict[str, Any], form: Form) -> list[dict[str, Any]]:
    """Return the parts of the message: picture, sound, and the question behind or before them."""
    modality, clip = question["modality"], question["clip"]
    content: list[dict[str, Any]] = []
    if "video" in modality and form.picture == "images":
        urls = [parts.data_url("image/jpeg", image) for image in parts.images(clip)]
        content += [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    elif "video" in modality:
        kind, video, _ = parts.video(clip, sounding=False)
        content.append({"type": "video_url", "video_url": {"url": parts.data_url(kind, video)}})
    if "audio" in modality:
        floats = form.dialect == "vllm"  # see ServedEngine.sent_sound
        sound = base64.b64encode(parts.sound_in_floats(clip) if floats else parts.sound(clip)).decode()
        content.append({"type": "input_audio", "input_audio": {"data": sound, "format": "wav"}})
    text = {"type": "text", "text": question["prompt"]}
    return [text, *content] if form.text_first else [*content, text]


def given_of(completion: Any, content: list[dict[str, Any]]) -> Given:
    """Return what a completion says. Raises UnanswerableError for a refusal, PassingError for no answer at all."""
    if not completion.choices:
        raise PassingError("the server sent an answer without choices")
    choice = completion.choices[0]
    if choice.finish_reason == "content_filter" or getattr(choice.message, "refusal", None):
        raise UnanswerableError("refused")
    text = choice.message.content or ""
    return Given(text, FINISHES.get(choice.finish_reason, "stop"), counts_of(completion.usage, content))


def counts_of(usage: Any, content: list[dict[str, Any]]) -> dict[str, int]:
    """Count tokens as the server reports them.

    vLLM says how many each medium took (`--enable-prompt-tokens-details`), OpenAI how many of sound and of images.
    Where a server says nothing of a medium that it was sent, each part counts as one: it took the part and answered,
    which proves less than a count does.
    """
    counts = {"audio": 0, "video": 0}
    for part in content:
        kind = {"input_audio": "audio", "video_url": "video", "image_url": "video"}.get(part["type"])
        if kind:
            counts[kind] += 1
    if usage is None:
        return counts
    details = usage.prompt_tokens_details.model_dump() if usage.prompt_tokens_details else {}
    media = details.get("multimodal_tokens") or {}
    heard = media.get("audio") or details.get("audio_tokens")
    seen = media.get("video") or media.get("image") or details.get("image_tokens")
    said = {"audio": heard, "video": seen, "cached": details.get("cached_tokens")}
    counts |= {kind: int(count) for kind, count in said.items() if count}
    return {**counts, "prompt": usage.prompt_tokens, "output": usage.completion_tokens}


def _messages(question: dict[str, Any], content: list[dict[str, Any]], form: Form) -> Any:
    system = [{"role": "system", "content": form.system}] if form.system else []
    user = question["prompt"] if len(content) == 1 else content
    return [*system, {"role": "user", "content": user}]


def _sampling(sampling: dict[str, Any], form: Form) -> dict[str, Any]:
    """Set every value that the server takes."""
    shared = {name: sampling[name] for name in ("temperature", "top_p", "presence_penalty", "seed")}
    extra = dict(form.extra or {})
    if form.dialect == "vllm":
        extra = {"top_k": sampling["top_k"], "repetition_penalty": sampling["repetition_penalty"], **extra}
        return {**shared, "max_tokens": sampling["max_tokens"], "extra_body": extra}
    return {**shared, "max_completion_tokens": sampling["max_tokens"], "extra_body": extra}


def _weighing(fields: dict[str, Any], form: Form) -> dict[str, Any]:
    """Set what a request that weighs has in its body."""
    limit = {"max_completion_tokens" if form.dialect == "openai" else "max_tokens": fields.pop("max_tokens")}
    return {**limit, "temperature": 0.0, "extra_body": {**(form.extra or {}), **fields}}


def _failure(error: openai.APIError) -> Exception:
    if isinstance(error, openai.APIStatusError):
        return _meaning(error)
    said = f"{type(error).__name__}: {error}"
    if isinstance(error, openai.APITimeoutError):
        return PassingError(said)
    if isinstance(error, openai.APIConnectionError):
        # The client's own HTTP library, by either of its names, says which half of a request it was.
        return UnreachableError(said, lost=type(error.__cause__).__name__ != "ConnectError")
    return error


def _meaning(error: openai.APIStatusError) -> Exception:
    if elsewhere := redirected(error.status_code, error.response.headers):
        return RuntimeError(elsewhere)
    message = error.body.get("message") if isinstance(error.body, dict) else None
    said = f"HTTP {error.status_code}: {message or error.message}"
    signs = f"{error.code} {said}".lower()
    if error.status_code in PASSING and "insufficient_quota" not in signs:
        return PassingError(said, retry_after(error.response.headers))
    if any(sign in signs for sign in OVERLONG):
        return UnanswerableError("overlong")
    if any(sign in signs for sign in FILTERED):
        return UnanswerableError("refused")
    return RuntimeError(said)


def load(message: dict[str, Any]) -> Remote:
    """Be ready to ask; one question for its list of models shows whether a server is there and takes the key."""
    options, rest = Options.parted(message["options"])
    form, model = checked(Form, rest, "a served model"), message["model"]
    provider: Chat | Addresses
    if isinstance(options.base_url, list):
        provider, vllms = _fleet(options.base_url, model, form, options)
    else:
        with openai.DefaultHttpxClient(follow_redirects=False) as once:
            vllms = _check(OpenAI(**_arguments(options.base_url, options), http_client=once), model, options)
        vllms = vllms and form.dialect == "vllm"
        client = _client(options.base_url, options)
        provider = Chat(client, model, form, options.session_header, any_text=vllms)
    ready = {"engine": "openai", "version": openai.__version__, "scores": vllms or "labels"}
    return Remote(provider, options, message["spool"], ready)


def _fleet(urls: list[str], model: str, form: Form, options: Options) -> tuple[Addresses, bool]:
    """Be ready to ask several servers: all that can be reached now, and the others once they can.

    Returns also whether all that answered are vLLM's. Raises RuntimeError where none can be reached, or where one that
    can has not this model.
    """
    with openai.DefaultHttpxClient(follow_redirects=False) as once, ThreadPoolExecutor() as threads:
        arguments = [{**_arguments(url, options), "timeout": CHECK_SECONDS, "max_retries": 0} for url in urls]
        checks = [threads.submit(_check, OpenAI(**given, http_client=once), model, options) for given in arguments]
    gone = {url: error for url, check in zip(urls, checks, strict=True) if (error := _gone(check))}
    if len(gone) == len(urls):
        raise RuntimeError(f"none of {len(urls)} addresses can be reached; of the first: {gone[urls[0]]}")
    vllms = form.dialect == "vllm" and all(check.result() for check in checks if not check.exception())
    addresses = []
    for url in urls:
        client = _client(url, options)
        chat = Chat(client, model, form, options.session_header, any_text=vllms)
        addresses.append(Address(url, chat, options.concurrency, partial(_well, client)))
        if url in gone:
            addresses[-1].leave(str(gone[url]))
    return Addresses(addresses, options.health_seconds), vllms


def _gone(check: Future[bool]) -> NotThereError | None:
    """Return why a server can't be reached. Raises whatever else is wrong with it."""
    try:
        check.result()
    except NotThereError as error:
        return error
    return None


def _client(url: str | None, options: Options) -> AsyncOpenAI:
    stays = openai.DefaultAsyncHttpxClient(follow_redirects=False)
    return AsyncOpenAI(**_arguments(url, options), max_retries=0, http_client=stays)


def _arguments(url: str | None, options: Options) -> dict[str, Any]:
    return {"base_url": url, "api_key": options.secret or "none", "timeout": options.request_timeout}


async def _well(client: AsyncOpenAI) -> bool:
    """Whether a server can be asked: it answers something, and says of itself no error (vLLM's `/health`)."""
    try:
        await client.with_options(timeout=CHECK_SECONDS).get(_health(client), cast_to=str)
    except openai.InternalServerError:
        return False
    except openai.APIStatusError:  # a server without such a page is there all the same
        return True
    except openai.APIConnectionError:
        return False
    return True


def _health(client: AsyncOpenAI) -> str:
    """Return the address of a server's page about its health: beside the API's version, as vLLM has it."""
    return str(client.base_url.copy_with(path="/health", query=None))


class NotThereError(RuntimeError):
    """A server that can't be reached."""


def _check(client: OpenAI, model: str, options: Options) -> bool:
    """Return whether a server is vLLM's own, which its list of models says.

    Raises RuntimeError for one that can't be reached, refuses the key, or lists models but not this one.
    """
    try:
        known = {model.id: model.owned_by for model in client.models.list()}
    except (openai.AuthenticationError, openai.PermissionDeniedError) as error:
        raise RuntimeError(f"{client.base_url} refuses the key in {options.key}: {error.message}") from None
    except openai.APIConnectionError as error:
        raise NotThereError(f"{client.base_url} can't be reached ({error}): is the server running?") from None
    except openai.APIStatusError as error:
        if elsewhere := redirected(error.status_code, error.response.headers):
            raise RuntimeError(f"{client.base_url}: {elsewhere}") from None
        return False  # not every server has such a list
    if known and model not in known:
        raise RuntimeError(f"{client.base_url} has no model {model!r}; it has {', '.join(sorted(known)[:20])}")
    return known.get(model) == "vllm"


if __name__ == "__main__":
    serve(loading(load))
