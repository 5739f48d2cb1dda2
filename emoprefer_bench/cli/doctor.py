"""The command `doctor`: whether this machine is ready to judge, a line for each thing, and how to mend it."""

from __future__ import annotations

import argparse
import asyncio
import importlib.metadata
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from emoprefer_bench.cli.errors import FAULTY
from emoprefer_bench.cli.sources import count, say
from emoprefer_bench.data.datasets import built_in
from emoprefer_bench.engines import gpus
from emoprefer_bench.engines.sight import DISTRIBUTIONS
from emoprefer_bench.media.pool import DecodeError, Decoders
from emoprefer_bench.protocol.parent import LoadError

WIDTH = 80
INDENT = 6
FINE, LACKING, BROKEN = "ok", "-", "BAD"  # LACKING is what only some models need
GIGABYTE = 1 << 30
SHARED_GB = 2  # what decoded clips may take, media.pool.SPOOL_BYTES
HUB_GB = 30  # the weights of a model of 7B that sees and hears take 24
KEYS = (("OPENAI_API_KEY", "GPT"), ("GEMINI_API_KEY", "Gemini"), ("HF_TOKEN", "gated models and data of the hub"))
NOTHING_COLLECTED = 5  # pytest's exit status
ONE_LINE = {"COLUMNS": "2000"}  # so that no sentence is folded
MEMORY = ("-m", "pytest", "--emoprefer-memory", "--emoprefer-judges", "-p", "no:cacheprovider")
BENCHMARK = ("-m", "pytest", "--pyargs", "emoprefer_bench.benchmark", "--emoprefer-judges", "-p", "no:cacheprovider")


class Finding(NamedTuple):
    """A line of the screen, and how it begins: see FINE, LACKING and BROKEN."""

    word: str
    text: str


def add_doctor(command: argparse.ArgumentParser) -> None:
    """Declare what `doctor` takes."""
    command.set_defaults(run=_doctor)
    command.add_argument("--root", metavar="DIR", type=Path, default=Path("dataset"), help="of data; default: dataset")
    command.add_argument("--model", metavar="NAME", help="also ask this built-in model two questions")


def _doctor(chosen: argparse.Namespace) -> int:
    """Look at everything, the cheapest first; the status is 1 where something doesn't work."""
    broken = 0
    for finding in _findings(chosen):
        indent = " " * INDENT
        say(
            textwrap.fill(
                f"{finding.word:{INDENT}}{finding.text}", WIDTH, subsequent_indent=indent, break_on_hyphens=False
            )
        )
        sys.stdout.flush()
        broken += finding.word == BROKEN
    say(f"\n{count(broken, 'thing')} to mend" if broken else "\nready; what a line with - lacks, some models need")
    return FAULTY if broken else 0


def _findings(chosen: argparse.Namespace) -> Iterator[Finding]:
    yield Finding(FINE, f"Python {platform.python_version()}, emoprefer-bench {_version('emoprefer-bench')}")
    yield from _engines()
    yield from _gpus()
    yield from _memory()
    yield _room("shared memory", Path("/dev/shm"), SHARED_GB, "clips on their way to a model lie there")  # noqa: S108
    yield _room("the hub's cache", _hub(), HUB_GB, "weights are kept there; HF_HOME names another folder")
    yield from _data(chosen.root)
    for key, use in KEYS:
        there = bool(os.environ.get(key))
        yield Finding(
            FINE if there else LACKING, f"{key} is set" if there else f"{key} is not set: {use} would need it"
        )
    yield _decoding()
    if chosen.model:
        yield _two_questions(chosen.model)


def _engines() -> Iterator[Finding]:
    for extra, distributions in DISTRIBUTIONS.items():
        there = [f"{name} {version}" for name in distributions if (version := _version(name))]
        lacking = f"{extra} is not installed: pip install 'emoprefer-bench[{extra}]'"
        yield Finding(FINE, there[0]) if there else Finding(LACKING, lacking)


def _gpus() -> Iterator[Finding]:
    """Each GPU with its free memory, as the driver tells it."""
    seen = gpus.visible()
    if not seen:
        yield Finding(LACKING, "no GPU: nvidia-smi lists none, or CUDA_VISIBLE_DEVICES hides them")
        return
    query = [
        "nvidia-smi",
        f"--id={','.join(seen)}",
        "--query-gpu=index,name,memory.free,memory.total",
        "--format=csv,noheader",
    ]
    try:
        told = subprocess.run(query, capture_output=True, text=True, timeout=30, check=True)  # noqa: S603  # the driver's own
    except (OSError, subprocess.SubprocessError) as error:
        yield Finding(BROKEN, f"{count(len(seen), 'GPU')} in CUDA_VISIBLE_DEVICES, but nvidia-smi fails: {error}")
        return
    for line in told.stdout.splitlines():
        index, name, free, total = (part.strip() for part in line.split(","))
        yield Finding(FINE, f"GPU {index}: {name}, {free} of {total} free")


