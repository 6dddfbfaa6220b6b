"""Loose texts of an origin -> typed rows: stamps, numbers, twins, demand and forecasts in one frame."""

from __future__ import annotations

import pandas as pd

from forecast.errors import DataError

CHANGED = "its interface may have changed; nothing of this answer was stored"


def dated(texts: pd.Series, form: str, place: str) -> pd.Series:
    """Stamps in UTC; raises `DataError` with those that have another form."""
    stamps = pd.to_datetime(texts, format=form, errors="coerce", utc=True)
    bad = stamps.isna()
    if bad.any():
        raise DataError(f"{place} holds {int(bad.sum())} stamps of another form", form, CHANGED, stamps=texts[bad])
    return stamps


def numbers(texts: pd.Series, place: str) -> pd.Series:
    """Numbers as floats, NaN where nothing is said; raises `DataError` with what is neither."""
    told = texts.where(~texts.isin(["", " ", "null"]), None)
    values = pd.to_numeric(told, errors="coerce").astype(float)
    bad = values.isna() & told.notna()
    if bad.any():
        raise DataError(f"{place} holds {int(bad.sum())} texts", "numbers", CHANGED, stamps=told[bad])
    return values


def without_twins(table: pd.DataFrame, keys: list[str], name: str) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """One row per key, the last one, and a note where rows of one key differed."""
    different = table.drop_duplicates()
    once = different.drop_duplicates(keys, keep="last")
    extra = len(different) - len(once)
    note = f"{name}: {extra} periods came twice with different numbers; the last one was taken"
    return once.reset_index(drop=True), (note,) if extra else ()


def merged(unique_id: str, demand: pd.DataFrame, ahead: pd.DataFrame) -> pd.DataFrame:
    """Rows of y, whose availability follows the series' delay, and rows of a forecast, which say their own.

    Args:
        unique_id: the series.
        demand: ds, y.
        ahead: ds, available_at and the columns of the forecast.
    """
    names = [name for name in ahead if name not in ("ds", "available_at", "type")]
    parts = [
        demand[["ds", "y"]].assign(available_at=pd.Series(pd.NaT, demand.index, dtype="datetime64[ns, UTC]")),
        ahead[["ds", "available_at", *names]],
    ]
    filled = [part for part in parts if len(part)] or [parts[0]]
    frame = pd.concat(filled, ignore_index=True).reindex(columns=["ds", "available_at", "y", *names])
    return frame.assign(unique_id=unique_id).astype(dict.fromkeys(("y", *names), float))
