from __future__ import annotations

import pytest

from emoprefer_bench.plugin import progress
from emoprefer_bench.plugin.progress import Pace, _line
from emoprefer_bench.trial.headway import Headway

SLOW = """
import time, emoprefer_bench, emoprefer_bench.plugin.progress
from contextlib import asynccontextmanager
from dataclasses import dataclass

emoprefer_bench.plugin.progress.LOG_SECONDS = 0.05

@dataclass(frozen=True)
class Heavy(emoprefer_bench.FunctionEngine):
    @asynccontextmanager
    async def open(self, log):
        import asyncio
        await asyncio.sleep(1.2)
        async with super().open(log) as session:
            yield session

@emoprefer_bench.model(gpus=0, modality="text", prompts=("S1", "S2"))
def slow(gpus):
    return Heavy(lambda question: time.sleep(0.1) or "a1", name="slow", durable=True)
"""


def seen(*steps: tuple[float, Headway]) -> float:
    """The pace after these steps."""
    pace = Pace()
    for now, headway in steps:
        pace.see(now, headway)
    return pace.rate


def at(done: int, stored: int = 0) -> Headway:
    """So far of 2,000 verdicts."""
    return Headway(done, 2000, "c1", stored)


def loading(done: int = 0) -> Headway:
    """A model is being loaded."""
    return Headway(done, 2000, "loading m", working=False)


def test_what_was_stored_is_no_speed():
    """A thousand answers from the disk, then one a second."""
    assert seen((0.0, at(0)), (0.1, at(1000, 1000)), (1.1, at(1001, 1000)), (2.1, at(1002, 1000))) == pytest.approx(
        2 / 2.1
    )


def test_loading_is_not_counted_as_answering():
    """Neither before the first verdict nor where models are exchanged in between."""
    assert seen((0.0, loading()), (100.0, at(1)), (101.0, at(2)), (102.0, at(3))) == 1.0
    assert seen((0.0, at(0)), (1.0, at(10)), (2.0, loading(10)), (90.0, at(11)), (91.0, at(13))) == 2.0


def test_the_time_left_is_from_the_last_minute():
    """A slow beginning is forgotten."""
    steps = [(float(second), at(second)) for second in range(100)]
    steps += [(100.0 + second, at(100 + 10 * second)) for second in range(120)]
    assert seen(*steps) == 10.0


def test_without_two_verdicts_no_time_is_left_unsaid():
    """It says that it is unknown."""
    assert seen() == seen((0.0, at(1))) == 0.0
    assert "time left unknown" in _line(at(1), 0.0, 0.0, bar=False)


def test_a_line_says_how_far_how_fast_and_how_long():
    """In a log; on a terminal there is a bar before."""
    assert _line(at(500), 5.0, 0.0, bar=False) == "500/2,000 verdicts (25%)  5.0/s  5:00 left  c1"
    assert _line(at(500), 0.1, 0.0, bar=True).startswith("####............  500/2,000 (25%)  0.1/s  4:10:00")
    assert _line(loading(), 5.0, 75.0, bar=True) == "loading m, 1:15 so far"


def test_a_line_fits_a_terminal_of_eighty_columns():
    """With the counts of a long run; what no longer fits is the clip's name."""
    line = _line(Headway(11480, 22960, "sample_00001234"), 3.1, 0.0, bar=True)
    assert len(f"  qwen25omni_7b  {line.removesuffix('sample_00001234')}") <= 80


def test_lines_of_a_log_become_rare(pytester):
    """Twenty hours make hundreds of lines, not thousands."""
    config = pytester.parseconfig("-p", "no:terminal")
    lines, now = 0, 0.0
    shown = progress.Progress(config)
    while now < 20 * 3600:
        now += shown._seconds(now)
        lines += 1
    assert lines < 400
    assert shown._seconds(0) == progress.LOG_SECONDS


@pytest.mark.parametrize("workers", [(), ("-n", "1")])
def test_loading_and_resuming_are_said(bench, workers):
    """While nothing is answered; and what was there is said once, and not taken for speed."""
    bench.pytester.makeconftest(SLOW)
    first = bench.run("-k", "slow and S1 and toy", *workers, apart=True)
    first.assert_outcomes(passed=1)
    first.stdout.fnmatch_lines(["  slow  loading slow, 0:01 so far", "  slow  */6 verdicts (*%)*/s*left  c?"])
    assert "are stored" not in first.stdout.str()
    second = bench.run("-k", "slow and toy", *workers, apart=True)
    second.stdout.fnmatch_lines(["  slow  resuming: 6 of 12 verdicts are stored"])
    assert second.stdout.str().count("are stored") == 1
