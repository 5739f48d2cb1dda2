"""What vLLM's preparation of clips is spared, in the child that answers through it."""

from __future__ import annotations

import logging
from functools import wraps
from typing import Any

OF_A_CLIP = "second_per_grid_ts"
"""What Qwen's Omni models are told of each clip. It says how a prompt is laid out, and nothing to the processor."""

log = logging.getLogger(__name__)


def keep_processor() -> None:
    """Have vLLM load a model's processor once.

    vLLM 0.32 keeps one for each set of arguments, but for those that the processor's own code names. The time of a step
    isn't among these, so each clip with another number of frames a second had tokenizer and all read from the disk
    again. A vLLM that does so no longer has nothing to mend here.
    """
    try:
        from vllm.multimodal.processing import InputProcessingContext as Context
    except ImportError:
        log.warning("This vLLM loads processors in another way; clips may take longer to prepare than they need")
        return
    original = Context.get_hf_processor
    if getattr(original, "kept", False):
        return

    @wraps(original)
    def get_hf_processor(self: Any, *args: Any, **kwargs: Any) -> Any:
        return original(self, *args, **{name: value for name, value in kwargs.items() if name != OF_A_CLIP})

    get_hf_processor.kept = True  # type: ignore[attr-defined]
    Context.get_hf_processor = get_hf_processor  # type: ignore[assignment, method-assign]
