"""Stored values as arrays, with everything that was known up to a moment."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlalchemy import URL, ColumnElement, Connection, Select, func, select, true

from forecast.errors import StoreError
from forecast.store import bulk
from forecast.store.engine import place
from forecast.store.migrating import SCHEMA
from forecast.store.schema import OBSERVATION, SERIES

Ints = npt.NDArray[np.int64]
FEW = 50_000
"""So many rows are read as they come; more of them as Arrow."""


@dataclass(frozen=True)
class Wish:
    """What is read.

    Attributes:
        series: numbers of the series; None: all.
        variable: number of the variable.
        until: only what was known at this second; None: everything.
        first, last: only periods that start from `first` to `last`, both included (seconds).
    """

    series: Sequence[int] | None
    variable: int
    until: int | None = None
    first: int | None = None
    last: int | None = None


@dataclass(frozen=True, eq=False)
class Rows:
    """Values of one variable, N of them, by series, period and moment of knowledge.

    Attributes:
        series_N: numbers of the series.
        ds_N, available_N: seconds since 1970.
        value_N: in the unit of the source.
    """

    series_N: Ints
    ds_N: Ints
    available_N: Ints
    value_N: npt.NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.value_N)


def read_rows(connection: Connection, wishes: Sequence[Wish]) -> list[Rows]:
    """The stored values of some wishes, oldest version first.

    Raises:
        StoreError: the database does not answer.
    """
    few = [_few(connection, wish) for wish in wishes]
    many = [place for place, rows in enumerate(few) if rows is None]
    told = dict(zip(many, _many(connection, [wishes[place] for place in many]), strict=True))
    return [told[place] if rows is None else rows for place, rows in enumerate(few)]


def _few(connection: Connection, wish: Wish) -> Rows | None:
    """The values as they come, or None: they are many."""
    table = OBSERVATION.c
    wanted = _statement(wish).with_only_columns(table.series_id, table.ds, table.available_at, table.value)
    if wish.series is None or len(wish.series) > 1:
        some = wanted.with_only_columns(table.ds).limit(FEW + 1).subquery()
        if (connection.execute(select(func.count()).select_from(some)).scalar() or 0) > FEW:
            return None
    told = _fetched(connection, _ordered(wanted).limit(FEW + 1))
    if len(told) > FEW:
        return None
    whole = np.array(told, dtype=np.float64).reshape(-1, 4)
    # Seconds are whole numbers that a float holds exactly.
    keys = whole[:, :3].astype(np.int64)
    return Rows(keys[:, 0], keys[:, 1], keys[:, 2], whole[:, 3])


def _ordered(wanted: Select[Any]) -> Select[Any]:
    table = OBSERVATION.c
    return wanted.order_by(table.series_id, table.variable_id, table.ds, table.available_at, table.revision)


def _fetched(connection: Connection, wanted: Select[Any]) -> Sequence[Any]:
    """The rows of a statement as plain tuples, PostgreSQL's from its binary form: several times as fast."""
    driver: Any = connection.connection.driver_connection
    cursor = driver.cursor(binary=True) if connection.dialect.name == "postgresql" else driver.cursor()
    with closing(cursor):
        return list(cursor.execute(_literal(connection, wanted)).fetchall())


def _literal(connection: Connection, wanted: Select[Any]) -> str:
    """A statement with its numbers in it."""
    return str(wanted.compile(connection.engine, compile_kwargs={"literal_binds": True}))


def _statement(wish: Wish) -> Select[Any]:
    table = OBSERVATION.c
    wanted = select(table.series_id, table.ds, table.available_at, table.value, table.revision)
    wanted = wanted.where(table.variable_id == wish.variable)
    if wish.series is not None:
        wanted = wanted.where(table.series_id.in_([int(one) for one in wish.series]))
    if wish.until is not None:
        wanted = wanted.where(table.available_at <= wish.until)
    if wish.first is not None:
        wanted = wanted.where(table.ds >= wish.first)
    if wish.last is not None:
        wanted = wanted.where(table.ds <= wish.last)
    return wanted


def _many(connection: Connection, wishes: Sequence[Wish]) -> list[Rows]:
    """The values as Arrow; of what this connection has written itself nothing is in them."""
    if not wishes:
        return []
    try:
        read = _many_sqlite if connection.dialect.name == "sqlite" else _many_postgresql
        return [_sorted(answer) for answer in read(connection, wishes)]
    except ModuleNotFoundError as error:
        raise StoreError(
            f"the package '{error.name}' is not installed", "it, for reading many rows",
            'pip install "demand-forecast[postgres]"',
        ) from None  # fmt: skip
    except OSError as error:
        where = place(connection.engine.url)
        raise StoreError(f"the store {where} cannot be read ({error.strerror})", "a readable store") from error


