"""A pytest plugin and benchmark suite that measures how well multimodal LLMs judge human emotion preferences.

What a conftest.py needs is here: `model` declares a judge, and `vllm`, `transformers`, `external` and `function` make
the engine that its fixture returns.
"""

from emoprefer_bench.engines.declared import external, function, listener, packaged, transformers, vllm
from emoprefer_bench.models import model

__all__ = ["external", "function", "listener", "model", "packaged", "transformers", "vllm"]
