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
    aware = wall.tz_localize(clock_here, ambiguous=first_of_two, nonexistent="shift_forward")
    return aware.tz_convert("UTC").as_unit("ns")


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
    if start == end:
        raise DataError(
            f"the day {day} does not exist in zone '{zone}', whose clock skipped it", "a day that was lived there"
        )
    return start, end


def periods(day: date | str, zone: Zone, step: pd.Timedelta | str) -> pd.DatetimeIndex:
    """Starts (UTC) of the periods of length `step` that make up a civil day.

    Raises:
        DataError: the day does not exist, or is no whole number of steps (24.5 hours in hours at Lord Howe).

    >>> len(periods("2014-04-06", "Australia/Melbourne", "30min"))
    50
    """
    start, end = delivery_day(day, zone)
    length = pd.Timedelta(step)
    if length <= pd.Timedelta(0) or (end - start) % length != pd.Timedelta(0):
        hours = (end - start) / pd.Timedelta(hours=1)
        raise DataError(
            f"the day {civil_date(day)} in zone '{zone}' has {hours:g} hours, no whole number of steps of {length}",
            "a step that divides every day of the zone",
            "use a shorter step",
        )
    return pd.date_range(start, end, freq=length, inclusive="left")
