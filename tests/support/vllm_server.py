"""vLLM's own server on loopback."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from support.tethered import started

QUIET = {
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",  # spares a third process, each of which loads all libraries anew
    "HF_HUB_OFFLINE": "1",
}


@contextlib.contextmanager
def serving(model: Path, log: Path) -> Iterator[str]:
    """Serve a small model of Qwen2.5-Omni's family under the name `tiny`; gives host and port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        *(sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(model)),
        *("--served-model-name", "tiny", "--host", "127.0.0.1", "--port", str(port), "--dtype", "float32"),
        *("--max-model-len", "2048", "--block-size", "32", "--kv-cache-memory-bytes", str(64 << 20)),
        *("--enforce-eager", "--enable-prompt-tokens-details"),
        *("--limit-mm-per-prompt", '{"image": 0, "video": 1, "audio": 1}'),
        *("--mm-processor-kwargs", '{"size": {"shortest_edge": 3136, "longest_edge": 12544}}'),
    ]
    with log.open("wb") as file, started(command, stdout=file, stderr=file, env={**os.environ, **QUIET}) as process:
        until = time.monotonic() + 1500
        while not _answers(f"http://127.0.0.1:{port}/health"):
            assert process.poll() is None and time.monotonic() < until, log.read_text()[-3000:]  # noqa: PT018  # one wait
            time.sleep(0.3)
        yield f"127.0.0.1:{port}"


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=25) as response:  # noqa: S310  # loopback
            return response.status == 200
    except (urllib.error.URLError, OSError):
        return False
