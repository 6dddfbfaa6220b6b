"""Where the errors are: figures by lead, hour, delivery day, day type, season, temperature or series."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from forecast.errors import DataError, DeclarationError
from forecast.metrics.rows import Zones, local_times, row_losses

SLICES = ("lead", "hour", "delivery_day", "day_type", "season", "temperature_band", "series")
DAY_TYPES = ("weekday", "Saturday", "Sunday")
SEASONS = ("Dec-Feb", "Mar-May", "Jun-Aug", "Sep-Nov")
BAND_DEGREES = 5
HOUR = pd.Timedelta(hours=1)


def sliced(
    table: pd.DataFrame, by: str, *, zones: Zones | None = None, temperature: npt.ArrayLike | None = None
) -> pd.DataFrame:
    """Figures of each model within each slice of a walk's table.

    Args:
        table: unique_id, ds, cutoff, y, model, mean and quantile columns, as a walk writes them.
        by: `lead` (whole hours from the cutoff to the start of the period), `hour` (0..23 on the local clock),
            `delivery_day` (the civil day in which the period starts, as "2014-10-05"; `n` tells its periods),
            `day_type` (weekday, Saturday, Sunday), `season` (quarters of the year by month, so that both hemispheres
            read it), `temperature_band` (bands of 5 degrees; rows without temperature are "unknown"), `series`.
        zones: civil zone of each series, a name or a clock; UTC without it.
        temperature: one value per row of the table, in its order, for `temperature_band`.

    Returns:
        model, slice, mae (of the median), bias (mean − y), coverage_80 (0..1), pinball, n. Models in order of
        appearance, slices in their natural order. With several series each figure is taken per series and then
        averaged, a missing one left out; `n` sums the rows.

    Raises:
        DataError: the table is none that can be scored, or the temperatures are not one per row.
        DeclarationError: an unknown slice, temperature missing, or a series without a zone.
    """
    losses = row_losses(table)
    order, label = _slices(losses, by, zones, temperature)
    keys = losses["model"].map({name: at for at, name in enumerate(pd.unique(losses["model"]))})
    losses = losses.assign(_model=keys, _order=order, slice=label)
    series = losses.groupby(["_model", "model", "_order", "slice", "unique_id"]).agg(
        mae=("absolute_error", "mean"),
        bias=("error", "mean"),
        coverage_80=("inside_80", "mean"),
        pinball=("pinball", "mean"),
        n=("absolute_error", "count"),
    )
    slices = series.groupby(["_model", "model", "_order", "slice"])
    figures = slices[["mae", "bias", "coverage_80", "pinball"]].mean().assign(n=slices["n"].sum())
    return figures.reset_index().drop(columns=["_model", "_order"])


def _slices(
    losses: pd.DataFrame, by: str, zones: Zones | None, temperature: npt.ArrayLike | None
) -> tuple[npt.NDArray[np.generic], npt.NDArray[np.generic]]:
    """A sortable key and the label of each row's slice."""
    if by not in SLICES:
        raise DeclarationError(f"slices by '{by}' are not known", f"one of {', '.join(SLICES)}")
    if by == "series":
        names = losses["unique_id"].to_numpy()
        return names, names
    if by == "lead":
        lead = ((losses["ds"] - losses["cutoff"]) // HOUR).to_numpy()
        return lead, lead
    if by == "temperature_band":
        return _bands(len(losses), temperature)
    local = local_times(losses, zones)
    if by == "hour":
        return local["hour"].to_numpy(), local["hour"].to_numpy()
    if by == "delivery_day":
        days = local["day"].to_numpy(dtype="datetime64[D]")
        return days, np.datetime_as_string(days).astype(object)
    key = np.maximum(local["weekday"] - 4, 0) if by == "day_type" else local["month"] % 12 // 3
    return key.to_numpy(), np.asarray(DAY_TYPES if by == "day_type" else SEASONS, dtype=object)[key]


def _bands(rows: int, temperature: npt.ArrayLike | None) -> tuple[npt.NDArray[np.generic], npt.NDArray[np.generic]]:
    if temperature is None:
        raise DeclarationError("temperature bands are asked for without temperatures", "one temperature per row")
    degrees_R = np.asarray(temperature, dtype=np.float64)
    if degrees_R.shape != (rows,):
        raise DataError(f"temperatures of shape {degrees_R.shape} stand beside {rows} rows", "one per row")
    low_R = np.floor(degrees_R / BAND_DEGREES) * BAND_DEGREES
    known_R = np.isfinite(low_R)
    labels = [
        f"{low:g} to {low + BAND_DEGREES:g}" if known else "unknown" for low, known in zip(low_R, known_R, strict=True)
    ]
    return np.where(known_R, low_R, np.inf), np.asarray(labels, dtype=object)
