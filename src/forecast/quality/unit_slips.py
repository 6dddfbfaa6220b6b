"""Unit slips: readings a thousand times too large or too small, MW read for kW or kW for MW."""

from __future__ import annotations

import numpy as np

from forecast.quality.finding import USUAL, Finding
from forecast.quality.limits import Limits
from forecast.quality.readings import SIGMA, Doubles, Readings, median, runs

SLIP = 3.0
"""Powers of ten between two units."""
NEAR = 0.6
"""How far from it, in powers of ten, a slipped reading may lie: demand is not the same every day."""
CLEAR = 5.0
"""Deviations of the series' own ratios that must lie between it and a slip."""
CROSSING = 1e-3
"""Share of negative readings from which on a series passes through zero: a thousandth is then nothing special."""
FLOOR = 0.1
"""A usual reading counts for at least this share of the level: times of nearly nothing have no ratio."""


def unit_slips(readings: Readings, limits: Limits) -> list[Finding]:
    """Stretches whose readings are 1000 times, or a thousandth of, the usual ones of their time of day."""
    power_T = powers(readings)
    usual = SIGMA * float(np.nanmedian(np.abs(power_T))) if np.isfinite(power_T).any() else np.inf
    near = min(NEAR, SLIP - CLEAR * usual)
    crosses = float(np.mean(readings.y_T[np.isfinite(readings.y_T)] < 0)) > CROSSING
    found = []
    for sign in (1,) if crosses else (1, -1):
        with np.errstate(invalid="ignore"):
            slipped_T = np.abs(power_T - sign * SLIP) < near
        found += [_finding(readings, *run, 10.0 ** (sign * SLIP)) for run in runs(slipped_T, join=2)]
    return found


def powers(readings: Readings) -> Doubles:
    """Powers of ten [T] between each reading and the median of all days at its time of day; NaN for none and zero."""
    flat = np.abs(readings.lie(readings.y_T)).reshape(-1, readings.slots)
    usual_T = np.maximum(median(flat), FLOOR * readings.level)[readings.place_T % readings.slots]
    with np.errstate(divide="ignore", invalid="ignore"):
        power_T = np.log10(np.abs(readings.y_T) / usual_T)
    return np.where(np.isfinite(power_T), power_T, np.nan)


def _finding(readings: Readings, first: int, last: int, factor: float) -> Finding:
    count = last - first + 1
    word = "1000 times the usual ones" if factor > 1 else "a thousandth of the usual ones"
    size = f"{count:,} readings are {word}" if count > 1 else f"a reading is {word.replace(' ones', '')}"
    return Finding(
        readings.unique_id, readings.stamp(first), readings.stamp(last), "unit slip", "error", size,
        USUAL["unit slip"], factor,
    )  # fmt: skip
