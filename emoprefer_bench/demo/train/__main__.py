"""`python -m emoprefer_bench.demo.train`: make the small judge that watches."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> None:
    """Film, learn, export, and print the scores."""
    given = _parser().parse_args(arguments)
    import torch  # noqa: PLC0415 - only once the command line is right

    from emoprefer_bench import prompts  # noqa: PLC0415
    from emoprefer_bench.demo.train import checkpoint, films, school  # noqa: PLC0415
    from emoprefer_bench.demo.train.questions import Teacher  # noqa: PLC0415
    from emoprefer_bench.demo.train.stages import STAGES  # noqa: PLC0415

    plan = school.Plan(given.work, given.seed, given.clips, given.exam, given.processes)
    films.film([*plan.examined(), *plan.scenes()], plan.films, given.processes, _tell)
    if not (plan.blank / "config.json").exists():
        checkpoint.build(plan.blank, Teacher(prompts.load(), 0.5), plan.seed)
    school.School(plan).teach()
    checkpoint.export(plan.blank, torch.load(plan.work / f"{STAGES[-1].name}.pt")["model"], given.out)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m emoprefer_bench.demo.train", description=__doc__)
    parser.add_argument("out", nargs="?", type=Path, default=Path("qwen25omni_tiny"), help="folder to make")
    parser.add_argument(
        "--work", type=Path, default=Path(".emoprefer", "judge"), help="folder for clips and weights on the way"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--clips", type=int, default=400, help="clips to learn from")
    parser.add_argument("--exam", type=int, default=40, help="clips to examine with")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    return parser


def _tell(line: str) -> None:
    sys.stderr.write(f"{line}\n")


if __name__ == "__main__":
    main()
