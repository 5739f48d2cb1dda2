"""Questions as the tensors that a transformers model takes.

Only the child process of the transformers engine imports it.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import torch

from emoprefer_bench.engines.children.inputs import Media, Prompter, heard_samples, identity_of, media_of
from emoprefer_bench.engines.children.kept import Kept

if TYPE_CHECKING:
    from collections.abc import Sequence

    from emoprefer_bench.engines.adapters import Adapter

KEPT = 16  # the pictures and the sounds of eight clips
PARTS = ("image_processor", "video_processor", "feature_extractor")
MEDIA = ("images", "videos", "audio", "raw_speech")  # by what names processors are given the clip itself


class Remembering:
    """A media processor that keeps its results for the last few clips, since most questions are about the same clip.

    `clip` names the clip of the next call. What is made of a sound is the same whether the picture goes with it or not,
    so the same result serves all modalities, as long as the processor is told the same.
    """

    def __init__(self, name: str, processor: Any, kept: Kept) -> None:
        self.clip = ""
        self._name = name
        self._processor = processor
        self._kept = kept

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Return what the processor makes of the clip; a copy, because callers rename its entries."""
        told = repr(sorted((name, value) for name, value in kwargs.items() if name not in MEDIA))
        return copy.copy(self._kept.get((self._name, self.clip, told), lambda: self._processor(*args, **kwargs)))

    def __getattr__(self, name: str) -> Any:
        """Be the processor in all else."""
        return getattr(self._processor, name)


class ShortSpectra:
    """A feature extractor of Whisper's kind that pads a sound as far as its last window reaches, not to 300 seconds.

    The numbers of the sound's own frames are the same to the bit, and the mask, which Qwen's Omni models go by, hides
    the rest. Models that take a spectrum of fixed width, such as Qwen2-Audio, keep theirs.
    """

    def __init__(self, extractor: Any) -> None:
        self._extractor = extractor

    def __call__(self, sounds: Sequence[Any], **kwargs: Any) -> Any:
        """Return the spectra of waveforms, padded to the longest of them."""
        width = heard_samples(self._extractor, max(map(len, sounds)))
        return self._extractor(sounds, **{**kwargs, "max_length": width})

    def __getattr__(self, name: str) -> Any:
        """Be the extractor in all else."""
        return getattr(self._extractor, name)


class Encoder:
    """Turns a question into the tensors of a batch of one.

    `chat` is the checkpoint's processor, or its tokenizer for a model that only reads.
    """

    def __init__(self, adapter: Adapter, chat: Any, kept: Kept | None = None) -> None:
        kept = kept or Kept(KEPT)
        self.tokenizer = getattr(chat, "tokenizer", chat)
        self._adapter = adapter
        self._chat = chat
        self._prompter = Prompter(adapter, chat)
        self._remembering: list[Remembering] = []
        if adapter.audio_in_video:
            chat.feature_extractor = ShortSpectra(chat.feature_extractor)
        for part in PARTS:
            if hasattr(chat, part):
                self._remembering.append(Remembering(part, getattr(chat, part), kept))
                setattr(chat, part, self._remembering[-1])

    @classmethod
    def several(cls, adapter: Adapter, chat: Any, count: int) -> list[Encoder]:
        """Make encoders for as many threads, which remember the same clips."""
        kept, chats = Kept(KEPT), [chat, *(copy.deepcopy(chat) for _ in range(count - 1))]
        return [cls(adapter, each, kept) for each in chats]

    def encode(self, question: dict[str, Any]) -> tuple[str, dict[str, torch.Tensor], dict[str, int]]:
        """Return prompt, tensors and token counts. Raises ValueError where the model can't be asked that."""
        media = media_of(self._adapter, question)
        text = self._prompter.text(question)
        for part in self._remembering:
            part.clip = media.clip if media else ""
        arguments = self._media_arguments(question["modality"], media) if media else {}
        encoded = self._chat(text=[text], return_tensors="pt", **arguments)
        counts = self._prompter.count(encoded["input_ids"][0].tolist())
        return text, {name: value for name, value in encoded.items() if isinstance(value, torch.Tensor)}, counts

    def identity(self, question: dict[str, Any]) -> str | None:
        """Return what names a question's media, None where it has none."""
        return identity_of(self._adapter, question) if question["modality"] != "text" and question["clip"] else None

    def texts(self, question: dict[str, Any]) -> list[list[int]]:
        """Return the tokens of the texts that a question has weighed. Raises ValueError for a text without any."""
        return self._prompter.texts(question)

    def generation_arguments(self, question: dict[str, Any]) -> dict[str, Any]:
        """Return what `generate()` must be told beside the tensors, lest its positions differ from the processor's."""
        if self._adapter.audio_in_video and question["modality"] == "audiovideo":
            return {"use_audio_in_video": True}
        return {}

    def _media_arguments(self, modality: str, media: Media) -> dict[str, Any]:
        arguments: dict[str, Any] = {}
        if media.frames is not None and self._adapter.frames_as_images:
            arguments["images"] = [list(media.frames)]
        elif media.frames is not None:
            arguments |= {"videos": [media.frames], "video_metadata": [media.metadata], "do_sample_frames": False}
            arguments |= self._adapter.video_arguments()
            if self._adapter.audio_in_video:
                arguments |= {"fps": media.fps, **self._sound_in_picture(together=modality == "audiovideo")}
        if media.waveform is not None:
            arguments |= {"audio": [media.waveform], "sampling_rate": media.sample_rate}
        return arguments

    def _sound_in_picture(self, *, together: bool) -> dict[str, Any]:
        """Say whether the sound is the picture's own, as the installed transformers wants to be told."""
        if not hasattr(self._chat, "load_audio_from_video"):  # before 5.24 or so
            return {"use_audio_in_video": together}
        return {"load_audio_from_video": True, "audio_from_video_indices": [0]} if together else {}
