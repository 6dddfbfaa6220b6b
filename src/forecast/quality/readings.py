"""`Readings`: one series laid on its civil days, beside what its neighbours in time say.

T periods, D civil days, N slots of a civil day, K neighbours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd

from forecast.calendars import local_parts
from forecast.tables import Demand, Series

Doubles = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

SIGMA = 1.4826  # standard deviation of a normal distribution over its median absolute value
WEEKS = (-28, -21, -14, -7, 7, 14, 21, 28)
RESTS = (-21, -14, -7, 0, 7, 14)
DAYS = (-3, -2, -1, 1, 2, 3)
LEAST = 3
"""Neighbours that must be there before anything is expected."""
SEASON = 61
"""Days around a day whose residuals say how large they are there."""


@dataclass(frozen=True, eq=False)
class Readings:
    """One series on its civil days.

    Attributes:
        unique_id: its name.
        zone: its civil zone.
        start: start of the first period (UTC).
        step: length of a period.
        y_T: float64, NaN where missing or not yet known.
        place_T: each period's place on the flat grid of civil days, `day * slots + slot`.
        slots: N, periods of a civil day of 24 hours.
        offset_T: local clock minus UTC [seconds].
    """

    unique_id: str
    zone: str
    start: pd.Timestamp
    step: pd.Timedelta
    y_T: Doubles
    place_T: Ints
    slots: int
    offset_T: Ints

    @classmethod
    def of(cls, demand: Demand, one: Series) -> Readings:
        """The readings that a table shows of one of its series."""
        parts = local_parts(demand.stamps(one), one.zone)
        seconds_T = demand.stamps(one).as_unit("s").asi8 + parts.utc_offset_seconds
        length = int(demand.step.total_seconds())
        slots = -(-86_400 // length)
        place_T = (parts.date_ordinal - parts.date_ordinal[0]) * slots + seconds_T % 86_400 // length
        y_T = demand.observed(one).astype(np.float64)
        return cls(one.unique_id, one.zone, one.start, demand.step, y_T, place_T, slots, parts.utc_offset_seconds)

    def __len__(self) -> int:
        return len(self.y_T)

    def without(self, wrong_T: Bools) -> Readings:
        """The same readings, some of them taken for missing."""
        return replace(self, y_T=np.where(wrong_T, np.nan, self.y_T))

    def stamp(self, row: int) -> pd.Timestamp:
        """Start of a period (UTC)."""
        return self.start + row * self.step

    def rows(self, length: str) -> int:
        """How many periods a length of time holds, at least one."""
        return max(1, int(pd.Timedelta(length) / self.step + 0.5))

    def lie(self, values_T: Doubles) -> Doubles:
        """Values on the flat grid of civil days [D * N]; NaN in the hour that the clock skips."""
        flat = np.full((int(self.place_T[-1]) // self.slots + 1) * self.slots, np.nan)
        flat[self.place_T[::-1]] = values_T[::-1]  # of an hour that the clock repeats, the first
        return flat

    @cached_property
    def level(self) -> float:
        """Median of the absolute readings."""
        return float(np.nanmedian(np.abs(self.y_T))) if np.isfinite(self.y_T).any() else 0.0

    @cached_property
    def expected_T(self) -> Doubles:
        """Median of the same local time on the neighbouring weeks' same weekdays, else of the days around."""
        return expected(self.lie(self.y_T), self.slots)[self.place_T]

    @cached_property
    def residual_T(self) -> Doubles:
        """Readings minus what neighbours say."""
        return self.y_T - self.expected_T

    @cached_property
    def deviation_T(self) -> Doubles:
        """Robust deviation of the residuals at each period: by slot, times how wide its season is."""
        flat = np.abs(self.lie(self.residual_T)).reshape(-1, self.slots)
        by_slot_N = np.maximum(around(median(flat), self.rows("1h")), 1e-4 * self.level + 1e-12)
        by_day_D = pd.Series(median((flat / by_slot_N).T))
        season_D = by_day_D.rolling(SEASON, center=True, min_periods=1).median().fillna(1.0).clip(0.5, 4.0).to_numpy()
        return np.asarray(SIGMA * (season_D[:, None] * by_slot_N).ravel()[self.place_T])