def _memory() -> Iterator[Finding]:
    """What each model needs of the GPUs, by pytest, whose fixtures they are; nothing where there is no GPU."""
    if not gpus.visible():
        return
    ran = subprocess.run([sys.executable, *MEMORY, "."], capture_output=True, text=True, check=False)  # noqa: S603  # this very Python
    if ran.returncode:
        why = (ran.stderr or ran.stdout).strip().splitlines() or ["it said nothing"]
        yield Finding(BROKEN, f"what models need of the GPUs can't be told: {why[-1]}")
        return
    for line in ran.stdout.splitlines():
        word, _, text = line.partition(" ")
        yield Finding(word, text.strip())


def _room(what: str, folder: Path, wanted: int, why: str) -> Finding:
    """How much room a folder has, or the first folder above it that is there."""
    there = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(there).free / GIGABYTE
    enough = free >= wanted
    text = f"{what}: {free:.0f} GB free in {folder}"
    return Finding(FINE if enough else LACKING, text if enough else f"{text}, {wanted} would be well: {why}")


def _hub() -> Path:
    home = os.environ.get("HF_HOME") or Path("~/.cache/huggingface").expanduser()
    return Path(os.environ.get("HF_HUB_CACHE") or Path(home, "hub"))


def _data(root: Path) -> Iterator[Finding]:
    for name, source in built_in(root).items():
        lacking = source.missing()
        here = f"data set {name}: {source.csv}"
        yield Finding(
            LACKING if lacking else FINE, f"data set {name} is not here: {source.access}" if lacking else here
        )


def _decoding() -> Finding:
    """Decode a clip of the demo to its end, sound and picture, as a run would: in a process of its own."""
    source = next(
        (known for known in (built_in(Path("dataset"))["demo"], built_in(Path())["demo"]) if not known.missing()), None
    )
    clips = sorted(source.csv.parent.glob("video/*.mp4")) if source else []
    if not clips:
        return Finding(LACKING, "decoding: there is no demo data set to try it on")

    async def look() -> str:
        with tempfile.TemporaryDirectory() as folder:
            decoders = Decoders(Path(folder, "log"), count=1)
            try:
                found = await decoders.look(clips[0], None, thorough=True)
            finally:
                await decoders.close()
        kinds = [kind for kind, there in (("picture", found.picture), ("sound", found.sound)) if there]
        return f"{' and '.join(kinds)} of {clips[0].name}, by PyAV {_version('av')}"

    try:
        return Finding(FINE, f"decoding works: {asyncio.run(look())}")
    except (DecodeError, LoadError) as error:
        return Finding(
            BROKEN, f"decoding {clips[0]} fails: {error}; install PyAV anew: pip install --force-reinstall av"
        )


def _two_questions(model: str) -> Finding:
    """Have a model judge the first pair of the demo in both orders."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        options = ["-k", f"{model} and demo and not {model}_ and not (S2 or S3 or S4)", "--emoprefer-limit", "1"]
        options += ["--emoprefer-max-requests", "2"]
        command = [sys.executable, *BENCHMARK, *options, "--emoprefer-out", folder, "--tb=line"]
        environment = {**os.environ, **ONE_LINE}
        ran = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder, env=environment)  # noqa: S603  # this very Python
    lines = [line.strip("= ") for line in ran.stdout.splitlines() if line.strip()] or [ran.stderr.strip()]
    seconds = f"{time.monotonic() - started:.0f} s"
    if ran.returncode == 0 and "1 passed" in lines[-1]:
        return Finding(FINE, f"{model} answered two questions; loading it and asking took {seconds}")
    if ran.returncode == NOTHING_COLLECTED:
        return Finding(BROKEN, f"there is no built-in model {model}; `emoprefer-bench list` has all of them")
    why = next((line for line in lines if line.startswith(f"{model}-") or "Error" in line), lines[-1])
    return Finding(BROKEN, f"{model} answered nothing: {why}")


def _version(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return ""
