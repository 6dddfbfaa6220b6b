"""`Contents`: what is in a store, counted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from sqlalchemy import Connection, Engine, func, select, text

from forecast.store import catalogue
from forecast.store.engine import reading
from forecast.store.migrating import SCHEMA, revision_of
from forecast.store.schema import AUDIT, FORECAST, OBSERVATION, SERIES, SOURCE, VARIABLE
from forecast.tables import SeriesInfo


@dataclass(frozen=True)
class Held:
    """The values of one variable of one series.

    Attributes:
        series: the series.
        variable: `y`, or a covariate.
        first, last: the first and the last period's start.
        rows: values, every version.
    """

    series: str
    variable: str
    first: pd.Timestamp
    last: pd.Timestamp
    rows: int


@dataclass(frozen=True)
class Read:
    """A source that fed the store.

    Attributes:
        name: under which it was read.
        mark: how far.
        polled_at: when it was last read to its end.
    """

    name: str
    mark: Mapping[str, Any] | None
    polled_at: pd.Timestamp | None


@dataclass(frozen=True)
class Contents:
    """What is in a store.

    Attributes:
        revision: of the schema.
        size_bytes: of the database's files, or of its tables.
        series: what is known of each.
        roles: of each variable.
        held: values by series and variable.
        sources: what fed it.
        forecasts: rows of the ledger.
        forgotten: series that were forgotten.
    """

    revision: str
    size_bytes: int
    series: tuple[SeriesInfo, ...]
    roles: Mapping[str, str]
    held: tuple[Held, ...]
    sources: tuple[Read, ...]
    forecasts: int
    forgotten: int

    @property
    def rows(self) -> int:
        """Values of all series."""
        return sum(one.rows for one in self.held)


def contents(engine: Engine) -> Contents:
    """What is in a store, counted in one state of it.

    Raises:
        StoreError: the store does not answer.
    """
    with reading(engine) as connection:
        forgotten = select(func.count()).select_from(AUDIT).where(AUDIT.c.action == "forget")
        return Contents(
            revision=str(revision_of(connection)), size_bytes=size_of(connection),
            series=tuple(one.info for one in catalogue.entries(connection).values()),
            roles={name: role for name, (_, role) in catalogue.variables(connection).items()},
            held=tuple(_held(connection)), sources=tuple(_sources(connection)),
            forecasts=_count(connection, select(func.count()).select_from(FORECAST)),
            forgotten=_count(connection, forgotten),
        )  # fmt: skip


def _count(connection: Connection, wanted: Any) -> int:
    return int(connection.execute(wanted).scalar_one())


def _held(connection: Connection) -> list[Held]:
    rows = OBSERVATION.c
    counted = (
        select(rows.series_id, rows.variable_id, func.min(rows.ds), func.max(rows.ds), func.count())
        .group_by(rows.series_id, rows.variable_id)
    )  # fmt: skip
    names = {row.id: row.unique_id for row in connection.execute(select(SERIES.c.id, SERIES.c.unique_id))}
    words = {row.id: row.name for row in connection.execute(select(VARIABLE.c.id, VARIABLE.c.name))}
    found = [
        Held(names[series], words[variable], _stamp(first), _stamp(last), count)
        for series, variable, first, last, count in connection.execute(counted)
    ]
    order = list(words.values())
    return sorted(found, key=lambda one: (one.series, order.index(one.variable)))


def _sources(connection: Connection) -> list[Read]:
    known = [catalogue.origin(connection, name) for name in connection.execute(select(SOURCE.c.name)).scalars()]
    names = connection.execute(select(SOURCE.c.name, SOURCE.c.id)).all()
    by_number = {one.number: one for one in known if one is not None}
    return [
        Read(name, by_number[number].mark, None if (at := by_number[number].polled_at) is None else _stamp(at))
        for name, number in sorted((str(name), number) for name, number in names)
    ]


def size_of(connection: Connection) -> int:
    """Bytes of the database's files, or of its tables."""
    if connection.dialect.name == "sqlite":
        file = str(connection.engine.url.database)
        parts = [Path(file + ending) for ending in ("", "-wal", "-shm")]
        return sum(part.stat().st_size for part in parts if part.exists())
    asked = (
        "SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0) FROM pg_class c "
        "JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = :schema AND c.relkind = 'r'"
    )
    return int(connection.execute(text(asked), {"schema": SCHEMA}).scalar_one())


def _stamp(seconds: int) -> pd.Timestamp:
    return pd.Timestamp(seconds, unit="s", tz="UTC")
