"""What was made of the last few clips, for several threads: each thing once, by the first that wants it."""

from __future__ import annotations

import threading
from collections import OrderedDict
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable


class Kept:
    """The last `most` things that were made, by their keys."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._made: OrderedDict[Hashable, Future[Any]] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """Return what the key stands for; one thread makes it, and all others that want it wait.

        Raises, in each of them, what `make` raises; then it is made anew for who asks next.
        """
        with self._lock:
            made = self._made.get(key)
            if mine := made is None:
                made = self._made[key] = Future()
                while len(self._made) > self._most:
                    self._made.popitem(last=False)
            self._made.move_to_end(key)
        if mine:
            try:
                made.set_result(make())
            except Exception as error:  # noqa: BLE001  # it is raised below, here and in all who wait
                with self._lock:
                    self._made.pop(key, None)
                made.set_exception(error)
        return made.result()
