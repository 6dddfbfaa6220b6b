"""Errors at the highest demand of each day."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from forecast.metrics.point import Values, mean_of


def peak_hour_error(y_T: Values, forecast_T: Values, day_T: npt.ArrayLike) -> float:
    """Mean over days of |y − forecast| at the period of the day's actual peak, in the unit of y.

    Of equal peaks the first counts. A day whose peak has no forecast is skipped.

    Args:
        y_T, forecast_T: [T].
        day_T: [T] labels; equal labels make one day.

    >>> peak_hour_error([1, 5, 4, 9], [1, 7, 9, 8], day_T=[1, 1, 2, 2])
    1.5
    """
    frame = _frame(y_T, forecast_T, day_T).dropna(subset="y")
    peaks = frame.loc[frame.groupby("day", sort=False)["y"].idxmax()]
    return mean_of((peaks["y"] - peaks["forecast"]).abs().dropna().to_numpy())


def time_of_peak_error(y_T: Values, forecast_T: Values, day_T: npt.ArrayLike, hour_T: Values) -> float:
    """Mean over days of the distance between the actual and the forecast peak [hours].

    Periods of which demand or forecast is missing are skipped.

    Args:
        y_T, forecast_T: [T].
        day_T: [T] labels; equal labels make one day.
        hour_T: [T] elapsed hours of the periods, counted from anywhere.

    >>> time_of_peak_error([1, 5, 4, 9], [1, 7, 9, 8], day_T=[1, 1, 2, 2], hour_T=[0, 1, 24, 25])
    0.5
    """
    frame = _frame(y_T, forecast_T, day_T).assign(hour=np.asarray(hour_T, dtype=np.float64)).dropna()
    days = frame.groupby("day", sort=False)
    actual, told = (frame.loc[days[column].idxmax(), "hour"].to_numpy() for column in ("y", "forecast"))
    return mean_of(np.abs(actual - told))


def _frame(y_T: Values, forecast_T: Values, day_T: npt.ArrayLike) -> pd.DataFrame:
    columns = {"y": np.asarray(y_T, dtype=np.float64), "forecast": np.asarray(forecast_T, dtype=np.float64)}
    return pd.DataFrame({**columns, "day": np.asarray(day_T)})
