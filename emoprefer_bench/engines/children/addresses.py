"""One model at several addresses: all questions about a clip go to one of them, and an address that fails is left.

Nobody keeps a table of who has which clip: of all that can be reached, the address takes it that ranks highest for its
digest (rendezvous hashing, https://doi.org/10.1109/90.663936). So processes agree without a word, and when an address
is left, its own clips alone move.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from typing import TYPE_CHECKING, Any

from emoprefer_bench.engines.children.remote import Given, PassingError, UnreachableError
from emoprefer_bench.protocol.worker import one_line

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from emoprefer_bench.engines.children.remote import Provider

log = logging.getLogger(__name__)

TRIES = 2  # a question that was with two servers as they went away may be why
MISSES = 3  # in a row, before a server that doesn't say how it is counts as gone: a busy one is slow to say so


class Address:
    """Where the model is: asked through `provider`, at most `concurrency` questions at a time.

    `well` asks the server how it is: whether it can be asked.
    """

    def __init__(self, url: str, provider: Provider, concurrency: int, well: Callable[[], Awaitable[bool]]) -> None:
        self.url = url
        self.room = asyncio.Semaphore(concurrency)
        self.left = asyncio.Event()
        self._provider = provider
        self._well = well
        self._misses = 0

    def rank(self, digest: str) -> bytes:
        """How high this address ranks for a clip."""
        return hashlib.sha256(f"{self.url} {digest}".encode()).digest()

    async def send(self, question: dict[str, Any], sending: Callable[[], None]) -> Given:
        """Send one request, and give it up when the address is left. Raises what the provider does."""
        sent = asyncio.ensure_future(self._provider.send(question, sending))
        left = asyncio.ensure_future(self.left.wait())
        try:
            await asyncio.wait({sent, left}, return_when=asyncio.FIRST_COMPLETED)
            if sent.done():
                given = sent.result()
                self._misses = 0  # who answers is there, whatever is on the page about it
                return given
            raise UnreachableError(f"{self.url} doesn't answer any more")
        finally:
            sent.cancel()
            left.cancel()

    def leave(self, reason: str) -> None:
        """Send nothing there until it is well again."""
        if not self.left.is_set():
            log.warning("%s is left: %s", self.url, reason)
            self.left.set()

    async def look(self) -> None:
        """See how the server is."""
        if await self._well():
            self._misses = 0
            if self.left.is_set():
                log.warning("%s is back", self.url)
                self.left.clear()
            return
        self._misses += 1
        if self._misses >= MISSES:
            self.leave(f"it doesn't say how it is, {self._misses} times in a row")


class Addresses:
    """Such a model. Servers are asked how they are every `seconds`, from the first question on."""

    def __init__(self, addresses: Sequence[Address], seconds: float) -> None:
        self._addresses = addresses
        self._seconds = seconds
        self._watching: asyncio.Task[None] | None = None

    async def send(self, question: dict[str, Any], sending: Callable[[], None]) -> Given:
        """Send a question, and again to another address when its own fails; see remote.Provider."""
        self._watching = self._watching or asyncio.create_task(self._watch())
        lost = 0
        while True:
            address = self._choose(question)
            async with address.room:
                if address.left.is_set():  # while this waited
                    continue
                try:
                    return await address.send(question, sending)
                except UnreachableError as error:
                    address.leave(one_line(error))
                    lost += error.lost
                    if lost == TRIES:
                        raise RuntimeError(f"{error} (on the second attempt too)") from None

    def _choose(self, question: dict[str, Any]) -> Address:
        """Return the address for a question's clip; one without a clip goes by its prompt."""
        digest = (question["clip"] or {}).get("digest") or question["prompt"]
        reachable = [address for address in self._addresses if not address.left.is_set()]
        if not reachable:
            raise PassingError(f"none of the {len(self._addresses)} addresses can be reached")
        return max(reachable, key=lambda address: address.rank(digest))

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(self._seconds)
            looks = await asyncio.gather(*(address.look() for address in self._addresses), return_exceptions=True)
            for error in filter(None, looks):
                log.error("A server can't be asked how it is: %s", one_line(error))
