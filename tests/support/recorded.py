"""What OpenAI and Google document of their requests and answers, as far as it can be had without asking them.

Requests are held against the types that their own packages declare, where what nobody declared is an error. Answers
have the fields of their references' examples: https://platform.openai.com/docs/api-reference/chat/object and
https://ai.google.dev/api/generate-content#UsageMetadata, and the packages' types take them without a rest.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from google.genai import types
from openai.types.chat import ChatCompletion
from openai.types.chat.completion_create_params import CompletionCreateParamsNonStreaming
from pydantic import TypeAdapter

from support.servers import Reply, Request, reply

OPENAI_REQUEST = TypeAdapter(CompletionCreateParamsNonStreaming)


def completion(text: str | None = "a1", finish: str = "stop", model: str = "gpt-4o-2024-08-06", **message: Any) -> dict:
    """Return an answer of OpenAI's chat completions, with its counts of tokens; `message` changes what was said."""
    return {
        "id": "chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6PeG",
        "object": "chat.completion",
        "created": 1741570283,
        "model": model,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": text, "refusal": None, "annotations": [], **message},
                "logprobs": None,
                "finish_reason": finish,
            }
        ],
        "usage": {
            "prompt_tokens": 1117,
            "completion_tokens": 46,
            "total_tokens": 1163,
            "prompt_tokens_details": {"cached_tokens": 64, "audio_tokens": 31},
            "completion_tokens_details": {
                "reasoning_tokens": 0,
                "audio_tokens": 0,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            },
        },
        "service_tier": "default",
        "system_fingerprint": "fp_fc9f1d7035",
    }


def as_openai(request: Request) -> Reply:
    """Answer as OpenAI does: a1, from the model that was asked; of its models it names none, and it is always well."""
    if request.path.endswith(("/models", "/health")):
        return reply({"object": "list", "data": []})
    return reply(completion(model=request.body["model"]))


def response(text: str = "a2", finish: str = "STOP", model: str = "gemini-2.5-flash") -> dict[str, Any]:
    """Return an answer of Gemini's generateContent: a thought, then the text, with its counts by medium."""
    thought = {"text": "Let me think: a1?", "thought": True}
    return {
        "candidates": [
            {"content": {"parts": [thought, {"text": text}], "role": "model"}, "finishReason": finish, "index": 0}
        ],
        "usageMetadata": {
            "promptTokenCount": 910,
            "candidatesTokenCount": 2,
            "thoughtsTokenCount": 30,
            "totalTokenCount": 942,
            "promptTokensDetails": [
                {"modality": "TEXT", "tokenCount": 40},
                {"modality": "VIDEO", "tokenCount": 774},
                {"modality": "AUDIO", "tokenCount": 96},
            ],
        },
        "modelVersion": model,
        "responseId": "5QKOaf_DL97ensEPo5OwkQg",
    }


def blocked() -> dict[str, Any]:
    """Return Gemini's answer to a prompt that its filters stop: feedback, and no candidate."""
    rating = {"category": "HARM_CATEGORY_HARASSMENT", "probability": "HIGH", "blocked": True}
    usage = {"promptTokenCount": 910, "totalTokenCount": 910}
    return {"promptFeedback": {"blockReason": "SAFETY", "safetyRatings": [rating]}, "usageMetadata": usage}


def check_openai_request(body: dict[str, Any]) -> None:
    """Fail for a request that OpenAI's package doesn't declare; a field that it lacks is lost on reading."""
    assert _plain(OPENAI_REQUEST.validate_python(body)) == body


def check_gemini_request(body: dict[str, Any]) -> None:
    """Fail for a request (names as in Google's reference) that Google's package doesn't declare."""
    assert set(body) == {"contents", "generationConfig"}
    for content in body["contents"]:
        types.Content.model_validate(content)
    types.GenerationConfig.model_validate(body["generationConfig"])


def check_completion(answer: dict[str, Any]) -> None:
    """Fail for an answer with a field that OpenAI's package doesn't declare."""
    read = ChatCompletion.model_validate(answer)
    assert not [extra for model in _models(read) if (extra := model.model_extra)]


def check_response(answer: dict[str, Any]) -> None:
    """Fail for an answer with a field that Google's package doesn't declare."""
    types.GenerateContentResponse.model_validate(answer)


def camel(value: Any) -> Any:
    """Return what was sent to Google with all names as in its reference; its client mixes in snake case."""
    if isinstance(value, list):
        return [camel(one) for one in value]
    if isinstance(value, dict):
        return {re.sub(r"_(.)", lambda found: found[1].upper(), name): camel(one) for name, one in value.items()}
    return value


def _plain(value: Any) -> Any:
    """Return what pydantic read, with its lazy lists read to their ends."""
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, str):
        return [_plain(one) for one in value]
    return value


def _models(value: Any) -> Iterable[Any]:
    """Return a model and all that it holds."""
    if isinstance(value, list):
        for one in value:
            yield from _models(one)
    elif hasattr(value, "model_extra"):
        yield value
        yield from _models([held for _, held in value])
