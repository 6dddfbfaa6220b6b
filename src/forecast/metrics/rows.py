"""A walk's table, checked, and the loss of each of its rows."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import tzinfo

import numpy as np
import pandas as pd

from forecast.clock import zone as clock_of
from forecast.errors import DataError, DeclarationError
from forecast.metrics.interval import pinball_losses

KEYS = ["model", "unique_id", "cutoff", "ds"]
MEDIAN, LOW, HIGH, ALPHA = "q0.5", "q0.1", "q0.9", 0.2
Zones = Mapping[str, str | tzinfo]


def levels_of(table: pd.DataFrame) -> dict[str, float]:
    """The quantile columns of a table and their levels."""
    return {name: float(name[1:]) for name in map(str, table.columns) if name.startswith("q0.")}


def checked(table: pd.DataFrame) -> pd.DataFrame:
    """The walk's table when it can be scored.

    Raises:
        DataError: no rows, a column is missing, stamps are not aware, or a model answered one period twice.
    """
    missing = [name for name in (*KEYS, "y", "mean") if name not in table.columns]
    if missing:
        raise DataError(f"the table has no column {', '.join(missing)}", "the columns that a walk writes")
    if table.empty:
        raise DataError("the table has no rows", "the forecasts of one model at least")
    for name in ("cutoff", "ds"):
        if not isinstance(table[name].dtype, pd.DatetimeTZDtype):
            raise DataError("the stamps are not aware times", "UTC stamps as a walk writes them", column=name)
    doubled = table.duplicated(KEYS)
    if doubled.any():
        raise DataError(
            f"{int(doubled.sum())} rows repeat model, series, cutoff and period", "one forecast each",
            "score one walk at a time", stamps=table.loc[doubled, "ds"],
        )  # fmt: skip
    # Texts, because grouping by categories would also list combinations that do not occur.
    return table.reset_index(drop=True).astype({"model": str, "unique_id": str})


def with_point(table: pd.DataFrame) -> pd.DataFrame:
    """Adds `point`: the median, or `mean` for a model that gives no median at all."""
    if MEDIAN not in table.columns:
        return table.assign(point=table["mean"])
    speaks = table[MEDIAN].notna().groupby(table["model"]).transform("any")
    return table.assign(point=table[MEDIAN].where(speaks, table["mean"]))


def interval_of(table: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """Bounds of the 80 % interval; NaN where the table has none."""
    nothing = pd.Series(np.nan, index=table.index)
    return table.get(LOW, nothing), table.get(HIGH, nothing)


def row_losses(table: pd.DataFrame) -> pd.DataFrame:
    """The losses of each row of a walk's table, NaN where demand or forecast is missing.

    Returns:
        model, unique_id, cutoff, ds, y and `absolute_error` (of the median; of `mean` for a model without quantiles),
        `error` (mean − y), `inside_80` (0 or 1), `pinball` (mean over the levels present); errors in the unit of y.

    Raises:
        DataError: see `checked`.
    """
    table = with_point(checked(table))
    y = table["y"].to_numpy(dtype=np.float64)
    low, high = interval_of(table)
    known = table["y"].notna() & low.notna() & high.notna()
    losses = {
        name: pinball_losses(y, table[name].to_numpy(dtype=np.float64), level)
        for name, level in levels_of(table).items()
    }
    return table[[*KEYS, "y"]].assign(
        absolute_error=(table["y"] - table["point"]).abs(),
        error=table["mean"] - table["y"],
        inside_80=((low <= table["y"]) & (table["y"] <= high)).astype(np.float64).where(known),
        pinball=pd.DataFrame(losses, index=table.index).mean(axis=1) if losses else np.nan,
    )


def local_times(table: pd.DataFrame, zones: Zones | None) -> pd.DataFrame:
    """Civil day (its number), hour, weekday and month of each row's period by the clock of its series; UTC without
    zones.

    A period belongs to the day in which it starts. Where the clock is set back across midnight, the end of a day that
    it shows for the second time belongs to the next day: so delivery days have no holes.

    Raises:
        DeclarationError: a series has no zone.
    """
    names = pd.unique(table["unique_id"])
    unknown = [str(name) for name in names if zones is not None and name not in zones]
    if unknown:
        raise DeclarationError(f"no zone is declared for series {', '.join(unknown[:5])}", "a zone for every series")
    zone_S = {name: zones[name] if zones is not None else "UTC" for name in names}
    zone_R = table["unique_id"].map({name: str(zone) for name, zone in zone_S.items()})
    clocks = {str(zone): clock_of(zone) if isinstance(zone, str) else zone for zone in zone_S.values()}
    parts = [
        _civil(table.loc[rows, "ds"], clocks[zone]) for zone, rows in table.groupby(zone_R, sort=False).groups.items()
    ]
    return pd.concat(parts).reindex(table.index)


def _civil(ds: pd.Series, clock: tzinfo) -> pd.DataFrame:
    """Converted once per distinct stamp: a `ZoneInfo` costs pandas microseconds for each."""
    codes, stamps = pd.factorize(ds)
    local = pd.DatetimeIndex(stamps).tz_convert(clock)
    days = local.tz_localize(None).normalize()
    following = days + pd.Timedelta(days=1)
    begin = following.tz_localize(clock, ambiguous=np.ones(len(days), dtype=bool), nonexistent="NaT")
    days = days.where(begin.isna() | (local < begin), following)
    distinct = {
        "day": (days - pd.Timestamp(0)) // pd.Timedelta(days=1),
        "hour": local.hour,
        "weekday": days.weekday,
        "month": local.month,
    }
    return pd.DataFrame({name: np.asarray(values)[codes] for name, values in distinct.items()}, index=ds.index)
