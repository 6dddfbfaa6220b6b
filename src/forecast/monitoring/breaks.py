"""`breaks`: a sudden change of demand's level or of the shape of its day, found within three days.

A model that reads yesterday follows a changed level at once, so errors of later days say little. A break is therefore
two things: a first day whose error is out of all proportion for the season, and a later day on which demand is still
where the first day brought it, beside the same weekdays before. After a holiday or an outage demand is back, and the
model, which followed, errs the other way. What the errors of the other series tell of a day is taken off (`apart`).

S series, D days, H hours.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

import numpy as np

from forecast.monitoring.days import Bools, Days, Floats
from forecast.monitoring.limits import LIMITS, Limits
from forecast.monitoring.neighbours import apart, strength
from forecast.monitoring.season import ROBUST, season, spread

LEVEL, SHAPE = "level", "shape"
LATER = (1, 2)
"""Days after the first one on which it may still be there."""
KNOWN_HOURS = 0.7
"""Share of the hours of a day that must be known."""
WEEKS, WEEKS_MOST = 4, 6
REBOUND, TOO_MUCH = -0.4, 2.0
HOLIDAY = 1.5
"""So much stronger is a break that begins on a holiday, a bridge day, or a day beside one."""
RIDGE, FLOOR = 0.3, 0.02
"""How far the spread of a season's errors is drawn towards independent hours, and its least, as share of the mean."""


@dataclass(frozen=True)
class Break:
    """A break that was found.

    Attributes:
        unique_id: the series.
        kind: level or shape.
        onset: its first day.
        seen: the day that confirmed it.
        size: of a level: how much demand moved, as share; of a shape: root mean square over the hours, likewise.
        strength: how far the first day was out of proportion, in the unit of `Limits`.
        stays: how much of the first day's change the later day shows.
    """

    unique_id: str
    kind: str
    onset: date
    seen: date
    size: float
    strength: float
    stays: float


def breaks(days: Days, day: date, limits: Limits = LIMITS) -> list[Break]:
    """The breaks that a day confirms, by series and kind; none on holidays and bridge days, which confirm nothing.

    Args:
        days: with the season of the day.
        day: the newest that was scored.
        limits: from where on it is one.
    """
    place = days.place(day)
    if not 0 <= place < days.count or days.off_D[place]:
        return []
    found: dict[tuple[str, str], Break] = {}
    with warnings.catch_warnings(), np.errstate(divide="ignore", invalid="ignore"):
        warnings.simplefilter("ignore", RuntimeWarning)  # medians of nothing
        errors = _errors(days)
        for later in LATER:
            if place - later >= 0:
                for one in _confirmed(errors, days, place - later, place, limits):
                    found.setdefault((one.unique_id, one.kind), one)
    dead = set(stuck(days, day, limits))  # a meter that is dead is no change of demand
    found = {key: one for key, one in found.items() if one.unique_id not in dead}
    return [found[key] for key in sorted(found)]


def stuck(days: Days, day: date, limits: Limits = LIMITS) -> list[str]:
    """The series whose demand is one number all day, where it never is in their season: their meters are dead."""
    place = days.place(day)
    if not 0 <= place < days.count or days.values_SDHC.shape[2] == 1:
        return []
    y_SDH = days.column("demand")
    dead_S = _constant(y_SDH[:, [place]])[:, 0]
    if not dead_S.any():
        return []
    usual_SNH = y_SDH[:, season(place, days.count, limits)]
    known_S = np.isfinite(usual_SNH).any(axis=2).sum(axis=1)
    lively_S = _constant(usual_SNH).sum(axis=1) * 10 <= known_S
    return [days.names[one] for one in np.flatnonzero(dead_S & lively_S)]


def _constant(y_SNH: Floats) -> Bools:
    """Whether demand is one number all day [S, N]."""
    known_SNH = np.isfinite(y_SNH)
    high_SN, low_SN = np.where(known_SNH, y_SNH, -np.inf).max(axis=2), np.where(known_SNH, y_SNH, np.inf).min(axis=2)
    return np.asarray((known_SNH.mean(axis=2) >= KNOWN_HOURS) & (high_SN <= low_SN))


