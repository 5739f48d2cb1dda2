"""The demo data set: drawn faces, a synthetic voice, and descriptions whose truth is known by construction.

`python -m emoprefer_bench.demo` makes it, `python -m emoprefer_bench.demo.train` the small judge that watches it. Both
measure the harness, not anybody's understanding of emotion.
"""

from pathlib import Path

JUDGE = Path(__file__).with_name("qwen25omni_tiny")
"""The small judge: a checkpoint of Qwen2.5-Omni's architecture; `qwen25omni_tiny.md` beside it says what it is."""
JUDGE_PIXELS = 112 * 112
"""Pixels of each picture that it was trained with: its `min_pixels` and `max_pixels`."""
