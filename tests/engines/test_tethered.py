"""Whatever a test starts ends with it, also where nobody ends it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.tethered import started

# A server with an engine of its own; both note who they are.
SERVER = """
import os, subprocess, sys, time
engine = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"])
with open(sys.argv[1], "w") as noted:
    noted.write(f"{os.getpid()} {engine.pid}\\n")
time.sleep(300)
"""
GIVEN_UP = """
import sys, time
sys.path.insert(0, {folder!r})
from support.tethered import started
with started([sys.executable, "-c", {server!r}, sys.argv[1]]):
    time.sleep(300)
"""


def noted(path):
    """The processes that noted themselves, once they have."""
    for _ in range(600):
        if path.exists() and path.read_text().endswith("\n"):
            return [int(pid) for pid in path.read_text().split()]
        time.sleep(0.05)
    raise AssertionError("the server didn't start")


def gone(pids):
    """Whether all processes end within ten seconds."""
    for _ in range(200):
        if not any(Path(f"/proc/{pid}").exists() and _alive(pid) for pid in pids):
            return True
        time.sleep(0.05)
    return False


def _alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_server_whose_start_is_given_up_ends_with_its_engine(tmp_path):
    """The wait for it fails, as on a busy machine."""
    with pytest.raises(TimeoutError), started([sys.executable, "-c", SERVER, str(tmp_path / "noted")]):  # noqa: PT012
        pids = noted(tmp_path / "noted")
        raise TimeoutError
    assert gone(pids)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_server_ends_with_the_process_that_started_it(tmp_path, number):
    """However that ends."""
    script = GIVEN_UP.format(folder=str(Path(__file__).parents[1]), server=SERVER)
    with subprocess.Popen([sys.executable, "-c", script, str(tmp_path / "noted")]) as process:
        pids = noted(tmp_path / "noted")
        os.kill(process.pid, number)
    assert gone(pids)
