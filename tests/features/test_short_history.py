"""Under a year of history, weather that ends at the cutoff is not shown: it says which season it is, not what comes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from forecast.features import Features, Inputs, fit_features
from forecast.recipe import FeatureConfig
from forecast.tables import Columns, Demand
from forecast.windows import origins_at
from tests.builders import utc


def table(days: int) -> Demand:
    ds = pd.date_range(utc("2024-12-01") - pd.Timedelta(days=days), utc("2024-12-03"), freq="6h", inclusive="left")
    draw = np.random.default_rng(0).normal(100, 5, (len(ds), 3))
    frame = pd.DataFrame({"unique_id": "a", "ds": ds, "y": draw[:, 0], "humidity": draw[:, 1], "wind": draw[:, 2] - 90})
    return Demand.from_frame(frame, columns=Columns(past=("humidity",), known=("wind",)))


def read(days: int) -> tuple[Features, Inputs]:
    demand = table(days)
    features = fit_features(FeatureConfig(), demand.as_of(utc("2024-12-01")), 8)
    windows = features.window_set(demand, origins_at(demand, [utc("2024-12-01")]), 4)
    return features, features.inputs(windows, features.clock(windows), np.arange(1))


@pytest.mark.parametrize(("days", "shown"), [(200, False), (400, True)])
def test_weather_up_to_the_cutoff_is_shown_from_a_year_on(days: int, shown: bool) -> None:
    features, inputs = read(days)
    assert any(name.startswith("humidity") for name in features.future_names) == shown
    plane = features.past_names.index("humidity")
    assert inputs.past_mask_BLP[0, :, plane].any() == shown
    assert inputs.past_BLP[0, :, plane].any() == shown
    assert inputs.future_BHF.shape[2] == len(features.future_names)


@pytest.mark.parametrize("days", [200, 400])
def test_what_is_known_ahead_is_always_shown(days: int) -> None:
    features, inputs = read(days)
    assert any(name.startswith("wind") for name in features.future_names)
    assert inputs.past_mask_BLP[0, :, features.past_names.index("wind")].all()


def test_weather_up_to_the_cutoff_bends_in_its_newest_day() -> None:
    features, inputs = read(400)
    knots = features.state.knots["humidity"]
    assert len(knots) == FeatureConfig().knots
    for main in ("same hour, 1. day back", "mean of the last 1 h", "mean of the last 24 h", "highest of the last day"):
        plain = inputs.future_BHF[0, :, features.future_names.index(f"humidity, {main}")]
        assert plain.any()
        for knot in knots:
            bent = inputs.future_BHF[0, :, features.future_names.index(f"humidity, {main} above {knot:.12g}")]
            np.testing.assert_allclose(bent, np.maximum(plain - knot, 0), rtol=1e-4, atol=1e-4)
