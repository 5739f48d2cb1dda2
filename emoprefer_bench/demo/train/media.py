"""Clips as the tensors that the model takes, made by the very path that the transformers engine takes, and kept."""

from __future__ import annotations

import os
import tempfile
from bisect import bisect_left, bisect_right
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, replace
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from emoprefer_bench.demo import JUDGE_PIXELS
from emoprefer_bench.engines.children.encoding import Encoder
from emoprefer_bench.engines.children.inputs import Prompter, chat_of
from emoprefer_bench.engines.families import adapter
from emoprefer_bench.media.decode import decode

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ADAPTER = adapter("qwen25omni", min_pixels=JUDGE_PIXELS, max_pixels=JUDGE_PIXELS)


AUDIO, VIDEO = "<|AUDIO|>", "<|VIDEO|>"
CHUNK = 2.0
"""Seconds of picture and sound that stand together."""
SOUND_RATE = 25
"""Tokens of sound a second."""
MERGED = 4
"""Patches of picture that become one token."""


@dataclass(slots=True)
class Picture:
    """What is seen: `patches` (patches, numbers), their `grid` (1, 3) in time, height, width, seconds a step in time.

    `perceived` (tokens, width) is what trained eyes make of it.
    """

    patches: torch.Tensor
    grid: torch.Tensor
    seconds: torch.Tensor
    perceived: torch.Tensor | None = None

    @property
    def tokens(self) -> int:
        """How many tokens the model makes of it."""
        return int(self.grid.prod()) // MERGED


