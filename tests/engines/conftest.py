"""Engine children driven as the harness drives them: a process, JSON lines, and nothing else shared."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.children import Child
from support.vllm_server import serving

from emoprefer_bench.demo import JUDGE

CHECKPOINTS = Path(__file__).parents[1] / "support" / "checkpoints"
SMALL = {"min_pixels": 3136, "max_pixels": 12544}
# Seconds and frames of clips that differ in how their steps of time fall; the last rates are no whole numbers.
TIMED = [(2, 4), (3, 4), (3, 6), (7, 14), (10, 20), (1.84, 4), (4.04, 6), (5.2, 8), (12.6, 12)]
GREEDY = {
    "max_tokens": 6, "temperature": 0.0, "top_p": 1.0, "top_k": 0, "repetition_penalty": 1.0, "presence_penalty": 0.0,
    "seed": 0,
}  # fmt: skip


def _clip(
    folder: Path, name: str, *, hue: int, pitch: float, seconds: float = 3.0, sound: bool = True, count: int = 0
) -> dict[str, Any]:
    """Decode a clip that never was: a moving disc on a coloured ground, and a swelling tone.

    Of its 25 frames a second, `count` are taken: 2 a second unless told otherwise.
    """
    count = count or int(2 * seconds)
    fps = count / seconds
    rows, columns = np.mgrid[0:112, 0:112]
    frames = np.zeros((count, 112, 112, 3), np.uint8)
    for number, frame in enumerate(frames):
        frame[..., hue % 3] = columns * 2 + 10 * hue
        frame[(columns - 20 - 12 * number) ** 2 + (rows - 50) ** 2 < 200] = 255
    np.save(folder / f"{name}-frames.npy", frames)
    times = np.arange(int(16000 * seconds)) / 16000
    tone = np.sin(2 * np.pi * pitch * times) * np.sin(np.pi * times / seconds) * 0.5
    np.save(folder / f"{name}-sound.npy", tone.astype(np.float32))
    media = frames.tobytes() + (tone.tobytes() if sound else b"")
    return {
        "name": name,
        "digest": hashlib.sha256(media).hexdigest(),
        "video": None,
        "audio": None,
        "frames": str(folder / f"{name}-frames.npy"),
        "times": [number / fps for number in range(count)],
        "indices": [round(number * 25 / fps) for number in range(count)],
        "fps": fps,
        "source_fps": 25.0,
        "total_frames": int(25 * seconds),
        "duration": seconds,
        "waveform": str(folder / f"{name}-sound.npy") if sound else None,
        "sample_rate": 16000 if sound else None,
    }


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Clips by name: two of other picture and sound, two that mix them, one without sound, and a minute long."""
    folder = tmp_path_factory.mktemp("clips")
    made = {
        "red-low": _clip(folder, "red-low", hue=0, pitch=110),
        "red-high": _clip(folder, "red-high", hue=0, pitch=440),
        "blue-low": _clip(folder, "blue-low", hue=2, pitch=110),
        "silent": _clip(folder, "silent", hue=1, pitch=110, sound=False),
        "long": _clip(folder, "long", hue=1, pitch=220, seconds=60),
        **{
            f"{seconds}s-{count}": _clip(
                folder, f"{seconds}s-{count}", hue=count, pitch=90 + 40 * seconds, seconds=seconds, count=count
            )
            for seconds, count in TIMED
        },
    }
    slow = {"fps": 1.0, "frames": str(folder / "slow.npy"), "indices": [0, 25, 50, 74], "times": [0, 1, 2, 2.96]}
    np.save(folder / "slow.npy", np.load(made["red-low"]["frames"])[[0, 2, 4, 5]])
    return {**made, "slow": {**made["red-low"], **slow}}


@pytest.fixture(scope="session")
def question(clips):
    """Make a question from a prompt, a clip's name, a modality and changes to greedy sampling."""

    def make(prompt: str, clip: str | None = None, modality: str = "text", **sampling: Any) -> dict[str, Any]:
        return {
            "prompt": prompt,
            "texts": None,
            "subtitle": None,
            "modality": modality,
            "clip": clips[clip] if clip else None,
            "sampling": {**GREEDY, **sampling},
        }

    return make


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory):
    """Build the tiny checkpoint of a name, once, and return its folder."""
    folder = tmp_path_factory.mktemp("checkpoints")

    def build(name: str) -> Path:
        if not (folder / name).exists():
            subprocess.run(
                [sys.executable, str(CHECKPOINTS), str(folder)], check=True, capture_output=True, timeout=600
            )
        return folder / name

    return build


@pytest.fixture(scope="module")
def loaded(start, checkpoint):
    """Start an engine with a tiny checkpoint, once for the same engine, checkpoint and options."""
    running: dict[str, Child] = {}

    def get(engine: str, name: str, **options: Any) -> Child:
        key = json.dumps([engine, name, options])
        if key not in running:
            child = start("-m", f"emoprefer_bench.engines.children.{engine}")
            pixels = SMALL if name in ("omni", "qwen25_vl") else {}
            ready = child.load(checkpoint(name), **pixels, **options)
            assert ready["type"] == "ready", f"{ready} {child.log_end()}"
            child.ready = ready
            running[key] = child
        return running[key]

    return get


@pytest.fixture(scope="module")
def vllm_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Start vLLM's own server with the small judge, and return its address."""
    with serving(JUDGE, tmp_path_factory.mktemp("server") / "log.txt") as address:
        yield address
