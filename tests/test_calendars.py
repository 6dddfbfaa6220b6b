"""Civil time: days tile the time line, gates survive clock changes, parts equal the standard library's."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from forecast import clock
from forecast.calendars import (
    Gate,
    cutoffs,
    delivery_day,
    gate_cutoff,
    holiday_flags,
    local_parts,
    parse_gate,
    periods,
)
from forecast.errors import DataError, DeclarationError

HOUR = pd.Timedelta(hours=1)
MELBOURNE = "Australia/Melbourne"
ZONES = [
    "UTC", "+10:00", MELBOURNE, "Australia/Lord_Howe", "Australia/Adelaide", "America/Sao_Paulo", "America/New_York",
    "America/St_Johns", "America/Havana", "America/Caracas", "Atlantic/Azores", "Africa/Casablanca", "Africa/Cairo",
    "Europe/Lisbon", "Europe/Moscow", "Asia/Beirut", "Asia/Tehran", "Asia/Kathmandu", "Asia/Pyongyang",
    "Pacific/Apia", "Pacific/Chatham", "Antarctica/Troll",
]  # fmt: skip
zones = st.sampled_from(ZONES)
days = st.dates(date(2000, 1, 1), date(2035, 12, 31))
SPAN = (datetime(2000, 1, 1, tzinfo=UTC), datetime(2036, 1, 1, tzinfo=UTC))
SKIPPED = ("Pacific/Apia", date(2011, 12, 30))


@given(zones, days)
@example("Australia/Lord_Howe", date(2014, 10, 5))
@example("America/Sao_Paulo", date(2017, 10, 15))
@example("America/St_Johns", date(2010, 11, 7))
@example("America/Havana", date(2014, 11, 2))
@example("Pacific/Apia", date(2011, 12, 29))
@example("Antarctica/Troll", date(2014, 3, 30))
def test_days_tile_the_time_line_and_begin_at_the_first_moment_of_their_date(zone: str, day: date) -> None:
    assume((zone, day) != SKIPPED)
    start, end = delivery_day(day, zone)
    following = day + timedelta(days=1)
    if (zone, following) == SKIPPED:
        following += timedelta(days=1)
    assert delivery_day(following, zone)[0] == end
    ordinals = local_parts(pd.DatetimeIndex([start - pd.Timedelta("1s"), start]), zone).date_ordinal
    assert ordinals[0] < ordinals[1] == day.toordinal()


@given(zones, days)
@example(MELBOURNE, date(2014, 4, 6))
@example("Australia/Lord_Howe", date(2014, 4, 6))
def test_a_day_is_as_long_as_its_clock_change_says(zone: str, day: date) -> None:
    assume((zone, day) != SKIPPED)
    start, end = delivery_day(day, zone)
    before, after = local_parts(pd.DatetimeIndex([start, end]), zone).utc_offset_seconds
    first = local_parts(pd.DatetimeIndex([start]), zone).minute_of_day[0]
    if (zone, day + timedelta(days=1)) == SKIPPED:
        after = before
    expected = pd.Timedelta(days=1) - pd.Timedelta(minutes=first) + pd.Timedelta(seconds=int(before - after))
    last = local_parts(pd.DatetimeIndex([end]), zone).minute_of_day[0]
    assert end - start == expected + pd.Timedelta(minutes=last)


@pytest.mark.parametrize(
    ("zone", "year", "lengths"),
    [
        (MELBOURNE, 2014, {23.0: 1, 24.0: 363, 25.0: 1}),
        ("Europe/Lisbon", 2016, {23.0: 1, 24.0: 364, 25.0: 1}),
        ("America/Sao_Paulo", 2017, {23.0: 1, 24.0: 363, 25.0: 1}),
        ("Australia/Lord_Howe", 2014, {23.5: 1, 24.0: 363, 24.5: 1}),
        ("Antarctica/Troll", 2014, {22.0: 1, 24.0: 363, 26.0: 1}),
        ("Asia/Pyongyang", 2015, {24.0: 364, 24.5: 1}),
        ("+10:00", 2014, {24.0: 365}),
    ],
)
def test_hours_per_delivery_day_over_a_year(zone: str, year: int, lengths: dict[float, int]) -> None:
    bounds = [delivery_day(day.date(), zone) for day in pd.date_range(f"{year}-01-01", f"{year}-12-31")]
    hours = pd.Series([(end - start) / HOUR for start, end in bounds])
    assert hours.value_counts().to_dict() == lengths


def test_a_day_that_the_date_line_took_is_refused_by_name() -> None:
    with pytest.raises(DataError, match=r"2011-12-30 does not exist in zone 'Pacific/Apia'"):
        delivery_day("2011-12-30", "Pacific/Apia")
    with pytest.raises(DataError, match="does not exist"):
        gate_cutoff("2011-12-30", "D-1T10:00", "Pacific/Apia")
    walked = cutoffs("2011-12-28", "2012-01-01", "1d", "Pacific/Apia")
    assert list(walked) == [delivery_day(f"{day}", "Pacific/Apia")[0] for day in
                            ("2011-12-28", "2011-12-29", "2011-12-31", "2012-01-01")]  # fmt: skip
    with pytest.raises(DataError, match="no day from 2011-12-30 to 2011-12-30"):
        cutoffs("2011-12-30", "2011-12-30", "1d", "Pacific/Apia")


def test_the_day_of_sao_paulos_skipped_midnight_begins_at_one() -> None:
    start, _ = delivery_day("2017-10-15", "America/Sao_Paulo")
    assert start == pd.Timestamp("2017-10-15T01:00", tz="America/Sao_Paulo")


@pytest.mark.parametrize("text", ["2014-13-01", "tomorrow", "5/10/2014"])
def test_a_text_that_is_no_date_is_refused(text: str) -> None:
    with pytest.raises(DataError, match="is not a date"):
        delivery_day(text, "UTC")


@given(zones, days, st.sampled_from(["5min", "10min", "30min"]))
def test_periods_fill_the_day_without_gap_or_overlap(zone: str, day: date, step: str) -> None:
    assume((zone, day) != SKIPPED)
    start, end = delivery_day(day, zone)
    assume((end - start) % pd.Timedelta(step) == pd.Timedelta(0))
    starts = periods(day, zone, step)
    assert starts[0] == start
    assert starts[-1] + pd.Timedelta(step) == end
    assert len(starts) == (end - start) / pd.Timedelta(step)


def test_a_step_that_does_not_divide_the_day_is_refused() -> None:
    assert len(periods("2014-04-06", "Australia/Lord_Howe", "30min")) == 49
    with pytest.raises(DataError, match=r"24\.5 hours, no whole number of steps"):
        periods("2014-04-06", "Australia/Lord_Howe", "1h")
    with pytest.raises(DataError, match="no whole number"):
        periods("2014-04-06", "UTC", "0h")


@given(st.integers(0, 99), st.times().map(lambda at: at.replace(second=0, microsecond=0)))
def test_a_gate_reads_back_as_written(days_before: int, at: time) -> None:
    assume(days_before > 0 or at == time(0, 0))
    gate = Gate(days_before, at)
    assert parse_gate(str(gate)) == gate


@pytest.mark.parametrize("text", ["", "10:00", "D-1", "D+1T10:00", "D-1T24:00", "D-1T10:60", "D-1 10:00", "D-1T1:00"])
def test_a_gate_written_otherwise_is_refused(text: str) -> None:
    with pytest.raises(DeclarationError, match="cannot be read"):
        parse_gate(text)


def test_a_gate_within_the_delivery_day_is_refused() -> None:
    assert parse_gate("DT00:00") == Gate(0, time(0, 0))
    with pytest.raises(DeclarationError, match="D-0T06:00 lies within"):
        parse_gate("DT06:00")


@given(zones, days, st.integers(1, 3), st.integers(0, 23))
def test_the_gate_shows_its_local_time_or_the_next_that_exists(zone: str, day: date, before: int, hour: int) -> None:
    assume((zone, day) != SKIPPED)
    due = gate_cutoff(day, Gate(before, time(hour)), zone)
    assert due <= delivery_day(day, zone)[0]
    parts = local_parts(pd.DatetimeIndex([due - pd.Timedelta("1s"), due]), zone)
    wanted = (day - timedelta(days=before)).toordinal() * 1440 + hour * 60
    shown = parts.date_ordinal * 1440 + parts.minute_of_day
    assert shown[0] < wanted <= shown[1]
    skipped = parts.utc_offset_seconds[1] - parts.utc_offset_seconds[0]
    assert shown[1] == wanted or shown[1] - wanted < skipped / 60


def test_gates_at_clock_changes() -> None:
    at = "D-1T02:30"
    assert gate_cutoff("2014-10-06", at, MELBOURNE) == pd.Timestamp("2014-10-05T03:00+11:00")
    assert gate_cutoff("2014-04-07", at, MELBOURNE) == pd.Timestamp("2014-04-06T02:30+11:00")


def test_a_day_ahead_forecast_leads_by_14_to_37_hours() -> None:
    for day, last in (("2014-07-02", 37), ("2014-10-05", 36), ("2014-04-06", 38)):
        leads = (periods(day, MELBOURNE, "1h") - gate_cutoff(day, "D-1T10:00", MELBOURNE)) / HOUR
        assert (leads[0], leads[-1]) == (14, last)


def test_daily_cutoffs_stay_at_local_midnight() -> None:
    daily = cutoffs("2014-07-01", "2014-12-31", "1d", MELBOURNE)
    assert len(daily) == 184
    assert daily.is_monotonic_increasing
    assert set(daily.tz_convert(MELBOURNE).hour) == {0}
    weekly = cutoffs("2014-07-01", "2014-12-31", "7 days", MELBOURNE)
    assert list(weekly) == list(daily[::7])


def test_even_cutoffs_keep_their_length_across_a_clock_change() -> None:
    even = cutoffs("2014-10-04", "2014-10-05", "6h", MELBOURNE)
    assert even[0] == delivery_day("2014-10-04", MELBOURNE)[0]
    assert even[-1] < delivery_day("2014-10-05", MELBOURNE)[1]
    assert set(np.diff(even.as_unit("ns").asi8)) == {6 * 3600 * 10**9}
    assert len(even) == 8


def test_one_cutoff_per_delivery_day_at_its_gate() -> None:
    due = cutoffs(date(2014, 10, 4), date(2014, 10, 7), "delivery-day", MELBOURNE, "D-1T10:00")
    assert list(due.tz_convert(MELBOURNE).strftime("%d %H:%M")) == ["03 10:00", "04 10:00", "05 10:00", "06 10:00"]


@pytest.mark.parametrize(
    ("every", "gate", "text"),
    [
        ("delivery-day", None, "goes without a gate"),
        ("1d", "D-1T10:00", "stands beside gate"),
        ("often", None, "every is 'often'"),
        ("7", None, "every is '7', a length without a unit"),
        ("0h", None, "no positive length"),
        ("0d", None, "no positive length"),
        ("-6h", None, "no positive length"),
        ("NaT", None, "every is 'NaT'"),
    ],
)
def test_cutoffs_refuse_options_that_make_no_sense(every: str, gate: str | None, text: str) -> None:
    with pytest.raises(DeclarationError, match=text):
        cutoffs("2014-07-01", "2014-07-02", every, MELBOURNE, gate)
    with pytest.raises(DeclarationError, match="lies before the first day"):
        cutoffs("2014-07-02", "2014-07-01", "1d", MELBOURNE)


@settings(max_examples=200)
@given(zones, st.integers(int(SPAN[0].timestamp()), int(SPAN[1].timestamp())))
@example("Australia/Lord_Howe", int(datetime(2014, 4, 5, 15, 0, tzinfo=UTC).timestamp()))
@example("Pacific/Apia", int(datetime(2011, 12, 30, 10, 0, tzinfo=UTC).timestamp()))
def test_local_parts_equal_the_standard_library(zone: str, seconds: int) -> None:
    local = datetime.fromtimestamp(seconds, tz=clock.zone(zone))
    parts = local_parts(np.array([seconds * 10**9]), zone)
    assert parts.hour[0] == local.hour
    assert parts.minute_of_day[0] == local.hour * 60 + local.minute
    assert parts.weekday[0] == local.weekday()
    assert parts.month[0] == local.month
    assert parts.date_ordinal[0] == local.toordinal()
    offset = local.utcoffset()
    assert offset is not None
    assert parts.utc_offset_seconds[0] == offset.total_seconds()
    first, following = (datetime(local.year + ahead, 1, 1, tzinfo=UTC) for ahead in (0, 1))
    passed = local.replace(tzinfo=UTC) - first
    assert parts.year_fraction[0] == pytest.approx(passed / (following - first), abs=1e-12)


@pytest.mark.parametrize("zone", ZONES)
def test_local_parts_of_many_years_at_once_equal_pandas(zone: str) -> None:
    stamps = pd.date_range("1999-12-31", "2037-01-02", freq="1577min", tz="UTC")
    local = stamps.tz_convert(clock.zone(zone))  # by clock: pandas looks names up in pytz, whose tables may be older
    parts = local_parts(stamps, zone)
    np.testing.assert_array_equal(parts.hour, local.hour)
    np.testing.assert_array_equal(parts.date_ordinal, [stamp.toordinal() for stamp in local.date])
    np.testing.assert_array_equal(local_parts(stamps.asi8, zone).hour, parts.hour)


def test_local_parts_of_nothing_are_empty() -> None:
    assert local_parts(np.array([], dtype=np.int64), MELBOURNE).hour.shape == (0,)


def test_holidays_by_every_kind_of_date() -> None:
    dates = [date(2014, 11, 3), date(2014, 11, 4), date(2015, 1, 1)]
    expected = [False, True, True]
    assert holiday_flags(dates, "au", "VIC").tolist() == expected
    assert holiday_flags(np.array(dates, dtype="datetime64[D]"), "AU", "VIC").tolist() == expected
    assert holiday_flags(np.array([day.toordinal() for day in dates]), "AU", "VIC").tolist() == expected
    assert holiday_flags(dates, "AU").tolist() == [False, False, True]
    assert holiday_flags(dates, None).tolist() == [False, False, False]
    assert holiday_flags(np.array([], dtype=np.int64), "AU").shape == (0,)


@pytest.mark.parametrize(
    ("country", "subdivision", "text"),
    [
        ("Australia", None, "expected an ISO code such as AU"),
        ("XX", None, "country 'XX' is not known; expected an ISO code such as"),
        ("", None, "such as AU, DE, US"),
        ("AU", "ZZ", "country 'AU' has no subdivision 'ZZ'; expected one of ACT, NSW"),
    ],
)
def test_an_unknown_country_is_refused_with_valid_ones(country: str, subdivision: str | None, text: str) -> None:
    with pytest.raises(DeclarationError, match=text):
        holiday_flags([date(2014, 1, 1)], country, subdivision)
