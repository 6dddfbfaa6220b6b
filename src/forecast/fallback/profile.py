"""`Profile`: the average week of a group of series, and how far single days lie from it."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from pydantic import BaseModel, ConfigDict

from forecast.calendars import local_parts
from forecast.fallback.known import Doubles, Ints, Known
from forecast.fallback.spread import within
from forecast.tables import Demand

WEEK_HOURS = 168
NANOSECONDS_OF_HOUR = 3_600_000_000_000
SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99)


class Profile(BaseModel):
    """What an hour of the local week is like, in levels: 1 is a series' own mean.

    Attributes:
        shape: 168 numbers from Monday 00:00, the median over the series.
        near: absolute error in levels that `SHARES` of all periods stay under, when the day before tells the level.
        far: the same when only the level of the training span is known.
        levels: mean power of each series that was learned from.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    shape: tuple[float, ...]
    near: tuple[float, ...]
    far: tuple[float, ...]
    levels: dict[str, float]

    @classmethod
    def of(cls, demand: Demand) -> Profile | None:
        """The profile of what a table shows; None where no series has a week of it, or none uses power."""
        lived = [(one.unique_id, demand.observed(one).astype(np.float64),
                  hours(demand.stamps(one).as_unit("ns").asi8, demand.step.value, one.zone))
                 for one in demand.series]  # fmt: skip
        return cls.learned(lived, demand.steps_per_day)

    @classmethod
    def of_known(cls, known: Known) -> Profile | None:
        """The profile of what is known of some series before a cutoff."""
        length = known.y_SL.shape[1]
        lived = []
        for row, rows in known.clocks():
            place_L = hours(known.stamps(row, -length, 0), known.step, known.zones[row])
            lived += [(known.names[one], known.y_SL[one], place_L) for one in rows]
        return cls.learned(lived, known.day)

    @classmethod
    def learned(cls, lived: Iterable[tuple[str, Doubles, Doubles]], day: int) -> Profile | None:
        """From series with their y [T] (NaN where unknown) and place in the local week [T]; `day` periods are a day."""
        usable = [(name, y_T, place_T, float(level)) for name, y_T, place_T in lived
                  if np.isfinite(y_T).sum() >= 7 * day and (level := np.nanmean(y_T)) > 0]  # fmt: skip
        if not usable:
            return None
        shape_W = np.median([_shape(y_T / level, place_T) for _, y_T, place_T, level in usable], axis=0)
        far = np.concatenate([y_T / level - at(shape_W, place_T) for _, y_T, place_T, level in usable])
        near = np.concatenate([
            _followed(y_T / level, at(shape_W, place_T), day) for _, y_T, place_T, level in usable
        ])  # fmt: skip
        reach, count = within(near[None], np.array(SHARES))
        wide, _ = within(far[None], np.array(SHARES))
        told = np.maximum.accumulate(reach[0] if count[0] >= day else wide[0])
        return cls(
            shape=tuple(map(float, shape_W)), near=tuple(map(float, told)), far=tuple(map(float, wide[0])),
            levels={name: level for name, _, _, level in usable},
        )  # fmt: skip

    def distance(self, share_Q: Doubles, *, near: bool) -> Doubles:
        """How far a share of the errors reaches, in levels; beyond the outermost share as far as there, and half more.

        Args:
            share_Q: of each level.
            near: whether known values told the level.
        """
        told = np.array((0.0, *(self.near if near else self.far), (self.near if near else self.far)[-1] * 1.5))
        return np.asarray(np.interp(share_Q, (0.0, *SHARES, 1.0), told))


