"""Civil time: delivery days of 23 to 25 hours, gates, cutoffs, local clock parts and public holidays."""

from forecast.calendars.cutoffs import cutoffs
from forecast.calendars.days import YEAR_DAYS, Zone, days_before, delivery_day, periods
from forecast.calendars.gates import Gate, gate_cutoff, longest_reach, parse_gate
from forecast.calendars.holiday import holiday_flags
from forecast.calendars.parts import LocalParts, local_parts

__all__ = [
    "YEAR_DAYS",
    "Gate",
    "LocalParts",
    "Zone",
    "cutoffs",
    "days_before",
    "delivery_day",
    "gate_cutoff",
    "holiday_flags",
    "local_parts",
    "longest_reach",
    "parse_gate",
    "periods",
]
