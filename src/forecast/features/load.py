"""What the demand's own past says about each step ahead: same-hour lags, recent levels, similar days."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from forecast.features.civil import CivilClock
from forecast.windows import Bools, Floats, Ints, RawBatch

SIMILAR_DAYS = 14
DECAY_PER_DAY = 0.85


@dataclass(frozen=True, eq=False)
class Past:
    """A batch's history, ready to be looked back into.

    Attributes:
        batch: the windows.
        clock: their calendar.
        reach: R, rows of history.
        per_day: rows in 24 hours.
        day_type_BW: 0 workday, 1 Saturday, 2 Sunday or holiday.
        last_B: window column of the last known y (R - 1 when up to date, -1 when none is known).
    """

    batch: RawBatch
    clock: CivilClock
    reach: int
    per_day: int
    day_type_BW: npt.NDArray[np.int8]
    last_B: Ints

    @property
    def horizon(self) -> int:
        """H, rows of future."""
        return self.batch.target_BH.shape[1]

    def days_back(self, days_BH: Ints, shift: int = 0) -> Ints:
        """Window columns [B, H] at the same LOCAL clock some days before each step, plus `shift` rows."""
        column_BH = self.reach + np.arange(self.horizon) - days_BH * self.per_day
        base_B1 = (self.clock.base_S[self.batch.series_B] + self.batch.row_B - self.reach)[:, None]
        safe_BH = np.maximum(column_BH, 0)
        now_BH = self.clock.offset_R[base_B1 + self.reach + np.arange(self.horizon)]
        return np.asarray(column_BH + now_BH - self.clock.offset_R[base_B1 + safe_BH] + shift)

    def take(self, column_BH: Ints, plane: int = 0) -> tuple[Floats, Bools]:
        """Values and mask of one of the demand's columns at window columns; outside the window is unknown."""
        inside_BH = (column_BH >= 0) & (column_BH < self.batch.values_BWC.shape[1])
        safe_BH = np.where(inside_BH, column_BH, 0)
        value_BH = np.take_along_axis(self.batch.values_BWC[:, :, plane], safe_BH, axis=1)
        mask_BH = np.take_along_axis(self.batch.mask_BWC[:, :, plane], safe_BH, axis=1) & inside_BH
        return np.where(mask_BH, value_BH, np.float32(0)), mask_BH

    def nearest_day(self, multiple: int = 1) -> Ints:
        """Fewest days [B, H], a multiple of `multiple`, back to a same-hour value that is known already."""
        ahead_BH = self.reach + np.arange(self.horizon) - self.last_B[:, None]
        days_BH = np.maximum(1, -(-ahead_BH // self.per_day))
        return np.asarray(-(-days_BH // multiple) * multiple)


Named = tuple[str, Floats, Bools]


def same_hour(past: Past, days: int) -> list[Named]:
    """The last `days` known values at the step's local clock, and one and two weeks back with their neighbours."""
    nearest_BH = past.nearest_day()
    named = [
        (f"load, same hour, {rank + 1}. day back", *past.take(past.days_back(nearest_BH + rank)))
        for rank in range(days)
    ]  # fmt: skip
    week_BH = past.nearest_day(7)
    hour = max(1, past.per_day // 24)
    for name, back_BH, shift in (
        ("a week back", week_BH, 0),
        ("two weeks back", week_BH + 7, 0),
        ("a week back, an hour before", week_BH, -hour),
        ("a week back, an hour after", week_BH, hour),
    ):
        named.append((f"load, same hour, {name}", *past.take(past.days_back(back_BH, shift))))
    return named


def similar_days(past: Past) -> list[Named]:
    """Mean of the last 14 known days' same hour on days of the step's own type, recent ones weighing more."""
    nearest_BH = past.nearest_day()
    type_BH = past.day_type_BW[:, past.reach :]
    total_BH = np.zeros(nearest_BH.shape, dtype=np.float32)
    weight_BH = np.zeros(nearest_BH.shape, dtype=np.float32)
    for rank in range(SIMILAR_DAYS):
        column_BH = past.days_back(nearest_BH + rank)
        value_BH, mask_BH = past.take(column_BH)
        then_BH = np.take_along_axis(past.day_type_BW, np.maximum(column_BH, 0), axis=1)
        alike_BH = np.where(mask_BH & (then_BH == type_BH), np.float32(DECAY_PER_DAY**rank), np.float32(0))
        total_BH += alike_BH * value_BH
        weight_BH += alike_BH
    known_BH = weight_BH > 0
    return [("load, similar days", np.where(known_BH, total_BH / np.maximum(weight_BH, 1e-9), 0), known_BH)]


def recent(past: Past) -> list[Named]:
    """Hourly means of the last 6 known hours, levels and extremes of the last days; the same at every step ahead."""
    hour = max(1, past.per_day // 24)
    named = [
        (f"load, {back + 1}. hour back", *_stretch(past, past.last_B + 1 - (back + 1) * hour, hour)[:2])
        for back in range(6)
    ]  # fmt: skip
    end_B = past.last_B + 1
    for name, days, until in (("last day", 1, 0), ("day before", 1, 1), ("last 14 days", 14, 0)):
        begin_B = end_B - (days + until) * past.per_day
        mean_B, known_B, low_B, high_B = _stretch(past, begin_B, days * past.per_day)
        named.append((f"load, mean of the {name}", mean_B, known_B))
        if name == "last day":
            named += [("load, lowest of the last day", low_B, known_B), ("load, highest of the last day", high_B, known_B)]
    week_B = end_B - 7 * past.per_day
    named.append(("load, hour a week before the last", *_stretch(past, week_B - hour, hour)[:2]))
    return [(name, _spread(value_B, past.horizon), _spread(known_B, past.horizon)) for name, value_B, known_B in named]


def _stretch(past: Past, begin_B: Ints, length: int, plane: int = 0) -> tuple[Floats, Bools, Floats, Floats]:
    """Mean, whether any value is known, lowest and highest over `length` rows from window column `begin_B`."""
    value_BL, mask_BL = past.take(begin_B[:, None] + np.arange(length), plane)
    count_B = mask_BL.sum(1)
    known_B = count_B > 0
    mean_B = (value_BL.sum(1, dtype=np.float64) / np.maximum(count_B, 1)).astype(np.float32)
    low_B = np.where(known_B, np.where(mask_BL, value_BL, np.float32(np.inf)).min(1), np.float32(0))
    high_B = np.where(known_B, np.where(mask_BL, value_BL, np.float32(-np.inf)).max(1), np.float32(0))
    return mean_B, known_B, low_B.astype(np.float32), high_B.astype(np.float32)


def _spread(value_B: npt.NDArray[np.generic], horizon: int) -> npt.NDArray[np.generic]:
    return np.broadcast_to(value_B[:, None], (len(value_B), horizon))
