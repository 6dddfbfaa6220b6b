"""The figures as array functions: against scikit-learn where it has them, by hand elsewhere, NaN as missing."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import (
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_pinball_loss,
    root_mean_squared_error,
)

from forecast import metrics
from forecast.errors import DataError

NAN = float("nan")
numbers = st.floats(-1e6, 1e6).map(lambda value: round(value, 3))
pairs = st.integers(1, 30).flatmap(lambda size: st.tuples(*[arrays(np.float64, size, elements=numbers)] * 2))
levels = st.sampled_from([0.1, 0.25, 0.5, 0.9])
Figure = Callable[[np.ndarray, np.ndarray], float]
OF_PAIRS: dict[str, Figure] = {
    "mae": metrics.mae,
    "rmse": metrics.rmse,
    "mape": metrics.mape,
    "wape": metrics.wape,
    "bias": metrics.bias,
    "mase": lambda y, forecast: metrics.mase(y, forecast, 2.0),
    "pinball": lambda y, forecast: metrics.pinball(y, forecast, 0.3),
    "coverage": lambda y, forecast: metrics.coverage(y, forecast - 1, forecast + 1),
    "winkler": lambda y, forecast: metrics.winkler(y, forecast - 1, forecast + 1, 0.2),
    "mean_pinball": lambda y, forecast: metrics.mean_pinball(y, np.stack([forecast, forecast + 1], 1), [0.2, 0.6]),
}


@given(pairs, levels)
def test_figures_equal_those_of_scikit_learn(pair: tuple[np.ndarray, np.ndarray], level: float) -> None:
    y, forecast = pair
    assert metrics.mae(y, forecast) == pytest.approx(mean_absolute_error(y, forecast))
    assert metrics.rmse(y, forecast) == pytest.approx(root_mean_squared_error(y, forecast))
    assert metrics.pinball(y, forecast, level) == pytest.approx(mean_pinball_loss(y, forecast, alpha=level))
    some = y != 0
    if some.any():
        expected = 100 * mean_absolute_percentage_error(y[some], forecast[some])
        assert metrics.mape(y, forecast) == pytest.approx(expected)


@pytest.mark.parametrize("name", OF_PAIRS)
@given(pair=pairs, data=st.data())
def test_a_missing_part_takes_its_pair_out_and_nothing_else(
    name: str, pair: tuple[np.ndarray, np.ndarray], data: st.DataObject
) -> None:
    y, forecast = pair[0].copy(), pair[1].copy()
    kept = data.draw(arrays(np.bool_, len(y)))
    expected = OF_PAIRS[name](y[kept], forecast[kept])
    first = data.draw(arrays(np.bool_, len(y)))
    y[~kept & first] = NAN
    forecast[~kept & ~first] = NAN
    assert OF_PAIRS[name](y, forecast) == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize("name", OF_PAIRS)
def test_a_figure_without_any_pair_is_missing(name: str) -> None:
    nothing = np.array([NAN, 1.0]), np.array([1.0, NAN])
    assert math.isnan(OF_PAIRS[name](*nothing))
    assert math.isnan(OF_PAIRS[name](np.array([]), np.array([])))


@given(pairs)
def test_relations_between_figures(pair: tuple[np.ndarray, np.ndarray]) -> None:
    y, forecast = pair
    mae = metrics.mae(y, forecast)
    assert metrics.rmse(y, forecast) >= mae * (1 - 1e-9)
    assert abs(metrics.bias(y, forecast)) <= mae * (1 + 1e-9)
    assert metrics.pinball(y, forecast, 0.5) == pytest.approx(mae / 2)
    low, high = np.minimum(y, forecast), np.maximum(y, forecast)
    assert metrics.winkler(y, low, high, 0.2) == pytest.approx(metrics.width(low, high))
    assert metrics.coverage(y, low, high) == 1


def test_zero_denominators_are_missing_never_infinite_or_zero() -> None:
    constant = np.full(20, 7.0)
    assert math.isnan(metrics.seasonal_scale(constant, 7))
    assert math.isnan(metrics.seasonal_scale([1.0, 2.0], 7))
    for scale in (0.0, NAN):
        assert math.isnan(metrics.mase([1.0], [2.0], scale))
        assert math.isnan(metrics.mean_pinball([1.0], [[2.0]], [0.5], scale))
    assert math.isnan(metrics.wape([0.0, 0.0], [1.0, 2.0]))
    assert math.isnan(metrics.mape([0.0, 0.0], [1.0, 2.0]))


def test_the_seasonal_scale_skips_gaps_and_refuses_no_season() -> None:
    assert metrics.seasonal_scale([1, 2, NAN, 5, 4, 9], season=2) == (3 + 4) / 2
    with pytest.raises(DataError, match="season is 0 steps"):
        metrics.seasonal_scale([1, 2], 0)


def test_the_seasonal_naive_has_mase_one_on_its_own_training_part() -> None:
    y = np.random.default_rng(0).normal(100, 10, 500)
    assert metrics.mase(y[7:], y[:-7], metrics.seasonal_scale(y, 7)) == pytest.approx(1)


@given(arrays(np.float64, 60, elements=st.floats(0, 100), unique=True), levels)
def test_the_empirical_quantile_has_the_least_pinball_loss(y: np.ndarray, level: float) -> None:
    best = np.quantile(y, level, method="inverted_cdf")
    least = metrics.pinball(y, np.full(60, best), level)
    for other in (best - 1, best + 1):
        assert least <= metrics.pinball(y, np.full(60, other), level) + 1e-9


def test_winkler_punishes_either_side_alike() -> None:
    assert metrics.winkler([-2.0], [0.0], [10.0], 0.2) == metrics.winkler([12.0], [0.0], [10.0], 0.2) == 30


@pytest.mark.parametrize("level", [0.0, 1.0, -0.1, NAN])
def test_a_level_outside_its_range_is_refused(level: float) -> None:
    with pytest.raises(DataError, match="is no share"):
        metrics.pinball([1.0], [1.0], level)
    with pytest.raises(DataError, match="is no share"):
        metrics.winkler([1.0], [1.0], [1.0], level)


def test_arrays_that_do_not_fit_are_refused() -> None:
    with pytest.raises(DataError, match=r"\(2,\), \(3,\)"):
        metrics.mae([1, 2], [1, 2, 3])
    with pytest.raises(DataError, match="beside 3 levels"):
        metrics.mean_pinball([1, 2], [[1, 2], [1, 2]], [0.1, 0.5, 0.9])


def test_mean_pinball_averages_the_levels() -> None:
    y, quantiles = np.array([5.0, 7.0]), np.array([[4.0, 6.0], [8.0, 9.0]])
    both = [metrics.pinball(y, quantiles[:, 0], 0.1), metrics.pinball(y, quantiles[:, 1], 0.9)]
    assert metrics.mean_pinball(y, quantiles, [0.1, 0.9]) == pytest.approx(np.mean(both))
    assert metrics.mean_pinball(y, quantiles, [0.1, 0.9], scale=4) == pytest.approx(np.mean(both) / 4)


def test_the_peak_hour_is_the_actual_peak_of_each_day() -> None:
    day = ["a"] * 3 + ["b"] * 3
    y, forecast = [1, 9, 2, 5, 5, 1], [8, 6, 0, 7, 0, 0]
    assert metrics.peak_hour_error(y, forecast, day) == (3 + 2) / 2
    assert metrics.time_of_peak_error(y, forecast, day, range(6)) == (1 + 0) / 2


def test_a_day_whose_peak_has_no_forecast_is_skipped() -> None:
    day = [0, 0, 1, 1]
    assert metrics.peak_hour_error([1, 9, 1, 9], [1, NAN, 1, 7], day) == 2
    assert metrics.peak_hour_error([1, NAN, 1, 9], [0, 5, 1, 7], day) == (1 + 2) / 2
    assert math.isnan(metrics.peak_hour_error([], [], []))
    assert math.isnan(metrics.time_of_peak_error([NAN], [1.0], [0], [0.0]))
