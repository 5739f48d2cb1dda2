"""What is special about each family of models, as data: the parent decodes clips by it, the child asks by it.

Frames, pixels and system prompts are those that the EmoPrefer paper's own code uses (arXiv 2507.04278), or else those
of the family's model card.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from emoprefer_bench.media import MediaPlan

TUNABLE = ("system", "min_pixels", "max_pixels")


@dataclass(frozen=True, slots=True)
class Adapter:
    """A family of models and how it is asked.

    `version` is part of every answer's key: raise it when a change here can change an answer. The pixels of a frame,
    after resizing, lie within `min_pixels` and `max_pixels`; None leaves that to the checkpoint. `audio_place` and
    `video_place` are the tokens that sound and picture replace in a prompt. `audio_in_video` families interleave the
    two in time, so that sound has no place of its own. `longest_sound` is in seconds: a family's feature extractor cuts
    what is longer, silently. `model_class` names the class in transformers, `video_options` go to its video processor.
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
    audio_place: str | None = None
    video_place: str | None = None
    audio_in_video: bool = False
    longest_sound: float | None = None
    video_options: dict[str, Any] = field(default_factory=dict)
    engines: tuple[str, ...] = ("vllm", "transformers")

    def settings(self) -> dict[str, Any]:
        """Return what a question's key holds of the adapter, which is also what the child makes the same one from."""
        return {"family": self.family, "adapter": self.version, **{name: getattr(self, name) for name in TUNABLE}}

    def video_arguments(self) -> dict[str, Any]:
        """Return what the family's video processor is to be told, in either engine."""
        size = {"size": {"shortest_edge": self.min_pixels, "longest_edge": self.max_pixels}} if self.max_pixels else {}
        return {**self.video_options, **size}


SEEN = ("video",)
HEARD = ("audio",)
BOTH = ("audio", "video", "audiovideo")
READ = ("text",)

# qwen-vl-utils bounds the pixels of all frames together, too; transformers does it when asked by this name.
BOUNDED = {"cap_pixels_per_frame": True}

ADAPTERS = {
    adapter.family: adapter
    for adapter in (
        Adapter(
            family="qwen25omni",
            version=1,
            model_types=("qwen2_5_omni", "qwen2_5_omni_thinker"),
            model_class="Qwen2_5OmniThinkerForConditionalGeneration",
            modalities=BOTH + READ,
            plan=MediaPlan(fps=2.0, min_frames=4, max_frames=768, frame_factor=2),
            min_pixels=128 * 28 * 28,
            max_pixels=768 * 28 * 28,
            # The model was trained with this sentence, and its card says that it hears badly without.
            system=(
                "You are Qwen, a virtual human developed by the Qwen Team, Alibaba Group, capable of perceiving "
                "auditory and visual inputs, as well as generating text and speech."
            ),
            audio_place="<|AUDIO|>",
            video_place="<|VIDEO|>",
            audio_in_video=True,
            longest_sound=300.0,
            video_options=BOUNDED,
        ),
        Adapter(
            family="qwen3omni",
            version=1,
            model_types=("qwen3_omni_moe", "qwen3_omni_moe_thinker"),
            model_class="Qwen3OmniMoeThinkerForConditionalGeneration",
            modalities=BOTH + READ,
            plan=MediaPlan(fps=2.0, min_frames=4, max_frames=768, frame_factor=2),
            min_pixels=128 * 32 * 32,
            max_pixels=768 * 32 * 32,
            audio_place="<|audio_pad|>",
            video_place="<|video_pad|>",
            audio_in_video=True,
            video_options=BOUNDED,
        ),
        Adapter(
            family="qwen25vl",
            version=1,
            model_types=("qwen2_5_vl",),
            model_class="Qwen2_5_VLForConditionalGeneration",
            modalities=SEEN + READ,
            plan=MediaPlan(fps=1.0, min_frames=4, max_frames=768, frame_factor=2),
            min_pixels=128 * 28 * 28,
            max_pixels=360 * 420,
            video_place="<|video_pad|>",
            video_options=BOUNDED,
        ),
        Adapter(
            family="qwen3vl",
            version=1,
            model_types=("qwen3_vl",),
            model_class="Qwen3VLForConditionalGeneration",
            modalities=SEEN + READ,
            plan=MediaPlan(fps=2.0, min_frames=4, max_frames=768, frame_factor=2),
            video_place="<|video_pad|>",
        ),
        Adapter(
            family="qwen2audio",
            version=1,
            model_types=("qwen2_audio",),
            model_class="Qwen2AudioForConditionalGeneration",
            modalities=HEARD + READ,
            plan=MediaPlan(fps=None, min_frames=1, max_frames=1),
            audio_place="<|AUDIO|>",
            longest_sound=30.0,
        ),
        Adapter(
            family="llava_next_video",
            version=1,
            model_types=("llava_next_video",),
            model_class="LlavaNextVideoForConditionalGeneration",
            modalities=SEEN + READ,
            plan=MediaPlan(fps=None, min_frames=8, max_frames=8),
            video_place="<video>",
        ),
        Adapter(
            family="video_llava",
            version=1,
            model_types=("video_llava",),
            model_class="VideoLlavaForConditionalGeneration",
            modalities=SEEN + READ,
            plan=MediaPlan(fps=None, min_frames=8, max_frames=8),
            video_place="<video>",
            engines=("transformers",),
        ),
        Adapter(
            family="text",
            version=1,
            model_types=(
                "gemma", "gemma2", "gemma3_text", "llama", "mistral", "olmo2", "phi3", "qwen2", "qwen3", "smollm3",
            ),
            model_class="AutoModelForCausalLM",
            modalities=READ,
        ),
    )
}  # fmt: skip


def adapter(family: str, **changes: object) -> Adapter:
    """Return a family's adapter, with other values for any of its fields. Raises ValueError for an unknown family."""
    if family not in ADAPTERS:
        raise ValueError(f"there is no model family {family!r}; there are {', '.join(sorted(ADAPTERS))}")
    return replace(ADAPTERS[family], **changes)  # type: ignore[arg-type]  # dataclasses checks the names


def family_of(model_type: str) -> str:
    """Return the family that a `model_type` of config.json belongs to. Raises ValueError where none is known."""
    for known in ADAPTERS.values():
        if model_type in known.model_types:
            return known.family
    raise ValueError(
        f"no adapter knows the model type {model_type!r}: name the family that it behaves like, family=..., one of "
        f"{', '.join(sorted(ADAPTERS))}; or run the model's own code through external(...), see docs/protocol.md",
    )


def split(options: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Part a fixture's options into what concerns the adapter (`family` and TUNABLE) and what concerns the engine."""
    ours = {name: value for name, value in options.items() if name in ("family", *TUNABLE)}
    engine = {name: value for name, value in options.items() if name not in ours and name != "adapter"}
    return ours, engine
