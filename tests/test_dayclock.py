"""The clock of daily tables: midnights are exact, moments keep their order, and everything comes back as it was."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from forecast import calendars, clock
from forecast.calendars import (
    are_days,
    checked_days,
    day_zone,
    delivery_day,
    gate_cutoff,
    inside,
    lived_days,
    moment_inside,
    moment_outside,
    outside,
    periods,
)
from forecast.calendars.days import exists
from forecast.errors import DataError, DeclarationError
from tests.zones import all_zones

zones = st.sampled_from(all_zones())
days = st.dates(date(2000, 1, 1), date(2035, 12, 31))
LISBON, APIA = "Europe/Lisbon", "Pacific/Apia"


@given(zones, days)
@example("America/St_Johns", date(2010, 11, 7))
@example("America/Sao_Paulo", date(2018, 11, 4))
@example(APIA, date(2011, 12, 31))
def test_a_midnight_is_the_midnight_of_its_date(zone: str, day: date) -> None:
    assume(exists(day, zone))
    start = delivery_day(day, zone)[0]
    within = moment_inside(start, day_zone(zone))
    assert within == pd.Timestamp(day, tz="UTC")
    assert moment_outside(within, day_zone(zone)) == start


@given(zones, days, st.lists(st.integers(-172_800, 172_800), min_size=2, max_size=20, unique=True))
@example("Europe/Lisbon", date(2023, 10, 29), list(range(-3600, 10_800, 600)))
@example("America/St_Johns", date(2010, 11, 7), list(range(-7200, 7200, 30)))
def test_moments_keep_their_order_and_come_back(zone: str, day: date, seconds: list[int]) -> None:
    assume(exists(day, zone))
    lived = delivery_day(day, zone)[0] + pd.to_timedelta(sorted(seconds), unit="s")
    within = inside(lived, day_zone(zone))
    assert (np.diff(within.asi8) > 0).all()
    assert outside(within, day_zone(zone)).equals(lived.as_unit("ns"))


@given(zones, days, st.integers(1, 7), st.integers(0, 23))
def test_a_gate_is_the_moment_at_which_people_met(zone: str, day: date, before: int, hour: int) -> None:
    assume(exists(day, zone))
    gate = f"D-{before}T{hour:02d}:00"
    assert moment_outside(gate_cutoff(day, gate, day_zone(zone)), day_zone(zone)) == gate_cutoff(day, gate, zone)


@given(zones, days)
def test_a_day_has_one_period_on_its_clock(zone: str, day: date) -> None:
    assume(exists(day, zone))
    (only,) = periods(day, day_zone(zone), "1D", pd.Timestamp("2000-01-01", tz="UTC"))
    assert moment_outside(only, day_zone(zone)) == delivery_day(day, zone)[0]


def test_a_day_that_was_never_lived_is_none_on_the_day_clock_either() -> None:
    with pytest.raises(DataError, match="2011-12-30 does not exist in zone 'Pacific/Apia'"):
        delivery_day("2011-12-30", day_zone(APIA))
    around = lived_days(date(2011, 12, 29), date(2011, 12, 31), day_zone(APIA))
    assert [day.day for day in around] == [29, 31]
    lost = moment_outside(pd.Timestamp("2011-12-30T12:00Z"), day_zone(APIA))
    assert lost == delivery_day("2011-12-31", APIA)[0]


def test_days_are_recognised_only_where_the_clock_changes() -> None:
    def midnights(zone: str, first: str = "2023-01-01", last: str = "2023-12-31") -> pd.DatetimeIndex:
        listed = pd.date_range(first, last)
        return pd.DatetimeIndex([delivery_day(day.date(), zone)[0] for day in listed])

    assert are_days(midnights(LISBON), LISBON)
    assert are_days(midnights(LISBON, "2023-06-01", "2023-06-30"), LISBON), "also in summer: winter will come"
    assert are_days(midnights(LISBON)[[0, 3, 90, 200]], LISBON), "also with gaps"
    assert not are_days(midnights("UTC"), LISBON), "days of another clock"
    assert not are_days(midnights("Asia/Tokyo"), "Etc/GMT-9"), "even steps as they are"
    assert not are_days(midnights(LISBON)[:1], LISBON), "one stamp tells no step"
    assert not are_days(midnights(LISBON), day_zone(LISBON))
    hours = pd.date_range("2023-01-01", periods=200, freq="1h", tz="UTC")
    assert not are_days(hours, LISBON)


def test_what_is_no_midnight_is_refused() -> None:
    stamps = pd.DatetimeIndex(["2023-06-10T23:00Z", "2023-06-12T00:00Z"])
    with pytest.raises(DataError, match=r"1 stamps are no midnight in Europe/Lisbon \(2023-06-12T00:00Z\)"):
        checked_days(stamps, day_zone(LISBON))
    assert checked_days(stamps, LISBON) is stamps
    with pytest.raises(DataError, match="carry no zone"):
        inside(pd.DatetimeIndex(["2023-06-10"]), day_zone(LISBON))


def test_the_name_of_a_day_clock() -> None:
    assert clock.zone(day_zone(LISBON)) == clock.zone("UTC")
    assert clock.lived_zone(day_zone(LISBON)) == LISBON
    assert day_zone(day_zone(LISBON)) == day_zone(LISBON)
    with pytest.raises(DeclarationError, match="Europe/Atlantis"):
        clock.zone("days:Europe/Atlantis")
    stamps = pd.DatetimeIndex(["2023-06-10T23:00Z"])
    assert inside(stamps, LISBON) is stamps
    assert outside(stamps, LISBON) is stamps


def test_a_table_is_told_as_it_was_lived() -> None:
    moments = pd.DatetimeIndex(["2023-03-26T00:00Z", "2023-03-27T00:00Z"])
    frame = pd.DataFrame({"unique_id": ["a", "a"], "ds": moments, "cutoff": moments - timedelta(days=1), "mean": 1.0})
    lived = calendars.told(frame, {"a": day_zone(LISBON)})
    assert lived["ds"].tolist() == [pd.Timestamp("2023-03-26T00:00Z"), pd.Timestamp("2023-03-26T23:00Z")]
    assert lived["cutoff"].tolist() == [pd.Timestamp("2023-03-25T00:00Z"), pd.Timestamp("2023-03-26T00:00Z")]
    assert calendars.told(frame, {"a": LISBON}) is frame
