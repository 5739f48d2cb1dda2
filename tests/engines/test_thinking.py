from __future__ import annotations

import pytest

from emoprefer_bench.engines.children.thinking import spoken


@pytest.mark.parametrize(
    ("prompt", "text", "said"),
    [
        ("", "a1", "a1"),
        ("", "<think>\na2 maybe\n</think>\n\na1", "a1"),
        ("assistant\n<think>\n", "a2 maybe</think>a1", "a1"),
        ("assistant\n<think>\n", "a2 maybe, let me", ""),
        ("", "<think>a2 maybe, let me", ""),
        ("", "<think>a</think>b</think>a1", "a1"),
        ("Is <think> a tag?", "a1", "a1"),
        ("", "", ""),
    ],
    ids=["none", "whole", "opened by the prompt", "cut", "cut, opened by itself", "twice", "asked about", "empty"],
)
def test_only_what_is_said_counts(prompt, text, said):
    """What stands before the last `</think>` is left out, and all of an answer that ended while it was thinking."""
    assert spoken(prompt, text) == said
