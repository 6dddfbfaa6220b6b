"""`demand_of_arrays`: a table from columns that were checked one by one, without a frame in between."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from forecast.errors import DataError
from forecast.tables.demand import Demand
from forecast.tables.series import Columns, Ints, Series
from forecast.tables.units import output_factor

NOT_A_TIME = np.iinfo(np.int64).min


class Laid(Protocol):
    """One series as columns.

    `ds` are UTC nanoseconds, ascending, each once, on the clock of the step; `columns` hold `y` and the covariates in
    the source's unit, NaN where missing, finite in float32; `available_at` are UTC nanoseconds, `NOT_A_TIME` where not
    stated, or None where no row states it.
    """

    @property
    def unique_id(self) -> str: ...
    @property
    def zone(self) -> str: ...
    @property
    def ds(self) -> Ints: ...
    @property
    def columns(self) -> Mapping[str, npt.NDArray[np.float64]]: ...
    @property
    def available_at(self) -> Ints | None: ...
    @property
    def static(self) -> Mapping[str, float]: ...


def demand_of_arrays(
    several: Sequence[Laid], *, columns: Columns, step: pd.Timedelta, unit: str, delay: pd.Timedelta, source: str = "",
    country: str | None = None,
) -> Demand:  # fmt: skip
    """The table, to forecast from, that `Demand.from_frame` would make of the same rows.

    Args:
        several: the series, each name once.
        columns, step, unit, delay, source, country: as in `Demand.from_frame`.

    Raises:
        DataError: a value was available before its period began.
    """
    ordered = sorted(several, key=lambda one: one.unique_id)
    sizes, names = [int((one.ds[-1] - one.ds[0]) // step.value) + 1 for one in ordered], columns.dynamic
    arena_RC = np.full((sum(sizes), len(names)), np.nan, dtype=np.float32)
    factor, stated = output_factor(unit, step), any(one.available_at is not None for one in ordered)
    series, first = [], 0
    for one, size in zip(ordered, sizes, strict=True):
        view_TC = arena_RC[first : first + size]
        # Rows without a gap are written where they lie; picking them by number costs several times as much.
        target_TC = view_TC if size == len(one.ds) else np.full((len(one.ds), len(names)), np.nan, np.float32)
        target_TC[:, 0] = one.columns["y"] / factor if factor != 1 else one.columns["y"]
        for plane, name in enumerate(names[1:], 1):
            target_TC[:, plane] = one.columns[name]
        places = (one.ds - one.ds[0]) // step.value if stated or target_TC is not view_TC else None
        if places is not None and target_TC is not view_TC:
            view_TC[places] = target_TC
        known_T = _available(one, places, size, step, delay) if stated and places is not None else None
        start = pd.Timestamp(int(one.ds[0]), tz=UTC)
        series.append(Series(one.unique_id, one.zone, start, view_TC, known_T, dict(one.static), first))
        first += size
    arena_RC.flags.writeable = False
    return Demand(
        tuple(series), columns, step, unit, delay, arena_RC, source=source, country=country, forecast_only=True
    )


def _available(one: Laid, places: Ints, size: int, step: pd.Timedelta, delay: pd.Timedelta) -> Ints:
    """When each row became known: as stated, else at its period's end plus the delay."""
    known_T = np.asarray(one.ds[0] + (np.arange(size, dtype=np.int64) + 1) * step.value + delay.value)
    if one.available_at is None:
        return known_T
    told = one.available_at != NOT_A_TIME
    early = told & (one.available_at < one.ds)
    if early.any():
        raise DataError(
            "some values were available before their period began", "available_at at or after the period",
            "check the column and its zone", series=one.unique_id, column="available_at",
            stamps=pd.to_datetime(one.ds[early][:20], utc=True),
        )  # fmt: skip
    known_T[places[told]] = one.available_at[told]
    return known_T
