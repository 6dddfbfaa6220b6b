"""How old the newest input of every series is: demand, and the weather that its forecasts read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from sqlalchemy import Connection, select

from forecast import clock
from forecast.monitoring.limits import LIMITS, Limits
from forecast.store import Store, catalogue
from forecast.store.catalogue import TARGET
from forecast.store.schema import OBSERVATION, SERIES

CHUNK = 500


@dataclass(frozen=True, eq=False)
class Staleness:
    """How late the newest value is.

    Attributes:
        table: a row per series and input: `unique_id`, `input` (y or a covariate), `newest` (end of its newest period,
            NaT where there is none), `late_hours`: how much later than its delay it is now; a value of the future, such
            as a weather forecast, is not late.
        at: the moment (UTC).
    """

    table: pd.DataFrame
    at: pd.Timestamp

    def breaches(self, limits: Limits = LIMITS) -> pd.DataFrame:
        """The rows that are too late; series that never had a value are not."""
        return self.table[self.table["late_hours"] > limits.stale_hours]


def staleness(store: Store, names: Sequence[str] | None = None) -> Staleness:
    """Looks for the newest value of every input of some series (all that were measured where None), as of now.

    The newest value is found by its key, so that a store of years takes no longer.
    """
    now = clock.now()
    with store.snapshot() as connection:
        entries = catalogue.entries(connection, names)
        variables = catalogue.variables(connection)
        kept = {one.number: one for one in entries.values() if one.anchor is not None}
        rows = []
        for name, (variable, _) in variables.items():
            newest = _newest(connection, list(kept), variable, int(now.timestamp()))
            rows += [(number, name, newest.get(number)) for number in kept if name == TARGET or number in newest]
    told = [
        (kept[number].info.unique_id, name, ds, kept[number].step_seconds, kept[number].delay_seconds)
        for number, name, ds in rows
    ]
    return Staleness(_table(told, now), now)


def _newest(connection: Connection, numbers: Sequence[int], variable: int, until: int) -> dict[int, int]:
    """The newest period's start that was known, by series; those that have none are left out."""
    found: dict[int, int] = {}
    for begin in range(0, len(numbers), CHUNK):
        some = numbers[begin : begin + CHUNK]
        rows = OBSERVATION.c
        newest = (
            select(rows.ds)
            .where(rows.series_id == SERIES.c.id, rows.variable_id == variable, rows.available_at <= until)
            .order_by(rows.ds.desc())
            .limit(1)
            .scalar_subquery()
        )
        for number, ds in connection.execute(select(SERIES.c.id, newest).where(SERIES.c.id.in_(some))):
            if ds is not None:
                found[number] = int(ds)
    return found


def _table(told: Sequence[tuple[str, str, int | None, int, int]], now: pd.Timestamp) -> pd.DataFrame:
    columns = ["unique_id", "input", "ds", "step", "delay"]
    frame = pd.DataFrame(told, columns=columns).astype({"ds": "float64", "step": "float64", "delay": "float64"})
    end: npt.NDArray[np.float64] = (frame["ds"] + frame["step"]).to_numpy()
    late = (now.timestamp() - end - frame["delay"].to_numpy()) / 3600
    newest = pd.to_datetime(pd.Series(end), unit="s", utc=True)
    return frame[["unique_id", "input"]].assign(newest=newest, late_hours=np.maximum(late, 0.0))
