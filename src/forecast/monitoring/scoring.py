"""`score_day`: late actuals joined to the ledger, for thousands of series at once, and kept in the store.

S series, P periods of the day.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sqlalchemy import Connection

from forecast import clock
from forecast.calendars import civil_date, delivery_day, periods
from forecast.calendars.days import exists
from forecast.errors import StoreError
from forecast.monitoring.measured import measured_of_day
from forecast.monitoring.said import Asked, SaidOfDay, said_of_day
from forecast.store import DayScore, Store, catalogue
from forecast.store.catalogue import Entry

Doubles = npt.NDArray[np.float64]
BATCH = 1000
"""So many series are read at once."""


@dataclass(frozen=True, eq=False)
class ScoredDay:
    """How the forecasts of one civil day turned out.

    Attributes:
        day: the day.
        scores: of the series that can be judged, by name.
        changed: how many of these were new or say something else than before.
        unforecast: series of which nothing was issued before the day began.
        unmeasured: series with a forecast, of which nothing that was measured on the day is known yet.
    """

    day: date
    scores: tuple[DayScore, ...]
    changed: int
    unforecast: tuple[str, ...]
    unmeasured: tuple[str, ...]


def score_day(store: Store, day: date | str, series: Iterable[str] | None = None, batch: int = BATCH) -> ScoredDay:
    """Judges the last forecast of each series that was issued before a day began, and keeps how it turned out.

    As `realised` judges one series: forecasts of the whole day come first, what the challenger said in shadow and what
    was made afterwards does not count. Called again it writes what changed, because values came late or were revised.

    Args:
        store: holds the ledger and what was measured.
        day: a civil day, in the zone of each series; a series whose zone never had it is left out.
        series: names; all where None, but those that only a request has named.
        batch: how many series are read at once.

    Raises:
        StoreError: there is no such series.
        DataError: the day is none.
    """
    wanted = civil_date(day)
    with store.snapshot() as connection:
        entries = catalogue.entries(connection, series)
    if series is not None and (missing := set(series) - set(entries)):
        raise StoreError(f"the store holds no series {', '.join(sorted(missing))}", "series that were ingested")
    told: list[DayScore] = []
    silent: list[str] = []
    unmeasured: list[str] = []
    changed = 0
    for asked, some in _groups(entries.values(), wanted, batch, everybody=series is None):
        with store.snapshot() as connection:
            scores, without = _judged(connection, some, asked, wanted)
        changed += store.keep_scores(scores) if scores else 0
        told += scores
        judged = {one.unique_id for one in scores}
        silent += without
        unmeasured += [one.info.unique_id for one in some if one.info.unique_id not in judged | set(without)]
    order = sorted(told, key=lambda one: one.unique_id)
    return ScoredDay(wanted, tuple(order), changed, tuple(sorted(silent)), tuple(sorted(unmeasured)))


def _groups(
    entries: Iterable[Entry], day: date, batch: int, *, everybody: bool
) -> Iterator[tuple[Asked, Sequence[Entry]]]:
    """Series that share clock, step, phase and unit, and the day as they have it."""

    def kind(one: Entry) -> tuple[str, int, int, str]:
        phase = -1 if one.anchor is None else one.anchor % one.step_seconds
        return one.info.zone or "UTC", one.step_seconds, phase, one.info.unit or "MW"

    kept = [one for one in entries if not (everybody and one.asked)]
    for (zone, step, phase, unit), group in groupby(sorted(kept, key=kind), kind):
        lived = clock.lived_zone(zone)
        if not exists(day, lived):
            continue
        some = list(group)
        asked = _asked(day, zone, lived, step, None if phase < 0 else phase, unit)
        for begin in range(0, len(some), batch):
            yield asked, some[begin : begin + batch]


def _asked(day: date, zone: str, lived: str, step: int, phase: int | None, unit: str) -> Asked:
    begin, end = delivery_day(day, zone)
    even = (end - begin) % pd.Timedelta(seconds=step) == pd.Timedelta(0)
    # Of a series without values any clock will do: there is nothing to judge.
    anchor = None if phase is None and even else pd.Timestamp(phase or 0, unit="s", tz="UTC")
    ds_P = periods(day, zone, pd.Timedelta(seconds=step), anchor).as_unit("s").asi8
    lived_at = delivery_day(day, lived)[0]
    first, lived_first, last = (int(one.timestamp()) for one in (begin, lived_at, end))
    return Asked(np.asarray(ds_P, dtype=np.int64), first, lived_first, last, step, zone, unit)


def _judged(connection: Connection, some: Sequence[Entry], asked: Asked, day: date) -> tuple[list[DayScore], list[str]]:
    """The scores of a batch, and its series without a forecast."""
    said = said_of_day(connection, [one.number for one in some], asked)
    spoken = [one for one in some if one.number in said]
    without = [one.info.unique_id for one in some if one.number not in said]
    if not spoken:
        return [], without
    numbers = [one.number for one in spoken]
    cutoffs = {number: said[number].head["cutoff"] for number in numbers}
    y_SP, naive_SP = measured_of_day(connection, numbers, asked, cutoffs)
    said_SP3 = np.stack([said[number].values_P3 for number in numbers])
    names = [one.info.unique_id for one in spoken]
    return _scores(names, [said[number] for number in numbers], y_SP, said_SP3, naive_SP, asked, day), without


def _scores(
    names: Sequence[str], said: Sequence[SaidOfDay], y_SP: Doubles, said_SP3: Doubles, naive_SP: Doubles,
    asked: Asked, day: date,
) -> list[DayScore]:  # fmt: skip
    figures = _figures(y_SP, said_SP3, naive_SP)
    values_SP5 = np.concatenate([y_SP[..., None], said_SP3, naive_SP[..., None]], axis=2).astype(np.float32)
    scores = []
    for place in np.flatnonzero(figures["scored"]).tolist():
        head = said[place].head
        told: dict[str, Any] = {name: one[place].item() for name, one in figures.items()}
        scores.append(DayScore(
            names[place], day.isoformat(), head["id"], head["issued_at"], head["cutoff"], head["model"],
            head["model_version"], head["rung"], asked.unit, int(asked.ds_P[0]), asked.step, len(asked.ds_P),
            **told, values_P5=values_SP5[place],
        ))  # fmt: skip
    return scores


def _figures(y_SP: Doubles, said_SP3: Doubles, naive_SP: Doubles) -> dict[str, npt.NDArray[Any]]:
    """The figures [S] of `DayScore`, over the periods that can be judged; NaN where there are none."""
    middle_SP, low_SP, high_SP = np.moveaxis(said_SP3, 2, 0)
    error_SP = middle_SP - y_SP
    three_SP = np.isfinite(error_SP) & np.isfinite(naive_SP)
    band_SP = np.isfinite(error_SP) & np.isfinite(low_SP) & np.isfinite(high_SP)
    with warnings.catch_warnings(), np.errstate(divide="ignore", invalid="ignore"):
        warnings.simplefilter("ignore", RuntimeWarning)  # of means of nothing
        inside_SP = np.where(band_SP, (low_SP <= y_SP) & (y_SP <= high_SP), np.nan)
        share_SP = np.where((y_SP != 0) & np.isfinite(error_SP), 100 * np.abs(error_SP / y_SP), np.nan)
        return {
            "scored": np.isfinite(error_SP).sum(axis=1), "naive_scored": three_SP.sum(axis=1),
            "mae": np.nanmean(np.abs(error_SP), axis=1), "bias": np.nanmean(error_SP, axis=1),
            "mape": np.nanmean(share_SP, axis=1), "coverage": np.nanmean(inside_SP, axis=1),
            "demand": np.nanmean(np.where(np.isfinite(error_SP), np.abs(y_SP), np.nan), axis=1),
            "naive_mae": np.nanmean(np.where(three_SP, np.abs(naive_SP - y_SP), np.nan), axis=1),
            "compared_mae": np.nanmean(np.where(three_SP, np.abs(error_SP), np.nan), axis=1),
        }  # fmt: skip
