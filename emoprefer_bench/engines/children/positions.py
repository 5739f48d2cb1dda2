"""The positions of tokens (M-RoPE) that Qwen2.5-Omni and Qwen2.5-VL were trained with, where an engine has others.

Every token has three: of time, of height, of width. Text counts on in all three; sound counts one a token, 40 ms of
it; a picture counts time by the clock (25 a second in Omni, 2 in VL) and its rows and columns. What follows a medium
starts behind its greatest position. So the models' authors have it, in the code that they gave transformers and in
their code for training (Qwen2.5-VL, qwen-vl-finetune, rope2d.py: "the text start position_ids as the max vision
position_ids plus 1"). Two engines of today differ, seen in their code and in their probabilities:

- vLLM 0.30 to 0.33 numbers Qwen2.5-Omni's sound in picture one token too early: it takes the mark before the sound for
  the first token of the picture, and lets the marks around both count on, which share one position. vLLM 0.13 did it
  right (vllm-project/vllm, pull request 32772, lost it). It also multiplies times in 64 bits, the authors in 32: where
  a time falls on a whole number, one can be below it.
- transformers 5.16, 5.19 and 5.24 (since 5.3) let what follows a video of Qwen2.5-VL start behind its rows and columns,
  as behind an image, however long it is: amid the times of its steps.

Both are mended here, and only in our own child processes. What the code of the engine no longer allows is refused.
"""

from __future__ import annotations

import inspect
import itertools
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    import torch
    from numpy.typing import NDArray

VIDEO = 2  # among transformers' types of tokens
VLLM_WORKER = "emoprefer_bench.engines.children.vllm_worker.Worker"
VLLM_TAKES = ["self", "input_tokens", "mm_features"]
TRANSFORMERS_TAKES = ["self", "input_ids", "mm_token_type_ids"]
MENDED = {"vllm": ("qwen25omni", "qwen25vl"), "transformers": ("qwen25vl",)}


@dataclass(frozen=True)
class Span:
    """The tokens of a medium, from the token `start` on.

    `positions` are int64 of shape (3, tokens), counted from the one that a token of text would have there; `following`
    is that of the token behind them.
    """

    start: int
    positions: NDArray[np.int64]
    following: int


def numbered(length: int, spans: Iterable[Span]) -> NDArray[np.int64]:
    """Return the positions of `length` tokens, shape (3, length): those of the spans, and of the text around them."""
    parts: list[NDArray[np.int64]] = []
    token = position = 0
    for span in sorted(spans, key=lambda span: span.start):
        parts.append(_text(position, span.start - token))
        position += span.start - token
        parts.append(span.positions + position)
        position += span.following
        token = span.start + span.positions.shape[1]
    return np.concatenate([*parts, _text(position, length - token)], axis=1)


def picture(grid: Sequence[int], seconds: float, per_second: float) -> NDArray[np.int64]:
    """Return the positions of a video's tokens, shape (3, tokens), from 0 on.

    `grid` counts its steps of time, its rows and its columns of tokens; a step takes `seconds`.
    """
    places = np.indices(tuple(grid))
    steps = np.arange(grid[0], dtype=np.float32)  # in the precision and the order of the authors' code
    times = (steps * np.float32(seconds) * np.float32(per_second)).astype(np.int64)
    places[0] = times[:, None, None]
    return places.reshape(3, -1)


