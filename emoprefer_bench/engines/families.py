"""The families of models that the engines know, and the settings that each is asked with.

Frames, pixels and system prompts are those that the EmoPrefer paper's own code uses (arXiv 2507.04278) where it ran the
family, or else those of its authors' model card or published code. The places of media in vLLM's prompts are those of
its own model code (0.32).
"""

from __future__ import annotations

from dataclasses import replace

from emoprefer_bench.cases import MEDIA
from emoprefer_bench.engines.adapters import Adapter
from emoprefer_bench.media.plan import MediaPlan

SEEN = ("video",)
HEARD = ("audio",)
BOTH = ("audio", "video", "audiovideo")
READ = ("text",)

SOUND_ALONE = MediaPlan(fps=None, min_frames=1, max_frames=1)
EIGHT_FRAMES = MediaPlan(fps=None, min_frames=8, max_frames=8)

# qwen-vl-utils bounds the pixels of all frames together, too; transformers does it when asked by this name.
BOUNDED = {"cap_pixels_per_frame": True}
REMOTE = {"trust_remote_code": True}
VLLM_ALONE = ("vllm",)

QWEN = (
    Adapter(
        family="qwen25omni",
        version=2,
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
        version=2,
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
        plan=SOUND_ALONE,
        audio_place="<|AUDIO|>",
        longest_sound=30.0,
    ),
)

LLAVA = (
    Adapter(
        family="llava_next_video",
        version=1,
        model_types=("llava_next_video",),
        model_class="LlavaNextVideoForConditionalGeneration",
        modalities=SEEN + READ,
        plan=EIGHT_FRAMES,
        video_place="<video>",
    ),
    Adapter(
        family="video_llava",
        version=2,
        model_types=("video_llava",),
        model_class="VideoLlavaForConditionalGeneration",
        modalities=SEEN + READ,
        plan=EIGHT_FRAMES,
        video_place="<video>",
        # As in the card of LanguageBind/Video-LLaVA-7B-hf, which has no system sentence.
        template="{system}USER: {media}{prompt} ASSISTANT:",
        marks={"video": "<video>\n"},
        engines=("transformers",),
    ),
)

GEMMA = (
    Adapter(
        family="gemma3n",
        version=1,
        model_types=("gemma3n",),
        model_class="Gemma3nForConditionalGeneration",
        modalities=BOTH + READ,
        plan=MediaPlan(fps=1.0, min_frames=1, max_frames=16),
        audio_place="<audio_soft_token>",
        video_place="<image_soft_token>",
        frames_as_images=True,
        longest_sound=30.0,
    ),
    Adapter(
        family="gemma4",
        version=2,
        model_types=("gemma4", "gemma4_unified"),
        model_class="AutoModelForImageTextToText",  # the two types have classes of their own
        modalities=BOTH + READ,
        # 32 frames are the most that its authors' video processor takes out of a clip.
        plan=MediaPlan(fps=1.0, min_frames=1, max_frames=32),
        audio_place="<|audio|>",
        video_place="<|video|>",
        longest_sound=30.0,
    ),
)

MINICPM_O = Adapter(
    family="minicpmo",
    version=1,
    model_types=("minicpmo",),
    model_class="",
    modalities=BOTH + READ,
    plan=MediaPlan(fps=1.0, min_frames=1, max_frames=64),
    audio_place=("<|audio_start|>", "<|audio_end|>"),
    video_place=("<image>", "</image>"),
    template="<|im_start|>user\n{media}{prompt}<|im_end|>\n<|im_start|>assistant\n",
    marks={"audio": "(<audio>./</audio>)\n", "video": "(<video>./</video>)\n"},
    # 64 frames are 4,096 tokens, and vLLM refuses a clip that is longer than what it reads in one go.
    vllm_options={**REMOTE, "max_num_batched_tokens": 8192},
    engines=VLLM_ALONE,
)

