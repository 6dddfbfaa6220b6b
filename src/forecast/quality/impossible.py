"""Values that cannot be: beyond the capacity, below zero, far out of everything the series has shown."""

from __future__ import annotations

import numpy as np

from forecast.quality.finding import USUAL, Finding
from forecast.quality.limits import Limits
from forecast.quality.readings import Bools, Readings, runs


def impossible(readings: Readings, limits: Limits, capacity: float | None = None) -> list[Finding]:
    """Readings beyond the capacity, below zero where neighbours are not, or far out of the series' own range."""
    y_T = readings.y_T
    told: list[Finding] = []
    with np.errstate(invalid="ignore"):
        over_T = np.abs(y_T) > capacity if capacity is not None else np.zeros(len(y_T), bool)
        below_T = y_T < 0
        wrong_T = below_T & (y_T < readings.expected_T - limits.negative * readings.deviation_T)
    wrong_T &= readings.level > 0
    far_T = beyond(readings, limits) & ~over_T & ~wrong_T
    told += _findings(readings, over_T, f"beyond the capacity of {capacity:,.6g}" if capacity is not None else "")
    told += _findings(readings, wrong_T & ~over_T, "below zero, where neighbours are far above it")
    told += _findings(readings, far_T, "far out of everything the series has shown")
    return told + _in_line(readings, below_T & ~wrong_T & ~over_T & ~far_T)


def beyond(readings: Readings, limits: Limits) -> Bools:
    """Readings many times further from the median than the 1st or 99th percentile."""
    known = readings.y_T[np.isfinite(readings.y_T)]
    if len(known) < 100:
        return np.zeros(len(readings), bool)
    low, middle, high = np.percentile(known, [1, 50, 99])
    with np.errstate(invalid="ignore"):
        above = readings.y_T > middle + limits.beyond * max(high - middle, 0.1 * abs(middle))
        return np.asarray(above | (readings.y_T < middle - limits.beyond * max(middle - low, 0.1 * abs(middle))))


def _in_line(readings: Readings, below_T: Bools) -> list[Finding]:
    """One finding for all negative values that neighbours explain: a feeder with sun behind it does that."""
    rows = np.flatnonzero(below_T)
    if not len(rows):
        return []
    first, last = readings.stamp(int(rows[0])), readings.stamp(int(rows[-1]))
    size = f"{len(rows):,} values below zero, in line with their neighbours"
    return [Finding(readings.unique_id, first, last, "impossible value", "note", size, "kept")]


def _findings(readings: Readings, wrong_T: Bools, words: str) -> list[Finding]:
    found = []
    for first, last in runs(wrong_T, join=1):
        part = readings.y_T[first : last + 1]
        worst = part[np.nanargmax(np.abs(part - readings.level))]
        found.append(
            Finding(readings.unique_id, readings.stamp(first), readings.stamp(last), "impossible value", "error",
                    f"{worst:,.4g}, {words}", USUAL["impossible value"])
        )  # fmt: skip
    return found
