"""A Ray cluster on loopback: a head without GPUs, and nodes that say that they have one each.

`running(NODES)` starts it as a process of its own, `python cluster.py NODES`, which prints a line of JSON when it has
done something: the head's address, and the processes of each node by their names. It does what it is told on standard
input, a line each: `add` a node, `kill N` (its raylet, as if the machine were gone), `kill_head`. All of it ends with
standard input, however that ends.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

MEGABYTE = 1 << 20
STORE = 80 * MEGABYTE  # of shared memory for each node's objects; Ray wants 75 at least
LOOPBACK = "127.0.0.1"
SETTINGS = {
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # else Ray takes loopback for another address of this machine
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_health_check_period_ms": "1000",
    "RAY_worker_niceness": "0",  # Ray's own is 15, and a busy machine never comes to that
    "OMP_NUM_THREADS": "1",
}


class Running:
    """A cluster that runs. `token` is what its clients have to show, `seen` what they saw of its nodes."""

    def __init__(self, process: subprocess.Popen[str], token: str) -> None:
        self.token = token
        self.seen: dict[str, Any] = {}
        self._process = process
        self.about = self._read()

    @property
    def address(self) -> str:
        """Where its head is."""
        return str(self.about["address"])

    @property
    def client(self) -> dict[str, str]:
        """The environment of a client."""
        return {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": self.token}

    def tell(self, command: str) -> None:
        """Have something done, and wait until it is."""
        self._process.stdin.write(command + "\n")
        self._process.stdin.flush()
        self.about = self._read()

    def _read(self) -> dict[str, Any]:
        line = self._process.stdout.readline()
        assert line, "the cluster ended"
        return json.loads(line)


@contextlib.contextmanager
def running(nodes: int, log: Path) -> Iterator[Running]:
    """Start one, whose output goes to a log, and end it with the context."""
    token = secrets.token_hex(32)
    own = {**os.environ, **SETTINGS, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": token, "CUDA_VISIBLE_DEVICES": "0"}
    with (
        log.open("w") as errors,
        subprocess.Popen(
            [sys.executable, __file__, str(nodes)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=own,
            text=True,
            start_new_session=True,
        ) as process,
    ):
        try:
            yield Running(process, token)
        finally:
            process.stdin.close()
            try:
                process.wait(60)
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)


class Cluster:
    """The head, and nodes in the order in which they came."""

    def __init__(self, nodes: int) -> None:
        from ray.cluster_utils import Cluster as Started  # noqa: PLC0415  # it takes a second, in this process alone

        common = {"node_ip_address": LOOPBACK, "object_store_memory": STORE, "include_log_monitor": False}
        head = {"num_cpus": 1, "num_gpus": 0, "include_dashboard": False, "no_monitor": True}
        self._common = common
        self._started = Started(initialize_head=True, head_node_args={**head, **common})
        self._nodes: list[Any] = []
        for _ in range(nodes):
            self.add()

    def add(self) -> None:
        """Add a node."""
        self._nodes.append(self._started.add_node(num_cpus=1, num_gpus=1, **self._common))

    def kill(self, number: str) -> None:
        """Kill a node's raylet, and reap it: workers look whether that process is there."""
        _kill(self._nodes[int(number)], "raylet")

    def kill_head(self) -> None:
        """Kill the process that knows the cluster."""
        _kill(self._started.head_node, "gcs_server")

    def end(self) -> None:
        """End it, with all workers."""
        self._started.shutdown()

    def described(self) -> dict[str, Any]:
        """What there is."""
        return {
            "address": self._started.address,
            "head": _pids(self._started.head_node),
            "nodes": [_pids(node) for node in self._nodes],
        }


def _kill(node: Any, name: str) -> None:
    for process in node.all_processes[name]:
        os.kill(process.process.pid, signal.SIGKILL)
        process.process.wait()


def _pids(node: Any) -> dict[str, list[int]]:
    return {name: [each.process.pid for each in processes] for name, processes in node.all_processes.items()}


def main() -> None:
    """Start it, and do what comes in."""
    said = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # Ray prints
    cluster = Cluster(int(sys.argv[1]))
    try:
        print(json.dumps(cluster.described()), file=said, flush=True)
        for line in sys.stdin:
            word, *arguments = line.split()
            getattr(cluster, word)(*arguments)
            print(json.dumps(cluster.described()), file=said, flush=True)
        cluster.end()
    finally:
        os.killpg(0, signal.SIGKILL)  # what Ray starts ends with this process


if __name__ == "__main__":
    main()
