"""`DayKinds`: holidays, weekends, bridge days, and the days before and after holidays."""

from __future__ import annotations

from calendar import isleap
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from forecast.calendars.holiday import Dates, calendar_of, days_of, holiday_flags, years_of
from forecast.calendars.region import Region

Bools = npt.NDArray[np.bool_]
SATURDAY = 5


@dataclass(frozen=True, eq=False)
class DayKinds:
    """What kinds of day some civil dates are; every field is bool [N].

    Attributes:
        holiday: public holidays of the region.
        weekend: days of the weekly rest, by country and year (Friday and Saturday, Sunday alone, ...); not those on
            which a country has declared work.
        working: neither of the two.
        bridge: working days between two days off, one of them at least a public holiday that is no weekend day:
            the Friday after a holiday on Thursday, the Monday before one on Tuesday, a day between two holidays.
        before, after: days whose next day, or whose day before, is a public holiday, whatever they are themselves.
    """

    holiday: Bools
    weekend: Bools
    working: Bools
    bridge: Bools
    before: Bools
    after: Bools


def day_kinds(dates: Dates, country: str | None, subdivision: str | None = None) -> DayKinds:
    """The kinds of some civil dates; without a country no holidays, and Saturday and Sunday are the weekend.

    Args:
        dates: civil dates [N] in any order, as in `holiday_flags`.
        country, subdivision: as in `holiday_flags`.

    Raises:
        DeclarationError: the country or the subdivision is not known.

    >>> kinds = day_kinds([date(2024, 11, 4), date(2024, 11, 5)], "AU-VIC")  # before and on Melbourne Cup Day
    >>> kinds.bridge.tolist(), kinds.holiday.tolist(), kinds.before.tolist()
    ([True, False], [False, True], [True, False])
    """
    days_N = days_of(dates)
    region = None if country is None else Region.of(country, subdivision)
    beside = [days_N + ahead for ahead in (-1, 0, 1)]
    holiday = [holiday_flags(days, country, subdivision) for days in beside]
    weekend = [_weekend_flags(days, region) for days in beside]
    off = [free | rest for free, rest in zip(holiday, weekend, strict=True)]
    made = (holiday[0] & ~weekend[0]) | (holiday[2] & ~weekend[2])
    return DayKinds(
        holiday=holiday[1], weekend=weekend[1], working=~off[1], bridge=~off[1] & off[0] & off[2] & made,
        before=holiday[2], after=holiday[0],
    )  # fmt: skip


def _weekend_flags(days_N: npt.NDArray[np.datetime64], region: Region | None) -> Bools:
    if region is None:
        return np.asarray((days_N.astype(np.int64) + 3) % 7 >= SATURDAY)
    rest = [day for year in years_of(days_N) for day in _weekend(region.country, year)]
    return np.isin(days_N, np.array(rest, dtype="datetime64[D]"))


@lru_cache(maxsize=4096)
def _weekend(country: str, year: int) -> tuple[date, ...]:
    """The days of the weekly rest in a year, without those on which the country worked."""
    known = calendar_of(Region(country), year)
    first, size = date(year, 1, 1), 366 if isleap(year) else 365
    days = [first + timedelta(days=number) for number in range(size)]
    return tuple(day for day in days if known.is_weekend(day) and day not in known.weekend_workdays)
