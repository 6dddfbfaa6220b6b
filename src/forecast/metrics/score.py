"""One row of figures per model from a walk's table."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

from forecast.metrics.interval import coverage, mean_pinball, width, winkler
from forecast.metrics.peaks import peak_hour_error, time_of_peak_error
from forecast.metrics.point import Floats, bias, mae, mape, mase, ratio, rmse, wape
from forecast.metrics.rows import ALPHA, Zones, checked, interval_of, levels_of, local_times, with_point

FIGURES = (
    "mae", "rmse", "mape", "wape", "mase", "bias", "pinball", "scaled_pinball", "coverage_80", "width_80",
    "winkler_80", "peak_mae", "peak_time_hours",
)  # fmt: skip
HOUR = pd.Timedelta(hours=1)
WHOLE_DAY_HOURS = 0.9 * 24  # a 23-hour day is whole; a window that starts two hours late still shows the peak


def score(
    table: pd.DataFrame, *, scales: Mapping[str, float] | None = None, zones: Zones | None = None
) -> pd.DataFrame:
    """The figures of each model, in the data's own unit unless said.

    `mae`, `mape` [%], `wape` [%], `mase`, `peak_mae` and `peak_time_hours` judge the median `q0.5` (for a model without
    quantiles its only forecast, `mean`); `rmse` and `bias` (forecast − y) judge `mean`. `pinball` is the mean over the
    levels present, `scaled_pinball` the same over the series' scale. `coverage_80` (0..1), `width_80` and `winkler_80`
    judge q0.1 to q0.9. `n` counts the rows with demand and forecast.

    With one series a figure is taken over its rows. With several it is taken per series and then averaged, each series
    counting once; a series for which a figure is missing is left out of that figure's average.

    Peaks are judged for each forecast (series, cutoff) on every civil day of which it spans at least nine tenths of 24
    hours with measured demand; other days show no whole peak.

    Args:
        table: unique_id, ds, cutoff, y, model, mean and quantile columns, as a walk writes them.
        scales: `seasonal_scale` of each series' training part; without it (or with NaN) scaled figures are missing.
        zones: civil zone of each series, a name or a clock; UTC without it.

    Returns:
        One row per model in order of appearance, indexed by `model`, columns `FIGURES` and `n`.

    Raises:
        DataError: the table is none that can be scored. DeclarationError: a series has no zone.
    """
    return mean_over_series(score_by_series(table, scales=scales, zones=zones))


def score_by_series(
    table: pd.DataFrame, *, scales: Mapping[str, float] | None = None, zones: Zones | None = None
) -> pd.DataFrame:
    """The figures of `score` for each model and series: columns model, unique_id, `FIGURES` and `n`."""
    rows = with_point(checked(table))
    rows = rows.assign(_peak_day=peak_days(rows, zones))
    figures = [
        {"model": model, "unique_id": series, **_figures(part, (scales or {}).get(series, float("nan")))}
        for (model, series), part in rows.groupby(["model", "unique_id"], sort=False)
    ]
    return pd.DataFrame(figures)


def mean_over_series(by_series: pd.DataFrame) -> pd.DataFrame:
    """Averages `score_by_series` over the series of each model; `n` is summed."""
    models = by_series.groupby("model", sort=False)
    return models[list(FIGURES)].mean().assign(n=models["n"].sum())


def _figures(part: pd.DataFrame, scale: float) -> dict[str, float]:
    y, point, mean = (part[name].to_numpy(dtype=np.float64) for name in ("y", "point", "mean"))
    low, high = (bound.to_numpy(dtype=np.float64) for bound in interval_of(part))
    levels = levels_of(part)
    quantiles = part[list(levels)].to_numpy(dtype=np.float64)
    pinball = mean_pinball(y, quantiles, list(levels.values())) if levels else float("nan")
    return {
        "mae": mae(y, point),
        "rmse": rmse(y, mean),
        "mape": mape(y, point),
        "wape": wape(y, point),
        "mase": mase(y, point, scale),
        "bias": bias(y, mean),
        "pinball": pinball,
        "scaled_pinball": ratio(pinball, scale),
        "coverage_80": coverage(y, low, high),
        "width_80": width(np.where(np.isnan(y), np.nan, low), high),
        "winkler_80": winkler(y, low, high, ALPHA),
        **_peak_figures(part, y, point),
        "n": int((~np.isnan(y) & ~np.isnan(point)).sum()),
    }


def _peak_figures(part: pd.DataFrame, y: Floats, point: Floats) -> dict[str, float]:
    day = part["_peak_day"].to_numpy()
    whole = day >= 0
    hour = ((part["ds"] - part["ds"].iloc[0]) / HOUR).to_numpy()
    return {
        "peak_mae": peak_hour_error(y[whole], point[whole], day[whole]),
        "peak_time_hours": time_of_peak_error(y[whole], point[whole], day[whole], hour[whole]),
    }


def peak_days(rows: pd.DataFrame, zones: Zones | None) -> npt.NDArray[np.int64]:
    """A number for each forecast and civil day, −1 where too little of the day was measured and forecast."""
    day = local_times(rows, zones)["day"]
    groups = rows.groupby([rows["model"], rows["unique_id"], rows["cutoff"], day], sort=False)
    steps = rows.drop_duplicates(["unique_id", "ds"]).sort_values("ds").groupby("unique_id")["ds"]
    step_hours = rows["unique_id"].map(steps.agg(lambda ds: ds.diff().min())) / HOUR
    hours = groups["y"].transform("count") * step_hours
    return np.asarray(groups.ngroup().where(hours >= WHOLE_DAY_HOURS, -1), dtype=np.int64)
