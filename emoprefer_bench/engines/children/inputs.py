"""From a question to what a model is given: its prompt with places for the media, and the decoded media themselves.

Both engines that come with the package use it, so that they ask in the same words. Only child processes import it.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from emoprefer_bench.engines import families
from emoprefer_bench.engines.adapters import split
from emoprefer_bench.engines.children.operators import declare_operators
from emoprefer_bench.reading.thinking import marks

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from emoprefer_bench.engines.adapters import Adapter, Place

SHORTEST_SOUND = 0.04
"""Seconds: a token of sound lasts so long in most families, and engines die of less than one."""
PLACES = {"audio": ["audio"], "video": ["video"], "text": []}


@dataclass(frozen=True)
class Media:
    """A clip as decoded: what the question's modality asks for is there, the rest is None.

    `frames` is uint8 (frames, height, width, 3); `metadata` has the names that transformers and vLLM both read;
    `waveform` is float32 (samples,) at `sample_rate` hertz. `identity` is a digest of all that can change what a model
    makes of them, and so is `clip`, but for which of them the question asks for.
    """

    identity: str
    clip: str
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
        self._marks = marks_of(adapter, self._tokenizer)

    def text(self, question: dict[str, Any]) -> str:
        """Return the prompt by the family's template or the checkpoint's: system sentence, media, then the question.

        Marks of the model's own in the question, as `<|im_end|>` that a writer left, are text: a blank parts them.
        """
        question = {**question, "prompt": self._marks.sub(_parted, question["prompt"])}
        if self._adapter.template:
            text = by_template(self._adapter, question)
        else:
            thinking = {} if self._adapter.thinking is None else {"enable_thinking": self._adapter.thinking}
            messages = conversation(self._adapter, question)
            text = self._chat.apply_chat_template(messages, add_generation_prompt=True, tokenize=False, **thinking)
        start: str = getattr(self._tokenizer, "bos_token", None) or ""  # a tokenizer of vLLM's own may have none
        doubled = (
            start and text.startswith(start) and self._tokenizer("").input_ids[:1] == [self._tokenizer.bos_token_id]
        )
        return text[len(start) :] if doubled else text

    def texts(self, question: dict[str, Any]) -> list[list[int]]:
        """Return the tokens of the texts that a question has weighed: what the model would say, so nothing before it.

        Raises ValueError for a text that has none.
        """
        texts = question.get("score") or ()
        plain = [self._marks.sub(_parted, text) for text in texts]
        tokens = [self._tokenizer(text, add_special_tokens=False)["input_ids"] for text in plain]
        if not all(tokens):
            raise ValueError("a text that has no token can't be weighed")
        return tokens

    def count(self, token_ids: list[int]) -> dict[str, int]:
        """Count the tokens of a prompt: all, those of sound, those of picture."""
        places = {"audio": self._adapter.audio_place, "video": self._adapter.video_place}
        counts = {kind: self._count(token_ids, place) for kind, place in places.items() if place}
        return {"prompt": len(token_ids), **counts}

    def _count(self, token_ids: list[int], place: Place) -> int:
        if isinstance(place, str):
            return sum(token_ids.count(self._tokenizer.convert_tokens_to_ids(token)) for token in place.split())
        first, last = (self._tokenizer.convert_tokens_to_ids(token) for token in place)
        inside, count = False, 0
        for token in token_ids:
            inside = token == first or (inside and token != last)
            count += inside and token != first
        return count


def adapter_of(message: dict[str, Any]) -> tuple[Adapter, dict[str, Any]]:
    """Return the adapter that a `load` message names or its checkpoint calls for, and the options that aren't its own.

    Raises ValueError where no adapter knows the checkpoint.
    """
    from transformers import PreTrainedConfig

    ours, engine = split(message["options"])
    family = ours.pop("family", None)
    if family is None:
        config, _ = PreTrainedConfig.get_config_dict(message["model"], revision=message["revision"])
        family = families.family_of(config["model_type"])
    return families.adapter(family, **ours), engine


def heard_samples(extractor: Any, samples: int) -> int:
    """Return to how many samples a sound has to be padded for its spectrum: as far as its last window reaches.

    `extractor` is a feature extractor of Whisper's kind, which would pad to the longest that a model may hear, 300 s
    for Qwen2.5-Omni. The sound's own frames are the same to the bit either way, and the rest is hidden by the mask.
    """
    hop: int = extractor.hop_length
    width: int = -(-(samples + extractor.n_fft) // hop) * hop
    return min(width, int(extractor.n_samples))


def chat_of(adapter: Adapter, model: str, **arguments: Any) -> Any:
    """Load what has the checkpoint's chat template: its processor, or its tokenizer where that is all it takes."""
    declare_operators()  # before transformers asks for torchvision, as it does for any model
    from transformers import AutoProcessor, AutoTokenizer

    chat_class: Any = AutoTokenizer if adapter.modalities == ("text",) else AutoProcessor
    return chat_class.from_pretrained(model, **arguments)


def marks_thoughts(tokenizer: Any) -> bool:
    """Return whether special tokens of a tokenizer mark thoughts, as those of Gemma 4, Magistral and gpt-oss do.

    Its texts must keep their special tokens: without them, nobody can tell what was thought from what was said.
    """
    return any(
        token.special and marks(token.content) for token in getattr(tokenizer, "added_tokens_decoder", {}).values()
    )