def _many_sqlite(connection: Connection, wishes: Sequence[Wish]) -> list[Any]:
    """Two children share the series; SQLite keeps rows in the order of their keys, so none needs to be told.

    Where somebody wrote meanwhile, the two may have seen different states, and one child reads everything again.
    """
    table = OBSERVATION.c
    columns = (table.series_id, table.ds, table.available_at, table.value)
    wanted = [_ordered(_statement(wish).with_only_columns(*columns)) for wish in wishes]
    file = str(connection.engine.url.database)
    with closing(sqlite3.connect(f"{Path(file).absolute().as_uri()}?mode=ro", uri=True)) as watch:
        before = watch.execute("PRAGMA data_version").fetchone()
        answers = _by_halves(connection, wishes, wanted, lambda statements: bulk.read_sqlite(file, statements))
        if watch.execute("PRAGMA data_version").fetchone() == before:
            return answers
    return bulk.read_sqlite(file, [_literal(connection, one) for one in wanted])


def _many_postgresql(connection: Connection, wishes: Sequence[Wish]) -> list[Any]:
    """Two connections share the series and see one state: a server sends rows from one core per connection."""
    snapshot = str(connection.execute(select(func.pg_export_snapshot())).scalar())
    uri = _libpq(connection.engine.url)
    wanted = [_statement(wish) for wish in wishes]
    return _by_halves(
        connection, wishes, wanted, lambda statements: bulk.read_postgresql(uri, statements, snapshot)
    )  # fmt: skip


def _by_halves(
    connection: Connection, wishes: Sequence[Wish], wanted: Sequence[Select[Any]],
    read: Callable[[Sequence[str]], list[Any]],
) -> list[Any]:  # fmt: skip
    """The answers to some statements, the lower and the upper half of the series read side by side."""
    import pyarrow as pa

    numbers = connection.execute(select(SERIES.c.id).where(_some_series(wishes)).order_by(SERIES.c.id)).scalars().all()
    middle, number = numbers[(len(numbers) - 1) // 2] if numbers else 0, OBSERVATION.c.series_id
    halves = [[_literal(connection, one.where(half)) for one in wanted] for half in (number <= middle, number > middle)]
    with ThreadPoolExecutor(len(halves)) as pool:
        parts = list(pool.map(read, halves))
    return [pa.concat_tables(answers) for answers in zip(*parts, strict=True)]


def _some_series(wishes: Sequence[Wish]) -> ColumnElement[bool]:
    """The series that any wish is about."""
    numbers = [one for wish in wishes for one in wish.series or ()]
    return true() if any(wish.series is None for wish in wishes) else SERIES.c.id.in_(sorted(set(numbers)))


def _libpq(url: URL) -> str:
    """The address as PostgreSQL's own library reads it."""
    plain = url.set(drivername="postgresql").update_query_dict({"options": f"-csearch_path={SCHEMA}"})
    return plain.render_as_string(hide_password=False)


def _sorted(table: Any) -> Rows:
    """Arrow columns as arrays by series, period, moment and revision; where they come in order, nothing is sorted."""
    series_N, ds_N, available_N = (
        table.column(name).to_numpy().astype(np.int64, copy=False) for name in ("series_id", "ds", "available_at")
    )
    value_N = table.column("value").to_numpy()
    if "revision" not in table.column_names:
        return Rows(series_N, ds_N, available_N, value_N)
    revision_N = table.column("revision").to_numpy()
    if not _in_place(series_N, ds_N, available_N, revision_N):
        order = np.lexsort((revision_N, available_N, ds_N, series_N))
        series_N, ds_N, available_N, value_N = (one[order] for one in (series_N, ds_N, available_N, value_N))
    return Rows(series_N, ds_N, available_N, value_N)


def _in_place(*keys: Ints) -> bool:
    """Whether rows stand in the order of their keys."""
    open_N = np.ones(max(0, len(keys[0]) - 1), dtype=bool)
    for key in keys:
        forward_N = np.diff(key)
        if (forward_N[open_N] < 0).any():
            return False
        open_N &= forward_N == 0
        if not open_N.any():
            return True
    return True
