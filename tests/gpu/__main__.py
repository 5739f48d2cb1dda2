"""Run the checks, each in a process of its own, and print a table with the card's name.

`--cpu` walks the same code with tiny models. `--only` names checks, by their beginnings. With OUT set in the
environment, `gpu.json` is written there, and the ends of a failed check's logs.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from . import ROOT, bring

TINY = ("text", "omni", "qwen25_vl", "qwen2_audio")
CLIPS = (3, 10)  # seconds
JUDGED = {True: (2, ("float32",)), False: (None, ("float32", "bfloat16"))}  # pairs of the demo, and precisions
MADE = {"tiny": 60.0, "large": 150.0}  # checkpoints, before the checks that need them: the seconds that each may take
LARGE = ("transformers", "steps", "weighing", "vllm")  # beginnings of checks that need the large one
EACH = 120.0  # seconds that a check may take
ALL = 12 * 60.0
TOLD = 20_000  # characters of a log
ROOMY = 24 << 30  # bytes of a disk, or of memory, for 18 GB of weights


def names() -> list[str]:
    """Return the checks, in the order of their worth."""
    from .throughput import VLLM

    plain, *others = (f"vllm-{name}" for name in VLLM)
    first, *longer = (f"transformers-{seconds}s" for seconds in CLIPS)
    return [
        "lease",
        *(f"agreement-{name}" for name in TINY),
        "judge",
        "shortage",
        *("agreement-vllm", plain),
        *(first, "steps"),
        *("weighing", "weighing-vllm"),
        *longer,
        *others,
    ]


def run(name: str, place: Path, *, cpu: bool) -> dict[str, Any]:
    """Run one check in this process; the checkpoints lie in `place`, and the large one is tiny on a CPU."""
    from emoprefer_bench.engines import gpus

    from . import agreement, lease, machine, shapes, shortage, throughput

    folder, tiny, large = place / name, place / "checkpoints" / "tiny", place / "checkpoints" / "large"
    if name == "tiny":
        shapes.tiny(tiny, *TINY)
        return {}
    if name == "large":
        return {"bytes": shapes.small(large) if cpu else shapes.omni_7b(large)}
    if name == "lease":
        return lease.check(folder, tiny / "text", cpu=cpu)
    kind, _, detail = name.partition("-")
    with gpus.lease(1, machine.pool(cpu=cpu), folder if cpu else gpus.lock_folder()) as held:
        checks: dict[str, Callable[[], dict[str, Any]]] = {
            "agreement": lambda: agreement.check(folder, tiny / detail, held),
            "agreement-vllm": lambda: agreement.check_vllm(folder, tiny / "omni", held, cpu=cpu),
            "judge": lambda: agreement.check_judge(folder, held, *JUDGED[cpu]),
            "shortage": lambda: shortage.check(folder, tiny / "text", held, cpu=cpu),
            "transformers": lambda: throughput.check(folder, large, held, kind, int(detail[:-1]), cpu=cpu),
            "steps": lambda: importlib.import_module(".steps", __package__).check(folder, large, held, cpu=cpu),
            "weighing": lambda: throughput.weighing(folder, large, held, detail or "transformers", cpu=cpu),
            "vllm": lambda: throughput.check(folder, large, held, kind, 3, cpu=cpu, **throughput.VLLM[detail]),
        }
        return checks[name if name in checks else kind]()


def lacks(name: str) -> str | None:
    """Say why a check can't run here, or None."""
    if "vllm" in name and importlib.util.find_spec("vllm") is None:
        return "vLLM is not installed"
    return None


def in_process(name: str, place: Path, seconds: float, *, cpu: bool) -> dict[str, Any]:
    """Run a check apart, so that nothing it does harms the others, and return what it found and how long it took."""
    folder = place / name
    folder.mkdir(parents=True)
    out = folder / "found.json"
    command = [sys.executable, "-m", "tests.gpu", "--one", name, "--place", str(place), *(["--cpu"] if cpu else [])]
    started = time.monotonic()
    with (folder / "stderr").open("w+") as log:
        process = subprocess.Popen(command, cwd=ROOT, stderr=log, start_new_session=True)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            pass
        finally:  # when the whole script is interrupted, too
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        log.seek(0)
        said = log.read().strip().splitlines()
    row: dict[str, Any] = {"check": name, "seconds": round(time.monotonic() - started, 1)}
    if process.returncode == 0 and out.exists():
        return {**row, "result": "passed", "found": json.loads(out.read_text())}
    if process.returncode == -signal.SIGKILL:
        return {**row, "result": "failed", "why": f"took more than {seconds:.0f} s"}
    return {**row, "result": "failed", "why": said[-1] if said else f"ended with {process.returncode}"}


