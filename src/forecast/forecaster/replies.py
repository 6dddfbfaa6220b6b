"""`replies`: what a service says to several callers at once, as arrays; `Forecaster.predict` says the same as a table.

H steps, Q levels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from forecast.errors import ForecastError, RequestError
from forecast.forecaster.days import Day, Span, by_zone, day_span, no_period
from forecast.forecaster.echo import Moments
from forecast.forecaster.missing import what_is_missing
from forecast.forecaster.saying import Doubles, clock_of, days_seen
from forecast.forecaster.together import Asked, Told, told_together
from forecast.forecaster.unmeasured import level_warnings, started_from_static
from forecast.tables import Demand
from forecast.windows import Ints

if TYPE_CHECKING:
    from forecast.forecaster.forecaster import Forecaster


@dataclass(frozen=True, eq=False)
class Wish:
    """One question as a caller puts it.

    Attributes:
        demand: the history, and future rows with what is known ahead.
        cutoff: the moment of the forecast (UTC).
        horizon: steps; the task's where it and `day` are None.
        day: a civil day in each series' own zone, instead of a horizon.
    """

    demand: Demand
    cutoff: pd.Timestamp
    horizon: int | None = None
    day: Day | None = None


@dataclass(frozen=True, eq=False)
class Reply:
    """What is said of one series.

    Attributes:
        unique_id, zone: of the series.
        ds_H: START of each period, UTC nanoseconds, on the clock of its table.
        mean_H: the expectation, in the demand's own unit.
        quantiles_HQ: every level that the model offers, ascending, never crossing.
    """

    unique_id: str
    zone: str
    ds_H: Ints
    mean_H: Doubles
    quantiles_HQ: Doubles


@dataclass(frozen=True, eq=False)
class Replies:
    """What is said of all series of a question, in the order of its table by zones; and what to know about it."""

    told: tuple[Reply, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class _Part:
    """The series of a question that share a zone, where a day is asked for; else all of them."""

    asked: Asked
    span: Span | None
    warnings: tuple[str, ...]


def replies(forecaster: Forecaster, wishes: Sequence[Wish], batch: int) -> list[Replies | ForecastError]:
    """The answer to each question, or why it has none; one that cannot be answered spoils no other.

    Args:
        forecaster: who answers.
        wishes: the questions.
        batch: windows per pass.
    """
    parts: list[list[_Part] | ForecastError] = []
    for wish in wishes:
        try:
            parts.append(_parts(forecaster, wish))
        except ForecastError as error:
            parts.append(error)
    every = [part for some in parts if isinstance(some, list) for part in some]
    told = iter(told_together(forecaster.spec, forecaster.model, [part.asked for part in every], batch))
    return [
        some if isinstance(some, ForecastError) else _said(wish, some, [next(told) for _ in some])
        for wish, some in zip(wishes, parts, strict=True)
    ]  # fmt: skip


def _parts(forecaster: Forecaster, wish: Wish) -> list[_Part]:
    demand = forecaster.checked(wish.demand)
    if wish.day is None:
        return [_part(forecaster, demand, wish.cutoff, wish.horizon, None)]
    parts = []
    for zone, some in by_zone(demand):
        span = day_span(wish.day, zone, wish.cutoff)
        parts.append(_part(forecaster, some, wish.cutoff, None, span))
    return parts


def _part(
    forecaster: Forecaster, demand: Demand, cutoff: pd.Timestamp, horizon: int | None, span: Span | None
) -> _Part:
    spec = forecaster.spec
    steps = forecaster.steps(demand, [cutoff], horizon, None if span is None else [span])
    blank = started_from_static(spec, forecaster.model, demand, cutoff)
    missing = what_is_missing(demand, cutoff, spec.context, steps, blank)
    warnings = (*level_warnings(spec, blank), *missing, *forecaster.unusual(demand, steps))
    moments = Moments.one(cutoff, days_seen(spec), clock_of(spec, demand))
    return _Part(Asked(demand, moments, steps), span, warnings)


def _said(wish: Wish, parts: Sequence[_Part], told: Sequence[Told]) -> Replies | ForecastError:
    said = []
    try:
        for part, (mean_SWH, quantiles_SWHQ) in zip(parts, told, strict=True):
            for number in range(len(part.asked.demand.series)):
                said.append(_reply(wish, part, number, mean_SWH[number, 0], quantiles_SWHQ[number, 0]))
    except RequestError as error:
        return error
    return Replies(tuple(said), tuple(dict.fromkeys(text for part in parts for text in part.warnings)))


def _reply(wish: Wish, part: _Part, number: int, mean_H: Doubles, quantiles_HQ: Doubles) -> Reply:
    demand, cutoff = part.asked.demand, wish.cutoff.value
    one, step = demand.series[number], demand.step.value
    first = one.start.value - (one.start.value - cutoff) // step * step
    ds_H = first + step * np.arange(part.asked.steps, dtype=np.int64)
    if part.span is None:
        return Reply(one.unique_id, one.zone, ds_H, mean_H, quantiles_HQ)
    begin, end = (side.value for side in part.span)
    within_H = (ds_H >= begin) & (ds_H < end)
    if not within_H.any():
        raise no_period(one, demand.step, str(wish.day))
    return Reply(one.unique_id, one.zone, ds_H[within_H], mean_H[within_H], quantiles_HQ[within_H])
