"""An index in 16 bytes an entry and a half as many to grow: a dict of Python's takes three hundred."""

from __future__ import annotations

from array import array

_FIRST = 1 << 10  # slots; always a power of two


class Places:
    """From keys to where their answers lie, by 64 bits of the key: look there whether it is the one."""

    def __init__(self) -> None:
        self._count = 0
        self._make(_FIRST)

    def __len__(self) -> int:
        return self._count

    def get(self, key: str) -> int | None:
        """The place of a key (hex digits), or None."""
        slot = self._slot(_bits(key))
        return self._places[slot] if self._bits[slot] else None

    def put(self, key: str, place: int) -> None:
        """Set the place of a key."""
        if 3 * self._count >= 2 * len(self._bits):
            self._grow()
        bits = _bits(key)
        slot = self._slot(bits)
        self._count += not self._bits[slot]
        self._bits[slot], self._places[slot] = bits, place

    def _slot(self, bits: int) -> int:
        """Where these bits are, or else the free slot that they would take."""
        mask = len(self._bits) - 1
        slot = bits & mask
        while self._bits[slot] not in (0, bits):
            slot = (slot + 1) & mask
        return slot

    def _make(self, slots: int) -> None:
        self._bits, self._places = array("Q", bytes(8 * slots)), array("Q", bytes(8 * slots))

    def _grow(self) -> None:
        old = zip(self._bits, self._places, strict=True)
        self._make(2 * len(self._bits))
        for bits, place in old:
            if bits:
                slot = self._slot(bits)
                self._bits[slot], self._places[slot] = bits, place


def _bits(key: str) -> int:
    return int(key[:16], 16) or 1  # 0 is a free slot
