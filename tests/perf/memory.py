"""Peak memory of a run on a judge that is a function: few pairs against many."""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from emoprefer_bench import function, prompts
from emoprefer_bench.cases import Case
from emoprefer_bench.data.datasets import Source
from emoprefer_bench.trial.trial import Settings, Trial

FEW, MANY = 1_000, 20_000
SAID = "The person in this clip seems to be in a calm mood with a hint of sadness in the voice"


def main() -> None:
    """Print a line: the peaks, and what the further pairs took."""
    few, many = (peak(count) for count in (FEW, MANY))
    print(
        f"peak memory: {few:.0f} MB at {FEW:,} pairs, {many:.0f} MB at {MANY:,}, {many - few:.0f} MB more "
        f"(S1, both orders, {MANY // 2:,} clips, every answer stored)"
    )


def peak(count: int) -> float:
    """The peak of a process of its own, in MB."""
    command = [sys.executable, __file__, str(count)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def trial(folder: Path, count: int) -> None:
    """Run S1 on so many pairs of texts, two a clip, and make its result."""
    with (folder / "many.csv").open("w") as csv:
        csv.write("name,a1,a2,preference\n")
        for row in range(count):
            csv.write(f"clip{row // 2},{SAID} {row},{SAID} or not {row},{('a1', 'a2')[row % 2]}\n")
    judge = function(lambda question: "a1" if question.seed % 2 else "a2", name="judge", durable=True)
    case = Case("judge", "S1", "many", "text")
    settings = Settings(folder / "out", {"many": Source("many", folder / "many.csv")}, prompts.load())
    run = Trial(settings, "judge", [case], {"judge": judge})
    run.run(lambda headway: None)
    assert run.result(case)
    assert run.fault(case) is None


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        trial(Path(made), int(sys.argv[1]))
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
