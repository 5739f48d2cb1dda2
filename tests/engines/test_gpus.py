from __future__ import annotations

import fcntl
import gc
import multiprocessing
import os
import stat
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest

from emoprefer_bench.engines import gpus


@pytest.fixture(autouse=True)
def _no_memory():
    """Each test sees the environment that it sets."""
    gpus._listed.cache_clear()
    yield
    gpus._listed.cache_clear()


def free(folder, gpu):
    """Whether nobody holds the GPU."""
    descriptor = os.open(folder / f"gpu-{gpu}", os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    else:
        return True
    finally:
        os.close(descriptor)


@pytest.mark.parametrize(("value", "ids"), [("0,2", ("0", "2")), ("", ()), ("-1", ()), ("GPU-8f, 3", ("GPU-8f", "3"))])
def test_cuda_visible_devices_says_which_gpus_there_are(monkeypatch, value, ids):
    """An empty list and -1 hide all GPUs, ids may be UUIDs."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", value)
    assert gpus.visible() == ids


def test_without_the_variable_the_driver_is_asked(monkeypatch, tmp_path):
    """What nvidia-smi lists is visible."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho 0\necho 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert gpus.visible() == ("0", "1")


def test_without_a_driver_there_are_no_gpus(monkeypatch, tmp_path):
    """A machine without nvidia-smi has none, and says so quietly."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert gpus.visible() == ()


def test_a_lease_holds_as_many_as_asked_for_and_gives_them_back(tmp_path):
    """Inside, the leased GPUs are locked; outside, they are free."""
    with gpus.lease(2, ("0", "1", "2"), tmp_path) as leased:
        assert leased.ids == ("0", "1")
        assert [free(tmp_path, gpu) for gpu in "012"] == [False, False, True]
    assert [free(tmp_path, gpu) for gpu in "012"] == [True, True, True]


def test_a_lease_of_none_touches_nothing(tmp_path):
    """A model that needs no GPU waits for nobody."""
    with gpus.lease(0, (), tmp_path / "locks") as leased:
        assert leased == gpus.Gpus()
    assert not (tmp_path / "locks").exists()


def test_a_second_lease_takes_what_is_free_and_waits_for_the_rest(tmp_path):
    """One of two is free: a lease of one gets it at once, a lease of two waits until the first is given back."""
    got = []

    def want_both():
        with gpus.lease(2, ("0", "1"), tmp_path) as leased:
            got.append(leased.ids)

    with gpus.lease(1, ("0", "1"), tmp_path):
        with gpus.lease(1, ("0", "1"), tmp_path) as other:
            assert other.ids == ("1",)
        waiting = threading.Thread(target=want_both)
        waiting.start()
        time.sleep(3 * gpus.POLL_SECONDS)
        assert got == []
        assert free(tmp_path, "1"), "while it waits for both it holds none"
    waiting.join(60)
    assert got == [("0", "1")]


def test_a_lease_outlives_its_holder_in_a_child_that_inherited_it(tmp_path):
    """An engine that outlived its killed parent still holds GPU memory, so its GPU isn't lent out."""
    with gpus.lease(1, ("0",), tmp_path) as leased:
        child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=leased.descriptors)
    assert not free(tmp_path, "0")
    child.kill()
    child.communicate()
    assert free(tmp_path, "0")


def test_every_user_of_the_machine_can_lease(tmp_path):
    """Whatever the umask of who came first; nobody can take a lock away that another made."""
    umask = os.umask(0o077)
    try:
        with gpus.lease(1, ("0", "MIG-1/2"), tmp_path / "locks"):
            pass
    finally:
        os.umask(umask)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "locks").iterdir()}
    assert modes == {"turn": 0o666, "gpu-0": 0o666}
    assert stat.S_IMODE((tmp_path / "locks").stat().st_mode) == 0o1777


@pytest.fixture
def shared():
    """A folder that other users can reach."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        Path(folder).chmod(0o777)
        yield Path(folder)


def leasing(folder, pool, user):
    """A process that leases these GPUs as a user (as this one, where there is no other to be), and the pipe to it."""
    ours, theirs = multiprocessing.Pipe()

    def lease():
        gc.freeze()  # pictures of other tests can't be let go here: PyAV's threads are the parent's
        if os.geteuid() == 0:
            os.setuid(user)
        os.umask(0o077)
        with gpus.lease(len(pool), pool, folder / "locks"):
            theirs.send("leased")
            theirs.recv()

    process = multiprocessing.get_context("fork").Process(target=lease)
    process.start()
    return process, ours


def test_a_second_user_waits_for_the_first_and_makes_locks_of_its_own(shared):
    """Two users under the strictest umask share two GPUs, and root comes after them."""
    processes, pipes = zip(*(leasing(shared, pool, 65532 + n) for n, pool in enumerate(("0", "01", "2"))), strict=True)
    first, second, other = pipes
    assert first.poll(20)
    assert other.poll(20)
    assert not second.poll(3 * gpus.POLL_SECONDS)
    first.send("enough")
    assert second.poll(20)
    assert not free(shared / "locks", 1)
    for process, pipe in zip(processes[1:], pipes[1:], strict=True):
        pipe.send("enough")
        process.join(20)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    with gpus.lease(3, ("0", "1", "2"), shared / "locks") as leased:
        assert leased.ids == ("0", "1", "2")


def test_locks_that_cannot_be_had_are_one_sentence(tmp_path):
    """A link in the place of one, or a folder of another user's; it says who can mend it, and how."""
    (tmp_path / "turn").symlink_to(tmp_path / "elsewhere")
    with (
        pytest.raises(gpus.LeaseError, match=r"turn: can't be locked .* run: chmod 1777"),
        gpus.lease(1, "0", tmp_path),
    ):
        pass
    assert not (tmp_path / "elsewhere").exists()
