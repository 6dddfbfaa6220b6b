"""From stored values to `Demand`: what some series knew at a moment, or everything that they ever did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from sqlalchemy import Connection

from forecast.errors import DataError, StoreError
from forecast.store import catalogue
from forecast.store.catalogue import TARGET, Entry
from forecast.store.reading import Rows, Wish, read_rows
from forecast.tables import Columns, Demand
from forecast.tables.cells import Cells, chosen, demand_of_cells, held
from forecast.tables.units import output_factor

SECOND = 1_000_000_000


def stored_demand(
    connection: Connection, place: str, *, only: Sequence[str] = (), covariates: Sequence[str] | None = None,
    until: pd.Timestamp | None = None, since: pd.Timestamp | None = None, country: str | None = None,
    forecast_only: bool = False,
) -> Demand:  # fmt: skip
    """The table of stored series, with every version that was known at `until`.

    A covariate that is told less often than the series is metered, such as hourly weather beside quarter-hours, holds
    until its next stamp.

    Args:
        connection: of a reader.
        place: the store's address, for reports.
        only: the series; all that have a value where empty.
        covariates: stored variables and static covariates to take beside `y`; all where None.
        until: nothing that became known later is read; None: everything.
        since: only periods that start at this stamp or later.
        country: whose public holidays the calendar marks, where the series do not say.
        forecast_only: whether series may have no demand at all.

    Raises:
        StoreError: there is no such series.
        DataError: the series do not fit one table (step, unit), or nothing of one is known.
    """
    entries = _entries(connection, place, only)
    stored = _wanted(catalogue.variables(connection), covariates)
    columns = catalogue.columns_of(stored, _static(entries, covariates))
    step = _one(entries, "frequency", {name: one.step_seconds for name, one in entries.items()})
    unit = _one(entries, "unit", {name: str(one.info.unit) for name, one in entries.items()})
    length = pd.Timedelta(seconds=int(step))
    places = {one.number: place for place, one in enumerate(entries.values())}
    bounds = {"until": _second(until, down=True), "first": _second(since, down=False)}
    numbers = [stored[name][0] if name in stored else -1 for name in columns.dynamic]
    wishes = [Wish(list(places) if only else None, number, **bounds) for number in numbers]
    factors = {TARGET: output_factor(str(unit), length)}
    cells = {
        name: cells_of_rows(rows, places, factors.get(name, 1.0))
        for name, rows in zip(columns.dynamic, read_rows(connection, wishes), strict=True)
    }
    return demand_of_entries(
        entries, cells, columns=columns, unit=str(unit), source=place, country=country, forecast_only=forecast_only
    )


def demand_of_entries(
    entries: Mapping[str, Entry], cells: Mapping[str, Cells], *, columns: Columns, unit: str, source: str,
    country: str | None = None, forecast_only: bool = False,
) -> Demand:  # fmt: skip
    """The table of some registered series of one step.

    Args:
        entries: the series, in the order of their names.
        cells: by column, `y` as mean power; numbered by the place of their series.
        columns: roles of the covariates.
        unit: in which `y` is told.
        source, country, forecast_only: as in `stored_demand`.

    Raises:
        DataError: stamps are off a series' clock, or nothing of one is known.
    """
    step = pd.Timedelta(seconds=next(iter(entries.values())).step_seconds)
    delays = {one.delay_seconds for one in entries.values()}
    countries = {one.info.country for one in entries.values()}
    return demand_of_cells(
        [one.info for one in entries.values()],
        {name: one if name == TARGET else held(one, step) for name, one in cells.items()},
        columns=columns, step=step, unit=unit, delay=pd.Timedelta(seconds=delays.pop() if len(delays) == 1 else 0),
        source=source, country=country or (countries.pop() if len(countries) == 1 else None),
        forecast_only=forecast_only,
    )  # fmt: skip


def _entries(connection: Connection, place: str, only: Sequence[str]) -> dict[str, Entry]:
    found = catalogue.entries(connection, only or None)
    if not only:
        # A series that was only asked for, or described, has nothing that a table could hold yet.
        found = {name: one for name, one in found.items() if one.anchor is not None}
    missing = [name for name in only if name not in found]
    if missing or not found:
        known = list(catalogue.entries(connection))
        raise StoreError(
            f"the store {place} holds no series {', '.join(missing)}".rstrip(),
            f"one of {', '.join(known[:10])}" if known else "at least one", "store some with forecast ingest",
        )  # fmt: skip
    return found


def _wanted(stored: Mapping[str, tuple[int, str]], covariates: Sequence[str] | None) -> dict[str, tuple[int, str]]:
    if covariates is None:
        return dict(stored)
    return {name: one for name, one in stored.items() if name == TARGET or name in covariates}


def _static(entries: Mapping[str, Entry], covariates: Sequence[str] | None) -> tuple[str, ...]:
    """Static covariates that every series has."""
    names = [set(one.info.static) for one in entries.values()]
    return tuple(sorted(name for name in set.intersection(*names) if covariates is None or name in covariates))


def _one(entries: Mapping[str, Entry], word: str, values: Mapping[str, str | int]) -> str | int:
    """The value that all series share."""
    first = next(iter(values.values()))
    other = [f"{name}: {value}" for name, value in values.items() if value != first]
    if other:
        raise DataError(
            f"the series differ in {word}: {next(iter(entries))}: {first}, {', '.join(other[:4])}",
            f"one {word} for all series of a table", "choose some of them with --only",
        )  # fmt: skip
    return first


def _second(moment: pd.Timestamp | None, *, down: bool) -> int | None:
    if moment is None:
        return None
    return int(moment.value // SECOND) if down else int(-(-moment.value // SECOND))


def cells_of_rows(rows: Rows, places: Mapping[int, int], factor: float) -> Cells:
    """Stored values as a table takes them: series by their `places`, values divided by `factor`."""
    numbers = np.array(list(places), dtype=np.int64)
    order = np.argsort(numbers)
    series_N = order[np.searchsorted(numbers[order], rows.series_N)] if len(rows) else rows.series_N
    # Cells are numbered by name, rows come by number.
    cells = Cells(series_N, rows.ds_N * SECOND, rows.available_N * SECOND, rows.value_N / factor)
    return cells if not (np.diff(series_N) < 0).any() else chosen(cells, np.argsort(series_N, kind="stable"))
