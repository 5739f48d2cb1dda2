"""Which replica takes which question, on a clock that runs as fast as there is nothing to do before its next tick."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter, defaultdict

import pytest

from emoprefer_bench.engines import dealing
from emoprefer_bench.engines.dealing import Dealing
from emoprefer_bench.trial.seats import Slots

SECONDS = 0.05  # that a question takes


class Clock(asyncio.SelectorEventLoop):
    """An event loop whose time is that of its timers: it sleeps for none of them, so a busy machine changes nothing."""

    def __init__(self):
        super().__init__()
        self.now, select = 0.0, self._selector.select

        def jump(timeout):
            self.now += timeout or 0.0
            return select(0)

        self._selector.select = jump

    def time(self):
        """The seconds that would have passed."""
        return self.now


def run(main):
    """Run on such a clock."""
    with asyncio.Runner(loop_factory=Clock) as runner:
        return runner.run(main)


class Fleet:
    """Replicas that take their time with each question; `took` has who took the questions about each clip, in order."""

    def __init__(self, *rooms, seconds=SECONDS):
        self.dealing, self.seconds = Dealing(), seconds
        self.took, self.most, self._now = defaultdict(list), Counter(), Counter()
        for number, room in enumerate(rooms):
            self.dealing.join(number, room)

    async def answer(self, clip, seconds=None):
        """Ask a question about a clip; returns who answered."""
        async with self.dealing.turn(clip) as number:
            self._now[number] += 1
            self.most[number] = max(self.most[number], self._now[number])
            self.took[clip].append(number)
            await asyncio.sleep(seconds or self.seconds)
            self._now[number] -= 1
            return number

    async def all(self, clips, questions):
        """Ask as many `questions` about each clip, as a seat does: as many in flight as are wanted."""
        slots, loop = Slots(self.dealing.wanted), asyncio.get_running_loop()

        async def ask(place):
            await slots.take(place)
            await self.answer(f"clip {place}")
            slots.give()

        started = loop.time()
        await asyncio.gather(*(ask(place) for place in range(clips) for _ in range(questions)))
        return loop.time() - started


@pytest.mark.parametrize(("room", "questions"), [(1, 4), (8, 4), (4, 1), (4, 10), (8, 12)])
def test_three_replicas_answer_nearly_three_times_as_much_as_one(room, questions):
    """At least 90% of three times as many a second, with few questions about a clip and with many."""
    alone, three = run(Fleet(room).all(100, questions)), run(Fleet(room, room, room).all(100, questions))
    assert alone == pytest.approx(100 * questions * SECONDS / room, rel=0.03)
    assert alone / three >= 0.9 * 3


@pytest.mark.parametrize("room", [1, 2, 8])
def test_questions_about_a_clip_stay_together(room):
    """Hardly a clip has to be prepared by a second replica, though none waits while there is work."""
    fleet = Fleet(room, room, room)
    run(fleet.all(100, 8))
    assert sum(len(set(numbers)) for numbers in fleet.took.values()) <= 1.1 * 100


def test_a_clip_has_one_home_while_its_home_has_room():
    """Also where another replica has more."""

    async def main():
        fleet = Fleet(2, 2)
        first = [asyncio.ensure_future(fleet.answer(clip)) for clip in ("a", "b", "a", "b")]
        await asyncio.sleep(SECONDS / 2)
        again = [asyncio.ensure_future(fleet.answer(clip)) for clip in ("b", "a", "b")]
        return await asyncio.gather(*first, *again)

    assert run(main()) == [0, 1, 0, 1, 1, 0, 1]


def test_the_faster_replica_takes_more():
    """Nobody is bound to a replica before that has room: one that takes a hundredth of the time does nearly all."""

    async def main():
        fleet = Fleet(1, 1)

        async def answer(clip):
            async with fleet.dealing.turn(clip) as number:
                await asyncio.sleep((1.0, 0.01)[number])
                return number

        return Counter(await asyncio.gather(*(answer(clip) for clip in range(60))))

    assert run(main())[1] >= 58


def test_no_replica_has_more_than_it_has_room_for():
    """Different replicas have different room, and use all of it."""
    fleet = Fleet(1, 3, 5)
    run(fleet.all(30, 4))
    assert fleet.most == {0: 1, 1: 3, 2: 5}


def test_the_last_clips_questions_are_shared_out():
    """One clip with many questions is left at the end: replicas without work take of them, each after the other."""
    fleet = Fleet(1, 1, 1)
    took = run(fleet.all(1, 30))
    assert took <= 30 * SECONDS / 3 * 1.1
    assert set(Counter(fleet.took["clip 0"])) == {0, 1, 2}


def test_questions_without_a_clip_go_where_there_is_room():
    """They belong nowhere, and leave nothing behind."""

    async def main():
        fleet = Fleet(1, 2)
        numbers = await asyncio.gather(*(fleet.answer(None) for _ in range(6)))
        return Counter(numbers), fleet.dealing._homes

    assert run(main()) == ({0: 2, 1: 4}, {})


def test_a_question_that_is_given_up_gives_its_place_back():
    """Whether it waits still, has been given a place just now, or is with a replica."""

    async def main():
        fleet = Fleet(1)
        asked = [asyncio.ensure_future(fleet.answer("a")) for _ in range(4)]
        await asyncio.sleep(SECONDS / 2)
        asked[1].cancel()  # waits
        await asyncio.sleep(0)
        asked[0].cancel()  # is with the replica, and its place goes to the third
        await asyncio.sleep(0)
        asked[2].cancel()
        return [type(answer) for answer in await asyncio.gather(*asked, return_exceptions=True)]

    assert run(main()) == [asyncio.CancelledError] * 3 + [int]


def test_homes_are_forgotten_in_time(monkeypatch):
    """A run of a million clips doesn't remember them all, and a clip that comes back finds a replica."""
    monkeypatch.setattr(dealing, "REMEMBERED", 3)
    fleet = Fleet(1, 1)
    run(fleet.all(50, 2))
    assert len(fleet.dealing._homes) == 3 + 2 * 2
    assert run(fleet.answer("clip 0")) in (0, 1)


