"""What the demand's own past says about each step ahead: same-hour lags, recent levels, similar days.

B windows, H horizon, W rows of a window, K columns of a block.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from forecast.features.civil import CivilClock
from forecast.windows import Bools, Floats, Ints, RawBatch

SIMILAR_DAYS = 14
DECAY_PER_DAY = 0.85


class Block(NamedTuple):
    """Columns side by side: their names, values [B, H, K] and where they are known; H is 1 where all steps are told the same."""

    names: tuple[str, ...]
    value_BHK: Floats
    known_BHK: Bools


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
        return int(self.batch.target_BH.shape[1])

    @property
    def hour(self) -> int:
        """Rows in an hour, at least one."""
        return max(1, self.per_day // 24)

    def days_back(self, days_BHK: Ints) -> Ints:
        """Window columns [B, H, K] at the same LOCAL clock some days before each step."""
        column_BHK = (self.reach + np.arange(self.horizon))[:, None] - days_BHK * self.per_day
        base_B11 = (self.clock.base_S[self.batch.series_B] + self.batch.row_B - self.reach)[:, None, None]
        now_BH1 = np.take(self.clock.offset_R, base_B11 + self.reach + np.arange(self.horizon)[:, None])
        then_BHK = np.take(self.clock.offset_R, base_B11 + np.maximum(column_BHK, 0))
        return np.asarray(column_BHK + (now_BH1 - then_BHK))

    def take(self, column: Ints, plane: int = 0) -> tuple[Floats, Bools]:
        """Values and mask of one of the demand's columns at window columns [B, ...]; outside the window is unknown."""
        batch, width, planes = self.batch.values_BWC.shape
        inside = (column >= 0) & (column < width)
        first = np.arange(batch).reshape(-1, *[1] * (column.ndim - 1)) * width
        place = (first + np.where(inside, column, 0)) * planes + plane
        mask = self.batch.mask_BWC.reshape(-1).take(place) & inside
        return np.where(mask, self.batch.values_BWC.reshape(-1).take(place), np.float32(0)), mask

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
        end = int(self.last_B[0]) + 1
        if rows <= end and (self.last_B == self.last_B[0]).all():
            window = slice(end - rows, end)
            return self.batch.values_BWC[:, window, plane], self.batch.mask_BWC[:, window, plane]
        return self.take(self.last_B[:, None] + np.arange(1 - rows, 1), plane)

    def nearest_day(self, multiple: int = 1) -> Ints:
        """Fewest days [B, H, 1], a multiple of `multiple`, back to a same-hour value that is known already."""
        ahead_BH = self.reach + np.arange(self.horizon) - self.last_B[:, None]
        days_BH = np.maximum(1, -(-ahead_BH // self.per_day))
        return np.asarray(-(-days_BH // multiple) * multiple)[:, :, None]


def load_blocks(past: Past, days: int, similar: bool, latest: bool) -> list[Block]:
    """All columns that the demand's own past gives, in the demand's unit.

    Args:
        past: the batch.
        days: same-hour lags.
        similar: whether the mean of similar days is one.
        latest: whether the last hours and days are some.
    """
    column_BHK = past.days_back(past.nearest_day() + np.arange(max(days, SIMILAR_DAYS)))
    value_BHK, known_BHK = past.take(column_BHK)
    names = tuple(f"load, same hour, {rank + 1}. day back" for rank in range(days))
    blocks = [Block(names, value_BHK[:, :, :days], known_BHK[:, :, :days]), weeks_back(past)]
    if similar:
        ranked = slice(0, SIMILAR_DAYS)
        blocks.append(similar_days(past, column_BHK[:, :, ranked], value_BHK[:, :, ranked], known_BHK[:, :, ranked]))
    return [*blocks, recent(past)] if latest else blocks


def weeks_back(past: Past) -> Block:
    """The step's local clock one and two weeks back, and an hour beside it."""
    week_BH1 = past.nearest_day(7)
    column_BH2 = past.days_back(np.concatenate([week_BH1, week_BH1 + 7], axis=2))
    beside_BH2 = column_BH2[:, :, :1] + np.array([-past.hour, past.hour])
    names = ("a week back", "two weeks back", "a week back, an hour before", "a week back, an hour after")
    return Block(
        tuple(f"load, same hour, {name}" for name in names),
        *past.take(np.concatenate([column_BH2, beside_BH2], axis=2)),
    )


def similar_days(past: Past, column_BHK: Ints, value_BHK: Floats, known_BHK: Bools) -> Block:
    """Mean of the last 14 known days' same hour on days of the step's own type, recent ones weighing more."""
    width = past.day_type_BW.shape[1]
    row_B11 = np.arange(len(past.last_B))[:, None, None] * width
    then_BHK = past.day_type_BW.reshape(-1).take(row_B11 + np.clip(column_BHK, 0, width - 1))
    alike_BHK = known_BHK & (then_BHK == past.day_type_BW[:, past.reach :, None])
    weight_BHK = alike_BHK * (DECAY_PER_DAY ** np.arange(SIMILAR_DAYS)).astype(np.float32)
    # Running sums add one day after the other: the same order, and so the same bits, for any batch.
    total_BH1, sum_BH1 = (np.cumsum(part, axis=2)[:, :, -1:] for part in (weight_BHK * value_BHK, weight_BHK))
    known_BH1 = sum_BH1 > 0
    mean_BH1 = np.where(known_BH1, total_BH1 / np.maximum(sum_BH1, np.float32(1e-9)), np.float32(0))
    return Block(("load, similar days",), mean_BH1, known_BH1)


def recent(past: Past) -> Block:
    """Hourly means of the last 6 known hours, levels and extremes of the last days; the same at every step ahead."""
    day, hour = past.per_day, past.hour
    value_BL, mask_BL = past.newest(14 * day)
    total = value_BL.shape[1]

    def told(rows: int, skipped: int = 0) -> tuple[Floats, Bools]:
        stretch = slice(total - skipped - rows, total - skipped)
        return value_BL[:, stretch], mask_BL[:, stretch]

    columns = [(f"{back + 1}. hour back", mean(*told(hour, back * hour))) for back in range(6)]
    columns += [("mean of the last day", mean(*told(day))), *extremes(*told(day))]
    columns += [("mean of the day before", mean(*told(day, day))), ("mean of the last 14 days", mean(value_BL, mask_BL))]
    columns.append(("hour a week before the last", mean(*told(hour, 7 * day))))
    return flat("load", columns)


Told = tuple[Floats, Bools]


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
    known_B, endless = mask_BL.any(1), np.float32(np.inf)
    low_B = np.where(known_B, np.where(mask_BL, value_BL, endless).min(1), np.float32(0))
    high_B = np.where(known_B, np.where(mask_BL, value_BL, -endless).max(1), np.float32(0))
    return [(f"lowest of {stretch}", (low_B, known_B)), (f"highest of {stretch}", (high_B, known_B))]
