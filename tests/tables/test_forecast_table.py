"""`Forecast` refuses what cannot be a forecast, and the mean is the integral of the quantile function."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecast.errors import DataError, RequestError
from forecast.tables import Forecast, mean_of_quantiles, quantile_column, quantile_columns
from forecast.tables.forecast import LEVELS, check_levels
from tests.builders import utc


def said() -> pd.DataFrame:
    ds = pd.date_range(utc("2024-01-01"), periods=3, freq="1h")
    frame = pd.DataFrame({"unique_id": "a", "cutoff": utc("2024-01-01"), "ds": ds, "mean": 2.0})
    return frame.assign(**{"q0.1": 1.0, "q0.5": 2.0, "q0.9": [3.0, 2.0, 4.0]})


def test_a_sound_forecast_passes() -> None:
    assert Forecast(said(), "MW", "lstm").levels == [0.1, 0.5, 0.9]


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda f: f.assign(**{"q0.5": [2.0, 2.1, 2.0]}), "cross"),
        (lambda f: f.assign(ds=f["ds"].dt.tz_localize(None)), "'ds'.*no zone"),
        (lambda f: f.assign(cutoff=f["cutoff"].dt.tz_localize(None)), "'cutoff'.*no zone"),
        (lambda f: pd.concat([f, f.iloc[:1]]), "same period twice"),
        (lambda f: f.assign(mean=[1.0, np.nan, 1.0]), "not finite"),
        (lambda f: f.assign(**{"q0.9": np.inf}), "not finite"),
        (lambda f: f.drop(columns="mean"), "without mean"),
        (lambda f: f[["unique_id", "cutoff", "ds", "mean"]], "without quantiles"),
    ],
)
def test_unsound_ones_are_refused(spoil, words: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(DataError, match=words):
        Forecast(spoil(said()), "MW", "lstm")


def test_columns_are_named_by_their_level() -> None:
    assert quantile_columns([0.1, 0.25, 0.975]) == ["q0.1", "q0.25", "q0.975"]
    assert quantile_column(0.30000000000000004) == "q0.3"


def test_only_offered_levels_can_be_asked() -> None:
    assert check_levels([0.9, 0.1 + 1e-12], LEVELS) == (0.1, 0.9)
    with pytest.raises(RequestError, match=r"0\.95 are not offered; expected some of 0\.1"):
        check_levels([0.5, 0.95], LEVELS)
    with pytest.raises(RequestError, match=r"\(none\)"):
        check_levels([], LEVELS)


@given(st.lists(st.floats(-100, 100, allow_subnormal=False), min_size=2, max_size=9))
def test_the_mean_is_the_integral_of_the_quantile_function(values: list[float]) -> None:
    quantiles = np.sort(np.array(values))
    levels = np.linspace(0.1, 0.9, len(quantiles))
    p = (np.arange(200_000) + 0.5) / 200_000
    inner = np.interp(p, levels, quantiles)
    low_slope = (quantiles[1] - quantiles[0]) / (levels[1] - levels[0])
    high_slope = (quantiles[-1] - quantiles[-2]) / (levels[-1] - levels[-2])
    inner = np.where(p < levels[0], quantiles[0] - low_slope * (levels[0] - p), inner)
    inner = np.where(p > levels[-1], quantiles[-1] + high_slope * (p - levels[-1]), inner)
    assert mean_of_quantiles(quantiles, levels) == pytest.approx(inner.mean(), abs=1e-4)


def test_the_mean_of_a_uniform_is_its_middle_in_any_shape() -> None:
    quantiles = np.broadcast_to(np.array(LEVELS) * 10 + 5, (4, 3, 9))
    np.testing.assert_allclose(mean_of_quantiles(quantiles, LEVELS), 10.0)
    assert mean_of_quantiles(np.array([[7.0]]), [0.5]).tolist() == [7.0]
