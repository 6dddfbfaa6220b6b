"""What the local clock and calendar show at many moments at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from forecast.calendars.days import Zone, clock_of
from forecast.calendars.offsets import DAY_SECONDS, Ints, offsets_of

NANOSECONDS = 1_000_000_000
EPOCH_ORDINAL = 719_163  # datetime.date(1970, 1, 1).toordinal()


@dataclass(frozen=True, eq=False)
class LocalParts:
    """Local clock and calendar of T moments; every field is an array [T].

    Attributes:
        hour: 0..23.
        minute_of_day: 0..1439, whole minutes.
        weekday: Monday 0 .. Sunday 6.
        month: 1..12.
        year_fraction: place within the civil year, 0 on 1 January 00:00, below 1.
        utc_offset_seconds: local clock minus UTC.
        date_ordinal: civil date as a day number, equal to `datetime.date.toordinal()`.
    """

    hour: Ints
    minute_of_day: Ints
    weekday: Ints
    month: Ints
    year_fraction: npt.NDArray[np.float64]
    utc_offset_seconds: Ints
    date_ordinal: Ints


def local_parts(ds_ns_T: Ints | pd.DatetimeIndex, zone: Zone) -> LocalParts:
    """The local clock of a zone at UTC moments, without a Python step per moment.

    Args:
        ds_ns_T: nanoseconds since 1970 (int64), datetime64 in UTC, or an aware DatetimeIndex.
        zone: name or clock of the zone.

    >>> parts = local_parts(np.array([1404136800_000_000_000]), "Australia/Melbourne")
    >>> int(parts.hour[0]), int(parts.weekday[0]), int(parts.utc_offset_seconds[0])
    (0, 1, 36000)
    """
    seconds_T = np.asarray(ds_ns_T, dtype="datetime64[ns]").astype(np.int64) // NANOSECONDS
    offset_T = offsets_of(seconds_T, clock_of(zone))
    local_T = seconds_T + offset_T
    days_T = local_T // DAY_SECONDS
    second_T = local_T % DAY_SECONDS
    date_T = days_T.astype("datetime64[D]")
    year_T = date_T.astype("datetime64[Y]")
    first_T = year_T.astype("datetime64[D]").astype(np.int64)
    next_T = (year_T + 1).astype("datetime64[D]").astype(np.int64)
    return LocalParts(
        hour=second_T // 3600,
        minute_of_day=second_T // 60,
        weekday=(days_T + 3) % 7,
        month=date_T.astype("datetime64[M]").astype(np.int64) % 12 + 1,
        year_fraction=(days_T - first_T + second_T / DAY_SECONDS) / (next_T - first_T),
        utc_offset_seconds=offset_T,
        date_ordinal=days_T + EPOCH_ORDINAL,
    )
