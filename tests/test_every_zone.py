"""Delivery days in every zone of tzdata, 2000 to 2035: no hole, no overlap, each period in one day, gates before it."""

from __future__ import annotations

from datetime import date, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from forecast import clock
from forecast.calendars import day_ordinals, delivery_day, gate_cutoff, lived_days, longest_reach, periods
from forecast.calendars.days import exists
from forecast.calendars.gates import largest_setback
from forecast.calendars.offsets import changes
from forecast.errors import DataError
from forecast.metrics.rows import local_times
from tests.zones import all_zones, distinct_zones, rules

DAY = pd.Timedelta(days=1)
STEPS = [pd.Timedelta(minutes=minutes) for minutes in (5, 10, 15, 20, 30, 60)]
SECOND, FIVE_MINUTES = 10**9, 300 * 10**9
SINCE, UNTIL = (int(pd.Timestamp(text).timestamp()) for text in ("2000-01-02T00:00Z", "2036-01-01T00:00Z"))
DAY_AHEAD = "D-1T10:00"
EPOCH = date(1970, 1, 1).toordinal()

zones = st.sampled_from(all_zones())
days = st.dates(date(2000, 1, 1), date(2035, 12, 31))
steps = st.sampled_from(STEPS)
phases = st.integers(0, 11).map(lambda twelfths: pd.Timestamp("2000-01-01", tz="UTC") + twelfths * STEPS[0])


# ---- any day, drawn ----------------------------------------------------------------------------------------------


@given(zones, days)
@example("Pacific/Apia", date(2011, 12, 29))
@example("Pacific/Fakaofo", date(2011, 12, 31))
@example("Australia/Lord_Howe", date(2014, 10, 5))
@example("America/St_Johns", date(2010, 11, 7))
@example("America/Sao_Paulo", date(2018, 11, 4))
@example("Asia/Beirut", date(2023, 3, 26))
@example("Africa/Cairo", date(2010, 8, 11))
@example("Asia/Pyongyang", date(2018, 5, 5))
def test_days_follow_one_another_without_hole_or_overlap(zone: str, day: date) -> None:
    assume(exists(day, zone))
    start, end = delivery_day(day, zone)
    following = next(one for one in lived_days(day, day + timedelta(days=3), zone) if one > day)
    assert delivery_day(following, zone)[0] == end
    assert pd.Timedelta("20h") <= end - start <= pd.Timedelta("28h")
    inside = pd.DatetimeIndex([start, start + (end - start) / 2, end - pd.Timedelta("1s")])
    assert set(day_ordinals(inside, zone)) == {day.toordinal()}
    assert set(day_ordinals(pd.DatetimeIndex([start - pd.Timedelta("1s"), end]), zone)).isdisjoint({day.toordinal()})


@given(zones, days, steps)
@example("Australia/Lord_Howe", date(2014, 4, 6), STEPS[-1])
@example("Antarctica/Troll", date(2014, 10, 26), STEPS[-1])
def test_periods_of_the_days_own_clock_add_up_to_the_day(zone: str, day: date, step: pd.Timedelta) -> None:
    assume(exists(day, zone))
    start, end = delivery_day(day, zone)
    if (end - start) % step:
        with pytest.raises(DataError, match="no whole number of steps"):
            periods(day, zone, step)
        return
    mine = periods(day, zone, step)
    assert mine[0] == start
    assert len(mine) * step == end - start
    assert mine[-1] + step == end
    assert set(np.diff(mine.as_unit("ns").asi8)) <= {step.value}


