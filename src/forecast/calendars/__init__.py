"""Civil time: delivery days of 23 to 25 hours, gates, cutoffs, local clock parts, holidays and events."""

from forecast.calendars.cutoffs import cutoffs
from forecast.calendars.dayclock import (
    are_days,
    checked_days,
    day_zone,
    inside,
    is_day_clock,
    moment_inside,
    moment_outside,
    outside,
    told,
)
from forecast.calendars.daykinds import DayKinds, day_kinds
from forecast.calendars.days import YEAR_DAYS, Zone, civil_date, days_before, delivery_day, lived_days
from forecast.calendars.eventcolumns import EVENT_DAYS, with_events
from forecast.calendars.eventfile import read_events
from forecast.calendars.events import PREFIX, Event, Events, event_columns
from forecast.calendars.gates import Gate, gate_cutoff, longest_reach, parse_gate
from forecast.calendars.holiday import Holiday, holiday_flags, holiday_kinds, named_holidays
from forecast.calendars.parts import LocalParts, local_parts
from forecast.calendars.region import Region
from forecast.calendars.within import day_ordinals, periods

__all__ = [
    "EVENT_DAYS",
    "PREFIX",
    "YEAR_DAYS",
    "DayKinds",
    "Event",
    "Events",
    "Gate",
    "Holiday",
    "LocalParts",
    "Region",
    "Zone",
    "are_days",
    "checked_days",
    "civil_date",
    "cutoffs",
    "day_kinds",
    "day_ordinals",
    "day_zone",
    "days_before",
    "delivery_day",
    "event_columns",
    "gate_cutoff",
    "holiday_flags",
    "holiday_kinds",
    "inside",
    "is_day_clock",
    "lived_days",
    "local_parts",
    "longest_reach",
    "moment_inside",
    "moment_outside",
    "named_holidays",
    "outside",
    "parse_gate",
    "periods",
    "read_events",
    "told",
    "with_events",
]
