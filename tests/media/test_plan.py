from __future__ import annotations

import subprocess
import sys

import numpy as np
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


EIGHT = {"fps": None, "min_frames": 8, "max_frames": 8}
THREE = {"fps": None, "min_frames": 1, "max_frames": 3}


@pytest.mark.parametrize("count", [1, 2, 3, 8, 31])
def test_places_are_those_that_they_always_were(count):
    """Evenly from the first to the last, rounded as numpy does: stored answers were given to these frames."""
    for total in range(count, 500):
        expected = np.linspace(0, total - 1, count).round().astype(int).tolist()
        assert MediaPlan(None, 1, count).places(total, 25.0) == expected


@pytest.mark.parametrize("total", [8, 9, 75, 76, 77, 100, 250])
def test_places_cut_as_video_llava_cuts_them(total):
    """Its code takes `np.linspace` as whole numbers, which cuts."""
    expected = np.linspace(0, total - 1, 8, dtype=int).tolist()
    assert MediaPlan(**EIGHT, spread="cut").places(total, 25.0) == expected


@pytest.mark.parametrize(
    ("plan", "total", "source_fps", "places"),
    [
        (MediaPlan(**EIGHT, spread="starts"), 75, 25.0, [0, 9, 18, 28, 37, 46, 56, 65]),
        (MediaPlan(**EIGHT, spread="starts"), 8, 25.0, [0, 1, 2, 3, 4, 5, 6, 7]),
        (MediaPlan(**THREE, spread="seconds"), 100, 25.0, [0, 33, 66]),
        (MediaPlan(**THREE, spread="seconds"), 75, 25.0, [0, 25, 50]),
        (MediaPlan(**THREE, spread="seconds"), 74, 25.0, [0, 25]),
        (MediaPlan(**THREE, spread="seconds"), 50, 29.97, [0]),
        (MediaPlan(**THREE, spread="seconds"), 20, 25.0, [0]),
    ],
)
def test_places_of_other_spreads(plan, total, source_fps, places):
    """Parts begin at floor(i N / n); a clip of no more seconds than frames gives the first frame of each full one."""
    assert plan.places(total, source_fps) == places


def test_keys_know_of_a_spread_only_where_there_is_one():
    """What was stored under the settings of a plan before there were spreads is found under them."""
    assert QWEN.settings() == {
        "fps": 2.0, "min_frames": 4, "max_frames": 768, "frame_factor": 2, "sample_rate": 16000,
    }  # fmt: skip
    assert MediaPlan(**EIGHT, spread="cut").settings()["spread"] == "cut"


def test_an_unknown_spread_is_refused():
    """The message lists those that there are."""
    with pytest.raises(ValueError, match="spread='middle' is none of ends, cut, starts, seconds"):
        MediaPlan(**EIGHT, spread="middle")


def test_the_plan_comes_without_heavy_libraries():
    """Whoever imports the plan loads neither PyAV nor numpy: the parent of the decoders does."""
    code = "import sys, emoprefer_bench.media.plan; print([m for m in ('av', 'numpy', 'pandas') if m in sys.modules])"

    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"
