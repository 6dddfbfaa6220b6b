"""What the civil clock says about each period: hour, day type, holidays, seasons of the year."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from forecast.calendars import day_kinds, local_parts
from forecast.features.civil_tables import Place, Table, table
from forecast.tables import Demand
from forecast.windows import Floats, Ints, RawBatch

HOURS = 24
SATURDAY = 5
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
    "bridge day",
)
YEAR_END = slice(NAMES.index("1. week about new year"), NAMES.index(f"{YEAR_END_WEEKS}. week about new year") + 1)
SEASONS = slice(NAMES.index("year harmonic 1 sin"), NAMES.index("year harmonic 3 cos") + 1)
DAY_TYPES = ("workday", "Saturday", "Sunday or holiday")
"""Where the weekend lies on other days: Friday is a Sunday, the other day of rest a Saturday."""
MAIN_REST = (4, 6)
FREE = len(DAY_TYPES) - 1


def names(*, bridge_days: bool) -> tuple[str, ...]:
    """The calendar's columns, with or without the last one, that of bridge days."""
    return NAMES if bridge_days else NAMES[:-1]


@dataclass(frozen=True, eq=False)
class CivilClock:
    """Calendar columns of every row that some windows touch, one table per zone and country, shared by its series.

    Attributes:
        columns_RK: float32 [rows, len(names)].
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
    demand: Demand,
    first_row: int,
    last_row: int,
    *,
    year_end: bool = True,
    seasons: bool = True,
    bridge_days: bool = True,
    weekends: bool = True,
) -> CivilClock:
    """The calendar of a demand from `first_row` (may be negative) to `last_row` (exclusive) of each series.

    Without `year_end` the weeks about new year are never marked; without `seasons` the year's harmonics are zero;
    without `bridge_days` they have no column; without `weekends` all countries rest on Saturday and Sunday.
    """
    step, shown = demand.step.value, (year_end, seasons, bridge_days, weekends)
    base_S = np.zeros(len(demand.series), dtype=np.int64)
    parts, offset = [], 0
    for (zone, country, phase), numbers in _by_place(demand).items():
        rows = [demand.series[number].start.value // step for number in numbers]
        first, last = min(rows) + first_row, max(rows) + last_row
        whole = table(Place(zone, country, step, phase, *shown), first, last, _described)
        parts.append((whole, slice(first - whole.first, last - whole.first)))
        for number, row in zip(numbers, rows, strict=True):
            base_S[number] = offset + row - first
        offset += last - first
    if len(parts) == 1:
        whole, used = parts[0]
        return CivilClock(whole.columns_RK, whole.context_R3, whole.day_type_R, whole.offset_R, base_S + used.start)
    return CivilClock(
        np.concatenate([one.columns_RK[used] for one, used in parts]),
        np.concatenate([one.context_R3[used] for one, used in parts]),
        np.concatenate([one.day_type_R[used] for one, used in parts]),
        np.concatenate([one.offset_R[used] for one, used in parts]), base_S,
    )  # fmt: skip


def _by_place(demand: Demand) -> dict[tuple[str, str | None, int], list[int]]:
    """Series that can share one calendar: same zone, same country, same phase of the clock."""
    groups: dict[tuple[str, str | None, int], list[int]] = {}
    for number, one in enumerate(demand.series):
        place = (one.zone, one.country or demand.country, one.start.value % demand.step.value)
        groups.setdefault(place, []).append(number)
    return groups


def _described(place: Place, first: int, last: int) -> Table:
    """The calendar of some rows of a place's clock."""
    columns, context, day_type, utc_offset = _describe(place, place.phase + place.step * np.arange(first, last))
    if not place.year_end:
        columns[:, YEAR_END] = 0
    if not place.seasons:
        columns[:, SEASONS] = 0
    shown = np.ascontiguousarray(columns[:, : len(names(bridge_days=place.bridge_days))])
    return Table(first, shown, context, day_type, utc_offset)


def _describe(place: Place, ns_R: Ints) -> tuple[Floats, Floats, npt.NDArray[np.int8], npt.NDArray[np.int32]]:
    local = local_parts(ns_R, place.zone)
    holiday = _Holidays(local.date_ordinal, place.country)
    turn_R = local.minute_of_day / 1440.0
    year_R = local.year_fraction
    columns = [np.asarray(local.hour == hour) for hour in range(HOURS)]
    columns += [wave(2 * np.pi * k * turn_R) for k in (1, 2, 3, 4) for wave in (np.sin, np.cos)]
    columns += [local.weekday == day for day in range(7)]
    columns += [wave(2 * np.pi * k * year_R) for k in (1, 2, 3) for wave in (np.sin, np.cos)]
    columns += [holiday.on(away) for away in HOLIDAYS_AWAY]
    week_R = _year_end_week(year_R)
    columns += [week_R == week for week in range(YEAR_END_WEEKS)] + [holiday.bridge]
    matrix = np.stack([np.asarray(column, dtype=np.float32) for column in columns], axis=1)
    free, rest = holiday.on(0), holiday.weekend if place.weekends else local.weekday >= SATURDAY
    wave_of_day = NAMES.index("day harmonic 1 sin")
    weekend_or_holiday = (free | rest).astype(np.float32)
    context = np.column_stack([matrix[:, wave_of_day : wave_of_day + 2], weekend_or_holiday])
    day_type = np.where(free | (rest & np.isin(local.weekday, MAIN_REST)), FREE, rest).astype(np.int8)
    return matrix, context, day_type, local.utc_offset_seconds.astype(np.int32)


def _year_end_week(year_R: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Weeks since 14 days before the nearest new year; outside 0 to 3 for the rest of the year."""
    days_R = np.where(year_R > 0.5, year_R - 1, year_R) * 365.25
    return np.floor((days_R - YEAR_END_FIRST) / 7)


class _Holidays:
    """Public holidays by civil date, asked some days ahead of each row, bridge days, and the days of rest."""

    def __init__(self, ordinal_R: Ints, country: str | None) -> None:
        self.ordinal_R = ordinal_R
        days = np.unique(ordinal_R)
        self.first = int(days[0]) - 8
        self.kinds = day_kinds(np.arange(self.first, int(days[-1]) + 9), country or None)

    def on(self, ahead: int) -> npt.NDArray[np.bool_]:
        return np.asarray(self.kinds.holiday[self.ordinal_R - self.first + ahead])

    @property
    def weekend(self) -> npt.NDArray[np.bool_]:
        return np.asarray(self.kinds.weekend[self.ordinal_R - self.first])

    @property
    def bridge(self) -> npt.NDArray[np.bool_]:
        return np.asarray(self.kinds.bridge[self.ordinal_R - self.first])
