"""The client of a Ray cluster: one child by docs/protocol.md that deals its questions to replicas on the nodes.

`python -m emoprefer_bench.engines.children.cluster.bridge`; engines/fleet.py starts it. No model runs here. Each
replica is an actor (host.py) that Ray neither starts again nor asks again: what became of a question is known here
alone.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import threading
import time
from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emoprefer_bench.engines import dealing
from emoprefer_bench.engines.children.cluster.host import Host
from emoprefer_bench.engines.children.cluster.joined import join
from emoprefer_bench.engines.children.cluster.node_clips import KINDS
from emoprefer_bench.engines.sight import sources
from emoprefer_bench.protocol.worker import one_line, serve

if TYPE_CHECKING:
    from emoprefer_bench.protocol.worker import Ask, Inbox, Reply

log = logging.getLogger(__name__)

TRIES = 2  # a question that was with two replicas as they went away may be why
STARTS = 6  # in a row that fail before a place is given up; the wait before each is twice that before the last
SILENCE_SECONDS = 60.0  # after which a replica ends by itself, unless the option `silence` says otherwise
AT_ONCE = 100_000  # calls of an actor: how many questions it takes is decided here
SHIPPED_BYTES = 256 << 20  # of clips that are kept to be shipped to other nodes
QUIET = 5  # beats of the heart in the time after which a replica ends


class LostError(RuntimeError):
    """A replica's process or node went away."""


class FailedError(RuntimeError):
    """A replica that can't be loaded, or isn't like the others; the message is one sentence."""

    def __str__(self) -> str:
        """The sentence alone."""
        return " ".join(map(str, self.args))


class Replica:
    """An actor. `lost` is set when it is gone; `machine` and `ready` are known once it is loaded."""

    def __init__(self, ray: Any, actor: Any, beat: float, shipping: Shipping, *, shared: bool) -> None:
        self._ray = ray
        self._actor = actor
        self._beat = beat
        self._shipping = shipping
        self._shared = shared
        self.lost = asyncio.Event()
        self.machine = ""
        self.ready: dict[str, Any] = {}
        self._beating: asyncio.Task[None] | None = None

    async def place(self) -> None:
        """Wait until it is on a node, however long there is none for it. Raises LostError."""
        self.machine = await self._told(self._actor.placed.remote())

    async def load(self) -> None:
        """Load it. Raises FailedError and LostError."""
        self._beating = asyncio.create_task(self._beats())
        self.ready = await self._told(self._actor.load.remote())
        if failed := self.ready.get("failed"):
            raise FailedError(f"on {self.machine}, {failed}")
        if self.ready["sources"] != sources():
            raise FailedError(f"{self.machine} has another emoprefer_bench than this machine: install the same on both")

    async def ask(self, question: dict[str, Any]) -> dict[str, Any]:
        """Ask a question; its clip is shipped where the node doesn't have it. Raises LostError."""
        answer: dict[str, Any] = await self._told(self._actor.answer.remote(question, None, self._shared))
        if answer["type"] == "elsewhere":
            try:
                shipped = await self._shipping.pack(question["clip"])
            except OSError as error:
                return {"type": "error", "message": f"clip {question['clip']['name']!r}: {error}"}
            answer = await self._told(self._actor.answer.remote(question, shipped))
        return answer

    def end(self) -> None:
        """Give back what it has of the cluster."""
        self.lost.set()
        if self._beating:
            self._beating.cancel()
        # In a thread of its own, since the head may be what is gone.
        threading.Thread(target=self._ray.kill, args=(self._actor,), daemon=True).start()

    async def _beats(self) -> None:
        try:
            while True:
                await self._told(self._actor.heard.remote())
                await asyncio.sleep(self._beat)
        except LostError as error:
            log.warning("%s: %s", self.machine, error)
            self.lost.set()

    async def _told(self, call: Any) -> Any:
        """What a call returns. Raises LostError where Ray says that there is nobody to answer it."""
        errors = self._ray.exceptions
        try:
            return await call
        except errors.RayTaskError as error:  # raised by code of ours, which has a fault then
            raise FailedError(one_line(error.cause or error)[:2000]) from None
        except errors.RayError as error:
            raise LostError(" ".join(str(error).split())[:300]) from None


