"""`Limits`: from where on each rule speaks. No number is in the unit of a series."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """From where on each rule speaks; `docs/quality.md` gives the reason of each number.

    A "deviation" is a robust one: 1.4826 times the median absolute value, which for normal noise is its standard
    deviation. "Neighbours" are the same local time of the same weekday one to four weeks before and after.

    Attributes:
        stuck_hours: equal readings last at least so long.
        stuck_chance: how many runs of that length a year may hold by chance, at the series' own rate of repeats.
        spike_local: deviations beyond the residuals of the hours around.
        spike_size: deviations of the residuals from neighbours.
        shift_edge: deviations of the change within a step.
        shift_least: smallest relative level shift that is told.
        shift_alone: smallest relative shift that is told where no edge leads back.
        shift_kept: share of the edge by which the level still differs a day later.
        slip_days: days' worth of evidence for a clock that is an hour off.
        slip_half: least evidence of each half of the day, between -1 and 1: neither may clearly speak against it.
        turn: least evidence on each side of a lasting change of the clock, of at most 1.
        beyond: how many times the distance from the median to the 99th percentile a possible reading may lie away.
        negative: deviations below what neighbours say at which a negative reading is impossible.
        late: deviations of the delay.
        late_times: how many times the usual delay.
    """

    stuck_hours: float = 3.0
    stuck_chance: float = 0.02
    spike_local: float = 8.0
    spike_size: float = 2.5
    shift_edge: float = 8.0
    shift_least: float = 0.10
    shift_alone: float = 0.20
    shift_kept: float = 0.5
    slip_days: float = 0.8
    slip_half: float = -0.1
    turn: float = 0.15
    beyond: float = 5.0
    negative: float = 6.0
    late: float = 10.0
    late_times: float = 3.0