def marks_of(adapter: Adapter, tokenizer: Any) -> re.Pattern[str]:
    """Return what a model takes for no text: the special tokens of its tokenizer, and where its family puts media."""
    tokens = getattr(tokenizer, "added_tokens_decoder", {}).values()
    places = [
        place.split() if isinstance(place, str) else place or () for place in (adapter.audio_place, adapter.video_place)
    ]
    found = {
        *(token.content for token in tokens if token.special),
        *itertools.chain(*places),
        *re.findall("<[^<>]+>", " ".join(adapter.marks.values())),
    }
    longest_first = sorted((mark for mark in found if len(mark) > 1), key=len, reverse=True)
    return re.compile("|".join(re.escape(mark).replace(r"\{number\}", r"\d+") for mark in longest_first) or "(?!)")


def _parted(mark: re.Match[str]) -> str:
    return f"{mark[0][0]} {mark[0][1:]}"


def conversation(adapter: Adapter, question: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the chat messages for a question. Raises ValueError for a modality that the family can't take."""
    places = [{"type": kind} for kind in _places(adapter, question)]
    system = [{"role": "system", "content": adapter.system}] if adapter.system else []
    if adapter.modalities == ("text",):
        return [*system, {"role": "user", "content": question["prompt"]}]
    return [*system, {"role": "user", "content": [*places, {"type": "text", "text": question["prompt"]}]}]


def by_template(adapter: Adapter, question: dict[str, Any]) -> str:
    """Return the prompt by the family's own template. Raises ValueError for a modality that the family can't take."""
    numbers = itertools.count(1)
    marks = {"audio": adapter.marks.get("audio", ""), "video": adapter.marks.get("video", "")}
    marks["image"] = marks["video"]
    media = "".join(
        marks[kind].replace("{number}", str(next(numbers))) if kind == "image" else marks[kind]
        for kind in _places(adapter, question)
    )
    assert adapter.template is not None
    before, after = adapter.template.split("{prompt}")  # not format(), since a description may have braces
    system = f"{adapter.system} " if adapter.system else ""
    return before.replace("{media}", media).replace("{system}", system) + str(question["prompt"]) + after


def media_of(adapter: Adapter, question: dict[str, Any]) -> Media | None:
    """Load what the question's modality asks for; None for a question that is text alone.

    Raises ValueError where the clip lacks it, or has more or less sound than the family can hear: engines drop or cut
    such media silently, or die.
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
    if waveform is not None and len(waveform) < SHORTEST_SOUND * rate:
        milliseconds = 1000 * len(waveform) / rate
        raise ValueError(f"clip {clip['name']!r} has {milliseconds:.1f} ms of sound, too little to be heard")
    fps = adapter.frame_rate or clip.get("fps") or 1.0
    identity, of_clip = identity_of(adapter, question), _identity(adapter, clip)
    return Media(identity, of_clip, frames, _metadata(adapter, clip, frames), fps, waveform, rate)


def _places(adapter: Adapter, question: dict[str, Any]) -> list[str]:
    """Return what stands before the question: `audio`, `video`, and `image` for each frame that goes as one."""
    modality = question["modality"]
    if modality not in adapter.modalities:
        raise ValueError(f"{adapter.family} can't take {modality!r}, only {', '.join(adapter.modalities)}")
    if modality == "audiovideo":
        places = ["video"] if adapter.audio_in_video else ["video", "audio"]
    else:
        places = PLACES[modality]
    if adapter.frames_as_images and places[:1] == ["video"]:
        return ["image"] * len(question["clip"]["indices"]) + places[1:]
    return places


def _load(clip: dict[str, Any], field: str, what: str, modality: str) -> NDArray[Any]:
    array: NDArray[Any] = np.load(clip[field]) if clip.get(field) else np.empty(0)
    if not array.size:
        raise ValueError(f"clip {clip['name']!r} has no {what}, which the modality {modality!r} asks for")
    return array


def _metadata(adapter: Adapter, clip: dict[str, Any], frames: NDArray[np.uint8] | None) -> dict[str, Any]:
    if frames is None:
        return {}
    fps = clip["source_fps"]
    if adapter.frame_rate:  # processors take the share of the frames that they got times this
        fps = adapter.frame_rate * clip["total_frames"] / len(clip["indices"])
    return {
        "total_num_frames": clip["total_frames"],
        "fps": fps,
        "duration": clip["duration"],
        "frames_indices": clip["indices"],
        "height": frames.shape[1],
        "width": frames.shape[2],
        "video_backend": "pyav",
    }


def identity_of(adapter: Adapter, question: dict[str, Any]) -> str:
    """Return a digest of all that can change what a model makes of a question's media."""
    return _identity(adapter, question["clip"], question["modality"])


def _identity(adapter: Adapter, clip: dict[str, Any], *of_question: Any) -> str:
    parts: Iterable[Any] = (
        clip["digest"],
        *of_question,
        clip.get("indices"),
        clip.get("fps"),
        clip.get("sample_rate"),
        adapter.settings(),
    )
    return hashlib.sha256(json.dumps(list(parts), sort_keys=True).encode()).hexdigest()
