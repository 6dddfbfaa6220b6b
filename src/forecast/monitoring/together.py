"""The realised errors of many series as two numbers."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from forecast.metrics.point import ratio
from forecast.monitoring.realised import Realised
from forecast.tables.units import conversion_factor

HOUR = pd.Timedelta(hours=1)


def together(days: Sequence[Realised]) -> tuple[float, float, int]:
    """Sum of absolute errors over sum of demand, skill against the seasonal naive, and how many series were judged.

    Every series counts by its size. A number that nothing tells is NaN.

    >>> together([])
    (nan, nan, 0)
    """
    error = demand = own = naive = 0.0
    judged = 0
    for one in days:
        if (score := one.score) is None:
            continue
        size, judged = conversion_factor(one.unit, "MW", HOUR), judged + 1
        error += size * score.scored * score.mae
        demand += size * score.scored * score.demand
        if score.naive_scored:
            own += size * score.naive_scored * score.compared_mae
            naive += size * score.naive_scored * score.naive_mae
    return ratio(error, demand), 1 - ratio(own, naive), judged
