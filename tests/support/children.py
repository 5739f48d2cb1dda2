"""Children driven as the harness drives them: a process, JSON lines, and nothing else shared."""

from __future__ import annotations

import contextlib
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

import pytest


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


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory):
    """Start children; the end of a file's tests ends those that still run, since each takes up to a gigabyte."""
    with contextlib.ExitStack() as children:  # one that fails to end doesn't keep the others

        def begin(*command: str) -> Child:
            log = tmp_path_factory.mktemp("child") / "log.txt"
            child = Child([sys.executable, *command], log)
            children.callback(child.close)
            return child

        yield begin
