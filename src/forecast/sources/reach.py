"""How far a source has been read, series by series: windows to ask for, and the mark after each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from forecast import clock
from forecast.errors import DataError

HOUR = pd.Timedelta("1h")
SILENCE = pd.Timedelta("30D")
"""A window that is older than this is read once, even where nothing was in it; a younger one is asked for again."""


def read_until(mark: Mapping[str, Any] | None, part: str, name: str) -> pd.Timestamp | None:
    """Up to where a series has been read, None where it never was.

    Raises:
        DataError: the mark was written by something else.
    """
    text = (mark or {}).get(part, {}).get(name)
    if text is None:
        return None
    try:
        return pd.Timestamp(text).tz_convert("UTC")
    except (TypeError, ValueError):
        raise DataError(
            f"the mark of '{name}' holds {text!r}", "a stamp with its offset", "remove the mark and read again"
        ) from None


def with_reach(mark: Mapping[str, Any] | None, part: str, reached: Mapping[str, object]) -> dict[str, Any]:
    """The mark with other entries in one of its parts; everything else stays."""
    if not reached:
        return dict(mark or {})
    told = {name: value.isoformat() if isinstance(value, pd.Timestamp) else value for name, value in reached.items()}
    return {**(mark or {}), part: {**(mark or {}).get(part, {}), **told}}


def reached(before: pd.Timestamp | None, seen: pd.Timestamp | None, end: pd.Timestamp) -> pd.Timestamp | None:
    """How far a series has been read after a window: to the last value seen, or past a silence that is long over.

    Args:
        before: how far it had been read.
        seen: the end of the last measured period of the window, None where it has none.
        end: the end of the window.
    """
    silent = min(end, clock.now().floor("h") - SILENCE)
    return max((stamp for stamp in (before, seen, silent) if stamp is not None), default=None)


def windows(
    since: pd.Timestamp, until: pd.Timestamp, length: pd.Timedelta
) -> Iterator[tuple[pd.Timestamp, pd.Timestamp]]:
    """Spans of at most `length`, one after the other, from `since` to `until`.

    >>> [end.day for _, end in windows(pd.Timestamp("2024-01-01"), pd.Timestamp("2024-01-06"), pd.Timedelta("2D"))]
    [3, 5, 6]
    """
    while since < until:
        end = min(since + length, until)
        yield since, end
        since = end


def going_on(until: pd.Timestamp | None, start: pd.Timestamp, look_back: pd.Timedelta) -> pd.Timestamp:
    """Where to go on: at the beginning, or a look-back before what was read, so that revised values are seen."""
    return start if until is None else max(start, until - look_back)
