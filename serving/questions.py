"""`Question`: a checked request, as `Forecaster.predict` takes it."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC

import numpy as np
import pandas as pd

from forecast import clock
from forecast.calendars import is_day_clock, moment_inside, moment_outside, parse_gate
from forecast.errors import DeclarationError, NotEnoughHistory, RequestError
from forecast.forecaster import MAX_HORIZON_DAYS, ForecasterSpec, Span, Wish, day_span, due
from forecast.tables import Demand, power_unit
from forecast.tables.forecast import check_levels
from forecast.tables.laid import demand_of_arrays
from serving.bodies import ForecastRequest
from serving.rows import Rows
from serving.stamps import read_stamp, shown, written
from serving.told import Told


@dataclass(frozen=True, eq=False)
class Question:
    """What is asked.

    Attributes:
        demand: the history, and future rows with what is known ahead.
        cutoff: the moment the forecasts are made for (UTC).
        horizon: steps; None for the model's, or with a day.
        day: the delivery day, in each series' zone.
        quantiles: levels; None for all.
        order: the series as the caller listed them.
        warnings: what to know before any forecast is made.
        fleeting: whether its table came and goes with it: nobody will ask of it again, so nothing of it is remembered.
    """

    demand: Demand
    cutoff: pd.Timestamp
    horizon: int | None
    day: str | None
    quantiles: tuple[float, ...] | None
    order: tuple[str, ...]
    warnings: tuple[str, ...]
    fleeting: bool = False

    def __post_init__(self) -> None:
        for zone in dict.fromkeys(self.demand.zones.values()) if self.day is not None else ():
            self.span(zone)

    @classmethod
    def of(cls, request: ForecastRequest, spec: ForecasterSpec, *, most_rows: int) -> Question:
        """Checks a request against what a model reads.

        Raises:
            DataError, DeclarationError, RequestError: what it holds cannot be used; the place is named.
        """
        unit = _unit(request, spec)
        _check_names(request)
        _check_rows(sum(len(one.measured.y) for one in request.series), most_rows)
        rows = [Rows.of(one, spec) for one in request.series]
        _check_rows(sum(int((one.ds[-1] - one.ds[0]) // spec.step.value) + 1 for one in rows), most_rows)
        delay = spec.delay
        cutoff = _cutoff(request, rows, spec.step, delay)
        told = [*_unread(rows, spec), *_past_end(rows, cutoff, spec.step, delay), *_constant(rows, cutoff, spec)]
        told += _seen_already(cutoff, spec)
        # What lies before the reach cannot touch the forecast and would cost time.
        near = [_near(one, cutoff, spec.farthest, spec.step, delay) for one in rows]
        demand = demand_of_arrays(
            near, columns=spec.columns, step=spec.step, unit=unit, delay=delay, source="request", country=spec.country
        )
        return cls(
            demand, cutoff, request.horizon, request.delivery_day,
            tuple(request.quantiles) if request.quantiles is not None else None,
            tuple(one.unique_id for one in rows), tuple(told), fleeting=True,
        )  # fmt: skip

    @property
    def key(self) -> tuple[Hashable, ...]:
        """What is asked, apart from the table that it is asked of."""
        return self.cutoff.value, self.horizon, self.day, self.quantiles, self.order

    @property
    def wish(self) -> Wish:
        """What a forecaster is asked."""
        return Wish(self.demand, self.cutoff, self.horizon, self.day)

    @property
    def lived_cutoff(self) -> pd.Timestamp:
        """The cutoff as it was lived (UTC); of daily tables it stands on the clock of days inside."""
        return moment_outside(self.cutoff, self.demand.series[0].zone)

    def levels(self, spec: ForecasterSpec) -> tuple[float, ...]:
        """The quantile levels of the answer.

        Raises:
            RequestError: a level was not learned.
        """
        offered = spec.recipe.quantiles
        return offered if self.quantiles is None else check_levels(self.quantiles, offered)

    def day_begun(self, told: Sequence[Told]) -> list[str]:
        """That a delivery day lies in the past in part."""
        begun = []
        for one in told if self.day else ():
            start, _ = self.span(self.demand.zones[one.unique_id])
            if start < self.cutoff:
                first = np.datetime_as_string(one.ds_H[0], unit="m")
                begun.append(
                    f"series '{one.unique_id}': delivery day {self.day} began at {written(start)}, before the cutoff; "
                    f"it is forecast from {first}Z on"
                )
        return begun

    def span(self, zone: str) -> Span:
        """Beginning and end of the delivery day in a zone.

        Raises:
            RequestError: it cannot be forecast from the cutoff.
        """
        assert self.day is not None
        with _named("delivery_day"):
            return day_span(self.day, zone, self.cutoff)


@contextmanager
def _named(column: str) -> Iterator[None]:
    """Says which field of the request is wrong."""
    try:
        yield
    except (RequestError, DeclarationError) as error:
        raise RequestError(error.found, error.expected, error.do, column=column) from None


def _cutoff(
    request: ForecastRequest, rows: Sequence[Rows], step: pd.Timedelta, delay: pd.Timedelta
) -> pd.Timestamp:  # fmt: skip
    """The moment of the forecast: the one said, that of the day's gate, or the end of what is known."""
    _check_one_clock(rows)
    if request.cutoff:
        return moment_inside(read_stamp(request.cutoff, column="cutoff"), rows[0].zone)
    if request.gate is None or request.delivery_day is None:
        return _last_known(rows, step, delay)
    with _named("gate"):
        parse_gate(request.gate)
    with _named("delivery_day"):
        moments = {one.zone: due(request.delivery_day, request.gate, one.zone) for one in rows}
    if len(set(moments.values())) > 1:
        told = ", ".join(f"{zone}: {moment:%Y-%m-%dT%H:%MZ}" for zone, moment in moments.items())
        raise RequestError(
            f"the gate {request.gate} is at different moments in the zones of the series ({told})",
            "one moment for all series of a request", "send one request for each zone, or a cutoff", column="gate",
        )  # fmt: skip
    return next(iter(moments.values()))


