"""Calendar columns follow the civil clock of each series."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from forecast.features import Features, Inputs, fit_features
from forecast.recipe import FeatureConfig
from forecast.tables import Columns, Demand
from forecast.windows import WindowSet, origins_at
from tests.builders import EVERYTHING, long_frame, make_demand, utc


def read(demand: Demand, cutoffs: list[pd.Timestamp], horizon: int, context: int = 24) -> tuple[Features, Inputs]:
    features = fit_features(FeatureConfig(), demand, context)
    windows: WindowSet = features.window_set(demand, origins_at(demand, cutoffs), horizon)
    return features, features.inputs(windows, features.clock(windows), np.arange(len(windows)))


def column(features: Features, inputs: Inputs, name: str) -> np.ndarray:
    return inputs.future_BHF[:, :, features.future_names.index(name)]


ZONES = {"a": "Australia/Melbourne", "b": "Europe/Lisbon", "c": "+05:45"}


@pytest.mark.parametrize("cutoff", ["2024-03-30T20:00Z", "2024-04-06T10:00Z", "2024-10-05T11:00Z", "2024-10-26T21:00Z"])
def test_each_series_has_its_own_local_clock_also_where_it_changes(cutoff: str) -> None:
    frame = pd.concat([long_frame(days=300, names=[name], start="2024-01-10") for name in ZONES])
    demand = make_demand(frame, zone=ZONES)
    features, inputs = read(demand, [pd.Timestamp(cutoff)], 48)
    hour_BH = inputs.future_BHF[:, :, [features.future_names.index(f"hour {hour}") for hour in range(24)]].argmax(2)
    weekday_BH = inputs.future_BHF[:, :, [features.future_names.index(f"weekday {day}") for day in range(7)]].argmax(2)
    for number, zone in enumerate(ZONES.values()):
        from forecast import clock

        local = pd.date_range(cutoff, periods=48, freq="1h").tz_convert(clock.zone(zone))
        # In a zone of quarter hours UTC's full hours lie within local ones.
        np.testing.assert_array_equal(hour_BH[number], local.hour)
        np.testing.assert_array_equal(weekday_BH[number], local.weekday)


def test_public_holidays_are_days_without_work() -> None:
    demand = make_demand(long_frame(days=80, zone="Australia/Melbourne"), zone="Australia/Melbourne", country="AU-VIC")
    cutoff = pd.Timestamp("2024-03-10", tz="Australia/Melbourne")
    features, inputs = read(demand.select(["north"]), [cutoff], 72)
    days = {name: column(features, inputs, name)[0].reshape(3, 24) for name in features.future_names}
    # Sunday, Labour Day, Tuesday; the flag "holiday" of the data is drawn at random and only adds.
    assert days["public holiday"].tolist() == [[0] * 24, [1] * 24, [0] * 24]
    assert days["eve of a public holiday"].tolist() == [[1] * 24, [0] * 24, [0] * 24]
    assert days["day after a public holiday"].tolist() == [[0] * 24, [0] * 24, [1] * 24]
    assert (days["day type Sunday or holiday"][:2] == 1).all()
    bare = make_demand(long_frame(days=80, zone="Australia/Melbourne"), zone="Australia/Melbourne")
    _, without = read(bare.select(["north"]), [cutoff], 72)
    assert not column(features, without, "public holiday").any()


def test_a_flag_named_holiday_makes_a_holiday() -> None:
    frame = long_frame(days=60, names=["a"])
    frame["holiday"] = (frame["ds"].dt.date == utc("2024-03-06").date()).astype(float)
    demand = make_demand(frame)
    features, inputs = read(demand, [utc("2024-03-05")], 72)
    free = column(features, inputs, "day type Sunday or holiday")[0].reshape(3, 24)
    assert free.tolist() == [[0] * 24, [1] * 24, [0] * 24]
    work = column(features, inputs, "day type workday")[0].reshape(3, 24)
    np.testing.assert_array_equal(work, 1 - free)


def test_flags_are_told_from_numbers_and_hinges_lie_evenly() -> None:
    demand = make_demand(long_frame(days=40))
    state = fit_features(FeatureConfig(knots=5), demand, 24).state
    assert state.binary == ("holiday",)
    assert set(state.knots) == {"temperature", "humidity"}
    knots = np.array(state.knots["temperature"])
    seen = long_frame(days=40)["temperature"].to_numpy(dtype=np.float32)
    np.testing.assert_allclose(knots[[0, -1]], np.quantile(seen, [0.02, 0.99]), atol=1e-4)
    np.testing.assert_allclose(np.diff(knots), np.diff(knots)[0], atol=1e-4)
    assert fit_features(FeatureConfig(knots=0), demand, 24).state.knots == {"temperature": (), "humidity": ()}


def test_nothing_is_learned_from_after_the_cutoff() -> None:
    frame, cutoff = long_frame(days=40), utc("2024-02-10")
    wild = frame.copy()
    late = wild["ds"] + pd.Timedelta("1h") > cutoff
    wild.loc[late, "temperature"] = 1e6
    wild.loc[late, "holiday"] = 0.5
    true, other = (fit_features(FeatureConfig(), make_demand(f).as_of(cutoff), 24).state for f in (frame, wild))
    assert true == other
    assert fit_features(FeatureConfig(), make_demand(wild), 24).state != true


@pytest.mark.parametrize(
    "columns",
    [
        Columns(),
        EVERYTHING,
        Columns(past=("load",), known=("demand", "holiday"), static=("size",)),
        Columns(known=("pressure",)),
    ],
)
def test_every_column_has_a_name_of_its_own(columns: Columns) -> None:
    frame = long_frame(days=30).rename(columns={"customers": "size"})
    frame["load"] = frame["demand"] = frame["y"]
    frame["customers"] = frame["size"]
    frame["pressure"] = 101_325 + frame["temperature"] / 1000
    demand = Demand.from_frame(frame, columns=columns)
    features, inputs = read(demand, [utc("2024-02-10")], 6)
    names = features.future_names
    assert len(set(names)) == len(names) == inputs.future_BHF.shape[2]
    assert len(set(features.past_names)) == len(features.past_names) == inputs.past_BLP.shape[2]
    of_load = [name for name, load in zip(names, features.future_load_columns, strict=True) if load]
    beside = 6 * ("demand" in columns.known)  # it equals y: somebody's forecast of the demand
    assert len(of_load) == 7 + 4 + 1 + 24 + 3 + 3 + beside
    assert all(name.startswith("y, ") for name in of_load)
    assert features.past_load_columns.index(True) == 0
    assert sum(features.past_load_columns) == 1 + (beside > 0)


@pytest.mark.parametrize("off", [{"similar_days": False}, {"recent": False}, {"same_hour_days": 14}, {"knots": 0}])
def test_what_is_switched_off_is_not_there(off: dict[str, object]) -> None:
    demand = make_demand(long_frame(days=40))
    count = {}
    for config in (FeatureConfig(), FeatureConfig(**off)):  # type: ignore[arg-type]
        features = fit_features(config, demand, 24)
        windows = features.window_set(demand, origins_at(demand, [utc("2024-02-20")]), 4)
        inputs = features.inputs(windows, features.clock(windows), np.arange(2))
        count[config] = inputs.future_BHF.shape[2]
        assert inputs.future_BHF.shape[2] == inputs.future_mask_BHF.shape[2] == len(features.future_names)
    before, after = count.values()
    assert after - before == {"similar_days": -1, "recent": -30, "same_hour_days": 7, "knots": -7 * 20}[next(iter(off))]
