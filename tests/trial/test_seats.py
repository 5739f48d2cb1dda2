from __future__ import annotations

import asyncio
import time

from emoprefer_bench.trial.seats import Slots


def order_of(places, count):
    """In which order questions about the clips at these places come to the model, which takes `count` at once."""

    async def main():
        slots, order = Slots(count), []

        async def ask(place):
            await slots.take(place)
            order.append(place)
            await asyncio.sleep(0.001)
            slots.give()

        await asyncio.gather(*map(ask, places))
        return order

    return asyncio.run(main())


def test_the_clip_that_was_opened_first_goes_first():
    """Whoever came later, about an earlier clip, overtakes those that wait."""
    assert order_of([5, 3, 4, 1, 2], 1) == [5, 1, 2, 3, 4]


def test_no_more_are_with_the_model_than_it_wants():
    """Twenty questions, and never more than three at once."""

    async def main():
        slots, inside, most = Slots(3), 0, 0

        async def ask(place):
            nonlocal inside, most
            await slots.take(place)
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0)
            inside -= 1
            slots.give()

        await asyncio.gather(*map(ask, range(20)))
        return most

    assert asyncio.run(main()) == 3


def test_a_question_that_is_given_up_leaves_its_slot_to_the_next():
    """Cancelled while it waits, or at the very moment of its turn."""

    async def main():
        slots = Slots(1)
        await slots.take(0)
        waiting = [asyncio.create_task(slots.take(place)) for place in (1, 2)]
        await asyncio.sleep(0)
        slots.give()
        waiting[0].cancel()
        await asyncio.wait_for(waiting[1], 1)
        slots.give()
        await asyncio.wait_for(slots.take(3), 1)
        return waiting[0].cancelled()

    assert asyncio.run(main())


def test_the_time_that_the_model_had_nothing_to_do_is_told_to_the_first_that_comes():
    """Not to those that come while it works."""

    async def main():
        slots = Slots(2)
        time.sleep(0.02)  # noqa: ASYNC251  # nothing else runs here
        return await slots.take(0), await slots.take(0)

    first, second = asyncio.run(main())
    assert first > 0.015
    assert second == 0
