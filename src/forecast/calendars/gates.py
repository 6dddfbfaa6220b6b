"""When a day-ahead forecast is due."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, time

import numpy as np
import pandas as pd

from forecast import clock
from forecast.calendars.dayclock import is_day_clock, moment_inside
from forecast.calendars.days import MIDNIGHT, Zone, civil_date, clock_of, delivery_day, lived_before, moment
from forecast.calendars.offsets import changes, first_instant
from forecast.errors import DeclarationError

_GATE = re.compile(r"^D(?:-(\d{1,2}))?T(\d{2}):(\d{2})$")


@dataclass(frozen=True)
class Gate:
    """When the forecast of delivery day D is due: a local time, some civil days before D.

    Raises:
        DeclarationError: the gate lies within D, so that part of D would be over when its forecast is due.
    """

    days_before: int
    time: time

    def __post_init__(self) -> None:
        if self.days_before < 0 or (self.days_before == 0 and self.time > MIDNIGHT):
            raise DeclarationError(
                f"the gate {self} lies within or after the delivery day", "a gate before it, such as D-1T10:00"
            )

    def __str__(self) -> str:
        return f"D-{self.days_before}T{self.time:%H:%M}"


def parse_gate(text: str) -> Gate:
    """Reads a gate written as `D-1T10:00`; `D-0T00:00` is the start of the day itself.

    Raises:
        DeclarationError: the text is written otherwise, or names a time within the delivery day.

    >>> parse_gate("D-1T10:00")
    Gate(days_before=1, time=datetime.time(10, 0))
    """
    match = _GATE.match(text)
    if not match or int(match[2]) > 23 or int(match[3]) > 59:
        raise DeclarationError(
            f"the gate '{text}' cannot be read", "days before the delivery day and a local time, such as D-1T10:00"
        )
    return Gate(int(match[1] or 0), time(int(match[2]), int(match[3])))


def gate_cutoff(day: date | str, gate: Gate | str, zone: Zone) -> pd.Timestamp:
    """The moment (UTC) at which the forecast of a delivery day is due.

    Days before it are days that were lived there. A local time that the spring change skips moves forward to the
    change; of an autumn hour that occurs twice the first counts.

    Raises:
        DataError: the delivery day does not exist in the zone.
        DeclarationError: the gate cannot be read.

    >>> gate_cutoff("2014-07-02", "D-1T10:00", "Australia/Melbourne")
    Timestamp('2014-07-01 00:00:00+0000', tz='UTC')
    """
    due = parse_gate(gate) if isinstance(gate, str) else gate
    day = civil_date(day)
    delivery_day(day, zone)
    lived = clock.lived_zone(zone) if isinstance(zone, str) else zone
    at = moment(first_instant(lived_before(day, due.days_before, lived), due.time, clock_of(lived)))
    return moment_inside(at, zone) if isinstance(zone, str) else at


def longest_reach(gate: Gate | str, step: pd.Timedelta, zone: Zone | None = None) -> int:
    """Steps from a gate to the end of its delivery day when the autumn change falls between the two.

    Args:
        gate: when the forecast is due.
        step: length of a period.
        zone: its largest change counts where that exceeds an hour (two at Troll station); on a day clock civil days do.

    >>> longest_reach("D-1T10:00", pd.Timedelta("1h"))
    39
    """
    due = parse_gate(gate) if isinstance(gate, str) else gate
    at = pd.Timedelta(hours=due.time.hour, minutes=due.time.minute)
    if is_day_clock(zone):
        return due.days_before + (due.time == MIDNIGHT)
    back = max(pd.Timedelta(hours=1), largest_setback(zone) if zone is not None else pd.Timedelta(0))
    return int(np.ceil((pd.Timedelta(days=due.days_before + 1) + back - at) / step))


def largest_setback(zone: Zone) -> pd.Timedelta:
    """The most by which a zone's clock is ever set back, from 2000 to 2037."""
    _, before, after = changes(clock_of(zone), 2000, 2037)
    return pd.Timedelta(seconds=int((before - after).max(initial=0)))
