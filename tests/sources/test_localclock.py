from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecast import clock
from forecast.errors import DataError
from forecast.sources.localclock import moments_of_local

ZONES = ["Europe/Lisbon", "Australia/Melbourne", "America/New_York", "Europe/Dublin", "America/Santiago", "+05:30"]


def local(texts: list[str], zone: str = "Australia/Melbourne", ids: list[str] | None = None) -> list[str]:
    stamps = pd.Series(pd.to_datetime(texts))
    names = pd.Series(ids or ["a"] * len(texts))
    moments = moments_of_local(stamps, names, dict.fromkeys(names, zone), "time", "line")
    return list(moments.dt.strftime("%d %H:%M"))


def autumn(*hours: str) -> list[str]:
    """Stamps of 2014-04-06, when Melbourne's clock went from 03:00 back to 02:00."""
    return [f"2014-04-06 {hour}" for hour in hours]


def test_the_repeated_hour_is_kept_twice() -> None:
    stamps = autumn("01:30", "02:00", "02:30", "02:00", "02:30", "03:00")
    assert local(stamps) == ["05 14:30", "05 15:00", "05 15:30", "05 16:00", "05 16:30", "05 17:00"]


def test_series_that_alternate_row_by_row_have_their_own_first_and_second() -> None:
    stamps = autumn("01:00", "01:00", "02:00", "02:00", "02:00", "02:00", "03:00", "03:00")
    assert local(stamps, ids=["a", "b"] * 4) == [f"05 {hour}:00" for hour in (14, 14, 15, 15, 16, 16, 17, 17)]


@pytest.mark.parametrize(
    ("stamps", "moments"),
    [
        # One of the two is missing: the step back of its neighbours tells which.
        (autumn("02:00", "02:30", "02:00", "03:00"), ["05 15:00", "05 15:30", "05 16:00", "05 17:00"]),
        (autumn("01:30", "02:30", "02:00", "02:30"), ["05 14:30", "05 15:30", "05 16:00", "05 16:30"]),
        # Nothing steps back: it continues the row before.
        (autumn("01:30", "02:00", "02:30", "03:00"), ["05 14:30", "05 15:00", "05 15:30", "05 17:00"]),
        # The row before is far away, the row after is the next.
        (autumn("00:00", "00:30", "02:30", "03:00"), ["05 13:00", "05 13:30", "05 16:30", "05 17:00"]),
        # The table begins within the hour.
        (autumn("02:30", "03:00", "03:30"), ["05 16:30", "05 17:00", "05 17:30"]),
        # Nothing tells: the earlier.
        (autumn("02:00"), ["05 15:00"]),
    ],
)  # fmt: skip
def test_a_stamp_that_occurs_once_is_placed_by_its_neighbours(stamps: list[str], moments: list[str]) -> None:
    assert local(stamps) == moments


def test_hours_that_never_occurred_are_refused_with_the_clock_that_writes_them() -> None:
    with pytest.raises(DataError, match=r"line 1: 2014-10-05 02:00:00.*--stamp-zone \+10:00"):
        local(["2014-10-05 01:30", "2014-10-05 02:00", "2014-10-05 03:00"])


def test_a_fixed_clock_has_every_hour() -> None:
    assert local(["2014-10-05 02:00", "2014-04-06 02:00"], "+10:00") == ["04 16:00", "05 16:00"]


def test_each_series_may_have_its_own_clock() -> None:
    stamps, names = pd.Series(pd.to_datetime(["2014-07-01"] * 2)), pd.Series(["west", "east"])
    moments = moments_of_local(stamps, names, {"west": "+00:00", "east": "+10:00"}, "time", "line")
    assert list(moments.dt.strftime("%d %H:%M")) == ["01 00:00", "30 14:00"]
    with pytest.raises(DataError, match=r"series 'east', column 'time': the stamps carry no zone.*--zone"):
        moments_of_local(stamps, names, {"west": "+00:00", "east": None}, "time", "line")


@given(
    zone=st.sampled_from(ZONES), step=st.sampled_from(["15min", "30min", "1h"]), year=st.integers(2011, 2024),
    day=st.integers(0, 364), length=st.integers(2, 400), change=st.booleans(),
)  # fmt: skip
def test_wall_clock_stamps_come_back_as_the_moments_they_were(
    zone: str, step: str, year: int, day: int, length: int, change: bool
) -> None:
    there = clock.zone(zone)
    hours = pd.date_range(f"{year}-01-02", f"{year}-12-30", freq="1h", tz="UTC")
    offsets = hours.tz_convert(there).tz_localize(None) - hours.tz_localize(None)
    changes = np.flatnonzero(np.diff(offsets.asi8))
    near = hours[changes[day % len(changes)]] if change and len(changes) else hours[day * 24 % len(hours)]
    # The span begins before and ends after a repeated hour: of one half alone nobody can say which half it is.
    start = near - pd.Timedelta(hours=3 + day % 24)
    moments = pd.date_range(start, max(start + length * pd.Timedelta(step), near + pd.Timedelta("4h")), freq=step)
    written = pd.Series(moments.tz_convert(there).tz_localize(None))
    read = moments_of_local(written, pd.Series("a", index=written.index), {"a": zone}, "time", "line")
    assert list(read) == list(moments)
