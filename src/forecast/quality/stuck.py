"""A meter that stands still, at zero or at any other value."""

from __future__ import annotations

import math

import numpy as np

from forecast.quality.finding import USUAL, Finding
from forecast.quality.limits import Limits
from forecast.quality.readings import Doubles, Readings, runs

LEAST_ROWS = 4
ENOUGH = 50
"""Fewer changes tell no rate: a meter that has stood still since it was built is stuck, too."""
RARE = 1e-4
"""The rate of chance repeats is never taken for lower: a short history has not seen them all."""


def stuck(readings: Readings, limits: Limits) -> list[Finding]:
    """Runs of equal readings that are longer than the series' own rate of repeats explains."""
    least = longest_by_chance(readings, limits)
    same_T = np.diff(readings.y_T) == 0
    return [_finding(readings, first, last + 1) for first, last in runs(same_T) if last - first + 2 >= least]


def longest_by_chance(readings: Readings, limits: Limits) -> int:
    """The shortest run of equal readings that tells a stuck meter, in periods.

    A reading repeats the one before it with chance p, counted run by run so that one long standstill counts once; a
    year of N periods then holds N p^(L-1) runs of L or more. Rounded readings repeat themselves often, and above all
    where the demand is flat: the second repeat is likelier than the first, and the likelier of the two is p.
    """
    chance = repeat_chance(readings.y_T)
    by_chance = math.ceil(1 + math.log(limits.stuck_chance / (365 * readings.slots)) / math.log(chance))
    return max(LEAST_ROWS, readings.rows(f"{limits.stuck_hours}h") + 1, by_chance)


def repeat_chance(y_T: Doubles) -> float:
    """How often a reading repeats the one before it, or a repeat is repeated again, whichever is more."""
    lengths = np.array([last - first + 2 for first, last in runs(np.diff(y_T) == 0)])
    single = int(np.isfinite(y_T).sum()) - int((lengths - 1).sum())
    once, again = len(lengths), int((lengths > 2).sum())
    first = once / max(single, ENOUGH)
    second = again / once if once >= 20 else 0.0
    return float(min(max(first, second, RARE), 0.99))


def _finding(readings: Readings, first: int, last: int) -> Finding:
    value, count = readings.y_T[first], last - first + 1
    hours = count * readings.step.total_seconds() / 3600
    size = f"{count:,} equal readings ({hours:g} h) of {'zero' if value == 0 else f'{value:,.6g}'}"
    return Finding(
        readings.unique_id, readings.stamp(first), readings.stamp(last), "stuck meter", "error", size,
        USUAL["stuck meter"],
    )  # fmt: skip
