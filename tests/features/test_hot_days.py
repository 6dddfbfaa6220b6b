"""Days hotter than almost all that were learned: hinges are measured in the deviation of their straight column."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pytest

from forecast.baselines import HourlyRidge
from forecast.errors import RecipeError
from forecast.features import Features, fit_features, measured_in
from forecast.forecaster import Forecaster
from forecast.networks.shape import NetworkShape
from forecast.recipe import FeatureConfig, Recipe, RidgeModel, Task
from forecast.recipes import GRU
from forecast.tables import Columns, Demand
from forecast.training import fit
from tests.builders import make_demand, utc

BEND, SLOPE = 26.0, 25.0
CUTOFF = utc("2024-06-01")


@cache
def table() -> Demand:
    """Demand of 500 MW and 25 MW for every degree above 26; four days in a hundred are hot, the last one hottest."""
    rng = np.random.default_rng(5)
    days, hours = 300, np.arange(24)
    warmth_D = rng.normal(16, 3, days)
    hot_D = rng.random(days) < 0.04
    warmth_D[hot_D] = rng.uniform(27, 33, hot_D.sum())
    warmth_D[-8:] = [16, 17, 15, 16, 18, 16, 30, 38]
    temperature_DH = warmth_D[:, None] + 3 * np.sin((hours - 9) / 24 * 2 * np.pi)
    y_DH = 500 + SLOPE * np.maximum(temperature_DH - BEND, 0) + rng.normal(0, 2, (days, 24))
    ds = pd.date_range(CUTOFF - pd.Timedelta(days=days - 1), periods=days * 24, freq="1h")
    frame = pd.DataFrame({"unique_id": "a", "ds": ds, "y": y_DH.ravel(), "temperature": temperature_DH.ravel()})
    return make_demand(frame, columns=Columns(known=("temperature",)))


def features() -> Features:
    return fit_features(FeatureConfig(), table().as_of(CUTOFF), 48)


def test_a_hinge_is_measured_in_its_straight_column() -> None:
    names = features().future_names
    units = measured_in(names)
    hinges = [place for place, name in enumerate(names) if " above " in name]
    assert len(hinges) == 7 * 20
    assert all(names[place].startswith(f"{names[units[place]]} above ") for place in hinges)
    assert [units[place] for place in range(len(names)) if place not in hinges] == [
        place for place in range(len(names)) if place not in hinges
    ]


@pytest.mark.parametrize("kind", ["ridge", "network"])
def test_the_hottest_day_lies_within_the_clip(kind: str) -> None:
    forecaster = learned(kind)
    names = forecaster.spec.column_reader.future_names
    hinges = [place for place, name in enumerate(names) if name.startswith("temperature above ")]
    model = forecaster.model
    if isinstance(model, HourlyRidge):
        mean_F, std_F, clip = model.mean_F, model.std_F, 6.0
    else:
        scaling = model.network.scaling  # type: ignore[attr-defined]
        mean_F, std_F, clip = scaling.future_mean.numpy(), scaling.future_std.numpy(), scaling.clip
    knots = np.array([float(names[place].rpartition(" ")[2]) for place in hinges])
    straight = names.index("temperature")
    np.testing.assert_array_equal(std_F[hinges], np.full(len(hinges), std_F[straight]))
    hottest = (np.maximum(41 - knots, 0) - mean_F[hinges]) / std_F[hinges]
    assert hottest.max() < clip


@cache
def learned(kind: str) -> Forecaster:
    short = GRU.model_copy(update={"model": GRU.model.model_copy(update={"training": few_epochs()})})
    recipe = Recipe(name="r", context="2d", model=RidgeModel()) if kind == "ridge" else short
    return fit(table().as_of(CUTOFF), recipe, Task(horizon=24, every="1d")).forecaster


def few_epochs():  # type: ignore[no-untyped-def]
    return GRU.model.training.model_copy(update={"epochs": 2, "final": "keep"})  # type: ignore[union-attr]


def test_a_ridge_follows_the_heat_beyond_what_it_has_learned() -> None:
    said = learned("ridge").predict(table(), [CUTOFF]).frame.set_index("ds")["q0.5"]
    truth = table().to_frame().set_index("ds")["y"].loc[said.index]
    # 38 degrees on the mean of the day; nothing above 36 was ever learned.
    assert truth.max() > 850
    assert np.abs(said - truth).max() < 60


def test_units_name_a_column_each() -> None:
    sides = {"past_columns": 1, "future_columns": 2, "context": 4, "horizon": 2}
    with pytest.raises(RecipeError, match="1 future_units"):
        NetworkShape(**sides, future_units=(0,))
    with pytest.raises(RecipeError, match="future_units"):
        NetworkShape(**sides, future_units=(0, 2))
