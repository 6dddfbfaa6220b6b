"""Spikes: a few readings that neither their neighbours in time nor the hours around them explain."""

from __future__ import annotations

import numpy as np
import pandas as pd

from forecast.quality.finding import USUAL, Finding
from forecast.quality.limits import Limits
from forecast.quality.readings import Bools, Doubles, Readings, around, median, restful, robust, runs, tail

LONGEST = 3
"""Periods that a spike lasts at most; what lasts longer is a level."""
REST = 0.5
"""Of a spike at least so much is left when it is compared with days of rest: else the day is a public holiday."""


def spikes(readings: Readings, limits: Limits) -> list[Finding]:
    """Up to three readings in a row that leave the residuals of the hours around, and the usual width of residuals."""
    local_T = local_residual(readings.residual_T)
    local, usual = local_deviation(readings, local_T), readings.deviation_T
    # With few readings a day, a single odd day looks like a spike.
    wide = 2 if readings.slots < 2 * LONGEST + 2 else 1
    with np.errstate(invalid="ignore"):
        size_T = np.abs(local_T) / np.maximum(limits.spike_local * local, wide * limits.spike_size * usual)
        off_T = (size_T > max(1.0, tail(size_T))) & ~rests(readings, local_T)
    return [_finding(readings, local_T, *run) for run in runs(off_T, join=1) if run[1] - run[0] < 2 * LONGEST]


def local_residual(residual_T: Doubles) -> Doubles:
    """Residuals [T] beyond the median of those before, or of those after, whichever is nearer.

    An edge of a level shift is near to one of the two; a spike is far from both.
    """
    before, after = beside(residual_T)
    nearer = np.where(np.abs(before) < np.abs(after), before, after)
    return np.asarray(np.where(np.isnan(before), after, np.where(np.isnan(after), before, nearer)))


def beside(residual_T: Doubles) -> tuple[Doubles, Doubles]:
    """Residuals [T] less the median of the six before, and less that of the six after."""
    residuals, reach = pd.Series(residual_T), 2 * LONGEST
    before = residuals - residuals.rolling(reach, min_periods=LONGEST).median().shift(1)
    after = residuals - residuals[::-1].rolling(reach, min_periods=LONGEST).median().shift(1)[::-1]
    return before.to_numpy(dtype=np.float64), after.to_numpy(dtype=np.float64)


def rests(readings: Readings, local_T: Doubles) -> Bools:
    """Where readings [T] go the way of a day of rest, which explains them: before them, and after."""
    said_T = restful(readings.lie(readings.y_T), readings.slots)[readings.place_T]
    before, after = beside(readings.y_T - said_T)
    return np.asarray(np.fmax(np.abs(before), np.abs(after)) < REST * np.abs(local_T))


def local_deviation(readings: Readings, local_T: Doubles) -> Doubles:
    """Robust deviation [T] of the local residuals, slot by slot with the hour around, at least half of all slots'."""
    by_slot_N = 1.4826 * median(np.abs(readings.lie(local_T)).reshape(-1, readings.slots))
    floor = max(0.5 * robust(local_T), 1e-4 * readings.level)
    return np.asarray(np.maximum(around(by_slot_N, readings.rows("1h")), floor)[readings.place_T % readings.slots])


def _finding(readings: Readings, local_T: Doubles, first: int, last: int) -> Finding:
    part = local_T[first : last + 1]
    peak = first + int(np.nanargmax(np.abs(part)))
    times = local_T[peak] / readings.deviation_T[peak]
    size = f"{abs(times):.1f} deviations {'above' if times > 0 else 'below'} what the hours around say"
    return Finding(
        readings.unique_id, readings.stamp(first), readings.stamp(last), "spike", "warning", size, USUAL["spike"]
    )
