"""How far a zone's clock is from UTC, and when that changes."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, tzinfo
from functools import lru_cache

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
DAY_SECONDS = 86_400
YEAR_SECONDS = 366 * DAY_SECONDS


def offset_at(seconds: int, clock: tzinfo) -> int:
    """The clock's distance from UTC in seconds, at a moment given as Unix seconds."""
    offset = datetime.fromtimestamp(seconds, tz=clock).utcoffset()
    return int(offset.total_seconds()) if offset is not None else 0


def turning_point(low: int, high: int, clock: tzinfo) -> int:
    """The first Unix second within (low, high] that has the offset of `high`, one change lying between them."""
    after = offset_at(high, clock)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if offset_at(middle, clock) == after else (middle, high)
    return high


def first_instant(day: date, at: time, clock: tzinfo) -> int:
    """The Unix second at which the clock first shows this local time.

    A local time that the spring change skips moves forward to the change itself, the next local time that exists; of
    the two instants of an autumn hour the first is taken.
    """
    local = datetime.combine(day, at)
    moment = int(local.replace(tzinfo=clock, fold=0).timestamp())
    if datetime.fromtimestamp(moment, tz=clock).replace(tzinfo=None) == local:
        return moment
    before = int(local.replace(tzinfo=clock, fold=1).timestamp())
    return turning_point(before, moment, clock)


@lru_cache(maxsize=1024)
def _year(clock: tzinfo, year: int) -> tuple[Ints, Ints]:
    """Unix seconds at which an offset of the year begins to hold, and the offsets [seconds]."""
    first = int(datetime(year, 1, 1, tzinfo=UTC).timestamp())
    days = range(first, first + YEAR_SECONDS + 1, DAY_SECONDS)
    offsets = [datetime.fromtimestamp(second, tz=clock).utcoffset() for second in days]
    starts, values = [first], [offset_at(first, clock)]
    for second, before, after in zip(days, offsets, offsets[1:], strict=False):
        if before != after:
            starts.append(turning_point(second, second + DAY_SECONDS, clock))
            values.append(offset_at(second + DAY_SECONDS, clock))
    return np.array(starts, dtype=np.int64), np.array(values, dtype=np.int64)


def changes(clock: tzinfo, first_year: int, last_year: int) -> tuple[Ints, Ints, Ints]:
    """When the clock's distance from UTC changes between two years, both included.

    Returns:
        Unix seconds [C] at which each change happens, ascending, and the offsets [seconds] before and after it.
    """
    tables = [_year(clock, year) for year in range(first_year, last_year + 1)]
    starts, values = (np.concatenate(column) for column in zip(*tables, strict=True))
    # The table of a year reaches into the next, so a change about new year stands in both.
    starts, first = np.unique(starts, return_index=True)
    values = values[first]
    at = np.flatnonzero(values[1:] != values[:-1]) + 1
    return starts[at], values[at - 1], values[at]


def offsets_of(seconds_T: Ints, clock: tzinfo) -> Ints:
    """The clock's distance from UTC [T, seconds] at each Unix second.

    Offsets are looked up in a table of the zone's changes, because asking a `ZoneInfo` stamp by stamp takes
    microseconds each.
    """
    if not seconds_T.size:
        return np.zeros(0, dtype=np.int64)
    ends = (datetime.fromtimestamp(int(bound), tz=UTC).year for bound in (seconds_T.min(), seconds_T.max()))
    tables = [_year(clock, year) for year in range(next(ends), next(ends) + 1)]
    starts, values = (np.concatenate(column) for column in zip(*tables, strict=True))
    order = np.argsort(starts, kind="stable")
    return np.asarray(values[order][np.searchsorted(starts[order], seconds_T, side="right") - 1])