@dataclass(slots=True)
class Sound:
    """What is heard: a spectrum (bands, hundredths of a second) without the padding.

    `perceived` (tokens, width) is what trained ears make of it.
    """

    spectrum: torch.Tensor
    perceived: torch.Tensor | None = None

    @property
    def tokens(self) -> int:
        """How many tokens the model makes of it."""
        return ((self.spectrum.shape[1] - 1) // 2 + 1 - 2) // 2 + 1


@dataclass(frozen=True, slots=True)
class Media:
    """A clip as tensors in half precision."""

    picture: Picture
    sound: Sound


def encode(clips: Sequence[Path], checkpoint: Path, processes: int, told: Callable[[str], None]) -> list[Media]:
    """Decode and encode the clips; what was encoded once lies beside the clip, and is read."""
    missing = [clip for clip in clips if not _kept(clip).exists()]
    if processes == 1:
        for clip in missing:
            _encode(clip, checkpoint)
    elif missing:
        # Not by fork: see films.py. One thread of torch's each, since there is a process for each core.
        with ProcessPoolExecutor(processes, get_context("spawn"), torch.set_num_threads, (1,)) as pool:
            waiting = [pool.submit(_encode, clip, checkpoint) for clip in missing]
            for count, done in enumerate(as_completed(waiting), 1):
                done.result()
                if count % 20 == 0 or count == len(missing):
                    told(f"{count} of {len(missing)} clips encoded")
    return [_read(_kept(clip)) for clip in clips]


class Prompts:
    """Prompts as token ids, with the places of sound and picture as transformers' processor lays them out."""

    def __init__(self, checkpoint: Path) -> None:
        self._chat = chat_of(ADAPTER, str(checkpoint))
        self._prompter = Prompter(ADAPTER, self._chat)
        self.tokenizer = self._chat.tokenizer

    def text(self, modality: str, prompt: str, media: Media | None) -> str:
        """Return a prompt about a clip, with a word in each place of sound and picture."""
        text = self._prompter.text({"prompt": prompt, "modality": modality, "clip": None})
        if not media:
            return text
        if modality == "audiovideo":
            return text.replace(VIDEO, f"<|audio_bos|>{interleaved(media)}<|audio_eos|>")
        return text.replace(VIDEO, VIDEO * media.picture.tokens).replace(AUDIO, AUDIO * media.sound.tokens)

    def ids(self, modality: str, prompt: str, media: Media | None) -> list[int]:
        """Return the ids of a prompt about a clip."""
        ids: list[int] = self.tokenizer(self.text(modality, prompt, media)).input_ids
        return ids

    def ids_and_ends(
        self, modality: str, prompt: str, media: Media | None, parts: Sequence[str]
    ) -> tuple[list[int], list[int]]:
        """Return the ids of a prompt, and where the last token of each of these parts stands, and that of the media."""
        text = self.text(modality, prompt, media)
        encoded = self.tokenizer(text, return_offsets_mapping=True)
        starts = [start for start, _ in encoded.offset_mapping]
        ends, place = [], 0
        for part in parts:
            place = text.index(part, place) + len(part)
            ends.append(bisect_left(starts, place) - 1)
        if media:
            closing = max(text.rfind("<|vision_eos|>"), text.rfind("<|audio_eos|>"))
            ends.append(bisect_right(starts, closing) - 1)
        return encoded.input_ids, ends

    def answer(self, text: str) -> list[int]:
        """Return the ids of an answer and of its end."""
        return [*self.tokenizer(text).input_ids, self.tokenizer.eos_token_id]


def interleaved(media: Media) -> str:
    """Return the places of a picture with its sound: of every two seconds, first what is seen, then what is heard."""
    return "".join(VIDEO * seen + AUDIO * heard for seen, heard in _chunks(media))


def in_turn(media: Media) -> list[torch.Tensor]:
    """Return what eyes and ears made of a clip, in that order."""
    assert media.picture.perceived is not None
    assert media.sound.perceived is not None
    sizes = _chunks(media)
    sights = media.picture.perceived.split([seen for seen, _ in sizes])
    sounds = media.sound.perceived.split([heard for _, heard in sizes])
    return [part for pair in zip(sights, sounds, strict=True) for part in pair]


def _chunks(media: Media) -> list[tuple[int, int]]:
    """Return how many tokens of picture and of sound stand together, for every two seconds."""
    steps, rows, columns = media.picture.grid[0].tolist()
    each = rows * columns // MERGED
    seen = [int(step * media.picture.seconds.item() / CHUNK) for step in range(steps)]
    heard = [int(token / (SOUND_RATE * CHUNK)) for token in range(media.sound.tokens)]
    return [(each * seen.count(n), heard.count(n)) for n in range(max(seen[-1], heard[-1]) + 1)]


def question(clip: Path, folder: Path) -> dict[str, Any]:
    """Return a question with sound and picture of a clip, decoded into files of the folder, as an engine gets it."""
    assert ADAPTER.plan is not None
    decoded = decode(clip, None, ADAPTER.plan, picture=True, sound=True)
    fields = asdict(replace(decoded, frames=None, waveform=None))
    for name in ("frames", "waveform"):
        np.save(folder / name, getattr(decoded, name))
        fields[name] = str(folder / f"{name}.npy")
    return {"prompt": "", "modality": "audiovideo", "clip": {**fields, "name": clip.stem, "digest": clip.stem}}


def _kept(clip: Path) -> Path:
    return clip.with_suffix(".pt")


def _encode(clip: Path, checkpoint: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        _, tensors, _ = _encoder(checkpoint).encode(question(clip, Path(folder)))
    heard = int(tensors["feature_attention_mask"].sum())
    kept = {
        "patches": tensors["pixel_values_videos"].half(),
        "grid": tensors["video_grid_thw"],
        "seconds": tensors["video_second_per_grid"],
        "spectrum": tensors["input_features"][0, :, :heard].half().clone(),
    }
    unfinished = clip.with_name(f".{os.getpid()}.pt")
    torch.save(kept, unfinished)
    unfinished.replace(_kept(clip))


@cache
def _encoder(checkpoint: Path) -> Encoder:
    return Encoder(ADAPTER, chat_of(ADAPTER, str(checkpoint)))


def _read(path: Path) -> Media:
    kept = torch.load(path)
    return Media(Picture(kept["patches"], kept["grid"], kept["seconds"]), Sound(kept["spectrum"]))