@dataclass(frozen=True, eq=False)
class _Errors:
    """Demand and errors as shares of what was forecast on the day.

    Attributes:
        size_SD: mean of the forecast's size.
        level_SD: mean error; NaN where too little of the day is known.
        shape_SDH: error without its mean; 0 where an hour is not known.
        demand_SDH: demand itself, in its unit.
    """

    size_SD: Floats
    level_SD: Floats
    shape_SDH: Floats
    demand_SDH: Floats

    @classmethod
    def of(cls, days: Days) -> _Errors:
        y_SDH, said_SDH = days.column("demand"), days.column("middle")
        both_SDH = np.isfinite(y_SDH) & np.isfinite(said_SDH)
        known_SD = both_SDH.mean(axis=2) >= KNOWN_HOURS
        size_SD = np.abs(np.nanmean(np.where(both_SDH, said_SDH, np.nan), axis=2))
        usual_S1 = np.nanmedian(np.where(known_SD, size_SD, np.nan), axis=1, keepdims=True)
        # About zero shares mean nothing: a tenth of the usual size is the least that is divided by.
        size_SD = np.where(known_SD, np.maximum(size_SD, 0.1 * usual_S1), np.nan)
        share_SDH = np.where(both_SDH, y_SDH - said_SDH, np.nan) / size_SD[..., None]
        level_SD = np.nanmean(share_SDH, axis=2)
        shape_SDH = np.nan_to_num(share_SDH - level_SD[..., None])
        return cls(size_SD, level_SD, shape_SDH, y_SDH)


@lru_cache(maxsize=1)
def _errors(days: Days) -> _Errors:
    """Of one table after another: from day to day they are the same."""
    return _Errors.of(days)


def _confirmed(errors: _Errors, days: Days, first: int, later: int, limits: Limits) -> Iterator[Break]:
    """Breaks that began on the day at `first` and are there on the one at `later`."""
    reference_D = season(first, days.count, limits) & ~days.beside_D
    enough_S = np.isfinite(errors.level_SD[:, reference_D]).sum(axis=1) >= limits.reference_days
    before = _before(errors, days, first, later)
    if before is None or not enough_S.any():
        return
    level_S, shape_SH = before
    demand_S = np.nanmean(errors.demand_SDH[:, later], axis=1)
    level = _level(errors, reference_D, first, later, demand_S - level_S)
    shape = _shape(errors, reference_D, first, later, demand_S, shape_SH)
    # About holidays a model errs more than in the rest of their season.
    factor = HOLIDAY if days.beside_D[first] else 1.0
    large = {LEVEL: level[0] >= factor * limits.level, SHAPE: shape[0] >= factor * limits.shape}
    large[LEVEL] &= np.abs(errors.level_SD[:, first]) >= limits.least
    for kind, (strength_S, stays_S, back_S, moved_S) in {LEVEL: level, SHAPE: shape}.items():
        there_S = (stays_S >= limits.persists) & (stays_S <= TOO_MUCH) & (back_S > REBOUND)
        for place in np.flatnonzero(large[kind] & there_S & enough_S).tolist():
            yield Break(
                days.names[place], kind, days.day(first), days.day(later), float(moved_S[place]),
                float(strength_S[place]), float(stays_S[place]),
            )  # fmt: skip


Found = tuple[Floats, Floats, Floats, Floats]
"""By series: strength, what stays on the later day, that day's error as share of the first one's, size."""


def _level(errors: _Errors, reference_D: Bools, first: int, later: int, moved_S: Floats) -> Found:
    sudden_S, usual_SN = errors.level_SD[:, first], errors.level_SD[:, reference_D]
    left_SN1, left_S1 = apart(np.nan_to_num(usual_SN)[..., None], np.nan_to_num(sudden_S)[:, None])
    alone_S = np.abs(left_S1[:, 0]) / spread(np.where(np.isfinite(usual_SN), left_SN1[..., 0], np.nan))
    size_S = moved_S / errors.size_SD[:, first]
    strength_S = strength(np.abs(sudden_S) / spread(usual_SN), alone_S)
    return strength_S, size_S / sudden_S, errors.level_SD[:, later] / sudden_S, size_S


