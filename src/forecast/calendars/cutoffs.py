"""The moments from which a walk through history forecasts."""

from __future__ import annotations

import re
from datetime import date, timedelta

import pandas as pd

from forecast import clock
from forecast.calendars.days import Zone, civil_date, lived_days, local_midnight
from forecast.calendars.gates import Gate, gate_cutoff
from forecast.errors import DeclarationError

DELIVERY_DAY = "delivery-day"
_DAYS = re.compile(r"^\s*(\d+)\s*(?:d|day|days)\s*$", re.IGNORECASE)


def cutoffs(
    start: date | str, end: date | str, every: str, zone: Zone, gate: Gate | str | None = None
) -> pd.DatetimeIndex:
    """Cutoffs (UTC, ascending) from the civil day `start` to the civil day `end`, both included.

    Days that the zone skips have no cutoff.

    Args:
        start, end: civil dates in the zone.
        every: "1d", "7d", ...: local midnight of every such day, also where clocks change; "delivery-day": one cutoff
            for each delivery day, at its gate; any other length, such as "6h": evenly in UTC from local midnight of
            `start` to the end of the civil day `end`.
        zone: the series' civil zone.
        gate: needed with "delivery-day" and only there.

    Raises:
        DeclarationError: the options contradict each other or cannot be read.
        DataError: a text is no date, or no day of the range exists.

    >>> len(cutoffs("2014-07-01", "2014-12-31", "1d", "Australia/Melbourne"))
    184
    """
    first, last = civil_date(start), civil_date(end)
    if last < first:
        raise DeclarationError(f"the last day {last} lies before the first day {first}", "start <= end")
    if (every == DELIVERY_DAY) != (gate is not None):
        raise DeclarationError(
            f"every '{every}' " + ("goes without a gate" if gate is None else f"stands beside gate '{gate}'"),
            "a gate such as D-1T10:00 together with 'delivery-day', and no gate otherwise",
        )
    if gate is not None:
        return pd.DatetimeIndex([gate_cutoff(day, gate, zone) for day in lived_days(first, last, zone)])
    whole_days = _DAYS.match(every)
    if whole_days and int(whole_days[1]) > 0:
        days = lived_days(first, last, zone, int(whole_days[1]))
        return pd.DatetimeIndex([local_midnight(day, zone) for day in days])
    begin, stop = local_midnight(first, zone), local_midnight(last + timedelta(days=1), zone)
    return pd.date_range(begin, stop, freq=_length(every), inclusive="left")


def _length(every: str) -> pd.Timedelta:
    length = clock.duration(every, "every")
    if length <= pd.Timedelta(0):
        raise DeclarationError(f"every '{every}' is no positive length", "'1d', 'delivery-day', or a length such as 6h")
    return length