OTHERS = (
    Adapter(
        family="internvl",
        version=1,
        model_types=("internvl",),
        model_class="InternVLForConditionalGeneration",
        modalities=SEEN + READ,
        plan=EIGHT_FRAMES,
        video_place="<IMG_CONTEXT> <video>",
    ),
    MINICPM_O,
    replace(  # its language model can think, and doesn't where its thoughts were closed for it
        MINICPM_O,
        family="minicpmo45",
        model_types=(),
        template=f"{MINICPM_O.template}<think>\n\n</think>\n\n",
    ),
    Adapter(
        family="phi4_multimodal",
        version=1,
        model_types=("phi4mm",),
        model_class="",
        modalities=BOTH + READ,
        plan=EIGHT_FRAMES,
        audio_place="<|endoftext11|>",
        video_place="<|endoftext10|>",
        frames_as_images=True,
        template="<|user|>{media}{prompt}<|end|><|assistant|>",
        marks={"audio": "<|audio_1|>", "video": "<|image_{number}|>"},
        vllm_options={**REMOTE, "enable_lora": True, "max_lora_rank": 320},
        # Its sight, alone or with sound, is trained into one set of weights, its hearing alone into another.
        loras={"audio": "speech-lora", "video": "vision-lora", "audiovideo": "vision-lora"},
        engines=VLLM_ALONE,
    ),
    Adapter(
        family="mimo_v25",
        version=1,
        model_types=("mimo_v2", "mimo_v2_omni"),
        model_class="",
        modalities=BOTH + READ,
        # vLLM tells the model that frames are a second apart, however they are; its feature extractor hears 24 kHz.
        plan=MediaPlan(fps=1.0, min_frames=4, max_frames=768, frame_factor=2, sample_rate=24000),
        audio_place="<|audio_pad|>",
        video_place="<|video_pad|>",
        template="<|im_start|>user\n{media}{prompt}<|im_end|>\n<|im_start|>assistant\n",
        marks={
            "audio": "<|mimo_audio_start|><|audio_pad|><|mimo_audio_end|>",
            "video": "<|vision_start|><|video_pad|><|vision_end|>",
        },
        vllm_options=REMOTE,
        engines=VLLM_ALONE,
    ),
    # vLLM gives it what its Whisper encoder hears, without the speech tokens that its authors' code adds to that.
    Adapter(
        family="kimi_audio",
        version=2,
        model_types=("kimi_audio", "moonshot_kimia"),
        model_class="",
        modalities=HEARD + READ,
        plan=SOUND_ALONE,
        audio_place="<|im_kimia_text_blank|>",
        longest_sound=30.0,
        template="<|im_kimia_user_msg_start|>{media}{prompt}<|im_msg_end|><|im_kimia_assistant_msg_start|>",
        marks={"audio": "<|im_media_begin|><|im_kimia_text_blank|><|im_media_end|>"},
        # Of prompts that vLLM reads in one go, only the first is given its sound.
        vllm_options={**REMOTE, "max_num_seqs": 1},
        engines=VLLM_ALONE,
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
)  # fmt: skip

FAMILIES = {known.family: known for known in (*QWEN, *LLAVA, *GEMMA, *OTHERS)}


def adapter(family: str, **changes: object) -> Adapter:
    """Return a family's adapter, with other values for any of its fields.

    Raises ValueError for an unknown family, and for a system sentence where its prompts have no place for one.
    """
    if family not in FAMILIES:
        raise ValueError(f"there is no model family {family!r}; there are {', '.join(sorted(FAMILIES))}")
    changed = replace(FAMILIES[family], **changes)  # type: ignore[arg-type]  # dataclasses checks the names
    if changed.system and changed.template and "{system}" not in changed.template:
        raise ValueError(f"{family} has no place for a system sentence in its prompts; leave system=...")
    return changed


def cannot(family: str, media: str) -> str | None:
    """What models of a family can't do that these media of a clip want of them (`see`, `hear`), or None."""
    able = FAMILIES[family].modalities
    if media in able:
        return None
    lacking = MEDIA[media] - set[str]().union(*(MEDIA[each] for each in able))
    senses = [verb for medium, verb in (("video", "see"), ("audio", "hear")) if medium in lacking]
    return " or ".join(senses) or "take both at once"


def family_of(model_type: str) -> str:
    """Return the family that a `model_type` of config.json belongs to. Raises ValueError where none is known."""
    for known in FAMILIES.values():
        if model_type in known.model_types:
            return known.family
    raise ValueError(
        f"no adapter knows the model type {model_type!r}: name the family that it behaves like, family=..., one of "
        f"{', '.join(sorted(FAMILIES))}; or run the model's own code through external(...), see docs/external.md",
    )
