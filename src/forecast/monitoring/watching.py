"""`watch`: what a day's scores say of every series, and the alarms that follow."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import groupby
from typing import Any

import numpy as np
import pandas as pd

from forecast.calendars import civil_date
from forecast.monitoring.breaks import LEVEL, SHAPE, breaks, stuck
from forecast.monitoring.days import Days, days_of
from forecast.monitoring.drift import drift
from forecast.monitoring.errors import Errors, errors_until
from forecast.monitoring.expected import expected_error
from forecast.monitoring.limits import LIMITS, Limits
from forecast.monitoring.neighbours import ratios_alone, strength
from forecast.monitoring.season import YEAR_DAYS
from forecast.monitoring.staleness import staleness
from forecast.store import Alarm, DayScore, Store, catalogue
from forecast.store.catalogue import Entry

ERROR, COVERAGE, DRIFT, STALE, STUCK = "error", "coverage", "drift", "stale", "stuck"
LEARN = (LEVEL, SHAPE, ERROR, COVERAGE, DRIFT)
"""Kinds of alarm that a model may learn from; a dead meter is for a person to see to."""
FOUND = "found"
"""In an alarm's detail: the day that raised it."""
BATCH = 250
"""So many series are looked at together."""


@dataclass(frozen=True, eq=False)
class Watched:
    """What was found on a day.

    Attributes:
        day: the day.
        scores: of the day, by name.
        table: a row per series with scores of the last weeks: `monitoring.Errors.table`, with `drift` (since the same
            season of the year before, as share) and `expected_day`, the error that was to be expected of the day.
        by_hour, by_lead, by_day: as `monitoring.Errors` has them, over all series.
        stale: inputs that are too late (`monitoring.Staleness`).
        alarms: those that this day raised, now or when it was looked at before.
        open: all of the last `Limits.quiet_days` that nothing answered, the new ones among them.
    """

    day: date
    scores: tuple[DayScore, ...]
    table: pd.DataFrame
    by_hour: pd.DataFrame
    by_lead: pd.DataFrame
    by_day: pd.DataFrame
    stale: pd.DataFrame
    alarms: tuple[Alarm, ...]
    open: tuple[Alarm, ...]

    @property
    def learnable(self) -> tuple[Alarm, ...]:
        """The open alarms that a model may learn from."""
        return tuple(one for one in self.open if one.kind in LEARN)


@dataclass(frozen=True, eq=False)
class _Looked:
    """A batch of series."""

    errors: Errors
    table: pd.DataFrame
    found: list[Alarm]


def watch(store: Store, day: date | str, limits: Limits = LIMITS, batch: int = BATCH) -> Watched:
    """Looks at the errors, breaks, drift and inputs of all series as of a day, and raises alarms; again: none twice.

    Args:
        store: with the day's scores (`score_day`).
        day: the newest civil day that was scored.
        limits: from where on something is a breach.
        batch: how many series are looked at together.

    Raises:
        DataError: the day is none.
    """
    wanted = civil_date(day)
    with store.snapshot() as connection:
        entries = catalogue.entries(connection)
    every = [_look(store, zone, country, some, wanted, limits) for zone, country, some in _batches(entries, batch)]
    looked = [one for one in every if one is not None]
    late = staleness(store).breaches(limits)
    found = [alarm for one in looked for alarm in one.found]
    found += [_stale(row, wanted) for row in _oldest(late).to_dict("records")]
    found = [replace(one, detail={**one.detail, FOUND: wanted.isoformat()}) for one in found]
    since = (wanted - timedelta(days=limits.quiet_days)).isoformat()
    known = {(one.unique_id, one.kind) for one in store.alarms(first=since) if one.day <= wanted.isoformat()}
    known |= _answered(store, wanted, limits)
    store.raise_alarms([one for one in found if (one.unique_id, one.kind) not in known])
    after = store.alarms(first=since)
    mine = [one for one in after if one.detail.get(FOUND) == wanted.isoformat()]
    return Watched(
        wanted, tuple(store.scores(first=wanted.isoformat(), last=wanted.isoformat())),
        _joined([one.table for one in looked]), _weighted([one.errors.by_hour for one in looked], "hour"),
        _weighted([one.errors.by_lead for one in looked], "lead_hours"),
        _weighted([one.errors.by_day for one in looked], "day"), late, tuple(mine),
        tuple(one for one in after if one.answered_by is None),
    )  # fmt: skip


def _answered(store: Store, day: date, limits: Limits) -> set[tuple[str | None, str]]:
    """Series and kinds whose window holds errors that a retraining was asked for already, or their echo.

    A model that reads the week before a day sees two demands at once in the weeks after a break, also when it is new.
    """
    since = {
        kind: (day - timedelta(days=days + limits.window_days)).isoformat()
        for kind, days in ((ERROR, limits.window_days), (COVERAGE, limits.coverage_days))
    }
    before = store.alarms(first=min(since.values()))
    answered = [
        one for one in before if one.kind in LEARN and one.answered_by is not None and one.day < day.isoformat()
    ]
    return {(one.unique_id, kind) for kind, first in since.items() for one in answered if one.day >= first}