def sound_in_picture(seen: NDArray[np.bool_], heard: NDArray[np.bool_], image: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the positions from the mark before the sound to the mark behind the picture, shape (3, tokens + 3).

    `seen` and `heard` say of each token between the marks what it is. Each medium counts from 0 on its own. The mark
    before the sound shares its position with the one before the picture, and so do the two behind.
    """
    inside = np.empty((3, len(seen)), np.int64)
    inside[:, seen] = image
    inside[:, heard] = np.arange(heard.sum())
    behind = np.full((3, 2), inside[:, -1].max() + 1)
    return np.concatenate([np.full((3, 1), -1), inside, behind], axis=1)


def vllm_models() -> list[Any]:
    """Return the classes whose positions are mended. Raises RuntimeError where vLLM asks them for others than here."""
    from vllm.model_executor.models.qwen2_5_omni_thinker import Qwen2_5OmniThinkerForConditionalGeneration as Omni
    from vllm.model_executor.models.qwen2_5_vl import Qwen2_5_VLForConditionalGeneration as Sighted

    for model in (Omni, Sighted):
        _check(model, "get_mrope_input_positions", VLLM_TAKES)
    return [Omni, Sighted]


def mend_vllm(counted: Callable[[], None]) -> None:
    """Have vLLM number the tokens of both families so, in this process; `counted` is called each time.

    Raises RuntimeError as `vllm_models` does.
    """

    def positions(self: Any, input_tokens: list[int], mm_features: list[Any]) -> tuple[torch.Tensor, int]:
        import torch

        counted()
        placed = numbered(len(input_tokens), _spans(self.config, np.array(input_tokens), mm_features))
        return torch.from_numpy(placed), int(placed.max()) + 1 - len(input_tokens)

    for model in vllm_models():
        model.get_mrope_input_positions = positions


def mend_transformers() -> None:
    """Have transformers start behind a video of Qwen2.5-VL what follows it; no change where it does so itself.

    Raises RuntimeError where transformers numbers tokens in another way than this fits.
    """
    from transformers.models.qwen2_5_vl.modeling_qwen2_5_vl import Qwen2_5_VLModel

    original = _check(Qwen2_5_VLModel, "get_rope_index", TRANSFORMERS_TAKES)
    if getattr(original, "mended", False):
        return

    @wraps(original)
    def get_rope_index(self: Any, *args: Any, **kwargs: Any) -> tuple[torch.Tensor, torch.Tensor]:
        positions, deltas = original(self, *args, **kwargs)
        given = inspect.signature(original).bind(self, *args, **kwargs).arguments
        kinds, mask = given["mm_token_type_ids"], given.get("attention_mask")
        for row in range(positions.shape[1]):
            kept = slice(None) if mask is None else mask[row].bool()
            placed = _behind_videos(positions[:, row, kept], kinds[row, kept].tolist())
            positions[:, row, kept] = placed
            deltas[row] = placed.max() + 1 - placed.shape[1]
        return positions, deltas

    get_rope_index.mended = True  # type: ignore[attr-defined]
    Qwen2_5_VLModel.get_rope_index = get_rope_index  # type: ignore[method-assign]


def _spans(config: Any, tokens: NDArray[np.int64], features: list[Any]) -> Iterator[Span]:
    """Give the media of a prompt as vLLM describes them: where they stand, and their grids and times."""
    interleaved = any(feature.modality == "video" and _flag(feature) for feature in features)
    for feature in features:
        start, length = feature.mm_position.offset, feature.mm_position.length
        if feature.modality == "video":
            grid = [int(size) for size in feature.data["video_grid_thw"].data]
            merged = config.vision_config.spatial_merge_size
            per_second = getattr(config, "position_id_per_seconds", None) or config.vision_config.tokens_per_second
            seconds = float(feature.data["second_per_grid_ts"].data)
            image = picture((grid[0], grid[1] // merged, grid[2] // merged), seconds, per_second)
            if _flag(feature):
                yield _sounding(config, tokens, start, length, image)
            else:
                yield Span(start, image, int(image.max()) + 1)
        elif feature.modality == "audio" and not interleaved:
            yield Span(start, _text(0, length), length)
        elif feature.modality != "audio":
            raise RuntimeError(f"the positions of {feature.modality!r} in {type(config).__name__} are not known here")


def _sounding(config: Any, tokens: NDArray[np.int64], start: int, length: int, image: NDArray[np.int64]) -> Span:
    """Give the span of a video with its sound in it. Raises RuntimeError where it isn't laid out as it should be."""
    inside = tokens[start + 1 : start + length - 1]
    marks = [config.vision_start_token_id, config.audio_start_token_id]
    ends = [config.audio_end_token_id, config.vision_end_token_id]
    seen, heard = inside == config.video_token_id, inside == config.audio_token_id
    around = [*tokens[start - 1 : start + 1], *tokens[start + length - 1 : start + length + 1]]
    if around != [*marks, *ends] or not (seen | heard).all() or seen.sum() != image.shape[1]:
        raise RuntimeError("this vLLM lays out sound in picture in another way: its positions can't be mended here")
    placed = sound_in_picture(seen, heard, image)
    return Span(start, placed, int(placed[0, -1]) + 1)


def _flag(feature: Any) -> bool:
    value = feature.data.get("use_audio_in_video")
    return value is not None and bool(value.data)


def _behind_videos(positions: torch.Tensor, kinds: list[int]) -> torch.Tensor:
    """Return the positions of one prompt, shape (3, tokens), with what follows each video behind all of it."""
    placed, token = positions.clone(), 0
    for kind, run in itertools.groupby(kinds):
        start, token = token, token + len(list(run))
        if kind == VIDEO and token < len(kinds):
            placed[:, token:] += placed[:, start:token].max() + 1 - placed[0, token]
    return placed


def _text(position: int, length: int) -> NDArray[np.int64]:
    return np.tile(np.arange(position, position + length), (3, 1))


def _check(owner: type, name: str, takes: list[str]) -> Any:
    """Return a method that is to be replaced. Raises RuntimeError where it is gone, or takes other arguments."""
    method = getattr(owner, name, None)
    taken = list(inspect.signature(method).parameters)[: len(takes)] if method else []
    if method is None or taken != takes:
        library = owner.__module__.partition(".")[0]
        raise RuntimeError(
            f"this version of {library} numbers tokens in another way ({owner.__name__}.{name} doesn't take "
            f"{', '.join(takes[1:])}), so the positions that the model was trained with can't be set: use a version "
            "that docs/models.md names, or the other engine",
        )
    return method
