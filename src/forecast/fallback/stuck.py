"""A meter that stands still at the end of what is known, found and taken away."""

from __future__ import annotations

import numpy as np
import pandas as pd

from forecast.fallback.known import Bools, Doubles, Ints, Known
from forecast.quality import Limits
from forecast.quality.mask import with_y
from forecast.quality.readings import Readings, runs
from forecast.quality.stuck import LEAST_ROWS, longest_by_chance
from forecast.tables import Demand

HABIT = 2
"""So many earlier standstills of that length, at that value and over by themselves, are a habit and no defect."""


def least_equal(limits: Limits, step: int) -> int:
    """So many equal values at the end are worth a look, of periods of `step` nanoseconds."""
    return max(LEAST_ROWS, round(limits.stuck_hours * 3_600_000_000_000 / step) + 1)


def stuck_rows(demand: Demand, cutoff: pd.Timestamp, known: Known, limits: Limits) -> Ints:
    """Per series [S] how many of the last known values are those of a stuck meter, 0 where none is.

    First the last few values are looked at, which costs nothing; only where they are equal the rule of
    `quality.stuck` is asked how long a run this series shows by chance.
    """
    least = least_equal(limits, known.step)
    lengths_S = np.zeros(len(known.names), dtype=np.int64)
    for row in np.flatnonzero(still(known.y_SL, least)):
        lengths_S[row] = _stuck(demand, cutoff, known.names[row], limits)
    return lengths_S


def without_stuck(demand: Demand, cutoff: pd.Timestamp, lengths: dict[str, int]) -> Demand:
    """The table without the last known values of some series; these periods become missing.

    Args:
        demand: the history.
        cutoff: values that become known later are left as they are: nobody sees them.
        lengths: how many values of which series, as `Health.stuck_S` counts them.
    """
    wrong_R = np.zeros(len(demand.arena_RC), dtype=bool)
    narrowed = demand.as_of(cutoff)
    for one in demand.series:
        length = lengths.get(one.unique_id, 0)
        if length:
            y_T = before(narrowed, one.unique_id, cutoff)
            rows = np.flatnonzero(np.isfinite(y_T))[-length:]
            wrong_R[one.first_row + rows] = True
    return with_y(demand, np.where(wrong_R, np.float32(np.nan), demand.arena_RC[:, 0]), wrong_R)


def still(y_SL: Doubles, least: int) -> Bools:
    """Series whose last `least` known values are all equal."""
    known_SL = np.isfinite(y_SL)
    if least <= y_SL.shape[1] and known_SL[:, -least:].all():
        last_SN = y_SL[:, -least:]
        return np.asarray((last_SN == last_SN[:, -1:]).all(1))
    still_S = np.zeros(len(y_SL), dtype=bool)
    for row, known_L in enumerate(known_SL):
        last_N = y_SL[row][np.flatnonzero(known_L)[-least:]]
        still_S[row] = len(last_N) >= least and bool((last_N == last_N[-1]).all())
    return still_S


def _stuck(demand: Demand, cutoff: pd.Timestamp, name: str, limits: Limits) -> int:
    narrowed = demand.as_of(cutoff)
    one = narrowed.by_id[name]
    y_T = before(narrowed, name, cutoff).astype(np.float64)
    values_N = y_T[np.isfinite(y_T)]
    # Gaps do not interrupt a standstill: a meter that reports nothing for an hour and then the same again still stands.
    length = int(np.argmin(values_N[::-1] == values_N[-1])) or len(values_N)
    if length == len(values_N) or length < longest_by_chance(Readings.of(narrowed, one), limits):
        # A series that has shown one value only may be like that by nature, and no rung knows more of it.
        return 0
    same = [last - first + 1 for first, last in runs(values_N == values_N[-1])]
    return 0 if sum(run >= length for run in same[:-1]) >= HABIT else length


def before(narrowed: Demand, name: str, cutoff: pd.Timestamp) -> np.ndarray:
    """The y of a series in periods that start before the cutoff, NaN where unknown; the others are NaN, too."""
    one = narrowed.by_id[name]
    y_T = narrowed.observed(one)
    origin = -((one.start.value - cutoff.value) // narrowed.step.value)
    return np.where(np.arange(len(y_T)) < origin, y_T, np.float32(np.nan))