def logs(folder: Path) -> str:
    """Return the ends of what a check and its children wrote."""
    files = sorted(file for file in folder.rglob("*") if file.suffix == ".log" or file.name in ("log", "stderr"))
    parts = [f"{file.relative_to(folder)}:\n{file.read_text(errors='replace')[-TOLD:]}\n" for file in files]
    return "\n".join(parts)


def main(arguments: list[str] | None = None) -> int:
    """Run what is chosen; the status is 1 where a check failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.gpu", description=__doc__)
    parser.add_argument("--cpu", action="store_true", help="walk the same code on the CPU, with tiny models")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="checks that begin so")
    parser.add_argument("--seconds", type=float, default=ALL, help="for all of them; default: %(default)s")
    versions = ("PYTHON", "TORCH")
    parser.add_argument("--bring", nargs=2, metavar=versions, help="download wheels for a machine, as in 3.12 2.13")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--place", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    if chosen.bring:
        print(bring.bring(*chosen.bring))
        return 0
    bring.unpack()
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    os.environ["HF_HUB_OFFLINE"] = "1"
    if chosen.one:
        found = run(chosen.one, chosen.place, cpu=chosen.cpu)
        (chosen.place / chosen.one / "found.json").write_text(json.dumps(found))
        return 0
    return everything(chosen)


def everything(chosen: argparse.Namespace) -> int:
    """Run the checks as far as the time reaches, and print and write what came of them."""
    from . import machine, table

    if not chosen.cpu and not machine.pool(cpu=False):
        print("no GPU here: nvidia-smi lists none. `python -m tests.gpu --cpu` walks the same code without one")
        return 0
    wanted = [name for name in names() if not chosen.only or name.startswith(tuple(chosen.only))]
    made = [
        name for name in MADE if name == "tiny" or any(each.startswith(LARGE) and not lacks(each) for each in wanted)
    ]
    until = time.monotonic() + chosen.seconds
    place = Path(tempfile.mkdtemp(prefix="emoprefer-gpu-", dir=_roomy()))
    document: dict[str, Any] = {"machine": machine.described(), "cpu": chosen.cpu, "checks": []}
    try:
        for name in [*made, *wanted]:
            left = until - time.monotonic()
            if (why := lacks(name)) or left < (0 if chosen.cpu else EACH / 4):
                row = {"check": name, "result": "skipped", "why": why or "no time was left"}
            else:
                row = in_process(name, place, left if chosen.cpu else min(left, MADE.get(name, EACH)), cpu=chosen.cpu)
            document["checks"].append(row)
            print(table.line(row), file=sys.stderr, flush=True)
            if out := os.environ.get("OUT"):  # as it goes, for a machine that is taken away
                Path(out, "gpu.json").write_text(json.dumps(document, indent=1))
                if row["result"] == "failed":
                    Path(out, f"{name}.log").write_text(logs(place / name))
            if name in MADE and row["result"] == "failed":
                break
    except KeyboardInterrupt:  # what was found until then is told all the same
        document["checks"].append({"check": name, "result": "failed", "why": "it was interrupted"})
    finally:
        shutil.rmtree(place, ignore_errors=True)
    print(table.table(document))
    return int(any(row["result"] == "failed" for row in document["checks"]))


def _roomy() -> str | None:
    """Return the folder in memory if it has room for the weights; None for the usual place."""
    memory = Path("/dev/shm")  # noqa: S108
    return str(memory) if memory.is_dir() and shutil.disk_usage(memory).free > ROOMY else None


if __name__ == "__main__":
    sys.exit(main())
