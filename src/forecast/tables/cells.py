"""From loose values with their moments of knowledge to `Demand`: revisions and vintages find their rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from forecast.errors import DataError
from forecast.tables.demand import Demand
from forecast.tables.series import Columns, Ints, Series
from forecast.tables.series_info import SeriesInfo
from forecast.tables.versions import ALWAYS, NEVER, Versions, needed, versions_of


@dataclass(frozen=True, eq=False)
class Cells:
    """Loose values of one column, N of them.

    Attributes:
        series_N: place of the series.
        ds_N: start of the period, UTC nanoseconds.
        available_N: when the value became known, UTC nanoseconds; `ALWAYS` for what was always known.
        value_N: finite; `y` as mean power.
    """

    series_N: Ints
    ds_N: Ints
    available_N: Ints
    value_N: npt.NDArray[np.float64]


def demand_of_cells(
    series: Sequence[SeriesInfo], cells: Mapping[str, Cells], *, columns: Columns, step: pd.Timedelta, unit: str,
    delay: pd.Timedelta, source: str = "", country: str | None = None, forecast_only: bool = False,
) -> Demand:  # fmt: skip
    """The table of loose values; of a column that needs them, every version is kept.

    Args:
        series: the series, in the order of their names, as `cells` number them.
        cells: by column; each on its series' clock.
        columns: roles of the covariates.
        step: length of a period.
        unit: in which the source speaks.
        delay: how long after its period's end a value is known by rule.
        source, country, forecast_only: as in `Demand`.

    Raises:
        DataError: a stamp is off the clock, an observed value was known before its period, or a series has no y.
    """
    starts_S, sizes_S = _spans(series, cells, step)
    first_S = np.concatenate([[0], np.cumsum(sizes_S)[:-1]]).astype(np.int64)
    size = int(sizes_S.sum())
    versions = {}
    for name in columns.dynamic:
        one = cells[name]
        rows_N = first_S[one.series_N] + (one.ds_N - starts_S[one.series_N]) // step.value
        versions[name] = versions_of(rows_N, one.available_N, one.value_N, size)
    rule_R = _by_rule(starts_S, sizes_S, step.value, delay.value)
    _check(series, versions, columns, rule_R - delay.value - step.value, first_S, forecast_only)
    arena_RC = np.column_stack([versions[name].newest_R for name in columns.dynamic])
    arena_RC.flags.writeable = False
    kept, stated_R = needed(versions, columns.known, rule_R)
    rows = [slice(int(first), int(first + many)) for first, many in zip(first_S, sizes_S, strict=True)]
    made = [
        Series(
            one.unique_id, one.zone or "UTC", pd.Timestamp(int(start), tz="UTC"), arena_RC[part],
            available_at_T=None if stated_R is None else stated_R[part],
            static={name: one.static[name] for name in columns.static}, first_row=part.start,
            country=None if one.country == country else one.country,
        )
        for one, start, part in zip(series, starts_S, rows, strict=True)
    ]  # fmt: skip
    return Demand(
        tuple(made), columns, step, unit, delay, arena_RC, source=source, country=country,
        forecast_only=forecast_only, versions=kept,
    )  # fmt: skip


def _spans(series: Sequence[SeriesInfo], cells: Mapping[str, Cells], step: pd.Timedelta) -> tuple[Ints, Ints]:
    """First stamp and number of rows of every series."""
    count = len(series)
    first_S, last_S = np.full(count, NEVER), np.full(count, -NEVER)
    for one in cells.values():
        # Reading is by series, so that stretches of equal numbers are few.
        turns = np.flatnonzero(np.diff(one.series_N, prepend=-1))
        if len(turns):
            np.minimum.at(first_S, one.series_N[turns], np.minimum.reduceat(one.ds_N, turns))
            np.maximum.at(last_S, one.series_N[turns], np.maximum.reduceat(one.ds_N, turns))
    empty = [series[int(place)].unique_id for place in np.flatnonzero(first_S == NEVER)]
    if empty:
        raise DataError(f"no value of {', '.join(empty[:5])} is known", "at least one", "check the cutoff and the data")
    for name, one in cells.items():
        off_N = (one.ds_N - first_S[one.series_N]) % step.value != 0
        if off_N.any():
            stamps = pd.to_datetime(one.ds_N[off_N][:6], utc=True)
            raise DataError(
                f"some stamps are not on the clock of every {step}", "one clock per series", "declare its frequency",
                series=series[int(one.series_N[off_N][0])].unique_id, column=name, stamps=stamps,
            )  # fmt: skip
    return first_S, (last_S - first_S) // step.value + 1


def _by_rule(starts_S: Ints, sizes_S: Ints, step: int, delay: int) -> Ints:
    """When each row's values become known by the delay rule."""
    row_R = np.arange(int(sizes_S.sum())) - np.repeat(np.cumsum(sizes_S) - sizes_S, sizes_S)
    return np.asarray(np.repeat(starts_S, sizes_S) + (row_R + 1) * step + delay)


