"""Days that are over: which ones, and which series had no forecast then."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pandas as pd

from forecast import clock
from forecast.calendars import civil_date, lived_days
from forecast.errors import RequestError
from forecast.issuing.due import Question, zone_of_most
from forecast.store import Store, catalogue
from forecast.store.packed import known_ids


def past_days(store: Store, first: str | None, last: str | None, days: int, now: pd.Timestamp) -> list[str]:
    """Delivery days that were lived in the zone of most series, oldest first.

    Args:
        store: whose series.
        first, last: both included; yesterday where `last` is None.
        days: so many up to the last, where `first` is None.
        now: what the time is.

    Raises:
        RequestError: the last lies before the first.
        DataError: a text is no date, or none of the days was lived.
    """
    zone = clock.lived_zone(zone_of_most(store) or "UTC")
    yesterday = civil_date(now.tz_convert(clock.zone(zone))) - timedelta(days=1)
    end = civil_date(last) if last is not None else yesterday
    begin = civil_date(first) if first is not None else end - timedelta(days=days - 1)
    if end < begin:
        raise RequestError(f"days from {begin} to {end}", "a last day that is not before the first")
    return [day.isoformat() for day in lived_days(begin, end, zone)]


def unissued(store: Store, question: Question, series: Sequence[str] | None = None) -> list[str]:
    """The series with values that have no issued forecast of a day.

    Args:
        store: what is known, and the ledger.
        question: day and gate.
        series: only of these.
    """
    with store.snapshot() as connection:
        entries = catalogue.entries(connection, series)
        ids = {question.id(name): name for name, one in entries.items() if one.anchor is not None}
        there = known_ids(connection, ids)
    return [name for id, name in ids.items() if id not in there]
