"""Faults put into a table by a seeded generator, so that the rules can be measured on any data.

    kind            size                                            how long
    spike           3 to 10 robust deviations                       1 to 3 periods
    stuck meter     6 to 72 hours                                   its size
    stuck at zero   6 to 72 hours                                   its size
    level shift     15 to 50 percent                                2 to 30 days
    unit slip       1 to 168 hours, times or over 1000              its size
    clock slip      1 to 14 days, an hour late or early             its size

A robust deviation is that of the series' residuals from its neighbours (the same local time of the same weekday, one to
four weeks away) at the place of the spike. Where a fault can go up or down, a coin decides; a spike that would end
below zero goes up.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
import pandas as pd

from forecast.errors import DataError
from forecast.quality.finding import Rule
from forecast.quality.readings import Doubles, Readings
from forecast.tables import Demand

Kind = Literal["spike", "stuck meter", "stuck at zero", "level shift", "unit slip", "clock slip"]
KINDS: tuple[Kind, ...] = get_args(Kind)
SIZES: dict[Kind, tuple[float, float]] = {
    "spike": (3.0, 10.0),
    "stuck meter": (6.0, 72.0),
    "stuck at zero": (6.0, 72.0),
    "level shift": (15.0, 50.0),
    "unit slip": (1.0, 168.0),
    "clock slip": (1.0, 14.0),
}
RULE: dict[Kind, Rule] = {
    "spike": "spike",
    "stuck meter": "stuck meter",
    "stuck at zero": "stuck meter",
    "level shift": "level shift",
    "unit slip": "unit slip",
    "clock slip": "clock slip",
}
"""The rule that has to name a fault of each kind."""
SPIKE_PERIODS, SHIFT_DAYS = (1, 3), (2.0, 30.0)
TRIES = 100


@dataclass(frozen=True)
class Fault:
    """One fault in one series.

    Attributes:
        series: its name.
        kind: what kind it is.
        size: as the table at the head of this file says.
        upward: up, times 1000, or late; else down, over 1000, or early.
        first, last: start of the first and of the last period that it changes (UTC).
    """

    series: str
    kind: Kind
    size: float
    upward: bool
    first: pd.Timestamp
    last: pd.Timestamp

    @property
    def large(self) -> bool:
        """Whether it is of the upper half of sizes."""
        return self.size >= sum(SIZES[self.kind]) / 2


def faults(demand: Demand, kind: Kind, count: int, seed: int = 0) -> Iterator[Fault]:
    """Faults of one kind, each for a table of its own: any series, any place where all of it is measured.

    Raises:
        DataError: no series has a measured stretch that is long enough.
    """
    rng = np.random.default_rng([seed, KINDS.index(kind)])
    for _ in range(count):
        yield draw(demand, kind, rng)


def draw(demand: Demand, kind: Kind, rng: np.random.Generator) -> Fault:
    """One fault at a random place of a random series.

    Raises:
        DataError: in a hundred tries, no drawn place was fully measured.
    """
    low, high = SIZES[kind]
    for _ in range(TRIES):
        one = demand.series[rng.integers(len(demand.series))]
        size, upward = float(rng.uniform(low, high)), bool(rng.integers(2))
        length = _length(kind, size, demand.step, rng)
        if length >= len(one):
            continue
        row = int(rng.integers(1, len(one) - length + 1))
        if np.isfinite(demand.observed(one)[row - 1 : row + length]).all():
            stamps = one.start + row * demand.step, one.start + (row + length - 1) * demand.step
            return Fault(one.unique_id, kind, size, upward, *stamps)
    raise DataError(
        f"no stretch without gaps was found for a {kind}", f"one of up to {SIZES[kind][1]:g} {_words(kind)}",
        "choose a longer or cleaner table",
    )  # fmt: skip


def inject(demand: Demand, fault: Fault) -> Demand:
    """The same table with the fault in it; the table that was given stays as it is."""
    one = demand.by_id[fault.series]
    readings = Readings.of(demand, one)
    first, last = ((stamp - one.start) // demand.step for stamp in (fault.first, fault.last))
    y_T = readings.y_T.copy()
    y_T[first : last + 1] = _wrong(readings, fault, first, last)
    arena_RC = demand.arena_RC.copy()
    arena_RC[one.first_row : one.first_row + len(one), 0] = y_T
    arena_RC.flags.writeable = False
    return replace(demand, arena_RC=arena_RC, series=tuple(each.viewing(arena_RC) for each in demand.series))


def _wrong(readings: Readings, fault: Fault, first: int, last: int) -> Doubles:
    """What a faulty meter says from row first to last."""
    true: Doubles = readings.y_T[first : last + 1]
    sign = 1.0 if fault.upward else -1.0
    if fault.kind == "stuck meter":
        return np.full_like(true, readings.y_T[first - 1])
    if fault.kind == "stuck at zero":
        return np.zeros_like(true)
    if fault.kind == "unit slip":
        return np.asarray(true * 1000.0**sign)
    if fault.kind == "level shift":
        return np.asarray(true * (1 + sign * fault.size / 100))
    if fault.kind == "clock slip":
        rows = np.arange(first, last + 1) - int(sign) * readings.rows("1h")
        return np.asarray(readings.y_T[np.clip(rows, 0, len(readings) - 1)])
    height = fault.size * np.nanmedian(readings.deviation_T[first : last + 1])
    return np.asarray(true + (height if fault.upward or true.min() < height else -height))


def _length(kind: Kind, size: float, step: pd.Timedelta, rng: np.random.Generator) -> int:
    if kind == "spike":
        return int(rng.integers(SPIKE_PERIODS[0], SPIKE_PERIODS[1] + 1))
    if kind == "level shift":
        return max(1, int(pd.Timedelta(days=float(rng.uniform(*SHIFT_DAYS))) / step))
    unit = pd.Timedelta(days=1) if kind == "clock slip" else pd.Timedelta(hours=1)
    return max(1, int(size * unit / step))


def _words(kind: Kind) -> str:
    return {"spike": "deviations", "level shift": "percent, at most 30 days", "clock slip": "days"}.get(kind, "hours")
