"""How a model wants a clip decoded. Imports only the standard library, since the parent of the decoders reads it."""

from __future__ import annotations

from dataclasses import dataclass

from emoprefer_bench.errors import EmopreferError


class MediaError(EmopreferError):
    """A media file can't be used; the message names the file, says what is wrong with it and how to mend it."""


@dataclass(frozen=True, slots=True)
class MediaPlan:
    """How a model wants a clip: `fps` frames a second (None: `max_frames` in all), and sound at `sample_rate` hertz.

    The number of frames lies within `min_frames` and `max_frames`, is a multiple of `frame_factor`, and doesn't exceed
    what the file holds.
    """

    fps: float | None
    min_frames: int
    max_frames: int
    frame_factor: int = 1
    sample_rate: int = 16000

    def count(self, total: int, source_fps: float) -> int:
        """How many frames to take out of `total`, by the rule of the Qwen-VL family's own loader (qwen-vl-utils).

        The exception: a file of fewer frames than `frame_factor` gives `frame_factor` of them, some repeated.
        """
        factor = self.frame_factor
        least = -(-self.min_frames // factor) * factor
        most = min(self.max_frames, total) // factor * factor
        wanted = total if self.fps is None else total / source_fps * self.fps
        return max(int(min(max(wanted, least), most)) // factor * factor, factor)
