"""Readings that cannot be true, found and taken away. S series, L periods before the forecast, R rows of a table."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from forecast.fallback.known import Bools, Doubles
from forecast.fallback.plausible import LEAST_VALUES
from forecast.fallback.stuck import before
from forecast.quality.mask import with_y
from forecast.tables import Demand

TIMES = 100
"""So many times as large as what `SHARE` of the known values stay under, and nobody believes it.

A plant that doubles, a house that wakes up and a meter that begins are far below. Of the 49 areas of EIA-930 no reading
that its publisher calls sound reaches twice; what reaches a hundred times is a slipped unit or a broken register.
"""
SHARE = 0.9
"""What more than a tenth of the known values show is no slip; then it is believed, however large."""


def believed(y_SL: Doubles, day: int) -> Doubles:
    """The largest size [S] that a reading may have; infinite where too little is known, or nothing but zeros.

    Args:
        y_SL: the known values, NaN where unknown; those that cannot be true among them.
        day: periods of a day.

    >>> believed(np.array([[3.0, -5.0, 4.0, 5.0, 4.0, 3.0, 4.0, 5.0, 4.0, 5.0, 4.0, 9e11]]), 6)
    array([500.])
    """
    length = y_SL.shape[1]
    if not length:
        return np.full(len(y_SL), np.inf)
    size_SL = np.abs(y_SL)
    if np.isnan(size_SL).any():
        known_S = np.isfinite(size_SL).sum(1)
        place_S = np.maximum((SHARE * known_S).astype(np.int64) - 1, 0)
        usual_S = np.sort(size_SL, axis=1)[np.arange(len(y_SL)), place_S]  # NaN comes last
        few_S = known_S < min(length, max(day, LEAST_VALUES))
    else:
        return largest_of(np.sort(size_SL, axis=1))
    return np.where(few_S | ~(usual_S > 0), np.inf, TIMES * usual_S)


def largest_of(ordered_SL: Doubles) -> Doubles:
    """What `believed` says of sizes that are in order and all known."""
    length = ordered_SL.shape[1]
    usual_S = ordered_SL[:, max(int(SHARE * length) - 1, 0)]
    return np.where((usual_S > 0) & (length >= LEAST_VALUES), TIMES * usual_S, np.inf)


def absurd(y_SL: Doubles, day: int) -> Bools:
    """Which of the known values [S, L] are larger than `believed` says; see there."""
    with np.errstate(invalid="ignore"):
        return np.asarray(np.abs(y_SL) > believed(y_SL, day)[:, None])


def without_absurd(demand: Demand, cutoff: pd.Timestamp, most: Mapping[str, float]) -> Demand:
    """The table without the readings of some series that cannot be true; these periods become missing.

    Args:
        demand: the history.
        cutoff: what starts later is left as it is.
        most: by series, the largest size [mean power] that is believed.
    """
    wrong_R = np.zeros(len(demand.arena_RC), dtype=bool)
    narrowed = demand.as_of(cutoff)
    for name, largest in most.items():
        one = narrowed.by_id[name]
        with np.errstate(invalid="ignore"):
            wrong_R[one.first_row : one.first_row + len(one)] = np.abs(before(narrowed, name, cutoff)) > largest
    return with_y(demand, np.where(wrong_R, np.float32(np.nan), demand.arena_RC[:, 0]), wrong_R)