def _batches(entries: dict[str, Entry], batch: int) -> Iterator[tuple[str, str | None, list[Entry]]]:
    """Series of one clock, step and country."""

    def kind(one: Entry) -> tuple[str, int, str]:
        return one.info.zone or "UTC", one.step_seconds, one.info.country or ""

    for (zone, _, country), group in groupby(sorted(entries.values(), key=kind), kind):
        some = list(group)
        for begin in range(0, len(some), batch):
            yield zone, country or None, some[begin : begin + batch]


def read_days(store: Store, names: Iterable[str], zone: str, country: str | None, day: date, limits: Limits) -> Days:
    """The scores of some series of one clock: of the days up to a day, and of its season in the year before."""
    reach = limits.recent_days + max(limits.window_days, limits.coverage_days) + 1
    beside = timedelta(days=limits.season_days + max(LATER_DAYS, limits.window_days))
    year = day - timedelta(days=YEAR_DAYS)
    spans = [(year - beside, year + beside), (day - timedelta(days=reach), day)]
    wanted = list(names)
    scores = [one for first, last in spans for one in store.scores(wanted, first.isoformat(), last.isoformat())]
    earliest = spans[0][0] if scores and scores[0].day < spans[1][0].isoformat() else spans[1][0]
    return days_of(scores, zone, country, earliest, day)


LATER_DAYS = 3
"""So long after its first day a break may be confirmed."""


def _look(
    store: Store, zone: str, country: str | None, some: Sequence[Entry], day: date, limits: Limits
) -> _Looked | None:  # fmt: skip
    days = read_days(store, [one.info.unique_id for one in some], zone, country, day, limits)
    if not days.names:
        return None
    errors = errors_until(days, day, limits)
    moved = drift(store, days.names, zone, day, limits)
    expected = expected_error(days, day, limits=limits).together_S
    table = errors.table.assign(drift=moved.share_S, expected_day=expected)
    found = [
        Alarm(one.unique_id, one.kind, one.onset.isoformat(), {
            "seen": one.seen.isoformat(), "size": round(one.size, 4), "strength": round(one.strength, 2),
            "stays": round(one.stays, 2),
        })
        for one in breaks(days, day, limits)
    ]  # fmt: skip
    found += [Alarm(name, STUCK, day.isoformat()) for name in stuck(days, day, limits)]
    found += [Alarm(name, DRIFT, day.isoformat(), _drifted(moved, name)) for name in moved.breaches(limits)]
    return _Looked(errors, table, found + list(_poor(table, day, limits)))


def _drifted(moved: Any, name: str) -> dict[str, float]:
    place = moved.names.index(name)
    return {"size": round(float(moved.share_S[place]), 4), "strength": round(float(moved.spread_S[place]), 2)}


def _poor(table: pd.DataFrame, day: date, limits: Limits) -> Iterator[Alarm]:
    """Alarms on errors that are too large for the season, and on bands that hold too little."""
    enough = (table["days"] >= limits.window_days // 2) & (table["reference_days"] >= limits.reference_days)
    ratio_S = table["ratio"].to_numpy()
    for row in table[enough & (strength(ratio_S, ratios_alone(ratio_S)) >= limits.error)].to_dict("records"):
        yield Alarm(row["unique_id"], ERROR, day.isoformat(), {
            "mae": float(f"{row['mae']:.6g}"), "expected": float(f"{row['expected']:.6g}"),
            "size": round(row["ratio"], 2),
        })  # fmt: skip
    for row in table[enough & (table["coverage"] < limits.coverage)].to_dict("records"):
        yield Alarm(row["unique_id"], COVERAGE, day.isoformat(), {"size": round(row["coverage"], 3)})


def _oldest(late: pd.DataFrame) -> pd.DataFrame:
    """The input of each series that is latest."""
    return late.sort_values("late_hours", ascending=False).drop_duplicates("unique_id")


def _stale(row: dict[Any, Any], day: date) -> Alarm:
    return Alarm(row["unique_id"], STALE, day.isoformat(), {
        "input": row["input"], "newest": row["newest"].isoformat(), "size": round(float(row["late_hours"]), 1),
    })  # fmt: skip


def _joined(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    kept = [one for one in tables if len(one)]
    return pd.concat(kept, ignore_index=True).sort_values("unique_id", ignore_index=True) if kept else pd.DataFrame()


def _weighted(tables: Sequence[pd.DataFrame], key: str) -> pd.DataFrame:
    """The mean over the batches of what is told by a key."""
    kept = [one for one in tables if len(one)]
    return pd.concat(kept).groupby(key, as_index=False).mean() if kept else pd.DataFrame()


def series_needed(watched: int, limits: Limits = LIMITS) -> int:
    """How many series must have broken before a model is trained anew.

    >>> series_needed(1), series_needed(33), series_needed(10_000)
    (1, 1, 200)
    """
    return max(1, math.ceil(limits.retrain_share * watched))


def median(table: pd.DataFrame, name: str) -> float:
    """The median over the series of a column, NaN where there is none."""
    return float(np.nanmedian(table[name])) if name in table and table[name].notna().any() else math.nan
