"""Calendars by country: bridge days, weekends of other days, series of several countries, folders of before."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from forecast.calendars import Event, Events, with_events
from forecast.features import Features, FeatureState, Inputs, fit_features
from forecast.forecaster import Forecaster
from forecast.forecaster import folder as stored
from forecast.recipe import FeatureConfig, Recipe, RidgeModel, Task
from forecast.tables import Columns, Demand
from forecast.training import fit
from forecast.windows import origins_at
from tests.builders import long_frame, make_demand, utc

NONE = Columns()
RECIPE = Recipe(name="ridge", context="2d", model=RidgeModel(), features=FeatureConfig(same_hour_days=3))


def read(demand: Demand, cutoff: pd.Timestamp, days: int, state: FeatureState | None = None) -> tuple[Features, Inputs]:
    features = fit_features(FeatureConfig(), demand, 24)
    features = features if state is None else Features(features.config, state, features.columns, 24)
    windows = features.window_set(demand, origins_at(demand, [cutoff]), 24 * days)
    return features, features.inputs(windows, features.clock(windows), np.arange(len(windows)))


def by_day(features: Features, inputs: Inputs, name: str, series: int = 0) -> list[float]:
    """A column ahead, one number a day."""
    of_day = inputs.future_BHF[series, :, features.future_names.index(name)].reshape(-1, 24)
    assert (of_day == of_day[:, :1]).all()
    return [float(value) for value in of_day[:, 0]]


def may(names: tuple[str, ...] = ("north", "south"), country: str | None = None) -> Demand:
    """Sixty days up to 19 May 2024."""
    return make_demand(long_frame(start="2024-03-20", days=60, names=names), columns=NONE, country=country)


def test_bridge_days_have_a_column() -> None:
    features, inputs = read(may(country="DE-BY"), utc("2024-05-08"), 5)
    assert by_day(features, inputs, "public holiday") == [0, 1, 0, 0, 0]
    assert by_day(features, inputs, "bridge day") == [0, 0, 1, 0, 0]


def test_series_of_two_countries_have_their_own_holidays() -> None:
    demand = may(country="DE-BY").with_countries({"south": "PT"})
    cutoff = utc("2024-04-25")
    features, inputs = read(demand, cutoff, 3)
    assert by_day(features, inputs, "public holiday", 0) == [0, 0, 0]
    assert by_day(features, inputs, "public holiday", 1) == [1, 0, 0]
    assert by_day(features, inputs, "bridge day", 1) == [0, 1, 0]
    assert by_day(features, inputs, "day type Sunday or holiday", 1) == [1, 0, 0]
    # Each reads what it would read in a table of its country alone.
    for number, country in enumerate(("DE-BY", "PT")):
        _, alone = read(may(country=country), cutoff, 3)
        np.testing.assert_array_equal(inputs.future_BHF[number], alone.future_BHF[number])
        np.testing.assert_array_equal(inputs.past_BLP[number], alone.past_BLP[number])


def test_days_of_rest_are_the_countrys() -> None:
    features, inputs = read(may(country="SA"), utc("2024-05-02"), 4)  # Thursday to Sunday
    assert by_day(features, inputs, "day type Sunday or holiday") == [0, 1, 0, 0]
    assert by_day(features, inputs, "day type Saturday") == [0, 0, 1, 0]
    assert by_day(features, inputs, "day type workday") == [1, 0, 0, 1]
    _, after = read(may(country="SA"), utc("2024-05-04"), 1)
    assert after.past_BLP[0, :, features.past_names.index("weekend or holiday")].tolist() == [1.0] * 24


@pytest.mark.parametrize("country", [None, "AU-VIC", "PT"])
def test_where_people_rest_on_saturday_and_sunday_nothing_else_changed(country: str | None) -> None:
    demand = may(country=country)
    old = fit_features(FeatureConfig(), demand, 24).state.model_copy(update={"bridge_days": False, "weekends": False})
    features, inputs = read(demand, utc("2024-04-20"), 14)
    before, those = read(demand, utc("2024-04-20"), 14, old)
    kept = [name != "bridge day" for name in features.future_names]
    assert [name for name, keep in zip(features.future_names, kept, strict=True) if keep] == list(before.future_names)
    np.testing.assert_array_equal(inputs.future_BHF[:, :, kept], those.future_BHF)
    np.testing.assert_array_equal(inputs.past_BLP, those.past_BLP)


def test_a_folder_of_before_has_no_bridge_days_and_rests_on_saturday_and_sunday(tmp_path: Path) -> None:
    demand = may(country="SA")
    made = fit(demand, RECIPE, Task(horizon=24, every="1d")).forecaster
    assert made.spec.features.bridge_days
    made.save(tmp_path / "new")
    told = json.loads((tmp_path / "new" / stored.SPEC).read_text())
    assert told["features"].pop("bridge_days")
    assert told["features"].pop("weekends")
    assert told.pop("countries") == {}
    state = type(made.spec).model_validate(told).features
    assert not state.bridge_days
    assert not state.weekends
    features, inputs = read(demand, utc("2024-05-03"), 1, state)  # a Friday
    assert "bridge day" not in features.future_names
    assert by_day(features, inputs, "day type workday") == [1]
    assert len(features.future_names) == inputs.future_BHF.shape[2]


def test_a_forecaster_remembers_the_countries_of_its_series(tmp_path: Path) -> None:
    demand = may(country="DE-BY").with_countries({"south": "PT"})
    fit(demand, RECIPE, Task(horizon=24, every="1d")).forecaster.save(tmp_path / "model")
    forecaster = Forecaster.load(tmp_path / "model")
    assert (forecaster.spec.country, forecaster.spec.countries) == ("DE-BY", {"south": "PT"})
    cutoff = [utc("2024-04-25")]
    told = forecaster.predict(demand, cutoff).frame
    pd.testing.assert_frame_equal(forecaster.predict(may(), cutoff).frame, told)
    # A table that says whose holidays it has is believed.
    elsewhere = forecaster.predict(may(country="FR"), cutoff).frame
    assert not np.array_equal(elsewhere["mean"], told["mean"])
    south = forecaster.spec.as_learned(may(("south", "west")).with_countries({"west": "IT"}))
    assert [(one.country, south.country) for one in south.series] == [("PT", "DE-BY"), ("IT", "DE-BY")]


def test_school_holidays_are_no_days_off() -> None:
    frame = long_frame(days=60, names=("a",))
    first, last = utc("2024-03-04").date(), utc("2024-03-08").date()
    demand = with_events(Demand.from_frame(frame), Events((Event("school holidays", first, last),)))
    features, inputs = read(demand, utc("2024-03-04"), 3)
    assert features.state.binary == ("event school holidays",)
    assert by_day(features, inputs, "event school holidays") == [1, 1, 1]
    assert by_day(features, inputs, "day type workday") == [1, 1, 1]


def test_events_are_learned_and_forecast_like_any_flag_known_ahead() -> None:
    """Days of strike take a third of the demand away; a ridge that is told of the next one says so."""
    frame = long_frame(days=120, names=("a",))
    days = pd.date_range("2024-02-01", "2024-05-10", freq="9D").date
    frame.loc[frame["ds"].dt.date.isin(days), "y"] *= 2 / 3
    frame = frame[frame["ds"] < utc("2024-05-16")]
    spans = [Event("strike", day, day) for day in (*days, utc("2024-05-16").date())]
    demand, cutoff = with_events(Demand.from_frame(frame), Events(tuple(spans))), utc("2024-05-16")
    forecaster = fit(demand, RECIPE, Task(horizon=24, every="1d")).forecaster
    struck = forecaster.predict(demand, [cutoff])
    calm = forecaster.predict(with_events(Demand.from_frame(frame), Events(tuple(spans[:-1]))), [cutoff])
    assert not any("event strike" in warning for warning in (*struck.warnings, *calm.warnings))
    assert forecaster.spec.events == ("strike",)
    share = struck.frame["mean"].mean() / calm.frame["mean"].mean()
    assert 0.6 < share < 0.75
    # A name that came into the file later is not read.
    more = Events((*spans, Event("fair", days[0], days[0])))
    pd.testing.assert_frame_equal(
        forecaster.predict(with_events(Demand.from_frame(frame), more), [cutoff]).frame, struck.frame
    )
    # The same, as a request carries it: a column known ahead among the others.
    bare = demand.to_frame()
    carried = Demand.from_frame(bare, columns=Columns(known=("event strike",)))
    pd.testing.assert_frame_equal(forecaster.predict(carried, [cutoff]).frame, struck.frame)
