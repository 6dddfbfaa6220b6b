"""Covariates by their kind: somebody's forecast of the demand, weather, flags; and what is seen too seldom to learn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from forecast.baselines.relative import Relative
from forecast.features import Features, FeatureState, Inputs, fit_features
from forecast.features.civil import YEAR_END_WEEKS
from forecast.forecaster import Forecaster
from forecast.recipe import FeatureConfig, Recipe, RidgeModel, Task
from forecast.tables import Columns, Demand
from forecast.training import fit
from forecast.windows import origins_at
from tests.builders import long_frame, make_demand, plain, utc

CUTOFF = utc("2024-02-20")


def table(*, of_it: float = 1.0, unit: float = 1.0, names: tuple[str, ...] = ("north", "south")) -> Demand:
    """Demand, a temperature, and an operator's day-ahead forecast that is `of_it` times the demand and a little off."""
    frame = long_frame(days=40, names=names)
    off = 1 + np.random.default_rng(4).normal(0, 0.05, len(frame))
    frame["day_ahead"] = (of_it * off * frame["y"] * unit).astype(np.float32)
    frame["y"] = (frame["y"] * unit).astype(np.float32)
    return make_demand(frame, columns=Columns(known=("temperature", "day_ahead")))


def read(demand: Demand, horizon: int = 24) -> tuple[Features, Inputs]:
    features = fit_features(FeatureConfig(), demand, 48)
    windows = features.window_set(demand, origins_at(demand, [CUTOFF]), horizon)
    return features, features.inputs(windows, features.clock(windows), np.arange(len(windows)))


def test_a_forecast_of_the_demand_is_scaled_with_it_and_never_bent() -> None:
    features, inputs = read(table())
    assert features.state.like_demand == ("day_ahead",)
    assert set(features.state.knots) == {"temperature"}
    of_it = [name for name in features.future_names if "day_ahead" in name]
    assert len(of_it) == 6
    assert all(name.startswith("y, day_ahead") for name in of_it)
    assert not any("above" in name for name in of_it)
    load = dict(zip(features.future_names, features.future_load_columns, strict=True))
    assert all(load[name] for name in of_it)
    assert dict(zip(features.past_names, features.past_load_columns, strict=True))["day_ahead"]
    told = inputs.future_BHF[0, :, features.future_names.index("y, day_ahead")]
    frame = table().to_frame().query("unique_id == 'north'").set_index("ds")
    np.testing.assert_array_equal(told, frame["day_ahead"].loc[pd.date_range(CUTOFF, periods=24, freq="1h")])


def test_a_temperature_is_bent_and_in_no_scale_of_the_demand() -> None:
    features, _ = read(table())
    assert "temperature" not in features.state.like_demand
    of_it = [name for name in features.future_names if name.startswith("temperature")]
    assert any("above" in name for name in of_it)
    load = dict(zip(features.future_names, features.future_load_columns, strict=True))
    assert not any(load[name] for name in of_it)


@pytest.mark.parametrize(("of_it", "alike"), [(0.8, True), (1.2, True), (0.5, False), (0.001, False)])
def test_it_must_lie_within_a_quarter_of_the_demand(of_it: float, alike: bool) -> None:
    features, _ = read(table(of_it=of_it))
    assert features.state.like_demand == (("day_ahead",) if alike else ())
    assert ("day_ahead" in features.state.knots) == (not alike)


def test_kilowatts_and_megawatts_read_the_same() -> None:
    (features, large), (_, small) = (read(table(unit=unit)) for unit in (1.0, 1024.0))
    load_F = np.array(features.future_load_columns)
    one, other = (Relative.of(inputs).columns(inputs, load_F) for inputs in (large, small))
    place = features.future_names.index("y, day_ahead")
    np.testing.assert_allclose(one[..., place], other[..., place], rtol=1e-5, atol=1e-6)
    assert np.abs(one[..., place]).max() < 1


def test_hinges_bend_every_column_of_one_or_two_covariates_and_the_main_ones_of_more() -> None:
    frame = long_frame(days=40, names=("north",))
    for name in ("wind", "sun"):
        frame[name] = np.random.default_rng(len(name)).uniform(-5, 5, len(frame))
    bent = {}
    for known in (("temperature",), ("temperature", "wind"), ("temperature", "wind", "sun")):
        features, _ = read(make_demand(frame, columns=Columns(known=known)))
        bent[len(known)] = sum("above" in name for name in features.future_names)
    assert bent == {1: 7 * 20, 2: 2 * 7 * 20, 3: 3 * 7 * 4}


@pytest.mark.parametrize(("start", "shown"), [("2022-03-01", False), ("2021-12-01", True)])
def test_the_weeks_about_new_year_are_shown_from_three_year_ends_on(start: str, shown: bool) -> None:
    periods = int((utc("2024-12-20") - utc(start)) / pd.Timedelta("6h"))
    demand = plain(np.random.default_rng(0).normal(100, 5, periods), start=start, freq="6h")
    features = fit_features(FeatureConfig(), demand.as_of(utc("2024-12-10")), 8)
    # Three turns of a year have been lived through from December 2021 to December 2024, two from March 2022.
    assert features.state.year_end == shown
    windows = features.window_set(demand, origins_at(demand, [utc("2024-12-19"), utc("2024-07-01")]), 4)
    inputs = features.inputs(windows, features.clock(windows), np.arange(2))
    first = features.future_names.index("1. week about new year")
    weeks_BHK = inputs.future_BHF[:, :, first : first + YEAR_END_WEEKS]
    assert bool(weeks_BHK[0].any()) == shown
    assert not weeks_BHK[1].any()


