"""The clips to learn from, filmed by several processes."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import sys
from pathlib import Path
import av
import numpy
from emoprefer_bench.demo.train.films import film
from emoprefer_bench.demo.train.world import lessons

if __name__ == "__main__":
    frame = av.VideoFrame.from_ndarray(numpy.zeros((720, 1280, 3), numpy.uint8), format="rgb24")
    frame.reformat(640, 360, "yuv420p")
    ring = [frame]
    ring.append(ring)  # let go when Python next looks for such rings
    del frame, ring
    film(lessons(2, "lesson"), Path(sys.argv[1]), 2, print)
"""


def test_a_process_that_has_scaled_pictures_can_have_clips_filmed(tmp_path):
    """PyAV scales in threads, which a fork doesn't have: it would wait for them for ever as it lets the picture go."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    command = [sys.executable, script, tmp_path / "films"]
    said = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    assert said == "2 of 2 clips filmed\n"
    assert len(list((tmp_path / "films").glob("*.mp4"))) == 2
