"""Which values of a batch the store does not hold yet, and since when each of them counts as known."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, func, select

from forecast import clock
from forecast.store.catalogue import MOST_NAMED, Origin
from forecast.store.reading import Rows, Wish, read_rows
from forecast.store.schema import OBSERVATION, SERIES

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
KEYS = ("series_N", "ds_N", "available_N")


@dataclass(frozen=True, eq=False)
class Loose:
    """Values of one variable from a batch; `stated_N`: whether the source says when each became known."""

    series_N: Ints
    ds_N: Ints
    available_N: Ints
    value_N: npt.NDArray[np.float64]
    stated_N: Bools

    def __len__(self) -> int:
        return len(self.value_N)

    def only(self, chosen: Ints | Bools) -> Loose:
        """Some of the values."""
        return Loose(*(getattr(self, name)[chosen] for name in (*KEYS, "value_N", "stated_N")))


def changes(rows: Loose | Rows, keys: tuple[str, ...]) -> Bools:
    """Where neighbouring rows differ in a key, [N - 1]."""
    differ = np.zeros(max(0, len(rows) - 1), dtype=bool)
    for name in keys:
        differ |= np.diff(getattr(rows, name)) != 0
    return differ


def news(connection: Connection, loose: Loose, variable: int, source: Origin) -> tuple[Loose, Ints, int]:
    """The values that the store does not hold, how many versions of their period it holds, and how many came late."""
    if not len(loose):
        return loose, np.zeros(0, np.int64), 0
    wish = Wish(np.unique(loose.series_N).tolist(), variable, None, int(loose.ds_N.min()), int(loose.ds_N.max()))
    stored = read_rows(connection, [wish])[0]
    count_N, newest_N = _periods(loose, stored)
    held_N, same_N = _held(loose, stored)
    now = -int(-clock.now().value // 1_000_000_000)
    # Without a moment of its own, a number is news when it differs from the newest one.
    repeated_N = np.where(loose.stated_N, held_N & same_N, (count_N > 0) & _equal(newest_N, loose.value_N))
    contradicts_N = ~repeated_N & np.where(loose.stated_N, held_N, count_N > 0)
    late_N = _late(connection, loose, variable, source)
    moved_N = np.where(contradicts_N | late_N, np.maximum(loose.available_N, now), loose.available_N)
    fresh = replace(loose, available_N=moved_N).only(~repeated_N)
    late = int((late_N & ~repeated_N & ~contradicts_N).sum())
    return fresh, count_N[~repeated_N] + _before(fresh), late


def _late(connection: Connection, loose: Loose, variable: int, source: Origin) -> Bools:
    """Values that should have been there when the source was last read; a history before the stored one is none."""
    if source.polled_at is None:
        return np.zeros(len(loose), dtype=bool)
    numbers = np.unique(loose.series_N)
    table = OBSERVATION.c
    first = select(func.min(table.ds)).where(table.series_id == SERIES.c.id, table.variable_id == variable)
    asked = select(SERIES.c.id, first.scalar_subquery())
    if len(numbers) <= MOST_NAMED:
        asked = asked.where(SERIES.c.id.in_(numbers.tolist()))
    begins = {number: ds for number, ds in connection.execute(asked) if ds is not None}
    never = np.iinfo(np.int64).max
    begin_N = np.array([begins.get(int(one), never) for one in numbers])[np.searchsorted(numbers, loose.series_N)]
    due_N = (loose.available_N > 0) & (loose.available_N <= source.polled_at)
    return np.asarray(~loose.stated_N & due_N & (loose.ds_N > begin_N))


def _periods(loose: Loose, stored: Rows) -> tuple[Ints, npt.NDArray[np.float64]]:
    """How many versions of each value's period are stored, and the newest number among them."""
    if not len(stored):
        return np.zeros(len(loose), np.int64), np.full(len(loose), np.nan)
    last_M = np.flatnonzero(np.append(changes(stored, KEYS[:2]), True))
    count_M = np.diff(np.append(-1, last_M))
    place_N = _find(loose, stored, last_M, KEYS[:2])
    found_N = place_N >= 0
    count_N = np.where(found_N, count_M[place_N], 0)
    return count_N, np.where(found_N, stored.value_N[last_M[place_N]], np.nan)


def _held(loose: Loose, stored: Rows) -> tuple[Bools, Bools]:
    """Whether a value's very moment is stored, and with the same number (the last one, where there are several)."""
    if not len(stored):
        return np.zeros(len(loose), dtype=bool), np.zeros(len(loose), dtype=bool)
    last_M = np.flatnonzero(np.append(changes(stored, KEYS), True))
    place_N = _find(loose, stored, last_M, KEYS)
    held_N = place_N >= 0
    return held_N, held_N & _equal(stored.value_N[last_M[place_N]], loose.value_N)


def _equal(one_N: npt.NDArray[np.float64], other_N: npt.NDArray[np.float64]) -> Bools:
    """The same number but for the last bits that writing and reading text may cost."""
    return np.isclose(one_N, other_N, rtol=1e-12, atol=0.0)


def _find(loose: Loose, stored: Rows, rows_M: Ints, keys: tuple[str, ...]) -> Ints:
    """For each value the place among chosen stored rows with the same keys, -1 where there is none."""
    stacked = [np.concatenate([getattr(stored, name)[rows_M], getattr(loose, name)]) for name in keys]
    order = np.lexsort((np.arange(len(stacked[0])), *reversed(stacked)))
    new_L = np.ones(len(order), dtype=bool)
    new_L[1:] = np.any([np.diff(key[order]) != 0 for key in stacked], axis=0)
    # Stored rows come first among equals: each group's first member is theirs, if one is.
    leader_L = order[np.flatnonzero(new_L)[np.cumsum(new_L) - 1]]
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.where(leader_L < len(rows_M), leader_L, -1)
    return place[len(rows_M) :]


def _before(fresh: Loose) -> Ints:
    """How many values of the same period stand before each one."""
    if not len(fresh):
        return np.zeros(0, np.int64)
    starts_N = np.append(True, changes(fresh, KEYS[:2]))
    begin_N = np.flatnonzero(starts_N)[np.cumsum(starts_N) - 1]
    return np.asarray(np.arange(len(fresh)) - begin_N)
