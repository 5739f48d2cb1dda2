"""Joining a Ray cluster as its client. Every fault is one sentence."""

from __future__ import annotations

import ipaddress
import os
import socket
from typing import Any

from emoprefer_bench.protocol.worker import one_line

REACHED_SECONDS = 10.0
AUTO = "auto"  # the cluster that this machine is a node of


class ClusterError(RuntimeError):
    """A cluster that can't be joined, or can't run what it is to run."""

    def __str__(self) -> str:
        """The sentence alone."""
        return " ".join(map(str, self.args))


def join(address: str) -> Any:
    """Join the cluster whose head is at `address` (host:port, or `auto`), and return the module `ray`.

    Raises ClusterError.
    """
    settings = {}
    if address != AUTO and _reached(address):
        # Ray takes a loopback address for one of the network, unless told that there is none.
        os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
        settings = {"_node_ip_address": address.rpartition(":")[0]}
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    os.environ.setdefault("RAY_NUM_REDIS_GET_RETRIES", "5")  # of its head, a second each, also where a token is wrong
    try:
        import ray
    except ImportError:
        raise ClusterError("ray is not installed: pip install 'emoprefer-bench[ray]'") from None
    try:
        ray.init(address=address, log_to_driver=False, configure_logging=False, **settings)
    except Exception as error:
        raise ClusterError(_why(address, error)) from error
    return ray


def _reached(address: str) -> bool:
    """Whether an address is of loopback, after connecting to it: Ray itself would try for minutes."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal():
        raise ClusterError(f"{address!r} is no address of a Ray head: write host:port, as in 10.0.0.1:6379")
    try:
        with socket.create_connection((host, int(port)), REACHED_SECONDS) as connection:
            return ipaddress.ip_address(connection.getpeername()[0]).is_loopback
    except OSError as error:
        raise ClusterError(
            f"nothing answers at {address} ({error.strerror or error}): start Ray there with `ray start --head`"
        ) from None


def _why(address: str, error: Exception) -> str:
    """What ray.init raised, in words that say how to mend it."""
    chain: list[str] = []
    cause: BaseException | None = error
    while cause is not None:
        chain.append(f"{type(cause).__name__}: {cause}")
        cause = cause.__cause__ or cause.__context__
    said = " ".join(chain)
    if "AuthenticationError" in said or "InvalidAuthToken" in said:
        return (
            f"the cluster at {address} doesn't take the token of this machine: RAY_AUTH_MODE=token and the cluster's "
            "own RAY_AUTH_TOKEN (or RAY_AUTH_TOKEN_PATH) have to be set here"
        )
    if "Can't find a" in said or "GCS address or one of the Raylet" in said or "no_driver_raylet" in said:
        return (
            f"this machine is no node of the cluster at {address}: make it one that runs no models, "
            f"`ray start --address={address} --num-gpus=0 --num-cpus=0`"
        )
    return f"can't join the cluster at {address}: {one_line(error)[:500]}"
