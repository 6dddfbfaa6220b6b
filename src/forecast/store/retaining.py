"""Retention: what is older than a user wants to keep goes, series by series, with a line of audit."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pandas as pd
from sqlalchemy import Column, Connection, Engine, Table, delete, func, insert, select

from forecast import clock
from forecast.store.engine import reading, writing
from forecast.store.schema import AUDIT, ERASING, FORECAST, OBSERVATION, SERIES
from forecast.store.tokens import note_change

RETAIN = "retain"
AT_ONCE = 50
"""So many series lose rows in one transaction: others may write in between."""


@dataclass(frozen=True)
class Removed:
    """Rows that were removed, or would be.

    Attributes:
        observations: values of periods that began before the first moment, every version of them.
        forecasts: rows of the ledger that speak of periods before the second.
        series: of which something was removed.
    """

    observations: int = 0
    forecasts: int = 0
    series: int = 0


def retain(
    engine: Engine, observations: pd.Timestamp | None, forecasts: pd.Timestamp | None, *, dry_run: bool = False
) -> Removed:  # fmt: skip
    """Removes values and forecasts of periods that began before a moment; a run that was killed is continued.

    What a moment knew of these periods nobody can tell any more, and no forecast of then can be repeated.

    Args:
        engine: of the store.
        observations, forecasts: the moments; None removes nothing.
        dry_run: only count.

    Raises:
        StoreError: the store does not answer; what was removed before stays removed.
    """
    limits = [(OBSERVATION, OBSERVATION.c.ds, observations), (FORECAST, FORECAST.c.first_ds, forecasts)]
    wanted = [(table, column, int(at.timestamp())) for table, column, at in limits if at is not None]
    if not wanted:
        return Removed()
    with reading(engine) as connection:
        numbers = connection.execute(select(SERIES.c.id).order_by(SERIES.c.id)).scalars().all()
    counts = dict.fromkeys((OBSERVATION.name, FORECAST.name), 0)
    touched: set[int] = set()
    for some in _parts(numbers):
        with reading(engine) if dry_run else writing(engine) as connection:
            for table, column, before in wanted:
                for number, count in _old(connection, table, column, before, some).items():
                    counts[table.name] += count
                    touched.add(number)
                    if not dry_run:
                        _delete(connection, table, column, before, number)
            if not dry_run:
                note_change(connection, [number for number in some if number in touched])
    removed = Removed(counts[OBSERVATION.name], counts[FORECAST.name], len(touched))
    if touched and not dry_run:
        _note(engine, removed, observations, forecasts)
    return removed


def _parts(numbers: Sequence[int]) -> Iterator[Sequence[int]]:
    for begin in range(0, len(numbers), AT_ONCE):
        yield numbers[begin : begin + AT_ONCE]


def _old(
    connection: Connection, table: Table, column: Column[int], before: int, numbers: Sequence[int]
) -> dict[int, int]:  # fmt: skip
    """Old rows by series; those of one variable after the other, as the key of the table begins."""
    counted = (
        select(table.c.series_id, func.count())
        .where(table.c.series_id.in_(numbers), column < before)
        .group_by(table.c.series_id)
    )
    return {int(number): int(count) for number, count in connection.execute(counted)}


def _delete(connection: Connection, table: Table, column: Column[int], before: int, number: int) -> None:
    """Deletes the old rows of a series, which the store lets go within this statement only."""
    connection.execute(insert(ERASING).values(series_id=number))
    connection.execute(delete(table).where(table.c.series_id == number, column < before))
    connection.execute(delete(ERASING).where(ERASING.c.series_id == number))


def _note(
    engine: Engine, removed: Removed, observations: pd.Timestamp | None, forecasts: pd.Timestamp | None
) -> None:  # fmt: skip
    told = {
        "observations": removed.observations, "forecasts": removed.forecasts, "series": removed.series,
        "observations_before": None if observations is None else observations.isoformat(),
        "forecasts_before": None if forecasts is None else forecasts.isoformat(),
    }  # fmt: skip
    with writing(engine) as connection:
        at = int(clock.now().timestamp())
        connection.execute(insert(AUDIT).values(at=at, action=RETAIN, detail=json.dumps(told)))