class Shipping:
    """Clips in the cluster's object store, from where each node fetches a file once."""

    def __init__(self, ray: Any) -> None:
        self._ray = ray
        self._packed: OrderedDict[str, asyncio.Task[tuple[dict[str, Any], int]]] = OrderedDict()
        self.bytes = 0

    async def pack(self, clip: dict[str, Any]) -> dict[str, Any]:
        """References to the clip's files by their kinds. Raises OSError."""
        digest = clip["digest"]
        if digest not in self._packed:
            self._packed[digest] = asyncio.create_task(asyncio.to_thread(self._put, clip))
        self._packed.move_to_end(digest)
        try:
            references, _ = await asyncio.shield(self._packed[digest])
        except OSError:
            self._packed.pop(digest, None)
            raise
        self._trim()
        return references

    def _put(self, clip: dict[str, Any]) -> tuple[dict[str, Any], int]:
        contents = {kind: Path(clip[kind]).read_bytes() for kind in KINDS if clip[kind]}
        size = sum(map(len, contents.values()))
        self.bytes += size
        log.warning("%s is shipped: %d bytes, %d in all", clip["name"], size, self.bytes)
        return {kind: self._ray.put(content) for kind, content in contents.items()}, size

    def _trim(self) -> None:
        kept = 0
        for digest, task in reversed(list(self._packed.items())):
            if task.done() and not task.exception():
                kept += task.result()[1]
                if kept > SHIPPED_BYTES:
                    del self._packed[digest]


