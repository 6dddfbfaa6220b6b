"""Which periods of a forecast make up which delivery day; origins that agree in this are read together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pandas as pd

from forecast.calendars import delivery_day
from forecast.errors import RequestError
from forecast.metrics.rows import Zones, local_times
from forecast.paths.marginals import Bools, Ints
from forecast.tables import Forecast
from forecast.tables.forecast import KEYS

HOUR = pd.Timedelta(hours=1)
EPOCH = date(1970, 1, 1)


@dataclass(frozen=True, eq=False)
class Shape:
    """Origins of one series whose forecasts span the same steps, local hours and turns of the day.

    Attributes:
        series: the series.
        rows_NH: rows of the ordered frame, an origin each.
        steps_H: how many steps after the first possible one each period lies.
        hour_H: local hour 0..23.
        turn_H: 0 for the first civil day touched, 1 for the next.
        day_N: the first civil day of each origin, in days since 1970.
    """

    series: str
    rows_NH: Ints
    steps_H: Ints
    hour_H: Ints
    turn_H: Ints
    day_N: Ints

    def days(self) -> Iterator[tuple[int, slice]]:
        """Each civil day touched: its turn, and where its periods lie."""
        for turn in np.unique(self.turn_H):
            inside = np.flatnonzero(self.turn_H == turn)
            yield int(turn), slice(int(inside[0]), int(inside[-1]) + 1)


def ordered(forecast: Forecast) -> pd.DataFrame:
    """The forecast's rows by series, cutoff and period."""
    return forecast.frame.sort_values(KEYS, kind="stable").reset_index(drop=True)


def step_of(frame: pd.DataFrame) -> pd.Timedelta:
    """Length of a period: the shortest distance between two of a series.

    Raises:
        RequestError: no series has two periods.
    """
    stamps = frame[["unique_id", "ds"]].drop_duplicates().sort_values(["unique_id", "ds"])
    step = stamps.groupby("unique_id")["ds"].diff().min()
    if pd.isna(step):
        raise RequestError("a single period of each series", "the periods of a day", "ask for a longer horizon")
    return pd.Timedelta(step)


def shapes(frame: pd.DataFrame, step: pd.Timedelta, zones: Zones | None) -> list[Shape]:
    """The shapes of an ordered forecast, in the order in which they first occur.

    Args:
        frame: see `ordered`.
        step: length of a period.
        zones: civil zone of each series; UTC without it.

    Raises:
        DeclarationError: a series has no zone.
    """
    local = local_times(frame, zones)
    day_R, hour_R = (local[name].to_numpy(dtype=np.int64) for name in ("day", "hour"))
    lead_R = ((frame["ds"] - frame["cutoff"]) // step).to_numpy(dtype=np.int64)
    begins_N = np.flatnonzero(~frame.duplicated(KEYS[:2]).to_numpy())
    found: dict[tuple[str, bytes], list[Ints]] = {}
    for begin, end in zip(begins_N, [*begins_N[1:], len(frame)], strict=True):
        rows = np.arange(begin, end)
        look = np.concatenate([lead_R[rows], hour_R[rows], day_R[rows] - day_R[begin]])
        found.setdefault((str(frame["unique_id"].iloc[begin]), look.tobytes()), []).append(rows)
    return [_shape(series, np.stack(rows), lead_R, hour_R, day_R) for (series, _), rows in found.items()]


def _shape(series: str, rows_NH: Ints, lead_R: Ints, hour_R: Ints, day_R: Ints) -> Shape:
    first_H = rows_NH[0]
    turn_H = day_R[first_H] - day_R[first_H[0]]
    return Shape(series, rows_NH, lead_R[first_H], hour_R[first_H], turn_H, day_R[rows_NH[:, 0]])


def whole_days(series: str, day_N: Ints, steps_N: Ints | int, step: pd.Timedelta, zones: Zones | None) -> Bools:
    """Whether so many steps make up these civil days (numbered since 1970) of a series: no further one would fit.

    A day of 24.5 hours (Lord Howe) is whole with 24 hourly steps.
    """
    zone = zones[series] if zones is not None else "UTC"
    distinct_U, at_N = np.unique(day_N, return_inverse=True)
    spans = [delivery_day(civil(day), zone) for day in distinct_U]
    fitting_U = np.array([(end - start) // step for start, end in spans], dtype=np.int64)
    return np.asarray(steps_N >= fitting_U[at_N])


def civil(day: int) -> date:
    """The date of a day number.

    >>> civil(16349)
    datetime.date(2014, 10, 6)
    """
    return EPOCH + timedelta(days=int(day))
