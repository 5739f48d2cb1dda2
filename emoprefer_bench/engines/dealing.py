"""Which replica of a model takes which question: one clip at a time, and none idle while questions wait.

A replica is a number here; who uses this knows what it stands for. Questions wait until a replica has room, so that the
replica that works fastest takes most. All questions about a clip go to the replica that took its first one, whose
caches hold the clip.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

WAITING = 16  # questions that wait for each replica, or as many as it has room for: enough for it to have its own clips
REMEMBERED = 256  # homes of clips about which nothing waits; for each place at a replica, another two

Turn = asyncio.Future[int]
Waiting = OrderedDict[Hashable, deque[Turn]]


def wanted(room: int) -> int:
    """How many questions should be in flight for a replica with so much room, so that it finds one whenever it has."""
    return room + max(room, WAITING)


class Alone:
    """Stands in for the clip of a question that is about none."""


@dataclass
class Replica:
    """Its `room` for questions, how much of that is free, and the turns that wait for it, clip by clip."""

    room: int
    free: int
    waiting: Waiting = field(default_factory=OrderedDict)

    @property
    def queue(self) -> int:
        """How many turns wait for it."""
        return sum(map(len, self.waiting.values()))


class Dealing:
    """Deals turns at replicas to questions.

    A replica with room takes first what waits for it, clip by clip; then a clip that nobody has; then, from the replica
    for which most questions wait, its last clip, if more wait there than that replica can take at once.
    """

    def __init__(self) -> None:
        self._replicas: dict[int, Replica] = {}
        self._homes: OrderedDict[Hashable, int] = OrderedDict()
        self._homeless: Waiting = OrderedDict()

    @property
    def room(self) -> int:
        """How many questions all replicas together have room for."""
        return sum(replica.room for replica in self._replicas.values())

    @property
    def wanted(self) -> int:
        """How many questions should be in flight, so that a replica finds one whenever it has room."""
        return sum(wanted(replica.room) for replica in self._replicas.values())

    def join(self, number: int, room: int) -> None:
        """Have a new replica take questions, as many at once as it has `room` for."""
        self._replicas[number] = Replica(room, room)
        self._fill(number)

    def leave(self, number: int) -> None:
        """Have a replica take no more; what waits for it goes to others, before what came later. May be called again.

        A number is used once: a replica that comes in its place has another.
        """
        replica = self._replicas.pop(number, None)
        if replica is None:
            return
        for clip in [clip for clip, home in self._homes.items() if home == number]:
            del self._homes[clip]
        for clip, turns in reversed(replica.waiting.items()):
            later = self._homeless.pop(clip, deque())
            self._homeless[clip] = turns + later
            self._homeless.move_to_end(clip, last=False)
        for other in list(self._replicas):
            self._fill(other)

    @asynccontextmanager
    async def turn(self, clip: Hashable | None) -> AsyncIterator[int]:
        """Wait for a replica, and hold a place there; `clip` is the digest of the clip that the question is about."""
        number = await self._take(Alone() if clip is None else clip)
        try:
            yield number
        finally:
            self._give(number)

    async def _take(self, clip: Hashable) -> int:
        turn: Turn = asyncio.get_running_loop().create_future()
        home = self._homes.get(clip)
        lines = self._homeless if home is None else self._replicas[home].waiting
        lines.setdefault(clip, deque()).append(turn)
        self._offer(home)
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._give(turn.result())
            raise

    def _offer(self, home: int | None) -> None:
        """See whether anybody takes a question that has just come: its clip's home first, then who has most room."""
        if home is not None and self._replicas[home].free:
            self._fill(home)
            return
        idle = [number for number, replica in self._replicas.items() if replica.free]
        if idle:
            self._fill(max(idle, key=lambda number: self._replicas[number].free))

    def _give(self, number: int) -> None:
        if number in self._replicas:  # else it has left
            self._replicas[number].free += 1
            self._fill(number)

    def _fill(self, number: int) -> None:
        """Give a replica questions until it has no more room, or nothing waits that it could take."""
        replica = self._replicas[number]
        while replica.free and (replica.waiting or self._adopt(number)):
            turn = _next(replica.waiting)
            if turn is not None:
                replica.free -= 1
                turn.set_result(number)

    def _adopt(self, number: int) -> bool:
        """Make a replica the home of a clip that is nobody's, or else of one that waits too long at another."""
        lines = self._homeless
        if not lines:
            busiest = max(self._replicas.values(), key=lambda replica: replica.queue)
            if busiest.queue <= busiest.room:
                return False
            lines = busiest.waiting
        clip, turns = lines.popitem(last=lines is not self._homeless)
        self._replicas[number].waiting.setdefault(clip, deque()).extend(turns)
        if not isinstance(clip, Alone):
            self._remember(clip, number)
        return True

    def _remember(self, clip: Hashable, number: int) -> None:
        self._homes[clip] = number
        self._homes.move_to_end(clip)
        if len(self._homes) > REMEMBERED + 2 * self.room:
            self._homes.popitem(last=False)


def _next(lines: Waiting) -> Turn | None:
    """Take the first turn of the first clip out of the lines; None if nobody waits for it any more."""
    clip, turns = next(iter(lines.items()))
    turn = turns.popleft()
    if not turns:
        del lines[clip]
    return None if turn.done() else turn