def test_a_home_that_is_forgotten_while_questions_wait_there_loses_none(monkeypatch):
    """New questions about the clip may find another home; all are answered."""
    monkeypatch.setattr(dealing, "REMEMBERED", -4)

    async def main():
        fleet = Fleet(1, 1)
        clips = itertools.islice(itertools.cycle("abcde"), 40)
        return await asyncio.gather(*(fleet.answer(clip) for clip in clips))

    assert len(run(main())) == 40


def test_a_replica_that_leaves_loses_no_question():
    """What waits for it goes to another, before what came later; what was with it can be asked again there."""

    async def main():
        fleet, order = Fleet(1, 1), []

        async def ask(clip, number):
            async with fleet.dealing.turn(clip) as replica:
                await asyncio.sleep(SECONDS)
                order.append((number, replica))

        asked = [asyncio.ensure_future(ask(clip, number)) for number, clip in enumerate("abababcc")]
        await asyncio.sleep(SECONDS / 2)
        fleet.dealing.leave(0)
        fleet.dealing.leave(0)
        await asyncio.gather(*asked)
        return order, dict(fleet.dealing._homes)

    order, homes = run(main())
    assert sorted(number for number, _ in order) == list(range(8))
    assert [replica for number, replica in order if number] == [1] * 7
    assert [number for number, _ in order if number] == [1, 3, 5, 2, 4, 6, 7]
    assert set(homes.values()) == {1}


def test_a_place_at_a_replica_that_left_is_given_to_nobody():
    """Its questions give it back as they are asked elsewhere; who comes in its place has all of its own room."""

    async def main():
        fleet = Fleet(2)
        gone = [fleet.dealing.turn("a") for _ in range(2)]
        for turn in gone:
            await turn.__aenter__()
        fleet.dealing.leave(0)
        waiting = [asyncio.ensure_future(fleet.answer("a")) for _ in range(4)]
        for turn in gone:
            await turn.__aexit__(None, None, None)
        await asyncio.sleep(SECONDS)
        assert not any(question.done() for question in waiting)
        fleet.dealing.join(1, 1)
        return await asyncio.gather(*waiting), fleet.most

    assert run(main()) == ([1] * 4, {1: 1})
