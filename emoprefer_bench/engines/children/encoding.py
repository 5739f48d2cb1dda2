"""Questions as the tensors that a transformers model takes.

Only the child process of the transformers engine imports it.
"""

from __future__ import annotations

import copy
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import torch

from emoprefer_bench.engines.children.inputs import Media, Prompter, heard_samples, media_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from emoprefer_bench.engines.adapters import Adapter

KEPT_CLIPS = 8


class Remembering:
    """A media processor that keeps its results for the last few clips, since most questions are about the same clip.

    `key` names the clip of the next call.
    """

    def __init__(self, processor: Any) -> None:
        self.key = ""
        self._processor = processor
        self._kept: OrderedDict[str, Any] = OrderedDict()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Return what the processor makes of the clip; a copy, because callers rename its entries."""
        if self.key not in self._kept:
            self._kept[self.key] = self._processor(*args, **kwargs)
            while len(self._kept) > KEPT_CLIPS:
                self._kept.popitem(last=False)
        self._kept.move_to_end(self.key)
        return copy.copy(self._kept[self.key])

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

    def __init__(self, adapter: Adapter, chat: Any) -> None:
        self.tokenizer = getattr(chat, "tokenizer", chat)
        self._adapter = adapter
        self._chat = chat
        self._prompter = Prompter(adapter, chat)
        self._remembering: list[Remembering] = []
        if adapter.audio_in_video:
            chat.feature_extractor = ShortSpectra(chat.feature_extractor)
        for part in ("image_processor", "video_processor", "feature_extractor"):
            if hasattr(chat, part):
                self._remembering.append(Remembering(getattr(chat, part)))
                setattr(chat, part, self._remembering[-1])

    def encode(self, question: dict[str, Any]) -> tuple[str, dict[str, torch.Tensor], dict[str, int]]:
        """Return prompt, tensors and token counts. Raises ValueError where the model can't be asked that."""
        media = media_of(self._adapter, question)
        text = self._prompter.text(question)
        for part in self._remembering:
            part.key = media.identity if media else ""
        arguments = self._media_arguments(question["modality"], media) if media else {}
        encoded = self._chat(text=[text], return_tensors="pt", **arguments)
        counts = self._prompter.count(encoded["input_ids"][0].tolist())
        return text, {name: value for name, value in encoded.items() if isinstance(value, torch.Tensor)}, counts

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
