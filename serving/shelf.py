"""`Shelf`: things that are kept as long as there is room; what was not used for longest goes first."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

Thing = TypeVar("Thing")


class Shelf(Generic[Thing]):
    """A bounded memory, for several threads.

    Args:
        most_bytes: of everything on it together.

    >>> shelf = Shelf[str](10)
    >>> shelf.put("a", "one", 6); shelf.put("b", "two", 6)
    >>> shelf.get("a"), shelf.get("b")
    (None, 'two')
    """

    def __init__(self, most_bytes: int) -> None:
        self._most, self._bytes = most_bytes, 0
        self._things: OrderedDict[Hashable, tuple[Thing, int]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> Thing | None:
        """What stands under a key."""
        with self._lock:
            found = self._things.get(key)
            if found is None:
                return None
            self._things.move_to_end(key)
            return found[0]

    def put(self, key: Hashable, thing: Thing, size: int) -> None:
        """Puts something in place of what stood there; what is larger than the shelf is not kept."""
        with self._lock:
            self._take(key)
            if size > self._most:
                return
            self._things[key] = (thing, size)
            self._bytes += size
            while self._bytes > self._most:
                self._take(next(iter(self._things)))

    def clear(self) -> None:
        """Takes everything away."""
        with self._lock:
            self._things.clear()
            self._bytes = 0

    @property
    def size(self) -> tuple[int, int]:
        """How many things, and their bytes."""
        return len(self._things), self._bytes

    def _take(self, key: Hashable) -> None:
        found = self._things.pop(key, None)
        self._bytes -= found[1] if found is not None else 0
