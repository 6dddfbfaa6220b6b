"""Calendar tables that requests share: the same zone, country and clock are described once, not for every forecast."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock

import numpy as np
import numpy.typing as npt

KEPT = 64
"""Tables that are kept; the one that was asked for longest ago goes first."""
MOST_ROWS = 20_000
"""Longer tables are those of trainings: made once, and not kept."""
SPARE_ROWS, SPARE_NS = 4096, 370 * 86_400 * 10**9
"""A kept table reaches so far to either side of what is asked, by the smaller of the two."""


@dataclass(frozen=True)
class Place:
    """Whose calendar: everything that a row's columns depend on beside its stamp.

    Attributes:
        zone, country: of the series; None: no public holidays.
        step, phase: of its clock, nanoseconds; row r starts at `phase + r * step`.
        year_end, seasons, bridge_days, weekends: as in `civil.civil_clock`.
    """

    zone: str
    country: str | None
    step: int
    phase: int
    year_end: bool
    seasons: bool
    bridge_days: bool
    weekends: bool


@dataclass(frozen=True, eq=False)
class Table:
    """The columns of `civil.CivilClock` from one row on; arrays that nobody may write."""

    first: int
    columns_RK: npt.NDArray[np.float32]
    context_R3: npt.NDArray[np.float32]
    day_type_R: npt.NDArray[np.int8]
    offset_R: npt.NDArray[np.int32]

    def covers(self, first: int, last: int) -> bool:
        """Whether it holds the rows from `first` to `last` (exclusive)."""
        return self.first <= first and last <= self.first + len(self.day_type_R)


Describe = Callable[[Place, int, int], Table]
_kept: OrderedDict[Place, Table] = OrderedDict()
_lock = Lock()


def table(place: Place, first: int, last: int, describe: Describe) -> Table:
    """A table that holds the rows from `first` to `last` (exclusive), and perhaps more.

    Args:
        place: whose calendar.
        first, last: rows on the clock of the place.
        describe: makes one for exactly these rows.
    """
    if last - first > MOST_ROWS:
        return describe(place, first, last)
    with _lock:
        found = _kept.get(place)
        if found is not None and found.covers(first, last):
            _kept.move_to_end(place)
            return found
    spare = max(1, min(SPARE_ROWS, SPARE_NS // place.step))
    made = describe(place, first - spare, last + spare)
    for array in (made.columns_RK, made.context_R3, made.day_type_R, made.offset_R):
        array.flags.writeable = False
    with _lock:
        _kept[place] = made
        _kept.move_to_end(place)
        while len(_kept) > KEPT:
            _kept.popitem(last=False)
    return made
