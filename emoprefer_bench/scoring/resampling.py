"""The randomisation test on tables of counts: two judges' verdicts exchanged, clip by clip, by a coin."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from emoprefer_bench.scoring.counts import Floats

_COINS_AT_ONCE = 2_000_000  # of an array of draws by clips: some 8 MB


def exchanged(by_clip: Floats, seed: int, draws: int) -> Iterator[Floats]:
    """Exchange the two judges of tables (clips, 2 judges, ...) on each clip by a coin, and add up.

    Yields one array (draws, 2, ...) after another, without an end, the same ones for the same clips in any order.
    """
    rng = np.random.default_rng(seed)
    shape, change = by_clip.shape[1:], (by_clip[:, 1] - by_clip[:, 0]).reshape(len(by_clip), -1)
    kinds, count = kinds_of(change[change.any(-1)])
    sorted_change = np.repeat(kinds, count, axis=0)  # so that the order of the clips doesn't matter
    cells = sorted_change.any(0)
    coins = functools.partial(_coins, rng, draws, sorted_change[:, cells].astype(np.float32))
    first, second = by_clip.sum(0)
    while True:
        moved = np.zeros((draws, change.shape[1]))
        moved[:, cells] = coins()
        taken = moved.reshape(draws, *shape[1:])
        yield np.stack([first + taken, second - taken], axis=1)


def kinds_of(tables: Floats) -> tuple[Floats, NDArray[np.intp]]:
    """Find the distinct tables of counts (n, ...), sorted, and how often each occurs. Comparing bytes is fast."""
    exact = np.ascontiguousarray(tables, dtype=np.float32)
    if not exact.size:  # no rows, or no rounds
        return tables[:1], np.full(len(tables[:1]), len(tables))
    as_bytes = exact.reshape(len(exact), -1).view(np.dtype((np.void, exact[0].nbytes))).ravel()
    _, where, count = np.unique(as_bytes, return_index=True, return_counts=True)
    return tables[where], count


def _coins(rng: np.random.Generator, draws: int, change: NDArray[np.float32]) -> NDArray[np.float32]:
    """Add up the rows of `change` (clips, cells) on which a coin falls heads: (draws, cells)."""
    clips, cells = change.shape
    sums = np.empty((draws, cells), dtype=np.float32)
    at_once = max(1, _COINS_AT_ONCE // max(1, clips))
    for start in range(0, draws, at_once):
        size = min(at_once, draws - start)
        coins = rng.integers(256, size=(size, -(-clips // 8)), dtype=np.uint8)
        sums[start : start + size] = np.unpackbits(coins, axis=1)[:, :clips].astype(np.float32) @ change
    return sums
