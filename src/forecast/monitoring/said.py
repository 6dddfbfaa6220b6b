"""What the ledger holds of one civil day, of many series at once: the last whole forecast from before it began.

S series, P periods of the day.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sqlalchemy import Connection, select

from forecast.calendars import inside, is_day_clock
from forecast.monitoring.realised import HIGH, LOW, MIDDLE, SHADOW
from forecast.store.schema import FORECAST
from forecast.tables.units import conversion_factor

LONGEST_DAYS = 35
"""A forecast that begins earlier before a day does not count as one of that day."""
WORDS = ("id", "issued_at", "cutoff", "model", "model_version", "rung")


@dataclass(frozen=True, eq=False)
class SaidOfDay:
    """The forecast that counts, by number of its series.

    Attributes:
        head: `WORDS` of the ledger's row.
        values_P3: median (mean where it was not told), low and high, in the series' unit; NaN where nothing was said.
    """

    head: dict[str, Any]
    values_P3: npt.NDArray[np.float64]

    @property
    def whole(self) -> bool:
        """Whether every period of the day was spoken of."""
        return bool(np.isfinite(self.values_P3[:, 0]).all())


@dataclass(frozen=True, eq=False)
class Asked:
    """A day as series of one clock have it.

    Attributes:
        ds_P: starts of its periods, seconds since 1970.
        begin, lived, end: when it begins by the clock, when it was begun to live, when it ends (seconds).
        step: length of a period (seconds).
        zone: the clock.
        unit: in which the series are told.
    """

    ds_P: npt.NDArray[np.int64]
    begin: int
    lived: int
    end: int
    step: int
    zone: str
    unit: str


def said_of_day(connection: Connection, numbers: Sequence[int], asked: Asked) -> dict[int, SaidOfDay]:
    """The last forecast of each series that was issued before the day began and given to somebody, whole ones first."""
    rows = FORECAST.c
    wanted = (
        select(FORECAST)
        .where(rows.series_id.in_(numbers), rows.first_ds < asked.end)
        .where(rows.first_ds >= asked.begin - LONGEST_DAYS * 86_400)
        .where(rows.first_ds + (rows.steps - 1) * rows.step_seconds >= min(asked.begin, asked.lived))
        .where(rows.issued_at <= asked.lived, rows.rung != SHADOW)
        .order_by(rows.issued_at, rows.cutoff, rows.id)
    )
    found: dict[int, SaidOfDay] = {}
    for row in connection.execute(wanted).mappings():
        values = _values(row, asked)
        one = SaidOfDay({name: row[name] for name in WORDS}, values)
        before = found.get(row["series_id"])
        if before is None or one.whole or not before.whole:
            found[row["series_id"]] = one
    return found


def _values(row: Any, asked: Asked) -> npt.NDArray[np.float64]:
    """Median, low and high [P, 3] of one row of the ledger."""
    places = _levels(row["levels"])
    told_HQ = np.frombuffer(row["values"], dtype="<f8").reshape(row["steps"], -1)
    ds_H = row["first_ds"] + row["step_seconds"] * np.arange(row["steps"], dtype=np.int64)
    if is_day_clock(asked.zone):
        ds_H = _counted(ds_H, asked.zone)
    at_P = np.searchsorted(ds_H, asked.ds_P).clip(max=len(ds_H) - 1)
    there_P = ds_H[at_P] == asked.ds_P
    values_P3 = np.full((len(asked.ds_P), 3), np.nan)
    for column, place in enumerate(places):
        if place is not None:
            values_P3[there_P, column] = told_HQ[at_P[there_P], place]
    step = pd.Timedelta(seconds=asked.step)
    return values_P3 * (1.0 if row["unit"] == asked.unit else conversion_factor(row["unit"], asked.unit, step))


@cache
def _levels(text: str) -> tuple[int | None, ...]:
    """Where median, low and high stand among the mean and the quantiles."""
    levels = [float(one) for one in json.loads(text)]
    low, middle, high = (levels.index(one) + 1 if one in levels else None for one in (LOW, MIDDLE, HIGH))
    return (middle or 0), low, high


def _counted(ds_H: npt.NDArray[np.int64], zone: str) -> npt.NDArray[np.int64]:
    """Stamps of the ledger on the clock of a daily table, where they stand as they were lived."""
    stamps = pd.DatetimeIndex(ds_H * 1_000_000_000, tz="UTC")
    if (stamps == stamps.normalize()).all():
        return ds_H
    return np.asarray(inside(stamps, zone).as_unit("ns").asi8 // 1_000_000_000)
