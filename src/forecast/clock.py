"""The one place that reads the time, and the one that knows zones and lengths of time."""

from __future__ import annotations

import re
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, timedelta, timezone, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

import pandas as pd

from forecast.errors import DeclarationError

_simulated: ContextVar[pd.Timestamp | None] = ContextVar("simulated_now", default=None)
DAYS_OF = "days:"
"""Before a zone's name: the clock of a daily table, on which every civil day of that zone counts 24 hours."""
_CIVIL = re.compile(r"\s*[+-]?P[^T]*[MY]", re.IGNORECASE)
"""Months and years of ISO 8601; pandas takes `P1M` for a minute."""
_OFFSET = re.compile(r"^(?:UTC)?([+-])(\d{1,2}):?(\d{2})?$")


def now() -> pd.Timestamp:
    """The present moment (UTC), or the simulated one inside `using`."""
    simulated = _simulated.get()
    return simulated if simulated is not None else pd.Timestamp(time.time_ns(), tz=UTC)


def simulated() -> pd.Timestamp | None:
    """The simulated moment (UTC), for a process of its own that is to believe the same; None: it is the present."""
    return _simulated.get()


@contextmanager
def using(moment: pd.Timestamp | str) -> Iterator[pd.Timestamp]:
    """Lets everything inside the block believe that it is `moment` (aware)."""
    stamp = pd.Timestamp(moment)
    if stamp.tzinfo is None:
        raise DeclarationError(f"the simulated moment {stamp} has no zone", "an aware stamp such as 2014-07-01T00:00Z")
    token = _simulated.set(stamp.tz_convert("UTC"))
    try:
        yield stamp.tz_convert("UTC")
    finally:
        _simulated.reset(token)


@contextmanager
def present() -> Iterator[None]:
    """Lets everything inside the block see the present moment, whatever is simulated around it."""
    token = _simulated.set(None)
    try:
        yield
    finally:
        _simulated.reset(token)


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    """The names of all zones; to list them, folders are read."""
    return frozenset(available_timezones())


@lru_cache(maxsize=1024)
def zone(name: str) -> tzinfo:
    """The clock of a zone: an IANA name, "UTC", or a fixed offset such as "+10:00"; of "days:Europe/Lisbon" it is UTC.

    Raises:
        DeclarationError: the name is none of these; close names are suggested.

    >>> zone("+10:00").utcoffset(None)
    datetime.timedelta(seconds=36000)
    """
    if name.startswith(DAYS_OF):
        zone(name.removeprefix(DAYS_OF))
        return zone("UTC")
    match = _OFFSET.match(name)
    if match:
        sign, hours, minutes = match.groups()
        size = timedelta(hours=int(hours), minutes=int(minutes or 0))
        if size <= timedelta(hours=15):
            return timezone(size if sign == "+" else -size)
    elif name in _zones():
        return ZoneInfo(name)
    tail = name.rsplit("/", 1)[-1].lower()
    close = sorted(z for z in _zones() if tail and tail in z.lower())[:3]
    hint = f"; did you mean {' or '.join(close)}" if close else ""
    raise DeclarationError(
        f"zone '{name}' is not known{hint}", "an IANA name such as Europe/Lisbon, UTC, or an offset such as +10:00"
    )


def lived_zone(name: str) -> str:
    """The zone that people live by: the one whose civil days a daily table counts, else the zone itself.

    >>> lived_zone("days:Europe/Lisbon"), lived_zone("Europe/Lisbon")
    ('Europe/Lisbon', 'Europe/Lisbon')
    """
    return name.removeprefix(DAYS_OF)


def duration(text: str, what: str) -> pd.Timedelta:
    """A length of time such as "30min", "6h", "7 days" or "h" (one hour); it may be zero or negative.

    A bare number is refused: it would be read as nanoseconds.

    Args:
        text: the length.
        what: what messages call it, such as "--freq".

    Raises:
        DeclarationError: the text is no length; `what` is named.

    >>> duration("30min", "--freq")
    Timedelta('0 days 00:30:00')
    """
    expected = "a length such as 30min, 1h or 1D"
    if not any(one.isalpha() or one == ":" for one in text):
        raise DeclarationError(f"{what} is '{text}', a length without a unit", expected, "add the unit")
    if _CIVIL.match(text):
        raise DeclarationError(f"{what} is '{text}', in months or years, which differ in length", expected)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # "1H" and "30T" are what older pandas taught
            length = pd.Timedelta(text if any(map(str.isdigit, text)) else f"1{text}")
    except ValueError:
        length = pd.NaT
    if length is pd.NaT:
        raise DeclarationError(f"{what} is '{text}'", expected)
    return length
