"""Gaps, and hours that a clock change took away or laid on top of each other."""

from __future__ import annotations

import numpy as np

from forecast.quality.finding import Done, Finding, Rule, Severity
from forecast.quality.limits import Limits
from forecast.quality.readings import Bools, Readings, runs

SUMMED = (1.6, 2.6)
"""A reading that is so many times what neighbours say holds two hours."""


def gaps(readings: Readings) -> list[Finding]:
    """Every stretch without a reading between the first and the last one; those of a clock change are left to it."""
    told = _inner_runs(readings)
    changes = clock_rows(readings)
    return [
        _finding(readings, first, last, "gap", f"{last - first + 1:,} periods are missing")
        for first, last in told
        if not _at_change(readings, first, last, changes)
    ]


def clock_changes(readings: Readings, limits: Limits) -> list[Finding]:
    """Hours that are missing, or hold the sum of two, where the local clock changes."""
    if readings.step.total_seconds() > 3600:
        return []
    changes, found = clock_rows(readings), []
    for first, last in _inner_runs(readings):
        change = _at_change(readings, first, last, changes)
        if change:
            word = "the hour that the clock repeats is there only once" if change[1] < 0 else (
                "an hour is missing where the clock is put forward"
            )  # fmt: skip
            found.append(_finding(readings, first, last, "clock change", word))
    return found + [one for row, by in changes if by < 0 for one in _summed(readings, row, limits)]


def _summed(readings: Readings, row: int, limits: Limits) -> list[Finding]:
    """Readings of the repeated hour that are about twice what neighbours say."""
    hour = readings.rows("1h")
    rows = np.arange(max(0, row - hour), min(len(readings), row + hour))
    said, y = readings.expected_T[rows], readings.y_T[rows]
    with np.errstate(divide="ignore", invalid="ignore"):
        times = y / said
        wide = (y - said) / readings.deviation_T[rows] > limits.negative
    twice = wide & (times > SUMMED[0]) & (times < SUMMED[1])
    return [
        _finding(readings, int(rows[first]), int(rows[last]), "clock change",
                 f"{times[first]:.1f} times what neighbours say: two hours in one", "masked")
        for first, last in runs(twice)
        if last - first + 1 <= hour
    ]  # fmt: skip


def clock_rows(readings: Readings) -> list[tuple[int, int]]:
    """Rows at which the local clock has changed, and by how many seconds (negative: an hour is repeated)."""
    change = np.diff(readings.offset_T)
    return [(int(row) + 1, int(change[row])) for row in np.flatnonzero(change)]


def _inner_runs(readings: Readings) -> list[tuple[int, int]]:
    missing: Bools = np.isnan(readings.y_T)
    known = np.flatnonzero(~missing)
    if not len(known):
        return []
    inside = np.zeros_like(missing)
    inside[known[0] : known[-1]] = True
    return runs(missing & inside)


def _at_change(readings: Readings, first: int, last: int, changes: list[tuple[int, int]]) -> tuple[int, int] | None:
    """The clock change within an hour of a gap of an hour."""
    hour = readings.rows("1h")
    if last - first + 1 != hour or readings.step.total_seconds() > 3600:
        return None
    return next((one for one in changes if abs(one[0] - first) <= hour), None)


def _finding(readings: Readings, first: int, last: int, rule: Rule, size: str, done: Done = "kept") -> Finding:
    severity: Severity = "note" if rule == "gap" and last - first < readings.rows("6h") else "warning"
    return Finding(readings.unique_id, readings.stamp(first), readings.stamp(last), rule, severity, size, done)
