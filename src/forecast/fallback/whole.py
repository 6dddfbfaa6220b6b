"""The health of tables in which nothing is missing, as most are, for a fraction of the time.

S series, L periods before the forecast, K columns known ahead. Whatever is not plainly in order is left to
`health`, which says the same of what is (a test holds the two together).
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from forecast.fallback.absurd import largest_of
from forecast.fallback.known import Doubles
from forecast.fallback.plausible import bounds
from forecast.fallback.stuck import still
from forecast.tables import Demand

Bounds = tuple[Doubles, Doubles, Doubles]
"""The largest size that is believed; the least and the most that can be believed next, [S] each."""


def whole(
    demand: Demand, cutoff: pd.Timestamp, *, context: int, horizon: int, least: int
) -> Bounds | None:  # fmt: skip
    """What can be believed of series of which everything is known, moves, and can be true; None where one is not so.

    Args:
        demand, cutoff, context, horizon: as of `Health.of`.
        least: so many equal values at the end are to be looked at.
    """
    y_SL = _windows(demand, cutoff, context, horizon)
    if y_SL is None or not 1 < least <= context:
        return None
    ordered_SL = np.sort(y_SL, axis=1)  # NaN comes last
    low_S, high_S = ordered_SL[:, 0], ordered_SL[:, -1]
    largest_S = largest_of(ordered_SL if low_S.min() >= 0 else np.sort(np.abs(y_SL), axis=1))
    # A comparison with NaN is False: what is missing is not in order either.
    if not ((high_S <= largest_S) & (-low_S <= largest_S)).all():
        return None
    if still(y_SL, least).any():
        return None
    return largest_S, *bounds(low_S, high_S, ordered_SL[:, context // 2], few_S=False)


def _windows(demand: Demand, cutoff: pd.Timestamp, context: int, horizon: int) -> Doubles | None:
    """The context's y [S, L] where it is known by the delay rule up to the cutoff, and the columns ahead are given."""
    if demand.versions or not demand.shows_all_at(cutoff) or not demand.series:
        return None
    step, moment, width = demand.step.value, cutoff.value, len(demand.columns.observed)
    delay, ahead = demand.delay.value, bool(demand.columns.known)
    windows = []
    for one in demand.series:
        start = one.start.value
        origin = -((start - moment) // step)
        late = (moment - start - delay) // step < origin
        if late or one.available_at_T is not None or not context <= origin <= len(one.values_TC):
            return None
        if ahead:
            given_HK = one.values_TC[origin : origin + horizon, width:]
            if len(given_HK) < horizon or not np.isfinite(given_HK).all():
                return None
        windows.append(one.values_TC[origin - context : origin, 0])
    return np.array(windows, dtype=np.float64)
