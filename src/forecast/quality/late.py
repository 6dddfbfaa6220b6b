"""Late data: values that became known far later than the series' own usual."""

from __future__ import annotations

import numpy as np

from forecast.quality.finding import USUAL, Finding
from forecast.quality.limits import Limits
from forecast.quality.readings import SIGMA, Ints, Readings, runs

LEAST = 3600e9
"""Nanoseconds by which a value is later than usual at least: an hour."""


def late(readings: Readings, available_at_T: Ints | None, limits: Limits) -> list[Finding]:
    """Stretches whose delay is many deviations, and several times, the usual delay; none where no row states it."""
    known_T = np.isfinite(readings.y_T)
    if available_at_T is None or not known_T.any():
        return []
    step = readings.step.value
    ends_T = readings.start.value + (np.arange(len(readings)) + 1) * step
    delay_T = np.where(known_T, available_at_T - ends_T, 0).astype(np.float64)
    usual = float(np.median(delay_T[known_T]))
    width = SIGMA * float(np.median(np.abs(delay_T[known_T] - usual)))
    limit = max(usual + limits.late * width, limits.late_times * usual, usual + LEAST, usual + 2 * step)
    return [_finding(readings, delay_T, usual, *run) for run in runs(known_T & (delay_T > limit), join=1)]


def _finding(readings: Readings, delay_T: np.ndarray, usual: float, first: int, last: int) -> Finding:
    hours, common = float(delay_T[first : last + 1].max()) / 3.6e12, usual / 3.6e12
    size = f"known up to {hours:,.3g} h after its period, usually {common:,.3g} h"
    return Finding(
        readings.unique_id, readings.stamp(first), readings.stamp(last), "late data", "note", size, USUAL["late data"]
    )
