"""How old the newest known demand of every series is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd
from sqlalchemy import Connection, func, select

from forecast.store import catalogue
from forecast.store.catalogue import TARGET
from forecast.store.schema import OBSERVATION, SERIES


@dataclass(frozen=True)
class Newest:
    """The newest period of a series with a value.

    Attributes:
        unique_id: the series.
        end: of that period (UTC, on the clock of the series); None where none has a value.
        overdue_s: how long the next period's value has been due by the delay rule; 0 where it is not due yet.
    """

    unique_id: str
    end: pd.Timestamp | None
    overdue_s: float


def newest(connection: Connection, now: pd.Timestamp) -> list[Newest]:
    """The newest known period of every series that has a value, the longest overdue first.

    Args:
        connection: of a reader.
        now: what the time is; what was stamped later does not count.
    """
    number = catalogue.variables(connection).get(TARGET, (-1, ""))[0]
    table, at = OBSERVATION.c, int(now.timestamp())
    # One look into the index per series: counting all rows would take minutes.
    last = (
        select(func.max(table.ds))
        .where(table.series_id == SERIES.c.id, table.variable_id == number, table.ds < at)
        .scalar_subquery()
    )
    wanted = select(SERIES.c.unique_id, SERIES.c.step_seconds, SERIES.c.delay_seconds, last.label("ds"))
    rows = connection.execute(wanted.where(SERIES.c.anchor.is_not(None))).all()
    found = [_newest(row, at) for row in rows]
    return sorted(found, key=lambda one: (one.end is not None, -one.overdue_s, one.unique_id))


def _newest(row: Any, at: int) -> Newest:
    name, step, delay, ds = row
    if ds is None:
        return Newest(name, None, 0.0)
    # The next period ends a step later, and is known after the delay.
    due = ds + 2 * step + delay
    return Newest(name, pd.Timestamp(ds + step, unit="s", tz="UTC"), float(max(0, at - due)))
