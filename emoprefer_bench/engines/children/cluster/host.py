"""A replica on a node of a Ray cluster: an actor that keeps an engine's child, decoders and clips.

No model runs in Ray's own process: that one holds the project's session to a child, as a run on one machine does.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from pathlib import Path
from typing import Any

from emoprefer_bench.engines.children.cluster.node_clips import ElsewhereError, NodeClips, Shipped
from emoprefer_bench.engines.gpus import Gpus
from emoprefer_bench.engines.session import ChildSession
from emoprefer_bench.engines.sight import enter, sources, unpacked
from emoprefer_bench.media.pool import DecodeError, Decoders
from emoprefer_bench.pairs import Answer
from emoprefer_bench.protocol.parent import LoadError
from emoprefer_bench.protocol.spool import Spool, sweep

log = logging.getLogger(__name__)

AHEAD = 4  # of so many places with the engine, there is another for a question that is prepared meanwhile
ELSEWHERE = {"type": "elsewhere"}


class Host:
    """The actor. Its methods return plain values, also where something failed: Ray's own errors mean that it is gone.

    It ends where nobody spoke to it for `silence` seconds, since its node may be cut off from whoever would end it.
    """

    def __init__(self, declared: dict[str, Any], folder: str, silence: float) -> None:
        enter(folder)
        sweep()
        self._declared = declared
        self._silence = silence
        self._heard = time.monotonic()
        self._spool = Spool()
        self._logs = _logs()
        self._session: ChildSession | None = None
        self._clips: NodeClips | None = None
        self._places = asyncio.Semaphore(1)

    async def placed(self) -> str:
        """Say which node this is, as soon as it is on one."""
        import ray

        self._watch()
        return str(ray.util.get_node_ip_address())

    async def load(self) -> dict[str, Any]:
        """Start the engine; what it says of itself, or why it can't be loaded as `failed`."""
        import ray

        ids = ray.get_runtime_context().get_accelerator_ids()["GPU"]
        engine = unpacked(self._declared, Gpus(tuple(ids)))
        if lacking := await asyncio.to_thread(engine.missing):
            return {"failed": lacking}
        try:
            launches = await asyncio.to_thread(engine.launches, self._logs / f"emoprefer-{os.getpid()}-engine.log")
            launches[0].environment.setdefault("OMP_NUM_THREADS", _threads())
            session = ChildSession(launches[0])
            await session.start()
        except LoadError as error:
            return {"failed": str(error)}
        decoders = Decoders(self._logs / f"emoprefer-{os.getpid()}-decoder.log")
        self._session, self._clips = session, NodeClips(self._spool.folder, decoders, engine.plan)
        self._places = asyncio.Semaphore(session.concurrency)
        identity = await asyncio.to_thread(engine.identity) or engine.identity_once_loaded(session.revision)
        return {
            "identity": identity,
            "sources": sources(),
            "engine": engine.kind,
            "version": engine.version,
            "device": session.device,
            "revision": session.revision,
            "scores": session.scores,
            "room": session.concurrency + max(1, session.concurrency // AHEAD),
            "pids": [os.getpid(), session.pid],
        }

    async def heard(self) -> None:
        """Hear that the run is there."""
        self._heard = time.monotonic()

    async def answer(
        self,
        question: dict[str, Any],
        shipped: Shipped | None = None,
        shared: bool = True,  # noqa: FBT001, FBT002  # to Ray
    ) -> dict[str, Any]:
        """Answer a question of the protocol: the fields of `answer` or `error`; ELSEWHERE where its clip is wanted.

        Unless files are `shared`, none is looked for here.
        """
        assert self._clips is not None
        self._heard = time.monotonic()
        clip = question["clip"]
        if clip is None:
            return await self._ask(question)
        try:
            async with self._clips.held(clip, question["modality"], shipped, shared=shared) as taken:
                decoding, taken.seconds = taken.seconds, 0.0
                return await self._ask({**question, "clip": {**clip, **taken.fields}}, decoding)
        except ElsewhereError as error:
            return ELSEWHERE if shipped is None else _error(str(error))
        except (DecodeError, OSError) as error:
            return _error(str(error))

    async def _ask(self, question: dict[str, Any], decoding: float = 0.0) -> dict[str, Any]:
        assert self._session is not None
        async with self._places:
            answer = await self._session.ask(question)
        return _error(answer.text) if answer.finish == "error" else _answered(answer, decoding)

    def _watch(self) -> None:
        """End with everything when nobody speaks any more; the children end with their input."""
        left = self._heard + self._silence - time.monotonic()
        if left <= 0:
            log.error("Nobody spoke for %.0f s: this replica ends", self._silence)
            os._exit(1)
        asyncio.get_running_loop().call_later(left, self._watch)


def _answered(answer: Answer, decoding: float) -> dict[str, Any]:
    seconds = {**answer.seconds, "decoding": decoding} if decoding else answer.seconds
    weighed = {} if answer.logprobs is None else {"logprobs": answer.logprobs}
    said = {"text": answer.text, "finish": answer.finish, "tokens": answer.tokens, "seconds": seconds}
    return {"type": "answer", **said, **weighed}


def _error(message: str) -> dict[str, Any]:
    return {"type": "error", "message": message}


def _logs() -> Path:
    """The folder of Ray's own logs of this process, or the spool's parent where it has none."""
    err = Path("/proc/self/fd/2").readlink()
    return err.parent if err.is_file() else Path.cwd()


def _threads() -> str:
    """How many threads libraries take that nobody told otherwise: Ray tells its workers one.

    What the node was started with is in the environment of the process that started this one.
    """
    own = Path(f"/proc/{os.getppid()}/environ").read_bytes().split(b"\0")
    told = [entry.partition(b"=")[2].decode() for entry in own if entry.startswith(b"OMP_NUM_THREADS=")]
    return told[0] if told else str(len(os.sched_getaffinity(0)))
