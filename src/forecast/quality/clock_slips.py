"""Clock slips: days whose shape fits their neighbours only when they are moved by an hour.

D civil days. Judged are changes from hour to hour, so that a warm week is no slip; morning and evening must agree, so
that neither a holiday's late morning nor the sun's drift through the year is one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from forecast.quality.finding import USUAL, Finding
from forecast.quality.gaps import clock_rows
from forecast.quality.levels import peaks
from forecast.quality.limits import Limits
from forecast.quality.readings import WEEKS, Doubles, Readings, neighbours

CLIP = 6.0
"""No single change counts for more than so many times the usual one."""
WINDOW = 10
"""Days before and after a day that tell a lasting change of the clock."""
CLEAR = 0.15
"""Least clarity of a series whose clock can be judged: flat demand and demand that is switched have no hour."""
LONGEST = 21
"""Days that a slip lasts at most; the neighbours of a longer one would have slipped as well."""
PAST, FUTURE = (-28, -21, -14, -7), (7, 14, 21, 28)


@dataclass(frozen=True, eq=False)
class Evidence:
    """What speaks for a slip, day by day, between -1 (surely none) and 1 (surely one).

    Attributes:
        gain_DH: [D, 2] how much better each half of the day fits when moved.
        room_DH: [D, 2] how much it could fit better at most.
    """

    gain_DH: Doubles
    room_DH: Doubles

    def share(self, first: int, last: int) -> Doubles:
        """Evidence of each half of the days from first to last [2]."""
        room = self.room_DH[first : last + 1].sum(0)
        return np.asarray(self.gain_DH[first : last + 1].sum(0) / np.maximum(room, 1e-12))

    @property
    def clarity(self) -> float:
        """How surely a usual day has not slipped: 0 where days have no shape that an hour could be told by."""
        told_D = self.score_D[self.room_DH.sum(1) > 0]
        return -float(np.median(told_D)) if len(told_D) else 0.0

    def windows(self) -> Doubles:
        """Evidence of each half of the `WINDOW` days from each day on [D, 2]; -1 where they are not all there."""
        gain_DH, room_DH = (np.cumsum(np.vstack([np.zeros((1, 2)), part]), 0) for part in (self.gain_DH, self.room_DH))
        share_DH = np.full_like(self.gain_DH, -1.0)
        room = room_DH[WINDOW:] - room_DH[:-WINDOW]
        share_DH[: len(room)] = (gain_DH[WINDOW:] - gain_DH[:-WINDOW]) / np.maximum(room, 1e-12)
        return share_DH

    @property
    def score_D(self) -> Doubles:
        """Evidence of each day."""
        room_D = self.room_DH.sum(1)
        typical = float(np.median(room_D[room_D > 0])) if (room_D > 0).any() else 1.0
        return np.asarray(self.gain_DH.sum(1) / np.maximum(room_D, 0.25 * typical))


def clock_slips(readings: Readings, limits: Limits) -> list[Finding]:
    """Days that are an hour early or late beside their neighbours; and days from which on they are."""
    hour = 3600 / readings.step.total_seconds()
    if hour < 1 or hour != int(hour) or readings.place_T[-1] < 21 * readings.slots:
        return []
    found, taken = [], list[tuple[int, int]]()
    for late in (1, -1):
        evidence = gather(readings, WEEKS, late * int(hour))
        if evidence.clarity < CLEAR:
            return []
        for first, last in segments(evidence.score_D, limits.slip_days):
            if last - first < LONGEST and evidence.share(first, last).min() > limits.slip_half:
                taken.append((first, last))
                found.append(_finding(readings, first, last, late))
    return found + _lasting(readings, limits, int(hour), taken)


def _lasting(readings: Readings, limits: Limits, hour: int, taken: Sequence[tuple[int, int]]) -> list[Finding]:
    """Days from which on the clock is an hour off, for longer than the neighbouring weeks reach."""
    found = []
    changes = [int(readings.place_T[row]) // readings.slots for row, _ in clock_rows(readings)]
    for late in (1, -1):
        turn_DH = turns(readings, late * hour)
        share_D = turn_DH.min(1)
        # Where the clock itself changes the sun does not, and evenings follow the sun: mornings decide.
        share_D[changes] = turn_DH[changes, 0]
        for day in peaks(np.where(share_D > limits.turn, share_D, 0.0), 2 * WINDOW):
            if not any(first - WINDOW <= day <= last + WINDOW for first, last in taken):
                found.append(_turn(readings, day, late, near=[day - 2 <= change <= day + 2 for change in changes]))
    return found


def turns(readings: Readings, by: int) -> Doubles:
    """Evidence [D, 2] that from a day on the readings are `by` periods late, for each half of the day.

    The days after it must fit the weeks before only when moved, and the days before it the weeks after: the weaker of
    the two counts.
    """
    after, before = gather(readings, PAST, by).windows(), gather(readings, FUTURE, -by).windows()
    turn_DH = np.full_like(after, -1.0)
    turn_DH[WINDOW:-WINDOW] = np.minimum(after[WINDOW:-WINDOW], before[: -2 * WINDOW])
    return turn_DH


def gather(readings: Readings, days: Sequence[int], by: int) -> Evidence:
    """What speaks for the readings being `by` periods late, against their neighbours some days away."""
    hour, slots = abs(by), readings.slots
    flat = readings.lie(readings.y_T)
    change = flat - _moved(flat, hour)
    said = neighbours(change, slots, days)
    unmoved, moved = np.abs(change - said), np.abs(change - _moved(said, by))
    apart = np.abs(said - _moved(said, by))
    known = np.isfinite(unmoved) & np.isfinite(moved) & np.isfinite(apart)
    usual = float(np.median(unmoved[known])) if known.any() else 1.0
    cap = CLIP * max(usual, 1e-12)
    gain = np.where(known, np.minimum(unmoved, cap) - np.minimum(moved, cap), 0.0)
    room = np.where(known, np.minimum(apart, cap), 0.0)
    half = slots // 2
    gain_DH = np.stack([gain.reshape(-1, slots)[:, :half].sum(1), gain.reshape(-1, slots)[:, half:].sum(1)], axis=1)
    room_DH = np.stack([room.reshape(-1, slots)[:, :half].sum(1), room.reshape(-1, slots)[:, half:].sum(1)], axis=1)
    return Evidence(gain_DH, room_DH)


def segments(score_D: Doubles, least: float) -> list[tuple[int, int]]:
    """First and last day of every stretch whose scores sum to more than `least`, largest sums first cut out.

    >>> segments(np.array([-1.0, 0.8, 0.9, -0.1, 0.7, -1.0]), 2.0)
    [(1, 4)]
    """
    spans, total, begin, best, end = [], 0.0, 0, 0.0, -1
    for day, score in enumerate(np.append(score_D, -np.inf)):
        if total <= 0:
            total, begin, best = 0.0, day, 0.0
        total += float(score)
        if total > best:
            best, end = total, day
        if total <= 0 and best > least:
            spans.append((begin, end))
    return spans


def _moved(flat: Doubles, by: int) -> Doubles:
    """Values [D * N] as they were `by` periods before."""
    moved = np.full_like(flat, np.nan)
    if by > 0:
        moved[by:] = flat[:-by]
    else:
        moved[:by] = flat[-by:]
    return moved


def _rows(readings: Readings, first: int, last: int) -> tuple[int, int]:
    """First and last row of the days from first to last."""
    day_T = readings.place_T // readings.slots
    rows = np.flatnonzero((day_T >= first) & (day_T <= last))
    return int(rows[0]), int(rows[-1])


def _finding(readings: Readings, first: int, last: int, late: int) -> Finding:
    begin, end = _rows(readings, first, last)
    days = last - first + 1
    size = f"an hour {'late' if late > 0 else 'early'} for {days} {'days' if days > 1 else 'day'}"
    return Finding(
        readings.unique_id, readings.stamp(begin), readings.stamp(end), "clock slip", "warning", size,
        USUAL["clock slip"], float(late),
    )  # fmt: skip


def _turn(readings: Readings, day: int, late: int, near: Sequence[bool]) -> Finding:
    begin, end = _rows(readings, day, day)
    size = f"an hour {'later' if late > 0 else 'earlier'} from this day on"
    size += ", on which the clock changes: the source may not follow its zone's clock" if any(near) else ""
    return Finding(
        readings.unique_id, readings.stamp(begin), readings.stamp(end), "clock slip", "warning", size, "kept"
    )