def _shape(errors: _Errors, reference_D: Bools, first: int, later: int, demand_S: Floats, before_SH: Floats) -> Found:
    sudden_SH = errors.shape_SDH[:, first]
    power_S = (sudden_SH**2).sum(axis=1)
    share_SH = errors.demand_SDH[:, later] / demand_S[:, None] - 1
    moved_SH = np.nan_to_num(share_SH - before_SH)
    stays_S = (moved_SH * sudden_SH).sum(axis=1) / power_S
    back_S = (errors.shape_SDH[:, later] * sudden_SH).sum(axis=1) / power_S
    back_S = np.where(np.isfinite(errors.level_SD[:, later]), back_S, np.nan)
    size_S = np.sqrt(power_S / sudden_SH.shape[1])
    if sudden_SH.shape[1] == 1:
        return np.zeros_like(size_S), stays_S, back_S, size_S  # a day of one period has no shape
    usual_SNH, known_SN = errors.shape_SDH[:, reference_D], np.isfinite(errors.level_SD[:, reference_D])
    alone_S = _distance(*apart(usual_SNH, sudden_SH), known_SN)
    strength_S = strength(_distance(usual_SNH, sudden_SH, known_SN), alone_S)
    return np.where(np.isfinite(errors.level_SD[:, first]), strength_S, np.nan), stays_S, back_S, size_S


def _distance(shape_SNH: Floats, sudden_SH: Floats, known_SN: Bools) -> Floats:
    """Mahalanobis distance [S] of a pattern by the spread of the season's N patterns, over the median of theirs.

    The spread is of patterns whose outliers are cut, drawn towards hours that are independent (Ledoit and Wolf, 2004,
    with a fixed weight). Each day of the season is measured by the spread of the others, as the new day is: days look
    near to a spread that was made of them, the more so the fewer they are (Sherman and Morrison, 1950).
    """
    usual_S1H = ROBUST * np.median(np.abs(shape_SNH), axis=1, keepdims=True) + 1e-9
    cut_SNH = np.clip(shape_SNH, -3 * usual_S1H, 3 * usual_S1H)
    share_S1 = 1 / np.maximum(1, known_SN.sum(axis=1, keepdims=True))
    spread_SHH = share_S1[..., None] * np.einsum("snh,sng->shg", cut_SNH, cut_SNH)
    own_SH = np.einsum("shh->sh", spread_SHH).copy()
    every = np.arange(shape_SNH.shape[2])
    spread_SHH *= 1 - RIDGE
    spread_SHH[:, every, every] += RIDGE * own_SH + FLOOR * own_SH.mean(axis=1, keepdims=True) + 1e-12
    inverse_SHH = np.linalg.inv(spread_SHH)
    distance_S = np.sqrt(np.einsum("sh,shg,sg->s", sudden_SH, inverse_SHH, sudden_SH))
    power_SN = np.einsum("snh,shg,sng->sn", shape_SNH, inverse_SHH, shape_SNH)
    part_SN = (1 - RIDGE) * share_S1 * np.einsum("snh,shg,sng->sn", cut_SNH, inverse_SHH, cut_SNH)
    usual_S = np.sqrt(np.nanmedian(np.where(known_SN, power_SN / (1 - part_SN), np.nan), axis=1))
    return np.asarray(distance_S / usual_S)


def _before(errors: _Errors, days: Days, first: int, later: int) -> tuple[Floats, Floats] | None:
    """What the later day was to be by the weeks before the first one: mean [S] and profile [S, H] of demand."""
    weeks = [later - 7 * week for week in range(1, WEEKS_MOST + 1)]
    kept = [place for place in weeks if 0 <= place < first and not days.beside_D[place]][:WEEKS]
    if not kept:
        return None
    mean_SD = np.nanmean(errors.demand_SDH, axis=2)
    profile_SNH = errors.demand_SDH[:, kept] / mean_SD[:, kept, None] - 1
    trend = []
    for place in range(max(0, first - 7), first):
        weekdays = [place - 7 * week for week in range(1, WEEKS + 1) if place - 7 * week >= 0]
        if weekdays and not days.beside_D[place]:
            trend.append(mean_SD[:, place] - np.nanmedian(mean_SD[:, weekdays], axis=1))
    # Half of how the last week differs from the weeks before it: weather neither stays nor leaves at once.
    moved_S = 0.5 * np.nanmedian(np.stack(trend), axis=0) if trend else 0.0
    return np.nanmedian(mean_SD[:, kept], axis=1) + np.nan_to_num(moved_S), np.nanmedian(profile_SNH, axis=1)