def _check(
    series: Sequence[SeriesInfo], versions: Mapping[str, Versions], columns: Columns, starts_R: Ints, first_S: Ints,
    forecast_only: bool,
) -> None:  # fmt: skip
    def at(row: int) -> str:
        return series[int(np.searchsorted(first_S, row, side="right")) - 1].unique_id

    for name in columns.observed:
        one = versions[name]
        row_V = np.repeat(np.arange(len(starts_R)), np.diff(one.first_R1))
        early = row_V[one.available_V < starts_R[row_V]]
        if len(early):
            raise DataError(
                "some values were available before their period began", "available_at at or after the period",
                "check the column and its zone, or declare it as known ahead", series=at(int(early[0])), column=name,
                stamps=pd.to_datetime(starts_R[early[:6]], utc=True),
            )  # fmt: skip
    measured_S = np.add.reduceat(np.diff(versions["y"].first_R1), first_S)
    if not forecast_only and (measured_S == 0).any():
        name = series[int(np.argmin(measured_S))].unique_id
        raise DataError("every value of y is missing", "at least one number", series=name)


def cells_of_frame(frame: pd.DataFrame, columns: Columns, names: Sequence[str], rule: pd.Timedelta) -> dict[str, Cells]:
    """The values of a long frame with `available_at`; where that is missing, by rule (`ds` + `rule`), or always."""
    series_N = pd.Categorical(frame["unique_id"], categories=list(names)).codes.astype(np.int64)
    ds_N = frame["ds"].to_numpy(dtype="datetime64[ns]").astype(np.int64)
    stated = frame["available_at"].dt.tz_convert("UTC").to_numpy(dtype="datetime64[ns]")
    silent_N, stated_N = np.isnat(stated), stated.astype(np.int64)
    cells = {}
    for name in columns.dynamic:
        default_N = np.full(len(frame), ALWAYS) if name in columns.known else ds_N + rule.value
        available_N = np.where(silent_N, default_N, stated_N)
        value_N = frame[name].to_numpy(dtype=np.float64)
        whole = Cells(series_N, ds_N, available_N, value_N)
        cells[name] = chosen(whole, np.flatnonzero(np.isfinite(value_N)))
    return cells


def chosen(cells: Cells, places_M: Ints) -> Cells:
    """Some of the values."""
    return Cells(*(getattr(cells, name)[places_M] for name in ("series_N", "ds_N", "available_N", "value_N")))


def held(cells: Cells, step: pd.Timedelta) -> Cells:
    """Values told less often than every `step`, each again in the periods up to its series' next regular stamp."""
    times_S = _times(cells, step.value)
    if (times_S <= 1).all():
        return cells
    times_N = times_S[cells.series_N]
    place_M = np.repeat(np.arange(len(times_N)), times_N)
    later_M = np.arange(len(place_M)) - np.repeat(np.cumsum(times_N) - times_N, times_N)
    again = chosen(cells, place_M)
    return replace(again, ds_N=again.ds_N + later_M * step.value)


def _times(cells: Cells, step: int) -> Ints:
    """Per series how many periods lie between its stamps, the greatest length that divides all their distances."""
    times_S = np.ones(int(cells.series_N.max(initial=-1)) + 1, dtype=np.int64)
    bounds_S = np.searchsorted(cells.series_N, np.arange(len(times_S) + 1))
    for number in range(len(times_S)):
        ds_N = cells.ds_N[bounds_S[number] : bounds_S[number + 1]]
        if len(ds_N):
            times_S[number] = max(1, int(np.gcd.reduce((ds_N - ds_N[0]) // step)))
    return times_S
