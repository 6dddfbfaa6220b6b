"""The one place that reads the time, and the one that knows zones."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import timedelta, timezone, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

import pandas as pd

from forecast.errors import DeclarationError

_simulated: ContextVar[pd.Timestamp | None] = ContextVar("simulated_now", default=None)
_OFFSET = re.compile(r"^(?:UTC)?([+-])(\d{1,2}):?(\d{2})?$")


def now() -> pd.Timestamp:
    """The present moment (UTC), or the simulated one inside `using`."""
    simulated = _simulated.get()
    return simulated if simulated is not None else pd.Timestamp.now("UTC")


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


@lru_cache(maxsize=256)
def zone(name: str) -> tzinfo:
    """The clock of a zone: an IANA name, "UTC", or a fixed offset such as "+10:00".

    Raises:
        DeclarationError: the name is none of these; close names are suggested.

    >>> zone("+10:00").utcoffset(None)
    datetime.timedelta(seconds=36000)
    """
    match = _OFFSET.match(name)
    if match:
        sign, hours, minutes = match.groups()
        size = timedelta(hours=int(hours), minutes=int(minutes or 0))
        if size <= timedelta(hours=15):
            return timezone(size if sign == "+" else -size)
    elif name in available_timezones():
        return ZoneInfo(name)
    tail = name.rsplit("/", 1)[-1].lower()
    close = sorted(z for z in available_timezones() if tail and tail in z.lower())[:3]
    hint = f"; did you mean {' or '.join(close)}" if close else ""
    raise DeclarationError(
        f"zone '{name}' is not known{hint}", "an IANA name such as Europe/Lisbon, UTC, or an offset such as +10:00"
    )
