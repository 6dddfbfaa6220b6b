"""What the demand's own past says about each step ahead: same-hour lags, recent levels, similar days.

B windows, H horizon, W rows of a window, K columns of a block.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from forecast.features.civil import CivilClock
from forecast.windows import Bools, Floats, Ints, RawBatch

Scalar = TypeVar("Scalar", bound=np.generic)
DAY_SECONDS = 86_400
SIMILAR_DAYS = 14
DECAY_PER_DAY = 0.85


class Block(NamedTuple):
    """Columns side by side: names, values [B, H, K] and where they are known; H is 1 where all steps hear the same."""

    names: tuple[str, ...]
    value_BHK: Floats
    known_BHK: Bools


Told = tuple[Floats, Bools]
"""One column's values [B], and where they are known."""


@dataclass(frozen=True, eq=False)
class Past:
    """A batch's history, ready to be looked back into.

    Attributes:
        batch: the windows.
        clock: their calendar.
        reach: R, rows of history.
        per_day: rows in 24 hours.
        step_seconds: length of a row.
        day_type_BW: 0 workday, 1 Saturday, 2 Sunday or holiday.
        last_B: window column of the last known y (R - 1 when up to date, -1 when none is known).
    """

    batch: RawBatch
    clock: CivilClock
    reach: int
    per_day: int
    step_seconds: int
    day_type_BW: npt.NDArray[np.int8]
    last_B: Ints

    @property
    def horizon(self) -> int:
        """H, rows of future."""
        return int(self.batch.target_BH.shape[1])

    @property
    def hour(self) -> int:
        """Rows in an hour, at least one."""
        return max(1, self.per_day // 24)

    def days_back(self, days_KBH: Ints) -> Ints:
        """Window columns [K, B, H] at the same LOCAL clock some days before each step."""
        ahead_H = self.reach + np.arange(self.horizon)
        column_KBH = np.asarray(ahead_H - self._rows(days_KBH * DAY_SECONDS))
        if self._steady:
            return column_KBH
        now_BH = np.take(self.clock.offset_R, self._base_B1 + ahead_H)
        then_KBH = np.take(self.clock.offset_R, self._base_B1 + np.maximum(column_KBH, 0))
        return np.asarray(ahead_H - self._rows(days_KBH * DAY_SECONDS - now_BH + then_KBH))

    @cached_property
    def _base_B1(self) -> Ints:
        """The clock's row of each window's first."""
        return np.asarray((self.clock.base_S[self.batch.series_B] + self.batch.row_B - self.reach)[:, None])

    @cached_property
    def _steady(self) -> bool:
        """Whether no clock changes in any row that the windows see."""
        if not self._base_B1.size:
            return True
        low, high = int(self._base_B1.min()), int(self._base_B1.max()) + self.reach + self.horizon
        offset_R = self.clock.offset_R[low:high]
        return bool((offset_R == offset_R[0]).all())

    def _rows(self, seconds: Ints) -> Ints:
        """The nearest number of rows: steps need not divide an hour or a day."""
        return np.asarray((seconds + self.step_seconds // 2) // self.step_seconds)

    def take(self, column_KBH: Ints, plane: int = 0) -> tuple[Floats, Bools]:
        """Values and mask [K, B, H] of one of the demand's columns at window columns; outside the window is unknown."""
        batch, width, planes = self.batch.values_BWC.shape
        inside_KBH = (column_KBH >= 0) & (column_KBH < width)
        first_B1 = np.arange(batch)[:, None] * (width * planes) + plane
        place_KBH = np.where(inside_KBH, column_KBH, 0) * planes + first_B1
        mask_KBH = self.batch.mask_BWC.reshape(-1).take(place_KBH) & inside_KBH
        return np.where(mask_KBH, self.batch.values_BWC.reshape(-1).take(place_KBH), np.float32(0)), mask_KBH

    def shifted(self, plane: int, shifts: tuple[int, ...]) -> tuple[Floats, Bools]:
        """One column [B, H, K] some rows before (negative) or after each step; outside the window is unknown."""
        batch, width, _ = self.batch.values_BWC.shape
        value_BHK = np.zeros((batch, self.horizon, len(shifts)), dtype=np.float32)
        known_BHK = np.zeros(value_BHK.shape, dtype=bool)
        for place, rows in enumerate(shifts):
            begin = self.reach + rows
            there = slice(max(begin, 0), max(min(begin + self.horizon, width), 0))
            here = slice(there.start - begin, max(there.stop, there.start) - begin)
            value_BHK[:, here, place] = self.batch.values_BWC[:, there, plane]
            known_BHK[:, here, place] = self.batch.mask_BWC[:, there, plane]
        return value_BHK, known_BHK

    def newest(self, rows: int, plane: int = 0) -> tuple[Floats, Bools]:
        """The `rows` newest values [B, rows] up to the last known y."""
        value_1BL, mask_1BL = self.take(self.last_B[None, :, None] + np.arange(1 - rows, 1), plane)
        return value_1BL[0], mask_1BL[0]

    def nearest_day(self, multiple: int = 1) -> Ints:
        """Fewest days [B, H], a multiple of `multiple`, back to a same-hour value that is known already."""
        ahead_BH = self.reach + np.arange(self.horizon) - self.last_B[:, None]
        days_BH = np.maximum(1, -(-ahead_BH // self.per_day) - 1)
        days_BH = -(-days_BH // multiple) * multiple
        # A clock change lengthens or shortens the way back: the first guess is a day early and moves on where unknown.
        for _ in range(2):
            days_BH = days_BH + multiple * (self.days_back(days_BH) > self.last_B[:, None])
        return np.asarray(days_BH)


def load_blocks(past: Past, days: int, similar: bool, latest: bool) -> list[Block]:
    """All columns that the demand's own past gives, in the demand's unit.

    Args:
        past: the batch.
        days: same-hour lags.
        similar: whether the mean of similar days is one.
        latest: whether the last hours and days are some.
    """
    column_KBH = past.days_back(past.nearest_day() + ranks(max(days, SIMILAR_DAYS)))
    value_KBH, known_KBH = past.take(column_KBH)
    names = tuple(f"y, same hour, {rank + 1}. day back" for rank in range(days))
    blocks = [Block(names, last_axis(value_KBH[:days]), last_axis(known_KBH[:days])), weeks_back(past)]
    if similar:
        blocks.append(similar_days(past, column_KBH[:SIMILAR_DAYS], value_KBH[:SIMILAR_DAYS], known_KBH[:SIMILAR_DAYS]))
    return [*blocks, recent(past)] if latest else blocks


def ranks(count: int) -> Ints:
    """0, 1, 2, ... [K, 1, 1]."""
    return np.arange(count)[:, None, None]


def last_axis(part_KBH: npt.NDArray[Scalar]) -> npt.NDArray[Scalar]:
    """[K, B, H] seen as [B, H, K]: columns are computed plane by plane, which is quick, and stored side by side."""
    return np.moveaxis(part_KBH, 0, 2)


def weeks_back(past: Past) -> Block:
    """The step's local clock one and two weeks back, and an hour beside it."""
    column_KBH = past.days_back(past.nearest_day(7) + 7 * ranks(2))
    beside_KBH = column_KBH[:1] + np.array([-past.hour, past.hour])[:, None, None]
    value_KBH, known_KBH = past.take(np.concatenate([column_KBH, beside_KBH]))
    names = ("a week back", "two weeks back", "a week back, an hour before", "a week back, an hour after")
    return Block(tuple(f"y, same hour, {name}" for name in names), last_axis(value_KBH), last_axis(known_KBH))


def similar_days(past: Past, column_KBH: Ints, value_KBH: Floats, known_KBH: Bools) -> Block:
    """Mean of the last 14 known days' same hour on days of the step's own type, recent ones weighing more."""
    batch, width = past.day_type_BW.shape
    row_B1 = np.arange(batch)[:, None] * width
    then_KBH = past.day_type_BW.reshape(-1).take(row_B1 + np.clip(column_KBH, 0, width - 1))
    alike_KBH = known_KBH & (then_KBH == past.day_type_BW[:, past.reach :])
    weight_KBH = alike_KBH * (DECAY_PER_DAY ** ranks(SIMILAR_DAYS)).astype(np.float32)
    total_BH, sum_BH = (weight_KBH * value_KBH).sum(0), weight_KBH.sum(0)
    known_BH = sum_BH > 0
    mean_BH = np.where(known_BH, total_BH / np.maximum(sum_BH, np.float32(1e-9)), np.float32(0))
    return Block(("y, similar days",), mean_BH[:, :, None], known_BH[:, :, None])


def recent(past: Past) -> Block:
    """Hourly means of the last 24 known hours, levels and extremes of the last days; the same at every step ahead."""
    day, hour = past.per_day, past.hour
    value_BL, mask_BL = past.newest(14 * day)
    total = value_BL.shape[1]

    def told(rows: int, skipped: int = 0) -> tuple[Floats, Bools]:
        stretch = slice(total - skipped - rows, total - skipped)
        return value_BL[:, stretch], mask_BL[:, stretch]

    columns = [(f"{back + 1}. hour back", one) for back, one in enumerate(_hours(value_BL, mask_BL, hour))]
    columns += [("mean of the last day", mean(*told(day))), *extremes(*told(day))]
    columns += [("mean of the day before", mean(*told(day, day)))]
    columns += [("mean of the last 14 days", mean(value_BL, mask_BL))]
    columns += [("hour a week before the last", mean(*told(hour, 7 * day)))]
    return flat("y", columns)


def _hours(value_BL: Floats, mask_BL: Bools, hour: int) -> list[Told]:
    """Means of each of the last 24 hours, the last one first."""
    total = value_BL.shape[1]
    if total < 24 * hour:
        # Of days, the hours are some days.
        ends = [total - back * hour for back in range(24)]
        return [mean(value_BL[:, end - hour : end], mask_BL[:, end - hour : end]) for end in ends]
    first, batch = total - 24 * hour, len(value_BL)
    value_B24H = value_BL[:, first:].reshape(batch, 24, hour)
    count_B24 = mask_BL[:, first:].reshape(batch, 24, hour).sum(2)
    mean_B24 = (value_B24H.sum(2, dtype=np.float64) / np.maximum(count_B24, 1)).astype(np.float32)
    return [(mean_B24[:, place], count_B24[:, place] > 0) for place in range(23, -1, -1)]


def flat(subject: str, columns: list[tuple[str, Told]]) -> Block:
    """Columns [B] that say the same at every step ahead."""
    value_BK = np.stack([value_B for _, (value_B, _) in columns], axis=1)
    known_BK = np.stack([known_B for _, (_, known_B) in columns], axis=1)
    return Block(tuple(f"{subject}, {name}" for name, _ in columns), value_BK[:, None], known_BK[:, None])


def mean(value_BL: Floats, mask_BL: Bools) -> Told:
    """Mean [B] of the known values, and whether any is known; masked values are zero."""
    count_B = mask_BL.sum(1)
    return (value_BL.sum(1, dtype=np.float64) / np.maximum(count_B, 1)).astype(np.float32), count_B > 0


def extremes(value_BL: Floats, mask_BL: Bools, stretch: str = "the last day") -> list[tuple[str, Told]]:
    """Lowest and highest [B] of the known values."""
    known_B: Bools = np.asarray(mask_BL.any(1))
    endless = np.float32(np.inf)
    low_B = np.where(known_B, np.where(mask_BL, value_BL, endless).min(1), np.float32(0))
    high_B = np.where(known_B, np.where(mask_BL, value_BL, -endless).max(1), np.float32(0))
    return [(f"lowest of {stretch}", (low_B, known_B)), (f"highest of {stretch}", (high_B, known_B))]
