"""The same local clock some civil days earlier, also where clocks change."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

import pandas as pd
from hypothesis import assume, example, given
from hypothesis import strategies as st

from forecast import clock
from forecast.calendars import cutoffs, days_before
from forecast.calendars.days import local_midnight

MELBOURNE = "Australia/Melbourne"
ZONES = [
    "UTC", "+10:00", MELBOURNE, "Australia/Lord_Howe", "America/Sao_Paulo", "America/New_York", "America/St_Johns",
    "America/Havana", "Atlantic/Azores", "Africa/Casablanca", "Africa/Cairo", "Europe/Lisbon", "Europe/Moscow",
    "Asia/Beirut", "Asia/Tehran", "Asia/Kathmandu", "Asia/Pyongyang", "Pacific/Apia", "Pacific/Chatham",
    "Antarctica/Troll",
]  # fmt: skip
zones = st.sampled_from(ZONES)
days = st.dates(date(2000, 1, 1), date(2035, 12, 31))
SKIPPED = ("Pacific/Apia", date(2011, 12, 30))


@given(zones, days, st.integers(0, 60))
@example("America/Sao_Paulo", date(2018, 11, 4), 1)
@example("America/Sao_Paulo", date(2018, 11, 5), 1)
@example("America/Havana", date(2024, 11, 3), 1)
@example("America/Havana", date(2024, 11, 4), 1)
@example("Pacific/Apia", date(2011, 12, 31), 2)
@example(MELBOURNE, date(2024, 4, 8), 1)
@example(MELBOURNE, date(2024, 10, 7), 1)
def test_days_before_a_local_midnight_are_local_midnights(zone: str, day: date, back: int) -> None:
    then = day - timedelta(days=back)
    assume(SKIPPED not in ((zone, day), (zone, then)))
    assert days_before(pd.DatetimeIndex([local_midnight(day, zone)]), back, zone)[0] == local_midnight(then, zone)


@given(zones, days, st.integers(1, 60), st.integers(0, 23))
def test_days_before_keep_the_clock_wherever_it_exists(zone: str, day: date, back: int, hour: int) -> None:
    here = clock.zone(zone)
    now, then = (datetime.combine(one, time(hour)) for one in (day, day - timedelta(days=back)))
    stamps = [pd.Timestamp(one.replace(tzinfo=here)).tz_convert("UTC") for one in (now, then)]
    shown = [stamp.tz_convert(here).tz_localize(None) for stamp in stamps]
    assume(shown == [pd.Timestamp(now), pd.Timestamp(then)])
    assert days_before(pd.DatetimeIndex(stamps[:1]), back, zone)[0] == stamps[1]


def test_a_clock_of_a_day_that_the_date_line_took_is_the_beginning_of_the_next() -> None:
    noon = pd.DatetimeIndex(["2012-01-01T12:00+14:00", "2011-12-31T12:00+14:00"]).tz_convert("UTC")
    assert list(days_before(noon, 2, "Pacific/Apia")) == [
        local_midnight(date(2011, 12, 31), "Pacific/Apia"), pd.Timestamp("2011-12-29T12:00-10:00")
    ]  # fmt: skip


def test_days_before_many_moments_at_once_count_civil_days() -> None:
    midnights = cutoffs("2024-03-30", "2024-04-12", "1d", MELBOURNE)
    assert days_before(midnights[5:], 5, MELBOURNE).equals(midnights[:-5])
    plain = days_before(midnights[5:], 5, "+10:00")
    assert (plain == midnights[5:] - pd.Timedelta("5D")).all()
    assert not plain.equals(midnights[:-5])
