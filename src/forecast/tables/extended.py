"""A `Demand` with more columns known ahead, and rows that let them reach over a horizon; or with fewer columns."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from forecast.tables.demand import Demand
from forecast.tables.series import Floats, Ints, Series
from forecast.tables.versions import Versions

Values = Callable[[Series, pd.DatetimeIndex], Mapping[str, npt.NDArray[np.generic]]]


def extended(demand: Demand, names: Sequence[str], values: Values, after: pd.Timedelta) -> Demand:
    """The same table with columns that were always known, behind its other known-ahead ones.

    Every series gets rows, with nothing but the new columns in them, until it reaches `after` beyond its last row that
    has a value of y (beyond its last row, where it has none).

    Args:
        demand: the table; not narrowed, and with nothing beside it.
        names: the new columns.
        values: for a series and the starts of its periods, every new column [T].
        after: how far the rows reach.

    Raises:
        DeclarationError: a column of that name is there.
    """
    columns = replace(demand.columns, known=(*demand.columns.known, *names))
    sizes_S = np.array([_rows(one, after, demand.step) for one in demand.series], dtype=np.int64)
    first_S = np.concatenate([[0], np.cumsum(sizes_S)[:-1]]).astype(np.int64)
    arena_RC = np.full((int(sizes_S.sum()), len(columns.dynamic)), np.nan, dtype=np.float32)
    series = []
    for one, first, size in zip(demand.series, first_S.tolist(), sizes_S.tolist(), strict=True):
        view_TC = arena_RC[first : first + size]
        view_TC[: len(one), : one.values_TC.shape[1]] = one.values_TC
        told = values(one, pd.date_range(one.start, periods=size, freq=demand.step))
        for place, name in enumerate(names, start=one.values_TC.shape[1]):
            view_TC[:, place] = told[name]
        available_T = _available(one, size, demand)
        series.append(replace(one, values_TC=view_TC, available_at_T=available_T, first_row=first))
    arena_RC.flags.writeable = False
    versions = {name: _moved(one, demand.series, sizes_S) for name, one in demand.versions.items()}
    return replace(demand, series=tuple(series), columns=columns, arena_RC=arena_RC, versions=versions)


def without(demand: Demand, names: Collection[str]) -> Demand:
    """The same table without some of its columns known ahead; the table itself where it has none of them."""
    kept = [place for place, name in enumerate(demand.columns.dynamic) if name not in names]
    if len(kept) == len(demand.columns.dynamic):
        return demand
    arena_RC = np.ascontiguousarray(demand.arena_RC[:, kept])
    arena_RC.flags.writeable = False
    series, beside = (tuple(one.viewing(arena_RC) for one in group) for group in (demand.series, demand.beside))
    columns = replace(demand.columns, known=tuple(name for name in demand.columns.known if name not in names))
    versions = {name: one for name, one in demand.versions.items() if name not in names}
    return replace(demand, series=series, beside=beside, columns=columns, arena_RC=arena_RC, versions=versions)


def _rows(one: Series, after: pd.Timedelta, step: pd.Timedelta) -> int:
    measured = np.flatnonzero(np.isfinite(one.values_TC[:, 0]))
    last = int(measured[-1]) + 1 if len(measured) else len(one)
    return max(len(one), last + int(np.ceil(after / step)))


def _available(one: Series, size: int, demand: Demand) -> Ints | None:
    """When each row became known; the rows behind the last by the delay rule."""
    if one.available_at_T is None:
        return None
    rows = np.arange(len(one), size, dtype=np.int64)
    return np.concatenate([one.available_at_T, one.start.value + (rows + 1) * demand.step.value + demand.delay.value])


def _moved(versions: Versions, series: Sequence[Series], sizes_S: Ints) -> Versions:
    """The versions of a column whose series have more rows now."""
    parts = [versions.rows(one.first_row, len(one)) for one in series]
    counts = [np.diff(part.first_R1) for part in parts]
    counts_R = np.concatenate([np.pad(c, (0, size - len(c))) for c, size in zip(counts, sizes_S, strict=True)])
    first_R1: Ints = np.concatenate([[0], np.cumsum(counts_R)]).astype(np.int64)
    values_V: Floats = np.concatenate([part.values_V for part in parts])
    return Versions(first_R1, np.concatenate([part.available_V for part in parts]), values_V)
