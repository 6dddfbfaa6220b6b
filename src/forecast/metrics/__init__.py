"""How good forecasts are: plain functions on arrays, and the same figures from a walk's table.

In every array function NaN means missing and pairs with a missing part are skipped; a figure without any pair, or with
a denominator of 0, is NaN (missing), never 0 or infinite.
"""

from forecast.metrics.interval import coverage, mean_pinball, pinball, width, winkler
from forecast.metrics.peaks import peak_hour_error, time_of_peak_error
from forecast.metrics.point import bias, mae, mape, mase, rmse, seasonal_scale, wape
from forecast.metrics.rows import Zones, row_losses
from forecast.metrics.score import FIGURES, score, score_by_series
from forecast.metrics.slices import SLICES, sliced

__all__ = [
    "FIGURES",
    "SLICES",
    "Zones",
    "bias",
    "coverage",
    "mae",
    "mape",
    "mase",
    "mean_pinball",
    "peak_hour_error",
    "pinball",
    "rmse",
    "row_losses",
    "score",
    "score_by_series",
    "seasonal_scale",
    "sliced",
    "time_of_peak_error",
    "wape",
    "width",
    "winkler",
]
