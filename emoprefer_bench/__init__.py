"""A pytest plugin and benchmark suite that measures how well multimodal LLMs judge human emotion preferences.

What a conftest.py needs is here: `model` declares a judge, and `vllm`, `transformers`, `external`, `served`, `gpt`,
`gemini` and `function` make the engine that its fixture returns.
"""

from emoprefer_bench.engines.declared import (
    external,
    function,
    gemini,
    gpt,
    listener,
    packaged,
    served,
    transformers,
    vllm,
)
from emoprefer_bench.plugin.collection import model

__all__ = [
    "external",
    "function",
    "gemini",
    "gpt",
    "listener",
    "model",
    "packaged",
    "served",
    "transformers",
    "vllm",
]
