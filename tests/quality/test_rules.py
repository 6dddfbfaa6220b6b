"""Rules that no generator injects: gaps, clock changes, impossible values, late data, rounded readings."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from forecast.quality import Finding, Limits, examine
from forecast.quality.clock_slips import gather, turns
from forecast.quality.readings import WEEKS, Readings, neighbours, runs
from forecast.quality.stuck import longest_by_chance
from forecast.tables import Demand, SeriesInfo
from tests.quality.towns import table, town


def only(demand: Demand, rule: str) -> Finding:
    """The one finding of a table."""
    (one,) = examine(demand).findings
    assert one.rule == rule
    return one


def test_gaps_are_named_and_the_future_is_none() -> None:
    frame = town(days=60)
    frame.loc[100:102, "y"] = np.nan
    frame.loc[200:229, "y"] = np.nan
    frame.loc[len(frame) - 5 :, "y"] = np.nan
    short, long = examine(table(frame)).findings
    assert (short.size, short.severity, short.done) == ("3 periods are missing", "note", "kept")
    assert (long.size, long.severity) == ("30 periods are missing", "warning")
    assert (long.first, long.last) == (frame["ds"][200], frame["ds"][229])


@pytest.mark.parametrize("freq", ["1h", "15min"])
def test_the_repeated_hour_that_is_there_once(freq: str) -> None:
    frame = town(freq, start="2023-08-01")
    hour = frame["ds"].between("2023-10-29 01:00Z", "2023-10-29 01:59Z")
    one = only(table(frame.assign(y=frame["y"].where(~hour))), "clock change")
    assert one.size == "the hour that the clock repeats is there only once"
    assert one.first == pd.Timestamp("2023-10-29 01:00", tz="UTC")


def test_the_repeated_hour_that_holds_two() -> None:
    frame = town(start="2023-08-01")
    hour = frame["ds"] == pd.Timestamp("2023-10-29 00:00", tz="UTC")
    one = only(table(frame.assign(y=frame["y"] * np.where(hour, 2, 1))), "clock change")
    assert one.done == "masked"
    assert one.size.endswith("times what neighbours say: two hours in one")


def test_an_hour_missing_in_spring() -> None:
    frame = town(start="2023-01-09")
    hour = frame["ds"] == pd.Timestamp("2023-03-26 01:00", tz="UTC")
    one = only(table(frame.assign(y=frame["y"].where(~hour))), "clock change")
    assert one.size == "an hour is missing where the clock is put forward"


def test_a_negative_reading_among_large_ones_cannot_be() -> None:
    frame = town()
    frame.loc[1000, "y"] = -900.0
    one = only(table(frame), "impossible value")
    assert (one.severity, one.done) == ("error", "masked")
    assert one.size == "-900, below zero, where neighbours are far above it"


def test_negative_readings_of_a_feeder_with_sun_are_only_noted() -> None:
    frame = town(days=150)
    hour = frame["ds"].dt.hour.to_numpy()
    sun = np.clip(np.sin((hour - 6) / 12 * np.pi), 0, None) * np.random.default_rng(0).uniform(0.7, 1.1, len(frame))
    one = only(table(frame.assign(y=frame["y"] - 1300 * sun)), "impossible value")
    assert (one.severity, one.done) == ("note", "kept")


def test_capacity_is_told_in_the_unit_of_the_series() -> None:
    demand = table(town(), unit="kW")
    top = float(np.nanmax(demand.observed(demand.series[0])))
    assert examine(demand, {"town": SeriesInfo(unique_id="town", unit="MW", capacity=1.01 * top / 1000)}).findings == ()
    report = examine(demand, {"town": SeriesInfo(unique_id="town", unit="MW", capacity=0.99 * top / 1000)})
    assert {one.rule for one in report.findings} == {"impossible value"}
    assert "beyond the capacity of" in report.findings[0].size


def test_a_reading_far_out_of_the_range_cannot_be() -> None:
    frame = town()
    frame.loc[1000:1008, "y"] = 20_000.0 + np.arange(9)
    assert only(table(frame), "impossible value").size.endswith("far out of everything the series has shown")


def test_late_values_are_told_by_the_usual_delay() -> None:
    frame = town(days=30)
    rng = np.random.default_rng(0)
    delay = pd.to_timedelta(rng.uniform(1, 2, len(frame)), unit="h")
    late = (np.arange(len(frame)) >= 300) & (np.arange(len(frame)) < 324)
    frame["available_at"] = frame["ds"] + pd.Timedelta("1h") + delay + pd.to_timedelta(np.where(late, 72, 0), unit="h")
    one = only(table(frame), "late data")
    assert (one.first, one.last) == (frame["ds"][300], frame["ds"][323])
    assert one.size.startswith("known up to 7")
    frame["available_at"] = frame["ds"].iloc[-1] + pd.Timedelta("1D")  # loaded in one go: nothing is later than usual
    assert examine(table(frame)).findings == ()


def test_late_values_of_a_table_with_versions() -> None:
    frame = town(days=30)
    frame["available_at"] = frame["ds"] + pd.Timedelta("2h")
    frame.loc[300:310, "available_at"] += pd.Timedelta("3D")
    again = frame.iloc[100:200].assign(available_at=lambda one: one["available_at"] + pd.Timedelta("9D"))
    demand = table(pd.concat([frame, again]).sort_values(["ds", "available_at"]))
    assert "y" in demand.versions
    one = only(demand, "late data")  # a revision is not late: its period's first value was in time
    assert (one.first, one.last) == (frame["ds"][300], frame["ds"][310])


def test_rounded_readings_repeat_themselves_and_are_not_stuck() -> None:
    frame = town(mean=20.0, days=300)
    demand = table(frame.assign(y=frame["y"].round()))
    readings = Readings.of(demand, demand.series[0])
    longest = max(last - first + 2 for first, last in runs(np.diff(readings.y_T) == 0))
    assert longest >= 4  # as many equal readings would tell a finer meter that it is stuck
    assert longest_by_chance(readings, Limits()) > longest
    assert examine(demand).of("stuck meter") == ()


def test_a_daily_series_has_its_rules_too() -> None:
    frame = town("1D", days=500, zone="UTC")
    frame.loc[100, "y"] *= 1000
    frame.loc[200:206, "y"] = 0.0
    frame.loc[300, "y"] *= 1.8
    frame.loc[400:, "y"] *= 0.6
    told = [(one.rule, one.first) for one in examine(table(frame, "UTC")).findings]
    stamps = frame["ds"]
    assert told == [
        ("unit slip", stamps[100]), ("stuck meter", stamps[200]), ("spike", stamps[300]), ("level shift", stamps[400]),
    ]  # fmt: skip


def test_a_clock_that_is_off_for_good_is_told_by_its_first_day() -> None:
    frame = town(days=150, start="2023-04-03")
    y = frame["y"].to_numpy().copy()
    y[1800:] = np.roll(frame["y"].to_numpy(), 1)[1800:]
    (one,) = examine(table(frame.assign(y=y))).of("clock slip")
    assert abs(one.first - frame["ds"][1800]) <= pd.Timedelta("2D")
    assert (one.size, one.done, one.factor) == ("an hour later from this day on", "kept", 0.0)


def test_a_source_that_does_not_follow_the_clock() -> None:
    frame = town(days=150)
    change = int((frame["ds"] < "2023-03-26 01:00Z").sum())
    y = frame["y"].to_numpy().copy()
    y[change:] = np.roll(frame["y"].to_numpy(), 1)[change:]
    (one,) = examine(table(frame.assign(y=y))).of("clock slip")
    assert one.size.endswith("the source may not follow its zone's clock")
    demand = table(frame)
    assert turns(Readings.of(demand, demand.series[0]), 1).max() < 0


def test_evidence_of_a_slip_is_signed() -> None:
    frame = town(days=90)
    y = frame["y"].to_numpy()
    moved = np.where((np.arange(len(y)) >= 960) & (np.arange(len(y)) < 1152), np.roll(y, 1), y)
    demand = table(frame.assign(y=moved))
    readings = Readings.of(demand, demand.series[0])
    assert gather(readings, WEEKS, 1).score_D[41:47].min() > 0.5
    assert gather(readings, WEEKS, -1).score_D[41:47].max() < 0


def test_neighbours_are_a_median_of_at_least_three() -> None:
    flat = np.arange(10 * 2, dtype=float)
    said = neighbours(flat, 2, (-2, -1, 1, 2))
    assert np.isnan(said[0])
    np.testing.assert_allclose(said[8], flat[8])  # two below, two above