def expected(flat: Doubles, slots: int) -> Doubles:
    """What the same weekday's same time said one to four weeks away; where too few are known, the three days around."""
    said = neighbours(flat, slots, WEEKS)
    lacking = np.isnan(said)
    if lacking.any():
        said[lacking] = neighbours(flat, slots, DAYS)[lacking]
    return said


def neighbours(flat: Doubles, slots: int, days: Sequence[int]) -> Doubles:
    """Median [D * N] of the values some days away; NaN where fewer than `LEAST` are known."""
    shifted_KP = np.full((len(days), len(flat)), np.nan)
    for place, day in enumerate(days):
        by = day * slots
        if 0 < by < len(flat):
            shifted_KP[place, :-by] = flat[by:]
        elif -len(flat) < by < 0:
            shifted_KP[place, -by:] = flat[:by]
    return _enough(shifted_KP)


def restful(flat: Doubles, slots: int) -> Doubles:
    """Median [D * N] of the same time on the nearest days of rest: of the weekday with the lowest demand.

    A public holiday looks like one; no list of holidays is needed to see that.
    """
    days_DN = flat.reshape(-1, slots)
    count = np.arange(len(days_DN))
    means_D = median(days_DN.T)
    quiet = [float(np.median(part[np.isfinite(part)])) if np.isfinite(part := means_D[day::7]).any() else np.inf
             for day in range(7)]  # fmt: skip
    ahead_D = (int(np.argmin(quiet)) - count) % 7
    shifted_KDN = np.full((len(RESTS), *days_DN.shape), np.nan)
    for place, week in enumerate(RESTS):
        from_D = count + ahead_D + week
        kept = (from_D >= 0) & (from_D < len(days_DN)) & (from_D != count)
        shifted_KDN[place, kept] = days_DN[from_D[kept]]
    return _enough(shifted_KDN.reshape(len(RESTS), -1))


def _enough(values_KP: Doubles) -> Doubles:
    """Median [P] of K neighbours; NaN where fewer than `LEAST` are known."""
    return np.where(np.isfinite(values_KP).sum(0) >= LEAST, median(values_KP), np.nan)


def median(values_DN: Doubles) -> Doubles:
    """Median [N] of each column, NaN left out; NaN where all are."""
    ordered = np.sort(values_DN, axis=0)  # NaN comes last
    count = np.isfinite(ordered).sum(0)
    columns = np.arange(values_DN.shape[1])
    high = np.minimum(count // 2, len(ordered) - 1)
    return np.asarray((ordered[np.maximum(count - 1, 0) // 2, columns] + ordered[high, columns]) / 2)


def around(values_N: Doubles, reach: int) -> Doubles:
    """Mean [N] of each slot and those up to `reach` before and after, over midnight; NaN left out."""
    size = len(values_N)
    near = (np.arange(size)[:, None] + np.arange(-reach, reach + 1)) % size
    known = np.isfinite(values_N)
    total = np.where(known, values_N, 0.0)[near].sum(1)
    return np.asarray(total / np.maximum(known[near].sum(1), 1))


def robust(values: Doubles) -> float:
    """Robust deviation of values around zero: 1.4826 times the median of their absolute values; 0 where none is."""
    known = np.abs(values[np.isfinite(values)])
    return SIGMA * float(np.median(known)) if len(known) else 0.0


def tail(values: Doubles) -> float:
    """Twice the size that one value in two hundred exceeds; 0 where none is known.

    For normal noise that is 5.6 standard deviations; for a series that jumps by nature it is far more.
    """
    known = np.abs(values[np.isfinite(values)])
    return 2 * float(np.percentile(known, 99.5)) if len(known) else 0.0


def runs(marked_T: Bools, join: int = 0) -> list[tuple[int, int]]:
    """First and last row of every run of marked rows; runs at most `join` unmarked rows apart are one.

    >>> runs(np.array([False, True, True, False, True]))
    [(1, 2), (4, 4)]
    """
    rows = np.flatnonzero(marked_T)
    if not len(rows):
        return []
    cuts = np.flatnonzero(np.diff(rows) > join + 1)
    firsts, lasts = rows[np.r_[0, cuts + 1]], rows[np.r_[cuts, len(rows) - 1]]
    return [(int(first), int(last)) for first, last in zip(firsts, lasts, strict=True)]
