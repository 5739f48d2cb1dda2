"""Engine children driven as the harness drives them: a process, JSON lines, and nothing else shared."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

CHECKPOINTS = Path(__file__).parents[1] / "support" / "checkpoints"
SMALL = {"min_pixels": 3136, "max_pixels": 12544}
# Seconds and frames of clips that differ in how their steps of time fall; the last rates are no whole numbers.
TIMED = [(2, 4), (3, 4), (3, 6), (7, 14), (10, 20), (1.84, 4), (4.04, 6), (5.2, 8), (12.6, 12)]
GREEDY = {
    "max_tokens": 6, "temperature": 0.0, "top_p": 1.0, "top_k": 0, "repetition_penalty": 1.0, "presence_penalty": 0.0,
    "seed": 0,
}  # fmt: skip


class Child:
    """A running child. Messages come back in `answers`, by id, as they are awaited."""

    def __init__(self, command: list[str], log: Path) -> None:
        self.log = log
        self.answers: dict[str, dict[str, Any]] = {}
        self._numbers = itertools.count()
        self._messages: queue.Queue[dict[str, Any]] = queue.Queue()
        with log.open("wb") as stderr:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                start_new_session=True,
                env={**os.environ, "CUDA_VISIBLE_DEVICES": "", "HF_HUB_OFFLINE": "1"},
                text=True,
            )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        for line in self.process.stdout:
            self._messages.put(json.loads(line))
        self._messages.put({"type": "end"})

    def send(self, *messages: dict[str, Any]) -> None:
        """Write messages in one go, so that the child finds them all waiting."""
        self.process.stdin.write("".join(json.dumps(message) + "\n" for message in messages))
        self.process.stdin.flush()

    def receive(self, timeout: float = 600) -> dict[str, Any]:
        """Return the next message; `{"type": "end"}` after the last."""
        try:
            return self._messages.get(timeout=timeout)
        except queue.Empty:
            raise AssertionError(f"no message in {timeout} s; the log ends {self.log_end()}") from None

    def request(self, model: object, **options: Any) -> None:
        """Send `load`."""
        spool = str(self.log.parent)
        message = {"type": "load", "protocol": 1, "model": str(model), "revision": None, "spool": spool}
        self.send({**message, "options": options})

    def load(self, model: object, **options: Any) -> dict[str, Any]:
        """Send `load` and return what comes back: `ready` or `failed`."""
        self.request(model, **options)
        return self.receive()

    def ask(self, *questions: dict[str, Any]) -> list[dict[str, Any]]:
        """Ask all at once, and return the answers or errors in the order of the questions."""
        ids = [str(next(self._numbers)) for _ in questions]
        self.send(*({"type": "ask", "id": i, "question": q} for i, q in zip(ids, questions, strict=True)))
        while not all(i in self.answers for i in ids):
            message = self.receive()
            assert message["type"] != "end", self.log_end()
            self.answers[message["id"]] = message
        return [self.answers[i] for i in ids]

    def group(self) -> list[int]:
        """Return the processes of the child's group that still live."""
        listed = subprocess.run(["ps", "-eo", "pid=,pgid=,stat="], capture_output=True, text=True, check=True).stdout
        rows = [line.split() for line in listed.splitlines()]
        return [int(pid) for pid, group, state in rows if int(group) == self.process.pid and state[0] != "Z"]

    def log_end(self) -> str:
        """Return the last lines of standard error."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-15:])

    def close(self) -> None:
        """Close the child's input, which must end it and all that it started, and wait."""
        if not self.process.stdin.closed:
            self.process.stdin.close()
        try:
            self.process.wait(20)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(20)
            self._reader.join(20)
            self.process.stdout.close()


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


@pytest.fixture(scope="session")
def start(tmp_path_factory: pytest.TempPathFactory):
    """Start children; the end of the session ends those that still run."""
    with contextlib.ExitStack() as children:  # one that fails to end doesn't keep the others

        def begin(*command: str) -> Child:
            log = tmp_path_factory.mktemp("child") / "log.txt"
            child = Child([sys.executable, *command], log)
            children.callback(child.close)
            return child

        yield begin


@pytest.fixture(scope="session")
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