@given(zones, days, steps, phases)
@example("Australia/Lord_Howe", date(2014, 4, 6), STEPS[-1], pd.Timestamp("2000-01-01", tz="UTC"))
@example("Asia/Kathmandu", date(2014, 4, 6), STEPS[-1], pd.Timestamp("2000-01-01", tz="UTC"))
def test_every_period_of_a_series_belongs_to_exactly_one_day(
    zone: str, day: date, step: pd.Timedelta, phase: pd.Timestamp
) -> None:
    assume(exists(day, zone))
    around = lived_days(day - timedelta(days=3), day + timedelta(days=3), zone)
    parts = [periods(one, zone, step, phase) for one in around]
    together = parts[0].append(parts[1:])
    first, last = delivery_day(around[0], zone)[0], delivery_day(around[-1], zone)[1]
    expected = pd.date_range(phase + -((phase - first) // step) * step, last, freq=step, inclusive="left")
    assert together.equals(expected)
    told = np.repeat([one.toordinal() for one in around], [len(part) for part in parts])
    np.testing.assert_array_equal(day_ordinals(together, zone), told)
    for one, part in zip(around, parts, strict=True):
        start, end = delivery_day(one, zone)
        assert abs(len(part) * step - (end - start)) < step


@given(zones, days)
def test_a_step_of_one_day_is_the_civil_day_itself(zone: str, day: date) -> None:
    assume(exists(day, zone))
    assert list(periods(day, zone, "1D")) == [delivery_day(day, zone)[0]]


@given(zones, days, st.integers(1, 14), st.integers(0, 20 * 60))
@example("Pacific/Apia", date(2011, 12, 31), 1, 600)
@example("Pacific/Apia", date(2012, 1, 1), 2, 600)
def test_gates_lie_before_their_days_and_ascend(zone: str, day: date, before: int, minute: int) -> None:
    gate = f"D-{before}T{minute // 60:02d}:{minute % 60:02d}"
    around = lived_days(day, day + timedelta(days=4), zone)
    due = [gate_cutoff(one, gate, zone) for one in around]
    starts = [delivery_day(one, zone)[0] for one in around]
    assert all(moment < start for moment, start in zip(due, starts, strict=True))
    assert all(one < other for one, other in pairwise(due))


@given(zones, days, st.integers(1, 14), st.integers(0, 23), steps)
@example("Antarctica/Troll", date(2014, 10, 26), 1, 10, STEPS[-1])
def test_no_day_ends_beyond_the_longest_reach_of_its_gate(
    zone: str, day: date, before: int, hour: int, step: pd.Timedelta
) -> None:
    assume(exists(day, zone))
    gate = f"D-{before}T{hour:02d}:00"
    ahead = delivery_day(day, zone)[1] - gate_cutoff(day, gate, zone)
    assert ahead / step <= longest_reach(gate, step, zone)


# ---- every change of every zone ----------------------------------------------------------------------------------


class Days(NamedTuple):
    """Lived days on and beside those of a zone's changes, with their beginnings and ends in nanoseconds."""

    days: list[date]
    starts: np.ndarray
    ends: np.ndarray


@lru_cache(maxsize=1)
def all_changes() -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """The changes, 2000 to 2035, of one zone of each kind that has any."""
    changing = [zone for zone in distinct_zones() if rules(zone)[0] or b"," in rules(zone)[2]]
    return {zone: changes(clock.zone(zone), 2000, 2035) for zone in changing}


@lru_cache(maxsize=1)
def changed_days() -> dict[str, Days]:
    """Of one zone of each kind: every lived day from the one before a change to the one after it."""
    found = {}
    for zone, (seconds, before, _) in all_changes().items():
        local = (seconds + before) // 86_400
        near = sorted({EPOCH + int(at) + away for at in local for away in (-1, 0, 1)})
        days = [day for day in map(date.fromordinal, near) if exists(day, zone)]
        bounds = [delivery_day(day, zone) for day in days]
        starts, ends = (np.array([bound[side].value for bound in bounds], dtype=np.int64) for side in (0, 1))
        found[zone] = Days(days, starts, ends)
    return found


def test_the_changes_are_those_that_the_files_of_tzdata_say() -> None:
    assert len(all_zones()) > 400
    assert 100 < len(distinct_zones()) < len(all_zones())
    known = 0
    for zone, (seconds, before, after) in all_changes().items():
        found = dict(zip(seconds.tolist(), after.tolist(), strict=True))
        listed = {at: offset for at, offset in rules(zone)[0] if UNTIL > at >= SINCE}
        last = max(listed, default=0)
        assert listed == {at: offset for at, offset in found.items() if at <= last}, zone
        assert (before != after).all()
        known += len(found)
    assert known > 5_000


def test_on_all_days_with_a_change_every_five_minutes_belong_to_the_day_that_holds_them() -> None:
    """With it every longer step of the same clock: its periods are some of these."""
    for zone, (days, starts, ends) in changed_days().items():
        touching = np.array([one + timedelta(days=1) == other for one, other in pairwise(days)], bool)
        assert (starts[1:] >= ends[:-1]).all(), zone
        assert (starts[1:] == ends[:-1])[touching].all(), zone
        sizes = -(-(ends - starts) // FIVE_MINUTES)
        within = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        stamps = np.repeat(starts, sizes) + within * FIVE_MINUTES
        told = np.array([day.toordinal() for day in days], dtype=np.int64)
        np.testing.assert_array_equal(day_ordinals(stamps, zone), np.repeat(told, sizes), err_msg=zone)
        np.testing.assert_array_equal(day_ordinals(ends - SECOND, zone), told, err_msg=zone)


def test_on_all_days_with_a_change_the_gate_lies_before_the_day_and_gates_ascend() -> None:
    for zone, (days, starts, _) in changed_days().items():
        due = np.array([gate_cutoff(day, DAY_AHEAD, zone).value for day in days], dtype=np.int64)
        assert (due < starts).all(), zone
        assert (np.diff(due) > 0).all(), zone


def test_all_lengths_of_days_have_their_periods_at_every_step() -> None:
    lengths: set[int] = set()
    for zone, (days, starts, ends) in changed_days().items():
        for length, place in zip(*np.unique(ends - starts, return_index=True), strict=True):
            phase, whole = pd.Timestamp(int(starts[place]), tz="UTC"), pd.Timedelta(int(length))
            lengths.add(int(length) // 10**9)
            for step in STEPS:
                assert len(periods(days[place], zone, step, phase)) == -(-whole // step), (zone, days[place])
                if whole % step == pd.Timedelta(0):
                    assert len(periods(days[place], zone, step)) * step == whole, (zone, days[place])
    assert {22, 23, 23.5, 24, 24.5, 25, 26} <= {length / 3600 for length in lengths}, "Troll, Lord Howe, all others"


@pytest.mark.parametrize("zone", ["America/St_Johns", "Asia/Gaza", "Pacific/Apia", "America/Havana", "+10:00", "UTC"])
def test_scores_count_the_same_days(zone: str) -> None:
    seconds, _, _ = changes(clock.zone(zone), 2005, 2012)
    middle = [*seconds.tolist(), 1_300_000_000]
    ds = pd.DatetimeIndex(np.unique([at + 600 * k for at in middle for k in range(-200, 200)]) * SECOND, tz="UTC")
    rows = pd.DataFrame({"unique_id": "a", "ds": ds})
    np.testing.assert_array_equal(local_times(rows, {"a": zone})["day"] + EPOCH, day_ordinals(ds, zone))


def test_a_clock_that_goes_back_across_midnight_shows_a_day_twice() -> None:
    again = pd.DatetimeIndex(["2010-11-07T02:20Z", "2010-11-07T02:30Z", "2010-11-07T02:40Z", "2010-11-07T03:40Z"])
    local = again.tz_convert(clock.zone("America/St_Johns"))
    assert list(local.strftime("%d %H:%M")) == ["06 23:50", "07 00:00", "06 23:10", "07 00:10"]
    days = [date.fromordinal(int(one)).day for one in day_ordinals(again, "America/St_Johns")]
    assert days == [6, 7, 7, 7], "a day that has begun does not end before its end"


def test_setbacks() -> None:
    assert largest_setback("Antarctica/Troll") == pd.Timedelta("2h")
    assert largest_setback("Australia/Lord_Howe") == pd.Timedelta("30min")
    assert largest_setback("+10:00") == pd.Timedelta(0)
    assert longest_reach("D-1T10:00", pd.Timedelta("1h"), "Antarctica/Troll") == 40
    assert longest_reach("D-1T10:00", pd.Timedelta("1h"), "UTC") == 39
    assert longest_reach("D-1T10:00", pd.Timedelta("15min")) == 156
    assert longest_reach("D-1T10:00", DAY) == 2, "a day that begins at another hour than midnight"
    assert longest_reach("D-1T10:00", DAY, "days:Europe/Lisbon") == 1
    assert longest_reach("D-0T00:00", DAY, "days:Europe/Lisbon") == 1
    assert longest_reach("D-2T10:00", DAY, "days:Europe/Lisbon") == 2
