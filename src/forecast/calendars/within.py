"""Which periods make up a civil day: those that start within it."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd

from forecast.calendars.days import MIDNIGHT, Zone, civil_date, clock_of, delivery_day
from forecast.calendars.offsets import Ints, first_instant
from forecast.calendars.parts import NANOSECONDS, local_parts
from forecast.errors import DataError

WHOLE_DAY = pd.Timedelta(days=1)


def periods(
    day: date | str, zone: Zone, step: pd.Timedelta | str, phase: pd.Timestamp | None = None
) -> pd.DatetimeIndex:
    """Starts (UTC) of the periods that belong to a civil day: those that start within it.

    Args:
        day: the civil day.
        zone: its zone.
        step: length of a period. One day is the civil day itself, of 23 to 25 hours.
        phase: any start of a period of the series, whose own clock goes on in UTC across clock changes; the day's
            beginning where None. A period may then end in the next day: of the 24.5 hours of an autumn day at Lord
            Howe, 24 or 25 whole hours start within it.

    Raises:
        DataError: the day does not exist, or no phase is given and the day is no whole number of steps.

    >>> len(periods("2014-04-06", "Australia/Melbourne", "30min"))
    50
    >>> len(periods("2014-04-06", "Australia/Lord_Howe", "1h", pd.Timestamp("2014-01-01T00:00Z")))
    25
    """
    start, end = delivery_day(day, zone)
    length = pd.Timedelta(step)
    if phase is None and length == WHOLE_DAY:
        return pd.DatetimeIndex([start])
    if length <= pd.Timedelta(0) or (phase is None and (end - start) % length != pd.Timedelta(0)):
        hours = (end - start) / pd.Timedelta(hours=1)
        raise DataError(
            f"the day {civil_date(day)} in zone '{zone}' has {hours:g} hours, no whole number of steps of {length}",
            "a step that divides the day, or the phase of a clock that goes on across it",
            "use a shorter step, or give a stamp of the series as its phase",
        )  # fmt: skip
    late = (phase - start) % length if phase is not None else pd.Timedelta(0)
    return pd.date_range(start + late, end, freq=length, inclusive="left")


def day_ordinals(starts: Ints | pd.DatetimeIndex, zone: Zone) -> Ints:
    """The civil day [T] to which each period belongs, as `datetime.date.toordinal` counts.

    It is the date that the clock shows at the period's start; only where the clock is set back across midnight, and
    shows the end of a day for the second time, that time belongs to the next day already: days have no holes.

    Args:
        starts: nanoseconds since 1970 (int64), or an aware DatetimeIndex.
        zone: name or clock of the zone.

    >>> int(day_ordinals(pd.DatetimeIndex(["2014-04-05T13:00Z"]), "Australia/Melbourne")[0] - 719_163)
    16166
    """
    seconds_T = np.asarray(starts, dtype="datetime64[ns]").astype(np.int64) // NANOSECONDS
    shown_T = local_parts(seconds_T * NANOSECONDS, zone).date_ordinal
    distinct_U, at_T = np.unique(shown_T, return_inverse=True)
    here = clock_of(zone)
    next_U = [first_instant(date.fromordinal(int(one) + 1), MIDNIGHT, here) for one in distinct_U]
    return np.asarray(shown_T + (seconds_T >= np.array(next_U, dtype=np.int64)[at_T]))
