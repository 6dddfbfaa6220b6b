"""Stored values of one series, as they were known at a moment, for those who look at them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sqlalchemy import Connection, func, select

from forecast.calendars import is_day_clock, moment_inside, outside
from forecast.errors import RequestError
from forecast.store import Store, catalogue
from forecast.store.catalogue import TARGET, Entry
from forecast.store.reading import Rows, Wish, read_rows
from forecast.store.schema import OBSERVATION
from serving.asked import no_series

Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Look:
    """What is looked at.

    Attributes:
        name: of the series.
        first, last: periods that start between them, both included; where `first` is None, the newest ones.
        as_of: only what was known then; None: everything.
        columns: some of the columns; all where empty.
        limit: at most so many periods.
    """

    name: str
    first: pd.Timestamp | None
    last: pd.Timestamp | None
    as_of: pd.Timestamp | None
    columns: tuple[str, ...]
    limit: int


@dataclass(frozen=True, eq=False)
class Shown:
    """Values by period.

    Attributes:
        entry: what is known of the series.
        ds_N: starts of the periods as they were lived (datetime64[s], UTC).
        columns: by name, NaN where nothing is known; `y` in the unit of the series.
        more: whether there are more periods than were asked for.
    """

    entry: Entry
    ds_N: npt.NDArray[Any]
    columns: dict[str, Doubles]
    more: bool


def look(store: Store, wanted: Look) -> Shown:
    """The values of a series.

    Raises:
        NoSeries: there is none. RequestError: it has no such column.
    """
    with store.snapshot() as connection:
        entry = catalogue.entries(connection, [wanted.name]).get(wanted.name)
        if entry is None:
            raise no_series(wanted.name)
        stored = catalogue.variables(connection)
        mine = _columns(connection, entry, {number: name for name, (number, _) in stored.items()})
        missing = [name for name in wanted.columns if name not in mine]
        if missing:
            raise RequestError(
                f"the series has no column {', '.join(map(repr, missing))}", f"some of {', '.join(mine) or '(none)'}",
                series=wanted.name, column=missing[0],
            )  # fmt: skip
        names = wanted.columns or tuple(mine)
        numbers = [stored[name][0] for name in names]
        first, last, until = _bounds(connection, entry, wanted, numbers)
        rows = read_rows(connection, [Wish([entry.number], stored[name][0], until, first, last) for name in names])
    return _shown(entry, dict(zip(names, map(_newest, rows), strict=True)), wanted)


def _columns(connection: Connection, entry: Entry, words: dict[int, str]) -> list[str]:
    """The columns of which a series has values."""
    table, found = OBSERVATION.c, []
    for number, name in sorted(words.items()):
        wanted = select(table.ds).where(table.series_id == entry.number, table.variable_id == number).limit(1)
        if connection.execute(wanted).first() is not None:
            found.append(name)
    return sorted(found, key=lambda name: name != TARGET)


def _bounds(
    connection: Connection, entry: Entry, wanted: Look, numbers: Sequence[int]
) -> tuple[int | None, int | None, int | None]:
    """First and last start, and moment of knowledge (seconds); no more than what can be shown is read."""
    zone = entry.info.zone or "UTC"
    first, last, until = (
        None if one is None else int(moment_inside(one, zone).value // 10**9)
        for one in (wanted.first, wanted.last, wanted.as_of)
    )
    length = (wanted.limit + 1) * entry.step_seconds
    if first is not None:
        return first, min(last, first + length) if last is not None else first + length, until
    if last is None:
        table = OBSERVATION.c
        newest = select(func.max(table.ds)).where(table.series_id == entry.number, table.variable_id.in_(numbers))
        last = connection.execute(newest if until is None else newest.where(table.available_at <= until)).scalar()
    return (None if last is None else last - length), last, until


def _newest(rows: Rows) -> Rows:
    """The newest version of every period; rows come oldest version first."""
    last_N = np.append(np.diff(rows.ds_N) != 0, True) if len(rows) else np.zeros(0, dtype=bool)
    return Rows(rows.series_N[last_N], rows.ds_N[last_N], rows.available_N[last_N], rows.value_N[last_N])


def _shown(entry: Entry, rows: dict[str, Rows], wanted: Look) -> Shown:
    ds_N = np.unique(np.concatenate([one.ds_N for one in rows.values()])) if rows else np.array([], dtype=np.int64)
    more = len(ds_N) > wanted.limit
    ds_N = ds_N[: wanted.limit] if wanted.first is not None else ds_N[-wanted.limit :]
    columns = {}
    for name, one in rows.items():
        values = np.full(len(ds_N), np.nan)
        inside_N = np.isin(one.ds_N, ds_N)
        values[np.searchsorted(ds_N, one.ds_N[inside_N])] = one.value_N[inside_N]
        columns[name] = values
    lived = ds_N.astype("datetime64[s]")
    if is_day_clock(entry.info.zone):
        lived = outside(pd.DatetimeIndex(lived, tz="UTC"), str(entry.info.zone)).to_numpy(dtype="datetime64[s]")
    return Shown(entry, lived, columns, more)
