"""What is special about each family of models, as data: the parent decodes clips by it, the child asks by it.

The families themselves stand in `families.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from emoprefer_bench.media.plan import MediaPlan

TUNABLE = ("system", "thinking", "min_pixels", "max_pixels")
# It came later: a question's key holds it where it is set, and is the old one where not.
PARITY = ("frame_rate",)

Place = str | tuple[str, str]


@dataclass(frozen=True, slots=True)
class Adapter:
    """A family of models and how it is asked.

    `version` is part of every answer's key: raise it when a change here can change an answer. The pixels of a frame,
    after resizing, lie within `min_pixels` and `max_pixels`; None leaves that to the checkpoint. `audio_place` and
    `video_place` are the tokens that sound and picture replace in a prompt (parted by a space where the engines take
    different ones), or the two tokens that they stand between.
    `audio_in_video` families interleave the two in time, so that sound has no place of its own. `frames_as_images`
    families know no videos and get the frames as images. `longest_sound` is in seconds: a family's feature extractor
    cuts what is longer, silently.

    `template` is the whole prompt, with {media}, {prompt} and perhaps {system}, of a family whose checkpoints have no
    chat template that takes media; `marks` are what then stands for sound and for picture (each frame, with its number,
    where `frames_as_images`). `thinking` goes to the chat template; None leaves it to the checkpoint.

    `frame_rate` is what the video processor is told in place of the frames a second that were taken, to feed a model as
    the EmoPrefer paper's code did (docs/models.md); None is the truth.

    `model_class` names the class in transformers, `video_options` go to its video processor, `vllm_options` to vLLM's
    engine. `loras` names for each modality the folder of the checkpoint whose LoRA weights vLLM adds.
    """

    family: str
    version: int
    model_types: tuple[str, ...]
    model_class: str
    modalities: tuple[str, ...]
    plan: MediaPlan | None = None
    min_pixels: int | None = None
    max_pixels: int | None = None
    system: str | None = None
    thinking: bool | None = None
    audio_place: Place | None = None
    video_place: Place | None = None
    audio_in_video: bool = False
    frames_as_images: bool = False
    longest_sound: float | None = None
    template: str | None = None
    marks: dict[str, str] = field(default_factory=dict)
    video_options: dict[str, Any] = field(default_factory=dict)
    vllm_options: dict[str, Any] = field(default_factory=dict)
    loras: dict[str, str] = field(default_factory=dict)
    frame_rate: float | None = None
    engines: tuple[str, ...] = ("vllm", "transformers")

    def settings(self) -> dict[str, Any]:
        """Return what a question's key holds of the adapter, which is also what the child makes the same one from."""
        parity = {name: value for name in PARITY if (value := getattr(self, name))}
        tuned = {name: getattr(self, name) for name in TUNABLE}
        return {"family": self.family, "adapter": self.version, **tuned, **parity}

    def video_arguments(self) -> dict[str, Any]:
        """Return what the family's video processor is to be told, in either engine."""
        size = {"size": {"shortest_edge": self.min_pixels, "longest_edge": self.max_pixels}} if self.max_pixels else {}
        return {**self.video_options, **size}


def split(options: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Part a fixture's options into what concerns the adapter (`family`, TUNABLE, PARITY) and what the engine."""
    ours = {name: value for name, value in options.items() if name in ("family", *TUNABLE, *PARITY)}
    engine = {name: value for name, value in options.items() if name not in ours and name != "adapter"}
    return ours, engine