def profiled(
    known: Known, horizon: int, share_Q: Doubles, profile: Profile
) -> tuple[Doubles, Doubles, np.ndarray]:  # fmt: skip
    """The average week at the level of what is known, else of training; as `seasonal_naive` answers."""
    count, length = len(known.names), known.y_SL.shape[1]
    middle_SH, distance_SHQ = np.full((count, horizon), np.nan), np.zeros((count, horizon, len(share_Q)))
    shape_W = np.asarray(profile.shape)
    for row, rows in known.clocks():
        place_R = hours(known.stamps(row, -length, horizon), known.step, known.zones[row])
        shape_R = at(shape_W, place_R)
        level_S, near_S = _levels(known.y_SL[rows], shape_R[:length], known, rows, profile)
        reach_SQ = np.where(
            near_S[:, None], profile.distance(share_Q, near=True), profile.distance(share_Q, near=False)
        )
        middle_SH[rows] = level_S[:, None] * shape_R[length:]
        distance_SHQ[rows] = np.abs(level_S)[:, None, None] * reach_SQ[:, None]
    return middle_SH, distance_SHQ, np.isfinite(middle_SH).all(1)


def hours(ds: Ints, step: int, zone: str) -> Doubles:
    """Place of the middle of each period in the local week [hours], Monday 00:00 is 0."""
    middle = ds + min(step, 24 * NANOSECONDS_OF_HOUR) // 2
    parts = local_parts(middle, zone)
    return np.asarray(parts.weekday * 24 + parts.minute_of_day / 60)


def at(shape_W: Doubles, place_T: Doubles) -> Doubles:
    """The shape at places of the week, straight between the middles of its hours."""
    around = np.concatenate([shape_W[-1:], shape_W, shape_W[:1]])
    return np.asarray(np.interp(place_T, np.arange(-1, WEEK_HOURS + 1) + 0.5, around))


def _shape(relative_T: Doubles, place_T: Doubles) -> Doubles:
    """Mean of each hour of the week; where one has no value, of its weekday, else 1."""
    known_T = np.isfinite(relative_T)
    hour_N, value_N = place_T[known_T].astype(np.int64), relative_T[known_T]
    count_W = np.bincount(hour_N, minlength=WEEK_HOURS)
    sum_W = np.bincount(hour_N, value_N, minlength=WEEK_HOURS)
    by_day = sum_W.reshape(7, 24).sum(1) / np.maximum(count_W.reshape(7, 24).sum(1), 1)
    by_day = np.where(count_W.reshape(7, 24).sum(1) > 0, by_day, 1.0)
    return np.where(count_W > 0, sum_W / np.maximum(count_W, 1), np.repeat(by_day, 24))


def _followed(relative_T: Doubles, shape_T: Doubles, day: int) -> Doubles:
    """Errors [N] of the shape when each day's level is that of the day before."""
    days = len(relative_T) // day
    y_DN, shape_DN = (values[: days * day].reshape(days, day) for values in (relative_T, shape_T))
    known_DN = np.isfinite(y_DN)
    under_D = np.where(known_DN, shape_DN, 0.0).sum(1)
    level_D = np.where(known_DN, y_DN, 0.0).sum(1) / np.where(under_D > 0, under_D, np.nan)
    return np.asarray((y_DN[1:] - level_D[:-1, None] * shape_DN[1:]).ravel())


def _levels(
    y_SL: Doubles, shape_L: Doubles, known: Known, rows: Ints, profile: Profile
) -> tuple[Doubles, np.ndarray]:  # fmt: skip
    """Each series' level: what is known of its last week over what the shape says there, else that of training."""
    week = 7 * known.day
    y_SN, shape_N = y_SL[:, -week:], shape_L[-week:]
    for _ in range(2):
        seen_SN = np.isfinite(y_SN)
        under_S = (seen_SN * shape_N).sum(1)
        if (under_S > 0).all():
            break
        y_SN, shape_N = y_SL, shape_L
    near_S = under_S > 0
    told_S = np.array([profile.levels.get(known.names[row], np.nan) for row in rows])
    own_S = np.where(seen_SN, y_SN, 0.0).sum(1) / np.where(near_S, under_S, 1.0)
    return np.where(near_S, own_S, told_S), near_S
