"""A table is checked when it is made: what is wrong is named, what is right arrives as it was."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecast import clock
from forecast.errors import DataError, DeclarationError
from forecast.tables import Columns, Demand
from tests.builders import EVERYTHING, long_frame, make_demand, utc

Spoil = Callable[[pd.DataFrame], pd.DataFrame]


def hourly(y: object = None, hours: int = 48, start: str = "2024-01-01") -> pd.DataFrame:
    ds = pd.date_range(utc(start), periods=hours, freq="1h")
    return pd.DataFrame({"unique_id": "a", "ds": ds, "y": np.arange(hours, dtype=float) if y is None else y})


def put(column: str, row: int, value: object) -> Spoil:
    def spoil(frame: pd.DataFrame) -> pd.DataFrame:
        values = frame[column].astype(object)
        values.iloc[row] = value
        return frame.assign(**{column: values.infer_objects()})

    return spoil


BAD: dict[str, tuple[Spoil, tuple[str, ...]]] = {
    "missing column": (lambda f: f.drop(columns="y"), ("no column 'y'", "unique_id, ds", "--target")),
    "empty": (lambda f: f.iloc[:0], ("empty", "at least one row")),
    "unsorted": (lambda f: f.iloc[::-1], ("not in time order", "Sort the file", "2024-01-02 22:00")),
    "duplicate stamps": (lambda f: pd.concat([f, f.iloc[5:6]]), ("occur twice", "2024-01-01 05:00", "--series")),
    "naive stamps": (lambda f: f.assign(ds=f["ds"].dt.tz_localize(None)), ("no zone", "--zone")),
    "stamps as text": (lambda f: f.assign(ds=f["ds"].astype(str)), ("not times", "'ds'")),
    "missing stamp": (put("ds", 7, pd.NaT), ("stamps are missing", "row 7")),
    "half an hour off": (put("ds", 20, utc("2024-01-01 20:30")), ("not on the clock", "20:30", "--freq")),
    "text in numbers": (put("y", 3, "closed"), ("not numbers", "row 3: 'closed'", "'y'")),
    "comma decimals": (put("y", 3, "4653,3"), ("not numbers", "4653,3", "--decimal ,")),
    "all missing": (lambda f: f.assign(y=np.nan), ("every value of y is missing", "'a'")),
    "infinite": (put("y", 9, np.inf), ("infinite", "09:00")),
    "minus infinite": (put("y", 9, -np.inf), ("infinite", "09:00")),
    "beyond float32": (put("y", 9, 1e39), ("infinite", "09:00")),
    "no series name": (put("unique_id", 4, None), ("name no series", "04:00")),
    "too slow": (lambda f: f.assign(ds=utc("2020-01-01") + np.arange(48) * pd.Timedelta("7D")), ("7 days", "1 days")),
    "one row": (lambda f: f.iloc[:1], ("one row is too few", "--freq")),
    "nearly empty span": (put("ds", 47, utc("2150-01-01")), ("mostly filled", "frequency")),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_tables_are_named(name: str) -> None:
    spoil, words = BAD[name]
    with clock.using("2200-01-01T00:00Z"), pytest.raises(DataError) as caught:
        Demand.from_frame(spoil(hourly()))
    said = str(caught.value)
    assert all(word in said for word in words), said


def test_values_of_the_future_are_refused_and_weather_of_the_future_is_not() -> None:
    frame = hourly().assign(temperature=1.0)
    with clock.using("2024-01-01T12:00Z"):
        with pytest.raises(DataError, match=r"35 values of y are stamped in the future.*13:00"):
            Demand.from_frame(frame, columns=Columns(known=("temperature",)))
        frame.loc[frame["ds"] > utc("2024-01-01 12:00"), "y"] = np.nan
        assert len(Demand.from_frame(frame, columns=Columns(known=("temperature",))).series[0]) == 48


def test_a_table_that_is_only_forecast_from_may_hold_meters_without_a_value() -> None:
    frame = pd.concat([hourly(), hourly(np.full(48, np.nan)).assign(unique_id="new")])
    demand = Demand.from_frame(frame, forecast_only=True)
    assert np.isnan(demand.by_id["new"].values_TC).all()
    assert demand.last_known_end() == utc("2024-01-03")
    assert demand.as_of("2024-01-02T00:00Z").select(["new"]).forecast_only
    with pytest.raises(DataError, match=r"'new': every value of y is missing"):
        Demand.from_frame(frame)
    with pytest.raises(DataError, match="not numbers"):
        Demand.from_frame(hourly("closed"), forecast_only=True)


def test_half_hours_after_hours_are_mixed_frequencies_not_a_table_full_of_gaps() -> None:
    early = pd.date_range(utc("2024-01-01"), periods=100, freq="1h")
    late = pd.date_range(early[-1] + pd.Timedelta("30min"), periods=400, freq="30min")
    frame = pd.DataFrame({"unique_id": "a", "ds": early.append(late), "y": 1.0})
    with pytest.raises(DataError, match=r"mixed frequencies: 0 days 00:30:00, but 0 days 01:00:00"):
        Demand.from_frame(frame)
    assert len(Demand.from_frame(frame, freq="30min").series[0]) == 599


def test_two_series_of_different_steps_are_mixed_frequencies() -> None:
    slow = hourly().assign(unique_id="b", ds=utc("2024-01-01") + np.arange(48) * pd.Timedelta("2h"))
    with pytest.raises(DataError, match="mixed frequencies"):
        Demand.from_frame(pd.concat([hourly(), slow]))


def test_a_column_has_one_role() -> None:
    with pytest.raises(DeclarationError, match="'temperature' twice"):
        Columns(past=("temperature",), known=("temperature",))
    with pytest.raises(DeclarationError, match="'y'"):
        Columns(known=("y",))


@pytest.mark.parametrize(("unit", "zone", "word"), [("MJ", "UTC", "unit 'MJ'"), ("MW", "Melbourne", "Australia/Melb")])
def test_unit_and_zone_are_checked(unit: str, zone: str, word: str) -> None:
    with pytest.raises(DeclarationError, match=word):
        Demand.from_frame(hourly(), unit=unit, zone=zone)


def test_static_covariates_are_one_number_per_series() -> None:
    frame = long_frame(days=3)
    frame.loc[3, "customers"] = 9.0
    with pytest.raises(DataError, match=r"'customers': a static covariate changes"):
        make_demand(frame)


def test_the_callers_frame_is_left_alone() -> None:
    frame = long_frame(days=3, late=True)
    frame["ds"] = frame["ds"].dt.tz_convert("Australia/Melbourne")
    frame["holiday"] = frame["holiday"] > 0
    before = frame.copy(deep=True)
    demand = make_demand(frame, unit="kWh")
    pd.testing.assert_frame_equal(frame, before)
    assert not demand.arena_RC.flags.writeable


@pytest.mark.parametrize("dtype", ["float32", "float64", "Float64", "Int64", "boolean"])
def test_number_types_with_missing_values(dtype: str) -> None:
    y = pd.Series([1, 0, None] * 16, dtype="Float64")
    y = y.astype(float).astype(dtype) if dtype.startswith("float") else y.astype(dtype)
    got = Demand.from_frame(hourly(y)).observed(Demand.from_frame(hourly(y)).series[0])
    np.testing.assert_array_equal(got, np.array([1, 0, np.nan] * 16, dtype=np.float32))


def test_both_autumn_hours_are_kept_and_days_have_their_length() -> None:
    local = pd.date_range("2024-03-30", "2024-04-09", freq="1h", tz="Australia/Melbourne", inclusive="left")
    frame = pd.DataFrame({"unique_id": "vic", "ds": local, "y": np.arange(len(local), dtype=float)})
    demand = Demand.from_frame(frame, zone="Australia/Melbourne")
    back = demand.to_frame()
    stamps = back["ds"].dt.tz_convert("Australia/Melbourne")
    twice = back["y"][(stamps.dt.strftime("%m-%d %H") == "04-07 02")]
    assert len(twice) == 2
    assert twice.nunique() == 2
    lengths = back.groupby(stamps.dt.date)["y"].count()
    assert lengths.loc[pd.Timestamp("2024-04-07").date()] == 25
    assert set(lengths.drop(pd.Timestamp("2024-04-07").date())) == {24}


def test_a_spring_day_has_23_hours_without_a_gap() -> None:
    local = pd.date_range("2024-10-04", "2024-10-08", freq="1h", tz="Australia/Melbourne", inclusive="left")
    demand = Demand.from_frame(pd.DataFrame({"unique_id": "vic", "ds": local, "y": 1.0}), zone="Australia/Melbourne")
    assert len(demand.series[0]) == 95
    assert np.isfinite(demand.observed(demand.series[0])).all()


@settings(max_examples=30)
@given(st.sets(st.integers(1, 94), max_size=60), st.sampled_from(["10min", "30min", "1h", "1D"]))
def test_gaps_stay_gaps(missing: set[int], freq: str) -> None:
    ds = pd.date_range(utc("2024-01-01"), periods=96, freq=freq)
    frame = pd.DataFrame({"unique_id": "a", "ds": ds, "y": np.arange(96.0)})
    demand = Demand.from_frame(frame[~frame.index.isin(missing)], freq=freq)
    got = demand.observed(demand.series[0])
    expected = np.arange(96.0)
    expected[list(missing)] = np.nan
    np.testing.assert_array_equal(got, expected.astype(np.float32))
    pd.testing.assert_index_equal(demand.stamps(demand.series[0]), ds, check_names=False)


@pytest.mark.parametrize(
    ("unit", "freq", "power"), [("kWh", "30min", 20.0), ("MWh", "10min", 60.0), ("GW", "30min", 10.0)]
)
def test_energy_becomes_mean_power_and_is_said_as_energy_again(unit: str, freq: str, power: float) -> None:
    ds = pd.date_range(utc("2024-01-01"), periods=10, freq=freq)
    demand = Demand.from_frame(pd.DataFrame({"unique_id": "a", "ds": ds, "y": 10.0}), unit=unit)
    np.testing.assert_allclose(demand.observed(demand.series[0]), power, rtol=1e-6)
    np.testing.assert_allclose(demand.observed(demand.series[0]) * demand.output_factor, 10.0, rtol=1e-6)


def test_series_of_several_lengths_and_zones_lie_one_after_the_other() -> None:
    frame = pd.concat([long_frame(days=4, names=["b"]), long_frame(days=2, names=["a"], start="2024-01-22")])
    demand = make_demand(frame, zone={"a": "Europe/Lisbon", "b": "+10:00"})
    assert [(one.unique_id, one.zone, len(one), one.first_row) for one in demand.series] == [
        ("a", "Europe/Lisbon", 48, 0),
        ("b", "+10:00", 96, 48),
    ]
    for one in demand.series:
        assert np.shares_memory(one.values_TC, demand.arena_RC)
        mine = frame[frame["unique_id"] == one.unique_id]
        np.testing.assert_array_equal(one.values_TC, mine[list(EVERYTHING.dynamic)].to_numpy(dtype=np.float32))


def test_available_at_needs_a_zone_and_is_never_before_its_period() -> None:
    frame = hourly().assign(available_at=hourly()["ds"] + pd.Timedelta("2h"))
    naive = frame.assign(available_at=frame["available_at"].dt.tz_localize(None))
    with pytest.raises(DataError, match=r"available_at.*not stamps with a zone"):
        Demand.from_frame(naive)
    frame.loc[5, "available_at"] = frame.loc[5, "ds"] - pd.Timedelta("1min")
    with pytest.raises(DataError, match=r"available before their period began \(2024-01-01 05:00"):
        Demand.from_frame(frame)
