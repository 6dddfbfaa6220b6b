"""Level shifts: the demand jumps within a step, and stays there."""

from __future__ import annotations

import numpy as np
import pandas as pd

from forecast.quality.finding import USUAL, Finding
from forecast.quality.limits import Limits
from forecast.quality.readings import Doubles, Readings, expected, robust, tail

EDGE = 3
"""Readings on each side of an edge whose medians are compared."""
FLOOR = 0.25
"""Relative residuals are taken of at least this share of the level: nights of nearly nothing have no ratio."""
PAIRED = pd.Timedelta("60D")
"""An edge back within this time ends the shift."""
UNLIKE = 0.7
"""Two edges of one shift differ by less than a factor of two: half as much is back by doubling."""
WEEK = 7
"""Readings on each side of an edge that tell whether it stays, where a day has fewer."""


def level_shifts(readings: Readings, limits: Limits) -> list[Finding]:
    """Jumps against the neighbours within a step that are still there a day later; ended by a jump back."""
    if not readings.level:
        return []
    step_T, strong_T = edges(readings, limits)
    rows = peaks(strong_T, max(readings.slots // 2, EDGE))
    ends = pairs(rows, step_T, PAIRED // readings.step)
    alone = [row for row in rows if row not in ends and row not in ends.values()]
    return [_finding(readings, first, last - 1, step_T[first]) for first, last in ends.items()] + [
        _finding(readings, row, row, step_T[row]) for row in alone if strong_T[row] > limits.shift_alone
    ]


def edges(readings: Readings, limits: Limits) -> tuple[Doubles, Doubles]:
    """The relative change of each step beyond its neighbours' [T], and its size where it is an edge, else 0 [T]."""
    base_T = np.maximum(np.abs(readings.expected_T), FLOOR * readings.level)
    step_T = own_steps(readings) / base_T
    relative_T = readings.residual_T / base_T
    edge_T, lasting_T = jump(relative_T, EDGE), jump(relative_T, max(readings.slots, WEEK))
    limit = max(limits.shift_edge * robust(step_T), tail(step_T), limits.shift_least)
    with np.errstate(invalid="ignore"):
        size_T, sign_T = np.abs(step_T), np.sign(step_T)
        kept_T = sign_T * edge_T > limits.shift_kept * size_T
        kept_T &= sign_T * lasting_T > np.maximum(limits.shift_kept * size_T, 2 * robust(lasting_T))
        return step_T, np.where(kept_T & (size_T > limit), size_T, 0.0)


def own_steps(readings: Readings) -> Doubles:
    """Each reading's change from the one before [T], less the change of its neighbours in time at that place.

    Neighbours' changes, not neighbours' values: where a shift ends, the values of the weeks around it move as well.
    """
    change_T = np.diff(readings.y_T, prepend=np.nan)
    flat = readings.lie(change_T)
    return np.asarray(change_T - expected(flat, readings.slots)[readings.place_T])


def jump(values_T: Doubles, reach: int) -> Doubles:
    """Median of the `reach` values from each row on minus that of the `reach` values before it."""
    series, least = pd.Series(values_T), -(-2 * reach // 3)
    before = series.rolling(reach, min_periods=least).median().shift(1)
    after = series[::-1].rolling(reach, min_periods=least).median()[::-1]
    return np.asarray(after - before, dtype=np.float64)


def peaks(strong_T: Doubles, apart: int) -> list[int]:
    """Rows of the largest values, none closer than `apart` to a larger one."""
    kept: list[int] = []
    for row in np.argsort(-strong_T, kind="stable"):
        if strong_T[row] <= 0:
            break
        if all(abs(int(row) - other) > apart for other in kept):
            kept.append(int(row))
    return sorted(kept)


def pairs(rows: list[int], step_T: Doubles, most: int) -> dict[int, int]:
    """The edge back of each edge that has one: the most alike, of the other sign, at most so many rows later."""
    couples = [
        (abs(np.log(abs(step_T[back] / step_T[row]))), row, back)
        for row in rows
        for back in rows
        if row < back <= row + most and step_T[back] * step_T[row] < 0
    ]
    found: dict[int, int] = {}
    for unlike, row, back in sorted(couples):
        taken = {*found, *found.values()}
        if unlike < UNLIKE and row not in taken and back not in taken:
            found[row] = back
    return found


def _finding(readings: Readings, first: int, last: int, by: float) -> Finding:
    way = f"{abs(by):.0%} {'higher' if by > 0 else 'lower'}"
    size = f"{way} from one step to the next, and back" if last > first else f"{way} from here on"
    return Finding(
        readings.unique_id, readings.stamp(first), readings.stamp(last), "level shift", "warning", size,
        USUAL["level shift"],
    )  # fmt: skip
