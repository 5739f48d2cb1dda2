"""Run as `python -m emoprefer_bench.engines.children.gemini`: the child that asks Google's Gemini models.

They get the video file itself, with its sound.
"""

from __future__ import annotations

import importlib
import importlib.util
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from google import genai
from google.genai import errors, types

from emoprefer_bench.engines.children import parts
from emoprefer_bench.engines.children.options import checked
from emoprefer_bench.engines.children.remote import (
    PASSING,
    Given,
    Options,
    PassingError,
    Remote,
    UnanswerableError,
    check_answered_by,
    loading,
    redirected,
    retry_after,
)
from emoprefer_bench.protocol.worker import serve

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_INLINE = 19 * 1024 * 1024  # bytes; a request may have 20 MiB in all
REFUSED = frozenset({"SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "IMAGE_SAFETY", "LANGUAGE"})
TRANSPORTS = ("aiohttp", "httpx", "httpx2")
OVERLONG = ("exceeds the maximum number of tokens", "token count")


@dataclass(frozen=True)
class Form:
    """How a question is put.

    `fps` frames a second are looked at. `thinking_budget` bounds the tokens of thinking of models up to 2.5,
    `thinking_level` (minimal, low, medium, high) says how much later ones think; without, the model's own default
    rules. What is thought counts as output: leave room for it in `max_tokens`.
    """

    fps: float = 1.0
    thinking_budget: int | None = None
    thinking_level: str | None = None

    @property
    def thinking(self) -> types.ThinkingConfig | None:
        """What the request says of thinking, if anything."""
        if self.thinking_level:
            return types.ThinkingConfig(thinking_level=types.ThinkingLevel(self.thinking_level.upper()))
        return None if self.thinking_budget is None else types.ThinkingConfig(thinking_budget=self.thinking_budget)


class Gemini:
    """A Gemini model."""

    def __init__(self, client: genai.Client, model: str, form: Form) -> None:
        self._client = client
        self._model = model
        self._form = form

    async def send(self, question: dict[str, Any], sending: Callable[[], None]) -> Given:
        """Send one request; see remote.Provider."""
        sending()
        content = types.Content(role="user", parts=parts_of(question, self._form))
        config = _config(question["sampling"], self._form)
        try:
            response = await self._client.aio.models.generate_content(
                model=self._model, contents=content, config=config
            )
        except errors.APIError as error:
            raise _meaning(error) from None
        except Exception as error:
            if not _of_transport(error):
                raise
            raise PassingError(f"{type(error).__name__}: {error}") from None
        check_answered_by(self._model, response.model_version)
        return given_of(response)


def parts_of(question: dict[str, Any], form: Form) -> list[types.Part]:
    """Return the parts of the message: the video file, sound that isn't in it, then the question."""
    modality, clip = question["modality"], question["clip"]
    made: list[types.Part] = []
    sounding = False
    if "video" in modality:
        kind, video, sounding = parts.video(clip, sounding="audio" in modality)
        metadata = types.VideoMetadata(fps=form.fps)
        made.append(types.Part(inline_data=types.Blob(mime_type=kind, data=video), video_metadata=metadata))
    if "audio" in modality and not sounding:
        made.append(types.Part.from_bytes(data=parts.sound(clip), mime_type="audio/wav"))
    size = sum(len(part.inline_data.data or b"") for part in made if part.inline_data)
    if size > MOST_INLINE:
        raise ValueError(f"clip {clip['name']!r} has {size >> 20} MiB, and a request takes {MOST_INLINE >> 20}")
    return [*made, types.Part.from_text(text=question["prompt"])]


def given_of(response: types.GenerateContentResponse) -> Given:
    """Return what a response says. Raises UnanswerableError for one that was filtered."""
    candidate = response.candidates[0] if response.candidates else None
    reason = candidate.finish_reason.name if candidate and candidate.finish_reason else ""
    if candidate is None or reason in REFUSED:
        raise UnanswerableError("refused")
    said = candidate.content.parts if candidate.content and candidate.content.parts else []
    text = "".join(part.text for part in said if part.text and not part.thought)
    finish = "length" if reason == "MAX_TOKENS" else "stop"
    return Given(text, finish, counts_of(response.usage_metadata))


def counts_of(usage: types.GenerateContentResponseUsageMetadata | None) -> dict[str, int]:
    """Count tokens as the server reports them, by medium."""
    if usage is None:
        return {}
    counts = {
        "prompt": usage.prompt_token_count or 0,
        "cached": usage.cached_content_token_count or 0,
        "output": (usage.candidates_token_count or 0) + (usage.thoughts_token_count or 0),
        "audio": 0,
        "video": 0,
    }
    for detail in usage.prompt_tokens_details or []:
        kind = detail.modality.name.lower() if detail.modality else ""
        kind = {"image": "video"}.get(kind, kind)
        if kind in ("audio", "video"):
            counts[kind] += detail.token_count or 0
    return counts


def _config(sampling: dict[str, Any], form: Form) -> types.GenerateContentConfig:
    """Set every value that the server takes."""
    return types.GenerateContentConfig(
        temperature=sampling["temperature"],
        top_p=sampling["top_p"],
        top_k=sampling["top_k"] or None,
        presence_penalty=sampling["presence_penalty"] or None,
        max_output_tokens=sampling["max_tokens"],
        seed=sampling["seed"],
        candidate_count=1,
        thinking_config=form.thinking,
    )


def _meaning(error: errors.APIError) -> Exception:
    if elsewhere := redirected(error.code, getattr(error.response, "headers", {})):
        return RuntimeError(elsewhere)
    said = f"HTTP {error.code}: {error.message}"
    if error.code in PASSING:
        return PassingError(said, retry_after(getattr(error.response, "headers", {})))
    if any(sign in said.lower() for sign in OVERLONG):
        return UnanswerableError("overlong")
    return RuntimeError(said)


def _of_transport(error: Exception) -> bool:
    """Return whether an exception is of the network: google-genai talks through whichever of these is installed."""
    return isinstance(error, OSError) or type(error).__module__.partition(".")[0] in TRANSPORTS


def _httpx() -> Any:
    """Return the HTTP client that google-genai was installed with: it comes under either name."""
    return importlib.import_module("httpx" if importlib.util.find_spec("httpx") else "httpx2")


def load(message: dict[str, Any]) -> Remote:
    """Be ready to ask; one question about the model shows whether the key is taken. Raises RuntimeError."""
    options, rest = Options.parted(message["options"])
    form = checked(Form, rest, "a Gemini model")
    assert not isinstance(options.base_url, list)  # it is declared with one address
    http = types.HttpOptions(
        base_url=options.base_url,
        timeout=int(options.request_timeout * 1000),
        retry_options=types.HttpRetryOptions(attempts=1),  # or its own second attempts, which nobody counts
        httpx_client=_httpx().Client(follow_redirects=False),
        httpx_async_client=_httpx().AsyncClient(follow_redirects=False),
    )
    client = genai.Client(api_key=options.secret, http_options=http)
    try:
        client.models.get(model=message["model"])
    except errors.APIError as error:
        if elsewhere := redirected(error.code, getattr(error.response, "headers", {})):
            raise RuntimeError(f"{message['model']}: {elsewhere}") from None
        if error.code not in PASSING:
            raise RuntimeError(f"{message['model']}: HTTP {error.code}: {error.message} ({options.key})") from None
    except Exception as error:
        if not _of_transport(error):
            raise
        raise RuntimeError(f"{options.base_url or 'Gemini'} can't be reached: {error}") from None
    return Remote(
        Gemini(client, message["model"], form),
        options,
        message["spool"],
        {"engine": "gemini", "version": genai.__version__},
    )


if __name__ == "__main__":
    serve(loading(load))
