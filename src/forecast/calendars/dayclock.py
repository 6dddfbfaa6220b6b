"""The clock of daily tables: every civil day counts 24 hours, so that days of 23 and 25 hours are even steps.

A daily table whose stamps are local midnights has no regular clock in UTC. It is kept on its zone's *day clock*
instead, whose zone is called "days:Europe/Lisbon": midnight of a date, read as UTC, is the first instant of that civil
day, and moments between are placed by the share of the day that is over. The order of moments is kept, so that what was
known when stays true; midnights are exact. Moments go in where they are read (`inside`) and are told as they were lived
(`outside`).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import numpy as np
import pandas as pd

from forecast import clock
from forecast.calendars.days import MIDNIGHT, clock_of
from forecast.calendars.offsets import DAY_SECONDS, Ints, changes, first_instant
from forecast.calendars.parts import EPOCH_ORDINAL, NANOSECONDS
from forecast.calendars.within import day_ordinals
from forecast.errors import DataError

DAY = DAY_SECONDS * NANOSECONDS
SHORTEST_DAY = pd.Timedelta(hours=20)


def day_zone(zone: str) -> str:
    """The name of a zone's day clock.

    >>> day_zone("Europe/Lisbon")
    'days:Europe/Lisbon'
    """
    return f"{clock.DAYS_OF}{clock.lived_zone(zone)}"


def is_day_clock(zone: object) -> bool:
    """Whether a zone is a day clock."""
    return isinstance(zone, str) and zone.startswith(clock.DAYS_OF)


def inside(moments: pd.DatetimeIndex, zone: str) -> pd.DatetimeIndex:
    """Moments (aware) on a day clock; as they are where the zone is none.

    Raises:
        DataError: the moments carry no zone.

    >>> inside(pd.DatetimeIndex(["2014-10-04T14:00Z", "2014-10-05T13:00Z"]), "days:Australia/Melbourne").day.tolist()
    [5, 6]
    """
    if not is_day_clock(zone):
        return moments
    if moments.tz is None:
        raise DataError("the stamps carry no zone", "aware stamps such as 2014-07-01T00:00+10:00", stamps=moments[:6])
    lived = clock.lived_zone(zone)
    ordinal_N = day_ordinals(moments, lived)
    begin_N, length_N = _bounds(ordinal_N, lived)
    shared_N = np.gcd(DAY, length_N)
    over_N = (moments.as_unit("ns").asi8 - begin_N) * (DAY // shared_N) // (length_N // shared_N)
    return pd.DatetimeIndex((ordinal_N - EPOCH_ORDINAL) * DAY + over_N, tz="UTC")


def outside(moments: pd.DatetimeIndex, zone: str) -> pd.DatetimeIndex:
    """Moments of a day clock as they were lived (UTC), to the microsecond; as they are where the zone is none.

    A day that the zone skipped is the change that skipped it.

    >>> outside(pd.DatetimeIndex(["2014-10-05T00:00Z"]), "days:Australia/Melbourne")[0]
    Timestamp('2014-10-04 14:00:00+0000', tz='UTC')
    """
    if not is_day_clock(zone):
        return moments
    day_N, over_N = np.divmod(moments.as_unit("ns").asi8, DAY)
    begin_N, length_N = _bounds(day_N + EPOCH_ORDINAL, clock.lived_zone(zone))
    shared_N = np.gcd(DAY, length_N)
    lived_N = begin_N - (-over_N * (length_N // shared_N)) // (DAY // shared_N)
    return pd.DatetimeIndex((lived_N + 500) // 1000 * 1000, tz="UTC")


def moment_inside(moment: pd.Timestamp, zone: str) -> pd.Timestamp:
    """One moment on a day clock; as it is where the zone is none."""
    return inside(pd.DatetimeIndex([moment]), zone)[0] if is_day_clock(zone) else moment


def moment_outside(moment: pd.Timestamp, zone: str) -> pd.Timestamp:
    """One moment of a day clock as it was lived; as it is where the zone is none."""
    return outside(pd.DatetimeIndex([moment]), zone)[0] if is_day_clock(zone) else moment


def told(frame: pd.DataFrame, zones: Mapping[str, str]) -> pd.DataFrame:
    """A table of forecasts with its `ds` and `cutoff` as they were lived, by the zones of its series."""
    if not any(map(is_day_clock, zones.values())):
        return frame
    zone_R = frame["unique_id"].astype(str).map(dict(zones))
    frame = frame.copy()
    for name in [name for name in ("ds", "cutoff") if name in frame.columns]:
        for zone, rows in zone_R.groupby(zone_R, sort=False).groups.items():
            frame.loc[rows, name] = outside(pd.DatetimeIndex(frame.loc[rows, name]), str(zone))
    return frame


def are_days(stamps: pd.DatetimeIndex, zone: str) -> bool:
    """Whether stamps (UTC) are midnights of a zone whose clock changes, so that only civil days are even steps."""
    here = clock_of(zone)
    apart = stamps.unique().sort_values().to_series().diff().dropna()
    if is_day_clock(zone) or not len(apart) or apart.min() < SHORTEST_DAY or not len(changes(here, 2000, 2037)[0]):
        return False
    begin_N, _ = _bounds(day_ordinals(stamps, zone), zone)
    return bool((begin_N == stamps.as_unit("ns").asi8).all())


def checked_days(stamps: pd.DatetimeIndex, zone: str) -> pd.DatetimeIndex:
    """Stamps of periods on a day clock; as they are where the zone is none.

    Raises:
        DataError: some are no midnight of the zone.
    """
    within = inside(stamps, zone)
    off = (within.asi8 % DAY != 0) if is_day_clock(zone) else np.zeros(len(stamps), dtype=bool)
    if off.any():
        raise DataError(
            f"{int(off.sum())} stamps are no midnight in {clock.lived_zone(zone)}",
            "the local midnight at which each day begins, since the table counts civil days", "send whole days",
            column="ds", stamps=[f"{one:%Y-%m-%dT%H:%MZ}" for one in stamps[off][:6]],
        )  # fmt: skip
    return within


def _bounds(ordinal_N: Ints, zone: str) -> tuple[Ints, Ints]:
    """The first instant of each civil day [nanoseconds], and its length; 0 for a day that the zone skipped."""
    here = clock_of(zone)
    distinct_U, at_N = np.unique(ordinal_N, return_inverse=True)
    begins = [[first_instant(date.fromordinal(int(one) + k), MIDNIGHT, here) for k in (0, 1)] for one in distinct_U]
    begin_U2 = np.array(begins, dtype=np.int64).reshape(-1, 2) * NANOSECONDS
    return begin_U2[at_N, 0], (begin_U2[:, 1] - begin_U2[:, 0])[at_N]
