"""From a question to what a model is given: its prompt with places for the media, and the decoded media themselves.

Both engines that come with the package use it, so that they ask in the same words. Only child processes import it.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from emoprefer_bench.engines import adapters

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from emoprefer_bench.engines.adapters import Adapter

PLACES = {"audio": ["audio"], "video": ["video"], "text": []}


@dataclass(frozen=True)
class Media:
    """A clip as decoded: what the question's modality asks for is there, the rest is None.

    `frames` is uint8 (frames, height, width, 3); `metadata` has the names that transformers and vLLM both read;
    `waveform` is float32 (samples,) at `sample_rate` hertz. `identity` is a digest of all that can change what a model
    makes of them.
    """

    identity: str
    frames: NDArray[np.uint8] | None
    metadata: dict[str, Any]
    fps: float
    waveform: NDArray[np.float32] | None
    sample_rate: int


class Prompter:
    """Writes prompts for a model, and counts the tokens that the media took.

    `chat` is the checkpoint's processor, or its tokenizer for a model that only reads: what has its chat template.
    """

    def __init__(self, adapter: Adapter, chat: Any) -> None:
        self._adapter = adapter
        self._chat = chat
        self._tokenizer = getattr(chat, "tokenizer", chat)

    def text(self, question: dict[str, Any]) -> str:
        """Return the prompt by the checkpoint's chat template: system sentence, media, then the question."""
        messages = conversation(self._adapter, question)
        text: str = self._chat.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
        start = self._tokenizer.bos_token
        doubled = (
            start and text.startswith(start) and self._tokenizer("").input_ids[:1] == [self._tokenizer.bos_token_id]
        )
        return text[len(start) :] if doubled else text

    def count(self, token_ids: list[int]) -> dict[str, int]:
        """Count the tokens of a prompt: all, those of sound, those of picture."""
        places = {"audio": self._adapter.audio_place, "video": self._adapter.video_place}
        ids = {kind: self._tokenizer.convert_tokens_to_ids(token) for kind, token in places.items() if token}
        return {"prompt": len(token_ids), **{kind: token_ids.count(place) for kind, place in ids.items()}}


def adapter_of(message: dict[str, Any]) -> tuple[Adapter, dict[str, Any]]:
    """Return the adapter that a `load` message names or its checkpoint calls for, and the options that aren't its own.

    Raises ValueError where no adapter knows the checkpoint.
    """
    from transformers import PreTrainedConfig

    ours, engine = adapters.split(message["options"])
    family = ours.pop("family", None)
    if family is None:
        config, _ = PreTrainedConfig.get_config_dict(message["model"], revision=message["revision"])
        family = adapters.family_of(config["model_type"])
    return adapters.adapter(family, **ours), engine


def chat_of(adapter: Adapter, model: str, **arguments: Any) -> Any:
    """Load what has the checkpoint's chat template: its processor, or its tokenizer where it only reads."""
    from transformers import AutoProcessor, AutoTokenizer

    chat_class: Any = AutoTokenizer if adapter.modalities == ("text",) else AutoProcessor
    return chat_class.from_pretrained(model, **arguments)


def conversation(adapter: Adapter, question: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the chat messages for a question. Raises ValueError for a modality that the family can't take."""
    modality = question["modality"]
    if modality not in adapter.modalities:
        raise ValueError(f"{adapter.family} can't take {modality!r}, only {', '.join(adapter.modalities)}")
    system = [{"role": "system", "content": adapter.system}] if adapter.system else []
    if adapter.modalities == ("text",):
        return [*system, {"role": "user", "content": question["prompt"]}]
    places = [{"type": kind} for kind in _places(adapter, modality)]
    return [*system, {"role": "user", "content": [*places, {"type": "text", "text": question["prompt"]}]}]


def media_of(adapter: Adapter, question: dict[str, Any]) -> Media | None:
    """Load what the question's modality asks for; None for a question that is text alone.

    Raises ValueError where the clip lacks it or has more sound than the family can hear: engines drop or cut such media
    silently, or die.
    """
    clip, modality = question["clip"], question["modality"]
    if modality == "text":
        return None
    frames = _load(clip, "frames", "picture", modality) if "video" in modality else None
    waveform = _load(clip, "waveform", "sound", modality) if "audio" in modality else None
    rate = clip.get("sample_rate") or 0
    if waveform is not None and adapter.longest_sound and len(waveform) > adapter.longest_sound * rate:
        seconds = len(waveform) / rate
        raise ValueError(
            f"clip {clip['name']!r} has {seconds:.0f} s of sound, {adapter.family} hears {adapter.longest_sound:.0f} s",
        )
    return Media(_identity(adapter, question), frames, _metadata(clip, frames), clip.get("fps") or 1.0, waveform, rate)


def _places(adapter: Adapter, modality: str) -> list[str]:
    if modality == "audiovideo":
        return ["video"] if adapter.audio_in_video else ["video", "audio"]
    return PLACES[modality]


def _load(clip: dict[str, Any], field: str, what: str, modality: str) -> NDArray[Any]:
    array: NDArray[Any] = np.load(clip[field]) if clip.get(field) else np.empty(0)
    if not array.size:
        raise ValueError(f"clip {clip['name']!r} has no {what}, which the modality {modality!r} asks for")
    return array


def _metadata(clip: dict[str, Any], frames: NDArray[np.uint8] | None) -> dict[str, Any]:
    if frames is None:
        return {}
    return {
        "total_num_frames": clip["total_frames"],
        "fps": clip["source_fps"],
        "duration": clip["duration"],
        "frames_indices": clip["indices"],
        "height": frames.shape[1],
        "width": frames.shape[2],
        "video_backend": "pyav",
    }


def _identity(adapter: Adapter, question: dict[str, Any]) -> str:
    clip = question["clip"]
    parts: Iterable[Any] = (
        clip["digest"],
        question["modality"],
        clip.get("indices"),
        clip.get("fps"),
        clip.get("sample_rate"),
        adapter.settings(),
    )
    return hashlib.sha256(json.dumps(list(parts), sort_keys=True).encode()).hexdigest()
