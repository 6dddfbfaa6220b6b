"""Forecasts of whole civil delivery days, each day in its series' own zone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from typing import TYPE_CHECKING

import pandas as pd

from forecast import clock
from forecast.calendars import delivery_day, gate_cutoff
from forecast.errors import DataError, RequestError
from forecast.tables import Demand, Forecast, Series

if TYPE_CHECKING:
    from forecast.forecaster.forecaster import Forecaster

MAX_HORIZON_DAYS = 15

Day = date | str
Span = tuple[pd.Timestamp, pd.Timestamp]


def day_span(day: Day, zone: str, cutoff: pd.Timestamp) -> Span:
    """Beginning and end (UTC) of a delivery day that can be forecast from a cutoff.

    Raises:
        RequestError: the day does not exist in the zone, is over at the cutoff, or lies too far ahead.
    """
    try:
        start, end = delivery_day(day, zone)
    except DataError as error:
        raise RequestError(error.found, error.expected, error.do) from None
    if end <= cutoff:
        raise RequestError(
            f"delivery day {day} in {clock.lived_zone(zone)} ended at {end:%Y-%m-%dT%H:%MZ}, before the cutoff",
            f"a day that ends after {cutoff:%Y-%m-%dT%H:%MZ}", "ask for a later day, or an earlier cutoff",
        )  # fmt: skip
    if end - cutoff > pd.Timedelta(days=MAX_HORIZON_DAYS):
        raise RequestError(
            f"the delivery day {day} ends {(end - cutoff).ceil('D').days} days after the cutoff "
            f"{cutoff:%Y-%m-%dT%H:%MZ}",
            f"a day that ends by {cutoff + pd.Timedelta(days=MAX_HORIZON_DAYS):%Y-%m-%dT%H:%MZ}",
            f"ask for a day within {MAX_HORIZON_DAYS} days of it, or move the cutoff",
        )  # fmt: skip
    return start, end


def due(day: Day, gate: str, zone: str) -> pd.Timestamp:
    """The moment (UTC) at which the forecast of a delivery day is due.

    Raises:
        RequestError: the day does not exist in the zone.
        DeclarationError: the gate cannot be read.
    """
    try:
        return gate_cutoff(day, gate, zone)
    except DataError as error:
        raise RequestError(error.found, error.expected, error.do) from None


def forecast_days(
    forecaster: Forecaster,
    demand: Demand,
    days: Sequence[Day],
    *,
    gate: str | None = None,
    cutoff: pd.Timestamp | None = None,
    quantiles: Sequence[float] | None = None,
) -> Forecast:
    """Forecasts of civil days in each series' own zone: every period that starts within them; see `predict_days`."""
    if not days:
        raise RequestError("no delivery day", "at least one")
    if gate is not None and cutoff is not None:
        raise RequestError(f"both the gate {gate} and the cutoff {cutoff}", "one of the two")
    moment = cutoff
    if gate is None and moment is None:
        moment = forecaster.next_cutoff(demand)
    parts = []
    for zone, part in by_zone(demand):
        cutoffs = [moment if moment is not None else due(day, str(gate), zone) for day in days]
        spans = [day_span(day, zone, at) for day, at in zip(days, cutoffs, strict=True)]
        said = forecaster.predict(part, cutoffs, spans=spans, quantiles=quantiles)
        _check_periods(said, part, days, spans)
        parts.append(said)
    return _together(parts, demand)


def by_zone(demand: Demand) -> Iterator[tuple[str, Demand]]:
    """The series of each zone, zones in the order of their first series; the others are heard as neighbours."""
    zones = dict.fromkeys(one.zone for one in demand.series)
    if len(zones) == 1:
        yield demand.series[0].zone, demand
        return
    for zone in zones:
        yield zone, demand.select([one.unique_id for one in demand.series if one.zone == zone])


def _check_periods(said: Forecast, part: Demand, days: Sequence[Day], spans: Sequence[Span]) -> None:
    """Raises a RequestError where no period of a series starts within a day: steps of a day on another clock."""
    for one in part.series:
        ds = said.frame.loc[said.frame["unique_id"] == one.unique_id, "ds"]
        for day, (start, end) in zip(days, spans, strict=True):
            if not ((ds >= start) & (ds < end)).any():
                raise no_period(one, part.step, day)


def no_period(one: Series, step: pd.Timedelta, day: Day) -> RequestError:
    """That no period of a series starts on what is left of a day."""
    return RequestError(
        f"no period of {step} starts on the rest of the day {day} in {one.zone}",
        "a day in which a period starts after the cutoff", "ask for another day, or an earlier cutoff",
        series=one.unique_id,
    )  # fmt: skip


def _together(parts: Sequence[Forecast], demand: Demand) -> Forecast:
    """One table, the demand's series one after the other."""
    if len(parts) == 1:
        return parts[0]
    places = {one.unique_id: place for place, one in enumerate(demand.series)}
    frame = pd.concat([one.frame for one in parts], ignore_index=True)
    frame = frame.sort_values("unique_id", key=lambda names: names.map(places), kind="stable").reset_index(drop=True)
    warnings = dict.fromkeys(text for one in parts for text in one.warnings)
    return Forecast(frame, parts[0].unit, parts[0].model, tuple(warnings))
