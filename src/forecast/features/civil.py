"""What the civil clock says about each period: hour, day type, holidays, seasons of the year."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from forecast.calendars import holiday_flags, local_parts
from forecast.tables import Demand
from forecast.windows import Floats, Ints, RawBatch

HOURS = 24
HOLIDAYS_AWAY = (0, 1, -1, -7, -2, -3, -4, -5, -6)
YEAR_END_WEEKS, YEAR_END_FIRST = 4, -14
"""Four weeks about new year have a column each, the first of them 14 days before 1 January."""
NAMES = (
    *[f"hour {hour}" for hour in range(HOURS)],
    *[f"day harmonic {k} {wave}" for k in (1, 2, 3, 4) for wave in ("sin", "cos")],
    *[f"weekday {day}" for day in range(7)],
    *[f"year harmonic {k} {wave}" for k in (1, 2, 3) for wave in ("sin", "cos")],
    *["public holiday", "eve of a public holiday", "day after a public holiday", "public holiday a week before"],
    *[f"public holiday {days} days before" for days in range(2, 7)],
    *[f"{week}. week about new year" for week in range(1, YEAR_END_WEEKS + 1)],
)
SEASONS = slice(NAMES.index("year harmonic 1 sin"), NAMES.index("year harmonic 3 cos") + 1)
DAY_TYPES = ("workday", "Saturday", "Sunday or holiday")
FREE = len(DAY_TYPES) - 1


@dataclass(frozen=True, eq=False)
class CivilClock:
    """Calendar columns of every row that some windows touch, one table per zone, shared by all its series.

    Attributes:
        columns_RK: float32 [rows, len(NAMES)].
        context_R3: float32, the part of it that the context shows: wave of the day (sin, cos), weekend or holiday.
        day_type_R: place in `DAY_TYPES`.
        offset_R: the zone's distance from UTC in seconds.
        base_S: row of each series' own row 0.
    """

    columns_RK: Floats
    context_R3: Floats
    day_type_R: npt.NDArray[np.int8]
    offset_R: npt.NDArray[np.int32]
    base_S: Ints

    def rows(self, batch: RawBatch, steps: Ints) -> Ints:
        """Rows [B, len(steps)] of the steps relative to each window's origin."""
        return np.asarray((self.base_S[batch.series_B] + batch.row_B)[:, None] + steps)


def civil_clock(
    demand: Demand, first_row: int, last_row: int, *, year_end: bool = True, seasons: bool = True
) -> CivilClock:
    """The calendar of a demand from `first_row` (may be negative) to `last_row` (exclusive) of each series.

    Without `year_end` the weeks about new year are never marked; without `seasons` the year's harmonics are zero.
    """
    parts: list[tuple[pd.DatetimeIndex, str]] = []
    base_S = np.zeros(len(demand.series), dtype=np.int64)
    offset = 0
    for zone, numbers in _by_zone(demand).items():
        starts = [demand.series[number].start for number in numbers]
        early = min(starts)
        shifts = [int((start - early) / demand.step) for start in starts]
        size = last_row - first_row + max(shifts)
        parts.append((pd.date_range(early + first_row * demand.step, periods=size, freq=demand.step), zone[0]))
        for number, shift in zip(numbers, shifts, strict=True):
            base_S[number] = offset + shift - first_row
        offset += size
    tables = [_describe(stamps, zone, demand) for stamps, zone in parts]
    columns, context, day_type, utc_offset = (np.concatenate(column) for column in zip(*tables, strict=True))
    if not year_end:
        columns[:, -YEAR_END_WEEKS:] = 0
    if not seasons:
        columns[:, SEASONS] = 0
    return CivilClock(columns, context, day_type, utc_offset, base_S)


def _by_zone(demand: Demand) -> dict[tuple[str, int], list[int]]:
    """Series that can share one calendar: same zone, same phase of the clock."""
    groups: dict[tuple[str, int], list[int]] = {}
    for number, one in enumerate(demand.series):
        groups.setdefault((one.zone, one.start.value % demand.step.value), []).append(number)
    return groups


def _describe(
    stamps: pd.DatetimeIndex, zone: str, demand: Demand
) -> tuple[Floats, Floats, npt.NDArray[np.int8], npt.NDArray[np.int32]]:
    local = local_parts(stamps, zone)
    holiday = _Holidays(local.date_ordinal, demand.country)
    turn_R = local.minute_of_day / 1440.0
    year_R = local.year_fraction
    columns = [np.asarray(local.hour == hour) for hour in range(HOURS)]
    columns += [wave(2 * np.pi * k * turn_R) for k in (1, 2, 3, 4) for wave in (np.sin, np.cos)]
    columns += [local.weekday == day for day in range(7)]
    columns += [wave(2 * np.pi * k * year_R) for k in (1, 2, 3) for wave in (np.sin, np.cos)]
    columns += [holiday.on(away) for away in HOLIDAYS_AWAY]
    week_R = _year_end_week(year_R)
    columns += [week_R == week for week in range(YEAR_END_WEEKS)]
    matrix = np.stack([np.asarray(column, dtype=np.float32) for column in columns], axis=1)
    free = holiday.on(0)
    wave_of_day = NAMES.index("day harmonic 1 sin")
    weekend_or_holiday = (free | (local.weekday >= 5)).astype(np.float32)
    context = np.column_stack([matrix[:, wave_of_day : wave_of_day + 2], weekend_or_holiday])
    day_type = np.where(free | (local.weekday == 6), FREE, local.weekday == 5).astype(np.int8)
    return matrix, context, day_type, local.utc_offset_seconds.astype(np.int32)


def _year_end_week(year_R: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Weeks since 14 days before the nearest new year; outside 0 to 3 for the rest of the year."""
    days_R = np.where(year_R > 0.5, year_R - 1, year_R) * 365.25
    return np.floor((days_R - YEAR_END_FIRST) / 7)


class _Holidays:
    """Public holidays by civil date, asked some days ahead of each row."""

    def __init__(self, ordinal_R: Ints, country: str | None) -> None:
        self.ordinal_R = ordinal_R
        days = np.unique(ordinal_R)
        self.first = int(days[0]) - 8
        span = np.arange(self.first, int(days[-1]) + 9)
        code, _, subdivision = (country or "").partition("-")
        self.flags = holiday_flags(span, code or None, subdivision or None)

    def on(self, ahead: int) -> npt.NDArray[np.bool_]:
        return np.asarray(self.flags[self.ordinal_R - self.first + ahead])
