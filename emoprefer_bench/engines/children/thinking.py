"""What a model thinks before it speaks is no part of its answer."""

from __future__ import annotations

OPENED, CLOSED = "<think>", "</think>"


def spoken(prompt: str, text: str) -> str:
    """Return what follows the thinking of an answer; nothing where the answer ended within it.

    Qwen3, MiMo and MiniCPM-o put it between `<think>` and `</think>`; some of their chat templates end with the first.
    """
    thought, closed, said = text.rpartition(CLOSED)
    if closed:
        return said.lstrip()
    thinking = text.lstrip().startswith(OPENED) or prompt.rstrip().endswith(OPENED)
    return "" if thinking else thought + said
