"""Tiny checkpoints of real architectures with random weights: `python tests/checkpoints FOLDER NAME...`.

Each is built in about two seconds, without a download. Their answers mean nothing, but they react to sound, picture and
text, and the engines load them.
"""

from __future__ import annotations

import sys
from pathlib import Path

from emoprefer_bench.engines.children.operators import declare_operators

declare_operators()
from gemma import gemma3n, gemma4  # noqa: E402  # these import transformers, and that torchvision
from kimi import kimi_audio  # noqa: E402
from llava import internvl, llava_next_video, video_llava  # noqa: E402
from qwen import omni, qwen2_audio, qwen3_omni, qwen3_vl, qwen25_vl, text  # noqa: E402

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
