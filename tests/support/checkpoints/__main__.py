"""Tiny checkpoints of real architectures with random weights: `python tests/checkpoints FOLDER NAME...`.

Each is built in about two seconds, without a download. Their answers mean nothing, but they react to sound, picture and
text, and the engines load them.
"""

from __future__ import annotations

import sys
from pathlib import Path

from gemma import gemma3n, gemma4
from kimi import kimi_audio
from llava import internvl, llava_next_video, video_llava
from qwen import omni, qwen2_audio, qwen3_omni, qwen3_vl, qwen25_vl, text

BUILDERS = {
    build.__name__: build
    for build in (
        omni, qwen3_omni, qwen25_vl, qwen3_vl, qwen2_audio, text,
        llava_next_video, video_llava, internvl, gemma3n, gemma4, kimi_audio,
    )
}  # fmt: skip


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    for name in sys.argv[2:] or BUILDERS:
        (folder / name).mkdir(parents=True)
        BUILDERS[name](folder / name)
