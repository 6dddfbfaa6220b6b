"""The ledger of forecasts: what was said, when, by whom and on what; nothing in it ever changes.

One row per series and cutoff. The numbers are packed as they are, so what is read back is what was said, bit for bit.
H steps, Q levels.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sqlalchemy import Connection, Select, insert, select

from forecast.errors import DataError, StoreError
from forecast.store import catalogue
from forecast.store.catalogue import Entry
from forecast.store.issued import Issued
from forecast.store.schema import FORECAST, SERIES
from forecast.store.steps import step_of
from forecast.tables import Forecast, quantile_columns

SECOND = 1_000_000_000
CHUNK = 400
"""So many ids are looked up at once."""
ASIDE = ("issued_at",)
"""What may differ when the same forecast is recorded again: the first moment counts."""

Row = dict[str, Any]
Key = tuple[str, int, int]
Ints = npt.NDArray[np.int64]
_UNIT = {"s": SECOND, "ms": 1_000_000, "us": 1_000, "ns": 1}
"""Nanoseconds of what a stamp counts."""


def record_all(connection: Connection, several: Sequence[Issued]) -> int:
    """Writes forecasts within the writer's transaction; what is there already is not written again.

    Returns:
        how many rows were new.

    Raises:
        DataError: periods are irregular, or stamps are no whole seconds.
        StoreError: a series is unknown, or an id stands in the ledger with other content.
    """
    names = {str(name) for one in several for name in one.forecast.frame["unique_id"].unique()}
    entries = catalogue.entries(connection, names)
    _refuse_unknown(connection, names - set(entries))
    known = _known(connection, [one.id for one in several])
    fresh: list[Row] = []
    for one in several:
        rows = {_key(row): row for row in _rows(one, entries)}
        if one.id not in known:
            known[one.id] = rows
            fresh += rows.values()
        elif _content(known[one.id]) != _content(rows):
            raise StoreError(
                f"forecast '{one.id}' stands in the ledger with other content", "the same numbers, words and stamps",
                "nothing in the ledger changes: record it under an id of its own",
            )  # fmt: skip
    if fresh:
        connection.execute(insert(FORECAST), fresh)
    return len(fresh)


def issued(connection: Connection, id: str) -> Issued:
    """One forecast of the ledger, by series, cutoff and period.

    Raises:
        StoreError: there is none.
    """
    rows = [dict(row) for row in connection.execute(_statement().where(FORECAST.c.id == id)).mappings()]
    if not rows:
        raise StoreError(f"the ledger holds no forecast '{id}'", "an id that was recorded")
    return _issued(rows[0], _frame(rows))


def issued_of(
    connection: Connection, series: str, *, delivery_day: str | None = None, first: pd.Timestamp | None = None,
    last: pd.Timestamp | None = None, as_of: pd.Timestamp | None = None, newest: int | None = None,
) -> list[Issued]:  # fmt: skip
    """What was said of one series, oldest cutoff first; each entry holds one cutoff of this series.

    Args:
        connection: of a reader.
        series: its name.
        delivery_day: only what was asked for this day.
        first, last: only forecasts with a period that starts from `first` to `last`, both included.
        as_of: only what was issued at this moment or before.
        newest: only so many of these, those that were issued last.

    Raises:
        StoreError: there is no such series.
    """
    _refuse_unknown(connection, {series} - set(catalogue.entries(connection, [series])))
    table, wanted = FORECAST.c, _statement().where(SERIES.c.unique_id == series)
    if delivery_day is not None:
        wanted = wanted.where(table.delivery_day == delivery_day)
    if last is not None:
        wanted = wanted.where(table.first_ds <= last.value // SECOND)
    if first is not None:
        wanted = wanted.where(table.first_ds + (table.steps - 1) * table.step_seconds >= -(-first.value // SECOND))
    if as_of is not None:
        wanted = wanted.where(table.issued_at <= as_of.value // SECOND)
    if newest is not None:
        last_issued = (table.issued_at.desc(), table.cutoff.desc(), table.id)
        kept = wanted.order_by(None).order_by(*last_issued).limit(newest).subquery()
        wanted = select(kept).order_by(kept.c.cutoff, kept.c.issued_at, kept.c.id)
    else:
        wanted = wanted.order_by(None).order_by(table.cutoff, table.issued_at, table.id)
    return _each([dict(row) for row in connection.execute(wanted).mappings()])


def _statement() -> Select[Any]:
    wanted = select(FORECAST, SERIES.c.unique_id).join(SERIES, SERIES.c.id == FORECAST.c.series_id)
    return wanted.order_by(SERIES.c.unique_id, FORECAST.c.cutoff)


def _refuse_unknown(connection: Connection, missing: set[str]) -> None:
    if missing:
        known = ", ".join(list(catalogue.entries(connection))[:10])
        raise StoreError(
            f"the store holds no series {', '.join(sorted(missing))}", f"one of {known}" if known else "at least one",
            "describe it first, or ingest some of it",
        )  # fmt: skip


def _known(connection: Connection, ids: Sequence[str]) -> dict[str, dict[Key, Row]]:
    """The rows of some ids."""
    found: dict[str, dict[Key, Row]] = {}
    for begin in range(0, len(ids), CHUNK):
        wanted = select(FORECAST).where(FORECAST.c.id.in_(ids[begin : begin + CHUNK]))
        for row in connection.execute(wanted).mappings():
            found.setdefault(row["id"], {})[_key(dict(row))] = dict(row)
    return found


def _key(row: Mapping[str, Any]) -> Key:
    return row["id"], row["series_id"], row["cutoff"]


def _content(rows: Mapping[Key, Row]) -> dict[Key, Row]:
    return {key: {name: value for name, value in row.items() if name not in ASIDE} for key, row in rows.items()}


def _rows(one: Issued, entries: Mapping[str, Entry]) -> Iterator[Row]:
    frame, levels = one.forecast.frame, one.forecast.levels
    numbers = ["mean", *quantile_columns(levels)]
    shared = {
        "id": one.id, "issued_at": one.issued_at.value // SECOND, "delivery_day": one.delivery_day, "gate": one.gate,
        "unit": one.forecast.unit, "model": one.forecast.model, "model_version": one.model_version,
        "data_digest": one.data_digest, "rung": one.rung, "reason": one.reason, "levels": json.dumps(levels),
        "warnings": json.dumps(list(one.forecast.warnings), ensure_ascii=False),
    }  # fmt: skip
    name_N, ds_N, cutoff_N = frame["unique_id"].to_numpy(dtype=str), _seconds(frame["ds"]), _seconds(frame["cutoff"])
    values_NQ = frame[numbers].to_numpy(dtype="<f8")
    order = np.lexsort((ds_N, cutoff_N, name_N))
    changed_N = (name_N[order][1:] != name_N[order][:-1]) | (np.diff(cutoff_N[order]) != 0)
    for rows_H in np.split(order, np.flatnonzero(changed_N) + 1):
        name, ds_H = str(name_N[rows_H[0]]), ds_N[rows_H]
        yield {
            **shared, "series_id": entries[name].number, "cutoff": int(cutoff_N[rows_H[0]]), "first_ds": int(ds_H[0]),
            "steps": len(ds_H), "step_seconds": step_of(name, ds_H, entries[name].step_seconds),
            "values": values_NQ[rows_H].tobytes(),
        }  # fmt: skip


def _seconds(stamps: pd.Series) -> Ints:
    index = pd.DatetimeIndex(stamps)
    nanoseconds = index.asi8 * _UNIT[index.unit]
    split_N = nanoseconds % SECOND != 0
    if split_N.any():
        raise DataError(
            f"{int(split_N.sum())} stamps of a forecast are no whole seconds", "whole seconds",
            "round them down before the forecast is made", column=str(stamps.name), stamps=stamps[split_N],
        )  # fmt: skip
    return np.asarray(nanoseconds // SECOND)


def _each(rows: Sequence[Row]) -> list[Issued]:
    """Every row as a forecast of its own: one table is made of all that have the same levels, and cut up."""
    frames: dict[int, pd.DataFrame] = {}
    for levels in dict.fromkeys(row["levels"] for row in rows):
        mine = [place for place, row in enumerate(rows) if row["levels"] == levels]
        whole = _frame([rows[place] for place in mine])
        ends = np.cumsum([rows[place]["steps"] for place in mine])
        for place, end in zip(mine, ends, strict=True):
            frames[place] = whole.iloc[end - rows[place]["steps"] : end].reset_index(drop=True)
    return [_issued(row, frames[place]) for place, row in enumerate(rows)]


def _issued(head: Row, frame: pd.DataFrame) -> Issued:
    """A forecast as it was; it was checked when it was recorded."""
    words = {name: head[name] for name in ("id", "model_version", "data_digest", "rung", "reason", "delivery_day")}
    told = Forecast.trusted(frame, head["unit"], head["model"], tuple(json.loads(head["warnings"])))
    return Issued(forecast=told, issued_at=_stamp(head["issued_at"]), gate=head["gate"], **words)


def _frame(rows: Sequence[Row]) -> pd.DataFrame:
    """The numbers of rows that have the same levels, one row after the other."""
    columns = ["mean", *quantile_columns(json.loads(rows[0]["levels"]))]
    steps_N, first_N, step_N, cutoff_N = (
        np.array([row[name] for row in rows], dtype=np.int64)
        for name in ("steps", "first_ds", "step_seconds", "cutoff")
    )
    place_H = np.arange(steps_N.sum()) - np.repeat(np.cumsum(steps_N) - steps_N, steps_N)
    ds_H = np.repeat(first_N, steps_N) + np.repeat(step_N, steps_N) * place_H
    packed = np.frombuffer(b"".join(row["values"] for row in rows), dtype="<f8").reshape(-1, len(columns))
    keys = {
        "unique_id": np.repeat(np.array([row["unique_id"] for row in rows], dtype=object), steps_N),
        "cutoff": pd.to_datetime(np.repeat(cutoff_N, steps_N) * SECOND, utc=True),
        "ds": pd.to_datetime(ds_H * SECOND, utc=True),
    }
    return pd.DataFrame({**keys, **dict(zip(columns, packed.astype(np.float64).T, strict=True))})


def _stamp(seconds: int) -> pd.Timestamp:
    return pd.Timestamp(seconds * SECOND, tz="UTC")
