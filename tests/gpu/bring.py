"""What a machine with torch and transformers alone lacks, as wheels that travel with the checkout."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import subprocess
import sys
import tempfile

from . import BROUGHT

NEEDED = {  # by module: the distributions that bring it
    "accelerate": ("accelerate", "psutil"),
    "av": ("av",),
    "msgspec": ("msgspec",),
    "tabulate": ("tabulate",),
    "torchvision": ("torchvision", "pillow"),
}
VISION_AHEAD = 15  # torchvision 0.28 goes with torch 2.13, 0.29 with 2.14
MOST_BYTES = 64 << 20


def bring(python: str, torch: str) -> str:
    """Download the wheels for versions of Python and torch, such as 3.12 and 2.13.

    Raises RuntimeError where they are too large.
    """
    BROUGHT.mkdir(parents=True, exist_ok=True)
    for old in BROUGHT.glob("*.whl"):
        old.unlink()
    names = [_as_here(name) for distributions in NEEDED.values() for name in distributions if name != "torchvision"]
    names.append(f"torchvision==0.{int(torch.split('.')[1]) + VISION_AHEAD}.*")
    # A wheel may ask for a newer C library than the oldest that pip assumes for a foreign machine.
    platforms = [f"--platform=manylinux_2_{minor}_x86_64" for minor in (28, 27, 24, 17)]
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary=:all:", "-d", str(BROUGHT)]
    command += [*platforms, f"--python-version={python}", "--implementation=cp", f"--abi=cp{python.replace('.', '')}"]
    subprocess.run([*command, "--abi=abi3", "--abi=none", *names], check=True)
    size = sum(wheel.stat().st_size for wheel in BROUGHT.glob("*.whl"))
    if size > MOST_BYTES:
        raise RuntimeError(f"{BROUGHT} takes {size >> 20} MiB, of {MOST_BYTES >> 20} that it may")
    return f"{BROUGHT}: {len(list(BROUGHT.glob('*.whl')))} wheels, {size / (1 << 20):.0f} MiB"


def _as_here(name: str) -> str:
    """Return a requirement of the version that is installed here, with which the checks were walked."""
    try:
        return f"{name}=={importlib.metadata.version(name)}"
    except importlib.metadata.PackageNotFoundError:
        return name


def lacking() -> list[str]:
    """Return the modules that this Python lacks."""
    return [module for module in NEEDED if importlib.util.find_spec(module) is None]


def unpack() -> None:
    """Make importable what is lacking, here and in all children, from the wheels. Raises RuntimeError without them."""
    if not (modules := lacking()):
        return
    folder = tempfile.mkdtemp(prefix="emoprefer-gpu-")
    names = [name for module in modules for name in NEEDED[module]]
    command = [sys.executable, "-m", "pip", "install", "-q", "--no-index", "--no-deps", "--target", folder]
    try:
        subprocess.run([*command, f"--find-links={BROUGHT}", *names], check=True, capture_output=True, text=True)
    except subprocess.CalledProcessError as error:
        python = f"{sys.version_info.major}.{sys.version_info.minor}"
        versions = f"{python} {importlib.metadata.version('torch')}"
        raise RuntimeError(
            f"this Python lacks {', '.join(modules)}: run `python -m tests.gpu --bring {versions}` where there is a "
            f"network, and carry {BROUGHT} here ({error.stderr.strip()[-300:]})"
        ) from None
    sys.path.insert(0, folder)
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (folder, os.environ.get("PYTHONPATH"))))
