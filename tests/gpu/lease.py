"""A lease: the child sees its GPU alone, and lock and memory are free when it ends, or when its parent is killed."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from emoprefer_bench.engines import declared, gpus

from . import ask, machine

ENDS = 60.0  # seconds
HOLDS = "holds it\n"
COUNT = "import torch; print(torch.cuda.device_count())"


def check(folder: Path, checkpoint: Path, *, cpu: bool) -> dict[str, Any]:
    """Hold one GPU with a model on it, and again in a process that is killed. Raises RuntimeError for what is wrong."""
    locks = folder if cpu else gpus.lock_folder()
    with gpus.lease(1, machine.pool(cpu=cpu), locks) as held:
        before = machine.free(held.ids)
        if gpus._take(1, held.ids, locks):
            raise RuntimeError("a GPU that is held was lent out again")
        seen = asyncio.run(_with_child(held, checkpoint, folder))
    if seen["visible"] != held.ids[0] or seen["count"] != (0 if cpu else 1):
        raise RuntimeError(f"the child of GPU {held.ids[0]} sees {seen}")
    if not machine.is_back(before, held.ids):
        raise RuntimeError("the child ended, and its memory is not back")
    taken = before - seen["free"] if before and seen["free"] else None
    _killed(folder, locks, checkpoint, held.ids[0])
    if not machine.is_back(before, held.ids):
        raise RuntimeError("the parent was killed, and the child's memory is not back")
    return {"gpu": held.ids[0], "bytes_held": taken, "device": seen["device"]}


async def _with_child(held: gpus.Gpus, checkpoint: Path, folder: Path) -> dict[str, Any]:
    """Have the child of an engine answer, and return what it sees of GPUs, and what is free while it runs."""
    async with declared.transformers(str(checkpoint), gpus=held).open(folder / "log") as session:
        await ask.all_of(session, [(ask.question(ask.WORDS, "text", None), None)])
        seen = await asyncio.to_thread(_seen, session._child._process.pid)
        return {**seen, "free": machine.free(held.ids), "device": session.device}


def _seen(process: int) -> dict[str, Any]:
    """Which GPUs a process may see, by its environment, and how many torch finds with that."""
    variables = Path(f"/proc/{process}/environ").read_bytes().decode().split("\0")
    visible = next(value.partition("=")[2] for value in variables if value.startswith("CUDA_VISIBLE_DEVICES="))
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": visible}
    command = [sys.executable, "-c", COUNT]
    count = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    return {"visible": visible, "count": int(count)}


def _killed(folder: Path, locks: Path, checkpoint: Path, gpu: str) -> None:
    """Kill a process that holds a GPU with a child on it, and wait for the lock, which the child has too."""
    command = [sys.executable, "-m", "tests.gpu.lease", str(folder), str(locks), str(checkpoint), gpu]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        said = parent.stdout.readline()
        parent.send_signal(signal.SIGKILL)
    if said != HOLDS:
        raise RuntimeError("the process that was to be killed never held a GPU")
    until = time.monotonic() + ENDS
    while not (taken := gpus._take(1, (gpu,), locks)):
        if time.monotonic() > until:
            raise RuntimeError(f"the parent was killed {ENDS:.0f} s ago, and its GPU is still held")
        time.sleep(0.2)
    for descriptor in taken.descriptors:
        os.close(descriptor)


async def _hold(folder: Path, locks: Path, checkpoint: Path, gpu: str) -> None:
    """Lease a GPU, load a model on it, say so, and wait to be killed."""
    with gpus.lease(1, (gpu,), locks) as held:
        async with declared.transformers(str(checkpoint), gpus=held).open(folder / "log"):
            sys.stdout.write(HOLDS)
            sys.stdout.flush()
            await asyncio.sleep(3600)


if __name__ == "__main__":
    asyncio.run(_hold(*map(Path, sys.argv[1:4]), sys.argv[4]))
