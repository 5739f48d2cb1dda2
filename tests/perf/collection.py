"""What collecting the cases costs, against as many plain parametrized tests."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

MODELS = 28
CONTROLS = 3 * 3  # which the plugin brings along, on each of the three data sets
CASES = MODELS * 4 * 3 + CONTROLS
RUNS = 9

CONFTEST = "import emoprefer_bench\n" + "".join(
    f"@emoprefer_bench.model(gpus=1)\ndef model{number}(gpus): ...\n" for number in range(MODELS)
)
BENCHMARK = "def test_preference(case): ...\n"
PLAIN = f"""
import pytest
names = [f"model{{m}}-S{{p}}-data{{d}}" for m in range({MODELS}) for p in range(4) for d in range(3)]
names += [f"control{{n}}" for n in range({CONTROLS})]
@pytest.mark.parametrize("case", names)
def test_preference(case): ...
"""


def main() -> None:
    """Print a line: the seconds of both, and their ratio."""
    with tempfile.TemporaryDirectory() as folder:
        cases, plain = Path(folder, "cases"), Path(folder, "plain")
        for place, source in ((cases, BENCHMARK), (plain, PLAIN)):
            place.mkdir()
            (place / "test_it.py").write_text(source)
        (cases / "conftest.py").write_text(CONFTEST)
        pairs = [(seconds(cases), seconds(plain, "-p", "no:emoprefer")) for _ in range(RUNS)]
    ours, theirs = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratio = statistics.median(case / alone for case, alone in pairs)
    plain_tests = f"{CASES} plain tests without the plugin: {theirs:.2f} s"
    print(f"collecting {CASES} cases: {ours:.2f} s, {plain_tests}, ratio {ratio:.2f}")


def seconds(folder: Path, *options: str) -> float:
    """Time one `pytest --collect-only`, a whole process."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", *options, str(folder)]
    started = time.perf_counter()
    out = subprocess.run(command, capture_output=True, text=True, check=True, cwd=folder)
    assert out.stdout.count("::test_preference[") >= CASES, out.stdout
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
