"""Baselines say what their words promise, and come back from arrays bit for bit."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor

from forecast.baselines import Gram, HourlyRidge, QuantileTrees, Relative, SeasonalNaive
from forecast.baselines.trees import _flatten
from forecast.features import Features, Inputs, fit_features
from forecast.recipe import FeatureConfig, SeasonalNaiveModel, TreesModel
from forecast.tables import Columns, Demand
from forecast.windows import origins_at, origins_every
from tests.builders import long_frame, make_demand, plain, utc

LEVELS = (0.1, 0.3, 0.5, 0.9)


def read(demand: Demand, cutoffs: list[pd.Timestamp], horizon: int) -> tuple[Features, Inputs]:
    features = fit_features(FeatureConfig(), demand, 168)
    windows = features.window_set(demand, origins_at(demand, cutoffs), horizon)
    return features, features.inputs(windows, features.clock(windows), np.arange(len(windows)))


def taught(demand: Demand, horizon: int, stride: int = 7) -> tuple[Features, Inputs]:
    features = fit_features(FeatureConfig(), demand, 168)
    windows = features.window_set(demand, origins_every(demand, context=168, horizon=horizon, stride=stride), horizon)
    return features, features.inputs(windows, features.clock(windows), np.arange(len(windows)))


def ridge_of(features: Features, inputs: Inputs, alpha: float = 10.0) -> HourlyRidge:
    """A ridge of all these windows together."""
    blank = HourlyRidge.blank(features, inputs, LEVELS)
    gram = Gram(blank, 1)
    gram.add(inputs, np.zeros(len(inputs.target_BH), dtype=np.int64))
    return blank.with_group(-1, *gram.solve([alpha], blank.pooled_KE))


@pytest.mark.parametrize(
    ("season", "delay", "horizon", "back"),
    [
        ("day", "0h", 24, [24] * 24),
        ("week", "0h", 24, [168] * 24),
        ("day", "0h", 48, [24] * 24 + [48] * 24),
        # At the 12 hours' delay, only the first twelve steps' yesterday is known.
        ("day", "12h", 24, [24] * 12 + [48] * 12),
        ("week", "10D", 24, [336] * 24),
    ],
)
def test_seasonal_naive_repeats_the_last_known_season(season: str, delay: str, horizon: int, back: list[int]) -> None:
    y = np.random.default_rng(0).normal(100, 10, 40 * 24)
    demand = plain(y, delay=delay)
    features, inputs = read(demand, [utc("2024-02-01")], horizon)
    naive = SeasonalNaive.fit(SeasonalNaiveModel(season=season), features, inputs, LEVELS)  # type: ignore[arg-type]
    said = naive.quantiles(inputs)
    origin = 31 * 24
    expected = [y[origin + h - back[h]] for h in range(horizon)]
    assert said.shape == (1, horizon, len(LEVELS))
    for level in range(len(LEVELS)):
        np.testing.assert_array_equal(said[0, :, level], np.array(expected, dtype=np.float32))


def test_seasonal_naive_takes_the_next_best_where_that_is_missing() -> None:
    y = np.arange(40 * 24.0)
    origin = 31 * 24
    y[[origin - 168 + 3, origin - 168 + 4, origin - 336 + 4]] = np.nan
    features, inputs = read(plain(y), [utc("2024-02-01")], 6)
    naive = SeasonalNaive.fit(SeasonalNaiveModel(season="week"), features, inputs, LEVELS)
    assert naive.quantiles(inputs)[0, :, 0].tolist() == [
        origin - 168, origin - 167, origin - 166, origin + 3 - 336, origin + 4 - 24, origin - 163,
    ]  # fmt: skip


def test_seasonal_naive_says_a_typical_level_for_a_silent_meter() -> None:
    features, inputs = taught(plain(np.full(20 * 24, 42.0)), 4)
    naive = SeasonalNaive.fit(SeasonalNaiveModel(), features, inputs, LEVELS)
    _, silent = read(plain(np.full(20 * 24, 42.0)), [utc("2023-12-01")], 4)
    assert (naive.quantiles(silent) == 42.0).all()


def test_ridge_recovers_a_linear_truth() -> None:
    frame = long_frame(days=200, names=["a"], start="2023-06-01")
    temperature = frame["temperature"]
    hour = frame["ds"].dt.hour
    frame["y"] = 1000 + 40 * np.sin(hour / 24 * 2 * np.pi) + 5 * temperature + 12 * np.maximum(temperature - 15, 0)
    demand = make_demand(frame, columns=Columns(known=("temperature",)))
    features, inputs = taught(demand.as_of("2023-12-01T00:00Z"), 24)
    ridge = ridge_of(features, inputs, 1e-3)
    cutoffs = list(pd.date_range(utc("2023-12-02"), utc("2023-12-16"), freq="1D"))
    windows = features.window_set(demand, origins_at(demand, cutoffs), 24)
    fresh = features.inputs(windows, features.clock(windows), np.arange(len(windows)))
    error = np.abs(ridge.quantiles(fresh)[:, :, 0] - fresh.target_BH).mean()
    assert error < 0.05 * fresh.target_BH.std()


def test_relative_numbers_make_megawatts_and_kilowatts_alike() -> None:
    frame = long_frame(days=40, names=["a"], gaps=0.05)
    small, large = (taught(make_demand(frame.assign(y=frame["y"] * by)), 6, 31)[1] for by in (1, 1024))
    features, _ = taught(make_demand(frame), 6, 31)
    load_F = np.array(features.future_load_columns)
    one, other = (Relative.of(inputs) for inputs in (small, large))
    np.testing.assert_allclose(one.columns(small, load_F), other.columns(large, load_F), rtol=1e-6, atol=1e-6)
    back = one.absolute(one.target(small))
    np.testing.assert_allclose(back, small.target_BH, rtol=1e-5)


@pytest.fixture(scope="module")
def noisy() -> tuple[Features, Inputs]:
    return taught(make_demand(long_frame(days=50, gaps=0.15), delay="20h"), 24, 11)


def test_trees_walk_like_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(3000, 12))
    x[rng.random(x.shape) < 0.2] = np.nan
    x[:, 3] = np.round(x[:, 3])
    y = np.nansum(x[:, :4], axis=1) + np.where(np.isnan(x[:, 5]), 3.0, x[:, 5]) + rng.normal(size=3000)
    fitted = HistGradientBoostingRegressor(loss="quantile", quantile=0.3, max_iter=40, min_samples_leaf=5).fit(x, y)
    trees = QuantileTrees({f"0.3/{name}": table for name, table in _flatten(fitted).items()}, (0.3,), (0.3,))
    fresh = rng.normal(size=(2000, 12))
    fresh[rng.random(fresh.shape) < 0.3] = np.nan
    fresh[:5] = x[:5]
    np.testing.assert_allclose(trees._walk(fresh, 0.3), fitted.predict(fresh), rtol=0, atol=1e-12)


def test_trees_never_cross_and_fill_in_between_levels(noisy: tuple[Features, Inputs]) -> None:
    features, inputs = noisy
    config = TreesModel(iterations=8, leaves=8, min_leaf=10)
    trees = QuantileTrees.fit(config, features, inputs, (0.1, 0.3, 0.5, 0.9))
    said = trees.quantiles(inputs)
    assert said.dtype == np.float32
    assert (np.diff(said, axis=2) >= 0).all()
    np.testing.assert_allclose(said[..., 1], (said[..., 0] + said[..., 2]) / 2, rtol=1e-5)
    known = inputs.target_mask_BH > 0
    assert 0.05 < (inputs.target_BH[known] <= said[..., 0][known]).mean() < 0.2
    assert 0.8 < (inputs.target_BH[known] <= said[..., 3][known]).mean() < 0.95


@pytest.mark.parametrize("kind", ["naive", "ridge", "trees"])
def test_a_baseline_comes_back_from_its_arrays_bit_for_bit(kind: str, noisy: tuple[Features, Inputs]) -> None:
    features, inputs = noisy
    fitted = {
        "naive": lambda: SeasonalNaive.fit(SeasonalNaiveModel(), features, inputs, LEVELS),
        "ridge": lambda: ridge_of(features, inputs),
        "trees": lambda: QuantileTrees.fit(TreesModel(iterations=4), features, inputs, LEVELS),
    }[kind]()
    import json

    settings = json.loads(json.dumps(fitted.settings()))
    again = type(fitted).restore(settings, {name: array.copy() for name, array in fitted.arrays().items()})
    assert again.quantiles(inputs).tobytes() == fitted.quantiles(inputs).tobytes()


@pytest.mark.parametrize("spoil", ["constant", "zero"])
def test_flat_series_stay_finite(spoil: str) -> None:
    features, inputs = taught(plain(np.full(40 * 24, 5.0 if spoil == "constant" else 0.0)), 24, 13)
    for fitted in (
        ridge_of(features, inputs),
        QuantileTrees.fit(TreesModel(iterations=2), features, inputs, LEVELS),
    ):
        np.testing.assert_allclose(fitted.quantiles(inputs), 5.0 if spoil == "constant" else 0.0, atol=1e-4)