def year_columns(features: Features, demand: Demand, cutoff: pd.Timestamp) -> np.ndarray:
    """Those of the year's harmonics at one cutoff, [1, 4, 6]."""
    windows = features.window_set(demand, origins_at(demand, [cutoff]), 4)
    inputs = features.inputs(windows, features.clock(windows), np.arange(1))
    return inputs.future_BHF[:, :, [name.startswith("year harmonic") for name in features.future_names]]


@pytest.mark.parametrize(("days", "shown"), [(364, False), (365, True), (800, True)])
def test_the_year_has_columns_once_one_has_been_seen(days: int, shown: bool) -> None:
    until = utc("2024-12-10")
    start = until - pd.Timedelta(days=days)
    y = np.random.default_rng(0).normal(100, 5, (days + 10) * 4)
    demand = plain(y, start=f"{start:%Y-%m-%d}", freq="6h")
    features = fit_features(FeatureConfig(), demand.as_of(until), 8)
    assert features.state.seasons == shown
    for cutoff in (until - pd.Timedelta("30D"), until + pd.Timedelta("3D")):  # learned from, and forecast
        columns = year_columns(features, demand, cutoff)
        assert columns.shape == (1, 4, 6)
        assert bool((columns != 0).all()) == bool(columns.any()) == shown
    # The rest of the calendar stays.
    windows = features.window_set(demand, origins_at(demand, [until]), 4)
    bare = features.inputs(windows, features.clock(windows), np.arange(1)).future_BHF[0]
    for name in ("hour 0", "weekday 1", "day harmonic 4 cos"):
        assert bare[:, features.future_names.index(name)].any()


def test_rows_before_the_first_known_demand_make_no_year() -> None:
    y = np.random.default_rng(0).normal(100, 5, 800 * 4)
    y[: 500 * 4] = np.nan
    assert not fit_features(FeatureConfig(), plain(y, freq="6h"), 8).state.seasons
    y[100 * 4] = 100.0
    assert fit_features(FeatureConfig(), plain(y, freq="6h"), 8).state.seasons


@pytest.mark.parametrize(("days", "shown"), [(70, False), (400, True)])
def test_a_stored_forecaster_remembers_whether_the_year_has_columns(days: int, shown: bool, tmp_path: Path) -> None:
    demand = plain(np.random.default_rng(0).normal(100, 5, days * 4), start="2024-01-01", freq="6h")
    recipe = Recipe(name="r", model=RidgeModel(), context="3d", features=FeatureConfig(reach_days=8))
    made = fit(demand, recipe, Task(horizon=4)).forecaster
    made.save(tmp_path / "model")
    again = Forecaster.load(tmp_path / "model")
    assert again.spec.features.seasons == shown
    cutoff = demand.last_known_end()
    assert year_columns(again.spec.column_reader, demand, cutoff - pd.Timedelta("2D")).any() == shown
    pd.testing.assert_frame_equal(
        again.predict(demand, [cutoff]).frame, made.predict(demand, [cutoff]).frame, check_exact=True
    )
    # A state that was stored before the flag showed the year to everyone.
    stored = again.spec.features.model_dump(mode="json", exclude={"seasons"})
    assert FeatureState.model_validate(stored).seasons


def test_the_day_before_has_a_type_and_holidays_echo_for_six_days() -> None:
    zone = "Australia/Melbourne"
    demand = make_demand(long_frame(days=80, zone=zone, names=("a",)).assign(holiday=0.0), zone=zone, country="AU-VIC")
    features = fit_features(FeatureConfig(), demand, 24)
    cutoff = pd.Timestamp("2024-03-11", tz=zone)  # Labour Day, a Monday
    windows = features.window_set(demand, origins_at(demand, [cutoff]), 8 * 24)
    inputs = features.inputs(windows, features.clock(windows), np.arange(1))
    by_day = inputs.future_BHF[0].reshape(8, 24, -1)
    assert (by_day == by_day[:, :1])[..., features.future_names.index("public holiday")].all()
    for days in range(2, 7):
        column = by_day[:, 0, features.future_names.index(f"public holiday {days} days before")]
        assert np.flatnonzero(column).tolist() == [days]
    before = by_day[:, 0, features.future_names.index("day before of type Sunday or holiday")]
    assert np.flatnonzero(before).tolist() == [0, 1, 7]


def test_windows_know_their_place_among_the_learned_series() -> None:
    demand = table()
    features = fit_features(FeatureConfig(), demand, 48)
    assert features.state.series == ("north", "south")
    for names, places in ((("south", "north"), [0, 1]), (("south",), [1]), (("east",), [-1])):
        other = table(names=names)
        windows = features.window_set(other, origins_at(other, [CUTOFF]), 4)
        inputs = features.inputs(windows, features.clock(windows), np.arange(len(windows)))
        assert sorted(inputs.series_B.tolist()) == places


@pytest.mark.parametrize(("names", "label"), [(("day_ahead",), "none"), (("temperature",), "actual (optimistic)")])
def test_only_measured_weather_makes_a_figure_optimistic(names: tuple[str, ...], label: str) -> None:
    frame = table().to_frame()[["unique_id", "ds", "y", *names]]
    demand = make_demand(frame, columns=Columns(known=names))
    assert (
        fit(
            demand.as_of(CUTOFF), Recipe(name="r", context="2d", model=RidgeModel()), Task(horizon=24)
        ).forecaster.spec.weather
        == label
    )
