"""Runs a command that ends, with all that it started, when standard input does: `python tethered.py COMMAND...`.

Who starts it leads a group with it (`start_new_session`) and holds the other end of a pipe. The kernel closes that,
however that process ends, so that nothing is left of a server whose tests were given up.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any


@contextlib.contextmanager
def started(command: list[str], **settings: Any) -> Iterator[subprocess.Popen[bytes]]:
    """Start a command on a tether; when the context is left, by whatever way, its whole group ends."""
    tether = [sys.executable, str(Path(__file__)), *command]
    process = subprocess.Popen(tether, stdin=subprocess.PIPE, start_new_session=True, **settings)
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(30)
        process.stdin.close()


def _end_with_input() -> None:
    while os.read(0, 1):
        pass
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    threading.Thread(target=_end_with_input, daemon=True).start()
    sys.exit(subprocess.run(sys.argv[1:], stdin=subprocess.DEVNULL, check=False).returncode)
