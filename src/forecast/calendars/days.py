"""Civil days and the periods they hold."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta, tzinfo

import numpy as np
import pandas as pd

from forecast import clock
from forecast.calendars.offsets import first_instant
from forecast.errors import DataError

Zone = str | tzinfo
MIDNIGHT = time(0, 0)
YEAR_DAYS = 365
"""From so many days on a history has seen every season."""


def civil_date(day: date | str) -> date:
    """The date that a text or a stamp names, its time of day left out.

    Raises:
        DataError: the text is no date.

    >>> civil_date("2014-10-05")
    datetime.date(2014, 10, 5)
    """
    if isinstance(day, datetime):
        return day.date()
    if isinstance(day, date):
        return day
    try:
        return date.fromisoformat(day)
    except ValueError:
        raise DataError(f"'{day}' is not a date", "year-month-day such as 2014-10-05") from None


def clock_of(zone: Zone) -> tzinfo:
    """The clock of a zone that is given by name or as a clock already."""
    return clock.zone(zone) if isinstance(zone, str) else zone


def moment(seconds: int) -> pd.Timestamp:
    """The UTC stamp of a Unix second."""
    return pd.Timestamp(seconds, unit="s", tz="UTC")


def local_midnight(day: date, zone: Zone) -> pd.Timestamp:
    """The UTC stamp at which a civil day begins; that of the next day where the zone skips this one."""
    return moment(first_instant(day, MIDNIGHT, clock_of(zone)))


def days_before(moments: pd.DatetimeIndex, days: int, zone: Zone) -> pd.DatetimeIndex:
    """The same local clock some civil days earlier (UTC), as `local_midnight` reads clocks that are skipped or doubled.

    >>> days_before(pd.DatetimeIndex(["2014-10-06T13:00Z"]), 2, "Australia/Melbourne")[0]
    Timestamp('2014-10-04 14:00:00+0000', tz='UTC')
    """
    clock_here = clock_of(zone)
    now, just_before = (at.tz_convert(clock_here).tz_localize(None) for at in (moments, moments - pd.Timedelta("1s")))
    # The first instant of a civil day is its midnight, also where the clock skipped that.
    wall = now.where(just_before.normalize() == now.normalize(), now.normalize()) - pd.Timedelta(days=days)
    first_of_two = np.ones(len(wall), dtype=bool)
    aware = wall.tz_localize(clock_here, ambiguous=first_of_two, nonexistent="NaT").tz_convert("UTC").as_unit("ns")
    then = aware.asi8.copy()
    # Not pandas' own shift forward: it is wrong by hours where the date line took a whole day.
    for place in np.flatnonzero(aware.isna()):
        then[place] = moment(first_instant(wall[place].date(), wall[place].time(), clock_here)).value
    return pd.DatetimeIndex(then, tz="UTC")


def exists(day: date, zone: Zone) -> bool:
    """Whether a civil day was lived: the date line took 2011-12-30 from Pacific/Apia."""
    here = clock_of(clock.lived_zone(zone) if isinstance(zone, str) else zone)
    return first_instant(day, MIDNIGHT, here) < first_instant(day + timedelta(days=1), MIDNIGHT, here)


def lived_days(first: date, last: date, zone: Zone, stride: int = 1) -> list[date]:
    """Every `stride`-th civil day from `first` to `last`, both included, without those that the zone skips.

    Raises:
        DataError: none of them exists.
    """
    days = [first + timedelta(days=number) for number in range(0, (last - first).days + 1, stride)]
    lived = [day for day in days if exists(day, zone)]
    if not lived:
        raise DataError(f"no day from {first} to {last} exists in zone '{zone}'", "days that were lived there")
    return lived


def lived_before(day: date, count: int, zone: Zone) -> date:
    """The civil day that was lived `count` lived days earlier.

    >>> lived_before(date(2011, 12, 31), 1, "Pacific/Apia")
    datetime.date(2011, 12, 29)
    """
    for _ in range(count):
        day -= timedelta(days=1)
        while not exists(day, zone):
            day -= timedelta(days=1)
    return day


def delivery_day(day: date | str, zone: Zone) -> tuple[pd.Timestamp, pd.Timestamp]:
    """First instant of a civil day and of the next one (UTC): 23, 24 or 25 hours apart where clocks move an hour.

    A midnight that the clock change skips moves forward to the change; a midnight that occurs twice is the first of
    the two. So the days of a zone tile the time line.

    Raises:
        DataError: the zone skips the whole day (Pacific/Apia has no 2011-12-30), or the text is no date.

    >>> start, end = delivery_day("2014-10-05", "Australia/Melbourne")
    >>> start, (end - start) / pd.Timedelta(hours=1)
    (Timestamp('2014-10-04 14:00:00+0000', tz='UTC'), 23.0)
    """
    day = civil_date(day)
    start, end = local_midnight(day, zone), local_midnight(day + timedelta(days=1), zone)
    if not exists(day, zone):
        told = clock.lived_zone(zone) if isinstance(zone, str) else zone
        raise DataError(
            f"the day {day} does not exist in zone '{told}', whose clock skipped it", "a day that was lived there"
        )
    return start, end