def _check_one_clock(rows: Sequence[Rows]) -> None:
    zones = sorted({clock.lived_zone(one.zone) for one in rows})
    if len(zones) > 1 and is_day_clock(rows[0].zone):
        raise RequestError(
            f"daily series of several zones ({', '.join(zones[:3])})", "one zone, whose civil days are counted",
            "send one request for each zone", column="zone",
        )  # fmt: skip


def _unit(request: ForecastRequest, spec: ForecasterSpec) -> str:
    if request.unit is None or request.unit == spec.unit:
        return spec.unit
    unit = request.unit
    if power_unit(unit) != power_unit(spec.unit):
        power = power_unit(spec.unit)
        offered = power if power == "GW" else f"{power} or {power}h"
        raise RequestError(
            f"unit {unit}", f"{offered}: the model was trained on {spec.unit}", "convert y", column="unit"
        )
    return unit


def _check_names(request: ForecastRequest) -> None:
    names = [one.unique_id for one in request.series]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise RequestError(
            "the series comes twice", "each unique_id once", "merge the two", series=twice, column="unique_id"
        )


def _check_rows(rows: int, most: int) -> None:
    if rows > most:
        raise RequestError(
            f"the series span {rows:,} periods", f"at most {most:,} in one request",
            "send less history (GET /v1/models says how much is read) or fewer series",
        )  # fmt: skip


def _last_known(rows: Sequence[Rows], step: pd.Timedelta, delay: pd.Timedelta) -> pd.Timestamp:
    """When the newest value became known by the delay rule, as `Demand.last_known_end` says."""
    newest = [one.newest for one in rows if one.newest is not None]
    if not newest:
        raise RequestError(
            "no cutoff, and no value of y is known that a forecast could follow", "the moment of the forecast",
            "send `cutoff`", column="cutoff",
        )  # fmt: skip
    return pd.Timestamp(max(newest) + step.value + delay.value, tz=UTC)


def _near(one: Rows, cutoff: pd.Timestamp, reach: pd.Timedelta, step: pd.Timedelta, delay: pd.Timedelta) -> Rows:
    """The rows that can touch the forecast."""
    if one.newest is None:
        return one.about(cutoff - reach, cutoff, cutoff + pd.Timedelta(days=MAX_HORIZON_DAYS), step)
    near, over = one.since(cutoff - reach), one.over(step, delay)
    if over is not None and over <= cutoff.value and near.newest is not None:
        return near
    if not (near.known & (near.known_at(step, delay) <= cutoff.value)).any():
        stamps = one.ds[one.known]
        raise NotEnoughHistory(
            f"no value of y is known at the cutoff {cutoff:%Y-%m-%dT%H:%MZ}; the series has values from "
            f"{shown(stamps)[0]} to {shown(stamps[-1:])[0]}",
            f"at least one whose period (and delay of {delay}) is over by the cutoff, and not more than "
            f"{reach.days} days before it",
            "move the cutoff or send the history before it", series=one.unique_id, column="y",
        )  # fmt: skip
    return near


def _unread(rows: Sequence[Rows], spec: ForecasterSpec) -> list[str]:
    names = sorted({name for one in rows for name in one.unread})
    return [f"columns {', '.join(names)} are not read by model '{spec.name}' and were ignored"] if names else []


def _past_end(rows: Sequence[Rows], cutoff: pd.Timestamp, step: pd.Timedelta, delay: pd.Timedelta) -> list[str]:
    told = []
    for one in rows:
        over = one.over(step, delay)
        if over is not None and over <= cutoff.value:
            continue
        late = one.ds[one.known & (one.known_at(step, delay) > cutoff.value)]
        if len(late):
            told.append(
                f"series '{one.unique_id}': {len(late)} values of y became known after the cutoff "
                f"({shown(late)[0]} to {shown(late[-1:])[0]}) and were not used"
            )
    return told


def _constant(rows: Sequence[Rows], cutoff: pd.Timestamp, spec: ForecasterSpec) -> list[str]:
    told = []
    for one in rows:
        if one.ds[-1] < cutoff.value and one.known[-2:].all() and one.columns["y"][-1] != one.columns["y"][-2:][0]:
            continue
        y = one.columns["y"][one.known & (one.ds < cutoff.value)][-spec.context :]
        if len(y) > 1 and (y == y[0]).all():
            told.append(
                f"series '{one.unique_id}': the last {len(y)} known values are all {y[0]:g}, "
                "as those of a stuck meter would be"
            )
    return told


def _seen_already(cutoff: pd.Timestamp, spec: ForecasterSpec) -> list[str]:
    if cutoff >= spec.learned_until:
        return []
    return [
        f"model '{spec.name}' was trained on values up to {spec.trained_until}, after this cutoff: its error "
        "here is no test of it"
    ]
