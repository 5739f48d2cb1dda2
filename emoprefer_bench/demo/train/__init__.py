"""How the small judge that watches is made: `python -m emoprefer_bench.demo.train`.

It is Qwen2.5-Omni's architecture with about a million parameters, trained on the demo's world of drawn faces and
synthetic voices. It measures the harness, not anybody's understanding of emotion.
"""