class Fleet:
    """The backend. A place for each replica that is wanted: whoever is lost there is followed by another."""

    def __init__(self, ray: Any, options: dict[str, Any]) -> None:
        self._ray = ray
        self._options = options
        gpus, self._silence = options["gpus"], options.get("silence", SILENCE_SECONDS)
        self._shared = options.get("shared", True)  # whether nodes look for clips where this machine has them
        self._host = ray.remote(
            num_gpus=gpus,
            num_cpus=0 if gpus else 1,
            max_restarts=0,
            max_task_retries=0,
            max_concurrency=AT_ONCE,
            scheduling_strategy="SPREAD",
        )(Host)
        self._identity = options["identity"]
        self._shipping = Shipping(ray)
        self._dealing = dealing.Dealing()
        self._replicas: dict[int, Replica] = {}
        self._numbers = itertools.count()
        self._loading = self._given_up = 0
        self._places: set[asyncio.Task[None]] = set()
        self._answering: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self.ready: dict[str, Any] = {}

    def start(self) -> None:
        """Start all replicas, and wait for the first. Raises FailedError where none can be loaded."""
        self._loop.run_until_complete(self._start())

    def run(self, inbox: Inbox, reply: Reply) -> None:
        """Answer until there is no place left."""
        self._loop.run_until_complete(self._run(inbox, reply))

    async def _start(self) -> None:
        wanted = self._options["replicas"]
        self._first: asyncio.Future[Replica] = self._loop.create_future()
        self._hopeless: asyncio.Future[None] = self._loop.create_future()
        self._places = {self._loop.create_task(self._keep(place)) for place in range(wanted)}
        either: set[asyncio.Future[Any]] = {self._first, self._hopeless}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if not self._first.done():
            await self._hopeless
        ready = self._first.result().ready
        self.ready = {
            **{name: ready[name] for name in ("engine", "version", "revision", "scores")},
            "device": f"{wanted} x {ready['device']}",
            "concurrency": wanted * dealing.wanted(ready["room"]),
        }

    async def _keep(self, place: int) -> None:
        """Have a replica at a place; give it up after some that failed in a row, and all when none is left.

        A replica that can't be loaded before any was is enough for that: the others would say the same.
        """
        failures, alone = 0, False
        while True:
            try:
                await self._stay(place)
                failures = 0
            except (FailedError, LostError) as failed:
                error = failed
                failures += 1
                log.warning("Replica %d can't be had: %s", place, error)
                alone = isinstance(error, FailedError) and not (self._first.done() or self._loading)
                if alone or failures == STARTS:
                    break
                await asyncio.sleep(2 ** (failures - 1))
        self._given_up += 1
        if (alone or self._given_up == len(self._places)) and not self._hopeless.done():
            self._hopeless.set_exception(error)

    async def _stay(self, place: int) -> None:
        """Have a replica until it is lost. Raises FailedError or LostError where it doesn't come to be asked."""
        arguments = (self._options["engine"], self._options["folder"], self._silence)
        actor = await asyncio.to_thread(self._host.remote, *arguments)  # which waits where the head is gone
        replica = Replica(self._ray, actor, self._silence / QUIET, self._shipping, shared=self._shared)
        try:
            await replica.place()
            self._loading += 1
            started = time.monotonic()
            try:
                await replica.load()
            finally:
                self._loading -= 1
            self._check(replica)
            number = next(self._numbers)
            log.warning(
                "Replica %d is on %s, processes %s, after %.1f s",
                place, replica.machine, replica.ready["pids"], time.monotonic() - started,
            )  # fmt: skip
            self._replicas[number] = replica
            self._dealing.join(number, replica.ready["room"])
            if not self._first.done():
                self._first.set_result(replica)
            await replica.lost.wait()
            self._leave(number)
        finally:
            replica.end()

    def _check(self, replica: Replica) -> None:
        """Raise FailedError unless its answers are kept under what the others' are."""
        identity = replica.ready["identity"]
        self._identity = self._identity or identity
        if identity != self._identity:
            names = [name for name in self._identity if self._identity[name] != identity.get(name)]
            said = ", ".join(f"{name} {identity.get(name)!r} in place of {self._identity[name]!r}" for name in names)
            raise FailedError(f"{replica.machine} is not like the other nodes, so its answers would be others: {said}")

    def _leave(self, number: int) -> None:
        self._dealing.leave(number)
        if replica := self._replicas.pop(number, None):
            replica.lost.set()

    async def _run(self, inbox: Inbox, reply: Reply) -> None:
        threading.Thread(target=self._read, args=(inbox, reply), daemon=True).start()
        await self._hopeless

    def _read(self, inbox: Inbox, reply: Reply) -> None:
        while True:
            asks = [inbox.get(), *inbox.waiting()]
            self._loop.call_soon_threadsafe(self._take, asks, reply)

    def _take(self, asks: list[Ask], reply: Reply) -> None:
        for ask in asks:
            task = self._loop.create_task(self._answer(ask, reply))
            self._answering.add(task)
            task.add_done_callback(self._answering.discard)

    async def _answer(self, ask: Ask, reply: Reply) -> None:
        clip = ask.question["clip"]
        lost = 0
        try:
            while True:
                async with self._dealing.turn((clip and clip["digest"]) or None) as number:
                    try:
                        return reply.send(**await self._replicas[number].ask(ask.question), id=ask.id)
                    except LostError as error:
                        self._leave(number)  # before the place there is given to another question
                        lost += 1
                        log.warning("Question %s was lost: %s", ask.id, error)
                        if lost == TRIES:
                            return reply.error(ask.id, f"{error} (on the second attempt too)")
        except Exception as error:
            log.exception("Question %s failed", ask.id)
            reply.error(ask.id, one_line(error))


def load(message: dict[str, Any]) -> Fleet:
    """Join the cluster, and have the first replica."""
    options = message["options"]
    fleet = Fleet(join(options["address"]), options)
    fleet.start()
    return fleet


if __name__ == "__main__":
    logging.basicConfig(format="%(asctime)s %(message)s")
    serve(load)
