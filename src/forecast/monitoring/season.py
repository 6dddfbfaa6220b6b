"""Which days are a day's season: those just before it, and those about its date in the year before.

Errors of a winter day are compared with those of winter days, so that summer turning to winter is no breach.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from forecast.monitoring.limits import Limits

YEAR_DAYS = 364
"""Whole weeks, so that weekdays meet weekdays."""
ROBUST = 1.4826
"""Times the median absolute deviation is the standard deviation of normal numbers."""


def season(place: int, count: int, limits: Limits, gap: int | None = None) -> npt.NDArray[np.bool_]:
    """Which of `count` days [D] are the season of the day at a place; the last `gap` days before it are not.

    >>> from forecast.monitoring.limits import LIMITS
    >>> int(season(100, 101, LIMITS).sum()), int(season(500, 501, LIMITS).sum())
    (56, 99)
    """
    ago_D = place - np.arange(count)
    least = limits.gap_days if gap is None else gap
    kept_D = (ago_D > least) & (ago_D <= least + limits.recent_days)
    return np.asarray(kept_D | (np.abs(ago_D - YEAR_DAYS) <= limits.season_days))


def spread(values_SN: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Robust standard deviation [S] about zero, NaN where nothing is known."""
    with np.errstate(invalid="ignore"):
        return np.asarray(ROBUST * np.nanmedian(np.abs(values_SN), axis=1))
