from __future__ import annotations

import subprocess
import sys

import pytest

from emoprefer_bench.media.plan import MediaPlan

QWEN = MediaPlan(fps=2.0, min_frames=4, max_frames=768, frame_factor=2)


@pytest.mark.parametrize(
    ("plan", "total", "source_fps", "count"),
    [
        (QWEN, 75, 25.0, 6),
        (QWEN, 90, 25.0, 6),
        (QWEN, 100, 25.0, 8),
        (QWEN, 30, 30.0, 4),
        (QWEN, 3, 25.0, 2),
        (QWEN, 1, 25.0, 2),
        (QWEN, 30 * 3600, 30.0, 768),
        (MediaPlan(2.0, 3, 9, 2), 10, 30.0, 4),
        (MediaPlan(2.0, 3, 9, 2), 3000, 30.0, 8),
        (MediaPlan(1.0, 1, 100), 75, 25.0, 3),
        (MediaPlan(None, 1, 8), 75, 25.0, 8),
        (MediaPlan(None, 1, 8), 5, 25.0, 5),
        (MediaPlan(None, 1, 8), 75, 0.5, 8),
    ],
)
def test_how_many_frames_a_plan_takes(plan, total, source_fps, count):
    """The number follows rate, bounds and factor in that order, and never exceeds what the file has, but for one."""
    assert plan.count(total, source_fps) == count


def test_the_plan_comes_without_heavy_libraries():
    """Whoever imports the plan loads neither PyAV nor numpy: the parent of the decoders does."""
    code = "import sys, emoprefer_bench.media.plan; print([m for m in ('av', 'numpy', 'pandas') if m in sys.modules])"

    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"
