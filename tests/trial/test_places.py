from __future__ import annotations

import hashlib

from emoprefer_bench.trial.places import Places


def key(number):
    """The key of a question."""
    return hashlib.sha256(str(number).encode()).hexdigest()


def test_every_key_finds_its_place_however_many_there_are():
    """Growing moves entries and loses none; what was not put is not found."""
    places = Places()
    for number in range(5000):
        places.put(key(number), number)
    assert [places.get(key(number)) for number in range(5000)] == list(range(5000))
    assert places.get(key(5000)) is None
    assert len(places) == 5000


def test_the_last_place_of_a_key_counts():
    """A key that is put again is one entry."""
    places = Places()
    for place in (1, 2):
        places.put(key(0), place)
    assert (places.get(key(0)), len(places)) == (2, 1)


def test_keys_that_want_the_same_slot_stand_beside_each_other():
    """Low bits alike, or all of them zero: still entries of their own."""
    places = Places()
    keys = [f"{high:012x}0000" + "0" * 48 for high in range(600)]
    for number, one in enumerate(keys):
        places.put(one, number)
    assert [places.get(one) for one in keys] == list(range(600))


def test_an_entry_takes_few_bytes():
    """A hundred thousand answers are 2 to 6 MB of index."""
    places = Places()
    for number in range(100_000):
        places.put(key(number), number)
    assert places._bits.itemsize * len(places._bits) * 2 < 6_000_000
