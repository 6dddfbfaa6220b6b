"""A table as it was found -> the long frame of `Demand`, with everything that is wrong in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pandas as pd

from forecast.calendars import read_events, with_events
from forecast.errors import DataError, ForecastError
from forecast.sources.civildays import by_civil_days
from forecast.sources.clockwork import clock_problems, empty_series, order_problems, steps_of, table_step
from forecast.sources.declaration import Declaration
from forecast.sources.numbers import numbers
from forecast.sources.raw import Raw
from forecast.sources.stamps import Place, moments
from forecast.tables import Demand


@dataclass(eq=False)
class Tidy:
    """The long frame and what was met on the way.

    Attributes:
        frame: unique_id, ds (UTC, start of period), y, covariates, available_at where told; the index is the row's
            place in the source. None when the stamps could not be read.
        zones: civil zone of every series.
        step: the step of the first series; None when unknown.
        problems: what is wrong, in the order in which it was met.
        notes: what was assumed.
    """

    frame: pd.DataFrame | None = None
    zones: dict[str, str] = field(default_factory=dict)
    step: pd.Timedelta | None = None
    problems: list[ForecastError] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @contextmanager
    def noting(self) -> Iterator[None]:
        """Keeps an error as a problem, so that the next check can be made."""
        try:
            yield
        except ForecastError as error:
            self.problems.append(error)


def demand_of(raw: Raw, declaration: Declaration) -> Demand:
    """The checked table of a raw one.

    Raises:
        DataError: the first thing that is wrong, with its line or row.
    """
    table = tidy(raw, declaration)
    if table.problems or table.frame is None:
        raise table.problems[0]
    return demand_of_tidy(table, raw.name, declaration)


def demand_of_tidy(table: Tidy, name: str, declaration: Declaration) -> Demand:
    """The checked table of a tidy one without problems, with the columns of its events."""
    demand = Demand.from_frame(
        table.frame,
        columns=declaration.columns,
        zone=table.zones,
        unit=declaration.unit,
        freq=declaration.step,
        delay=declaration.lag,
        source=name,
        country=declaration.country,
        forecast_only=declaration.forecast_only,
    ).with_countries(declaration.countries)
    return with_declared_events(demand, declaration)


def with_declared_events(demand: Demand, declaration: Declaration) -> Demand:
    """The table with the columns of the declared events; the table itself where none are declared."""
    if declaration.events is None:
        return demand
    return with_events(demand, read_events(declaration.events), declaration.event_names, partial=bool(declaration.only))


def tidy(raw: Raw, declaration: Declaration) -> Tidy:
    """Reads stamps and numbers of a raw table and checks their order; collects problems instead of stopping."""
    table = Tidy()
    with table.noting():
        frame = _with_series(raw, declaration)
        values = _values(frame, raw, declaration, table)
        names = list(raw.roles.targets) if len(raw.roles.targets) > 1 else list(frame["unique_id"].unique())
        _set_zones(table, names, declaration)
        table.frame = _long(values, frame, raw, declaration, table)
        if declaration.zone is None:
            _note_zone(table, declaration)
        _count_days(table, declaration)
        # Where values could not be read, that is what is wrong, and not that they are missing.
        if not table.problems and not declaration.forecast_only:
            table.problems += empty_series(table.frame)
        unordered = order_problems(table.frame, raw.place)
        table.problems += unordered
        steps = steps_of(table.frame)
        if unordered and not steps:
            return table
        table.step = table_step(steps, declaration.step)
        if declaration.stamp == "end":
            table.frame["ds"] -= table.step
        if not unordered:
            written = _written(declaration, table)
            table.problems += clock_problems(table.frame, steps, declaration.step, raw.place, written)
    return table


def _count_days(table: Tidy, declaration: Declaration) -> None:
    """Keeps a table of local midnights by civil days."""
    assert table.frame is not None
    counted = by_civil_days(table.frame, table.zones, declaration.step)
    if counted is not None:
        lived = next(iter(table.zones.values()))
        table.frame, table.zones = counted
        table.notes.append(f"every stamp is a midnight in {lived}: periods are its civil days, of 23 to 25 hours")


def _with_series(raw: Raw, declaration: Declaration) -> pd.DataFrame:
    """The raw frame with `unique_id`, reduced to the wanted series."""
    roles, frame = raw.roles, raw.frame
    if roles.series is None:
        found = list(roles.targets)
        frame = frame.assign(unique_id=roles.targets[0])
    else:
        unnamed = frame[roles.series].isna()
        if unnamed.any():
            told = Place(roles.series, raw.place).named(frame.index[unnamed])
            raise DataError("some rows name no series", "a name in every row", column=roles.series, stamps=told)
        frame = frame.assign(unique_id=frame[roles.series].astype(str).str.strip())
        found = list(frame["unique_id"].unique())
    missing = [name for name in declaration.only if name not in found]
    if missing:
        raise DataError(f"no series {', '.join(missing)}", f"some of {', '.join(sorted(found)[:10])}", "correct --only")
    if declaration.only and roles.series is not None:
        frame = frame[frame["unique_id"].isin(declaration.only)]
    return frame


def _values(frame: pd.DataFrame, raw: Raw, declaration: Declaration, table: Tidy) -> dict[str, pd.Series]:
    """Every target and covariate as float64."""
    values = {}
    for name in (*raw.roles.targets, *raw.roles.covariates):
        values[name], problem = numbers(frame[name], declaration.decimal, Place(name, raw.place))
        table.problems += [] if problem is None else [problem]
    return values


def _set_zones(table: Tidy, names: list[str], declaration: Declaration) -> None:
    told = declaration.zones or {}
    strangers = [name for name in told if name not in names and not declaration.only]
    if strangers:
        raise DataError(f"zones name a series '{strangers[0]}' that is not there", f"some of {', '.join(names[:10])}")
    abroad = [name for name in declaration.countries if name not in names and not declaration.only]
    table.notes += [f"countries are declared of series that are not there: {', '.join(abroad)}"] if abroad else []
    kept = [name for name in names if not declaration.only or name in declaration.only]
    table.zones = {name: str(declaration.zone_of(name) or declaration.stamp_zone or "UTC") for name in kept}


def _long(
    values: dict[str, pd.Series], frame: pd.DataFrame, raw: Raw, declaration: Declaration, table: Tidy
) -> pd.DataFrame:
    """One block of rows per target column, stamps as moments."""
    targets = [name for name in raw.roles.targets if raw.roles.series or name in table.zones]
    parts, read = [], dict[str | None, pd.DataFrame]()
    for target in targets:
        ids = frame["unique_id"] if len(raw.roles.targets) == 1 else pd.Series(target, index=frame.index)
        written = {name: declaration.stamp_zone or declaration.zone_of(name) for name in ids.unique()}
        clock = None if len(targets) == 1 else written[target]
        if clock not in read:
            read[clock] = _stamps(frame, ids, written, raw, declaration, table)
        covariates = {name: values[name] for name in raw.roles.covariates}
        parts.append(read[clock].assign(unique_id=ids, y=values[target], **covariates))
    return pd.concat(parts) if len(parts) > 1 else parts[0]


def _stamps(
    frame: pd.DataFrame, ids: pd.Series, written: dict[str, str | None], raw: Raw, declaration: Declaration, table: Tidy
) -> pd.DataFrame:
    """`ds` and, where told, `available_at` as moments."""
    roles = raw.roles
    stamps, aware = moments(frame[roles.time], ids, written, Place(roles.time, raw.place))
    if aware and declaration.stamp_zone is not None:
        told = f"the stamps carry their own offset; --stamp-zone {declaration.stamp_zone} is not used"
        table.notes += [] if told in table.notes else [told]
    columns = {"ds": stamps}
    if roles.available_at is not None:
        place = Place(roles.available_at, raw.place)
        columns["available_at"] = moments(frame[roles.available_at], ids, written, place, gaps=True)[0]
    return pd.DataFrame(columns)


def _note_zone(table: Tidy, declaration: Declaration) -> None:
    silent = [name for name in table.zones if declaration.zone_of(name) is None]
    if silent:
        clock = declaration.stamp_zone or "UTC"
        table.notes.append(
            f"no civil zone is declared: hours and holidays are counted in {clock}; declare --zone, for instance "
            "Europe/Lisbon, if people there live by another clock"
        )


def _written(declaration: Declaration, table: Tidy) -> str | None:
    """The one clock of all written stamps, where it is known."""
    zones = {declaration.stamp_zone or zone for zone in table.zones.values()}
    return zones.pop() if len(zones) == 1 else None
