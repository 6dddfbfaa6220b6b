"""Errors of a single forecast per period."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from forecast.errors import DataError

Floats = npt.NDArray[np.float64]
Values = npt.ArrayLike


def paired(*arrays: Values) -> tuple[Floats, ...]:
    """The entries at which no array is NaN, as float64.

    Raises:
        DataError: the arrays differ in shape.
    """
    values = tuple(np.asarray(array, dtype=np.float64) for array in arrays)
    shapes = [array.shape for array in values]
    if len(set(shapes)) > 1:
        raise DataError(f"arrays of shapes {', '.join(map(str, shapes))} are compared", "one shape for all")
    present = ~np.any([np.isnan(array) for array in values], axis=0)
    return tuple(array[present] for array in values)


def mean_of(values: Floats) -> float:
    """The mean, or NaN where there is nothing to average."""
    return float(values.mean()) if values.size else float("nan")


def ratio(numerator: float, denominator: float) -> float:
    """The quotient, or NaN where the denominator is 0 or missing."""
    return numerator / denominator if denominator > 0 else float("nan")


def mae(y_T: Values, forecast_T: Values) -> float:
    """Mean absolute error, in the unit of y.

    >>> mae([100, 200, float("nan")], [110, 190, 50])
    10.0
    """
    y_T, forecast_T = paired(y_T, forecast_T)
    return mean_of(np.abs(y_T - forecast_T))


def rmse(y_T: Values, forecast_T: Values) -> float:
    """Root of the mean squared error, in the unit of y; the mean of the distribution minimises it.

    >>> rmse([0, 0], [3, 4])
    3.5355339059327378
    """
    y_T, forecast_T = paired(y_T, forecast_T)
    return float(np.sqrt(mean_of((y_T - forecast_T) ** 2)))


def mape(y_T: Values, forecast_T: Values) -> float:
    """Mean absolute percentage error [%]; periods without demand (y = 0) are skipped.

    >>> mape([100, 200, 0], [110, 180, 5])
    10.0
    """
    y_T, forecast_T = paired(y_T, forecast_T)
    some = y_T != 0
    return 100 * mean_of(np.abs(y_T[some] - forecast_T[some]) / np.abs(y_T[some]))


def wape(y_T: Values, forecast_T: Values) -> float:
    """Sum of the absolute errors over the sum of the absolute demand [%].

    >>> wape([100, 300], [110, 270])
    10.0
    """
    y_T, forecast_T = paired(y_T, forecast_T)
    return 100 * ratio(float(np.abs(y_T - forecast_T).sum()), float(np.abs(y_T).sum()))


def seasonal_scale(y_T: Values, season: int) -> float:
    """Mean |y_t − y_(t−season)| over the training part, the denominator of scaled errors, in the unit of y.

    A series that repeats itself exactly has no scale: NaN.

    Args:
        y_T: the training part at its regular step, gaps as NaN.
        season: steps of one season (168 for the week of hourly data).

    Raises:
        DataError: the season is not positive.

    Source: Hyndman and Koehler (2006), Another look at measures of forecast accuracy.

    >>> seasonal_scale([1, 2, 3, 5], season=2)
    2.5
    """
    if season < 1:
        raise DataError(f"the season is {season} steps", "one step or more")
    values_T = np.asarray(y_T, dtype=np.float64)
    now_T, before_T = paired(values_T[season:], values_T[:-season])
    scale = mean_of(np.abs(now_T - before_T))
    return scale if scale > 0 else float("nan")


def mase(y_T: Values, forecast_T: Values, scale: float) -> float:
    """Mean absolute scaled error: below 1 is better than the seasonal naive was on the training part.

    Args:
        scale: `seasonal_scale` of the training part; NaN or 0 gives NaN.

    >>> mase([10, 20], [11, 19], scale=2.0)
    0.5
    """
    return ratio(mae(y_T, forecast_T), scale)


def bias(y_T: Values, forecast_T: Values) -> float:
    """Mean of forecast − y, in the unit of y: positive where too much was forecast.

    >>> bias([10, 20], [12, 20])
    1.0
    """
    y_T, forecast_T = paired(y_T, forecast_T)
    return mean_of(forecast_T - y_T)
