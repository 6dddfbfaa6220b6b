"""What a forecast of the ledger was made for, told by its id: what is issued has one id per day, gate and series."""

from __future__ import annotations

import hashlib
from datetime import date

ISSUE = "issue"
"""The official forecast of a delivery day: one for every series."""
SHADOW = "shadow"
"""What the challenger would have issued."""
BACKFILL = "backfill"
"""What a version says of a day that is over, from what was known then; nobody was given it."""
PURPOSES = (ISSUE, SHADOW, BACKFILL)


def ledger_id(purpose: str, day: date | str, gate: str, series: str, by: str = "") -> str:
    """The id of what is said of one series: the same question again has the same id.

    Args:
        purpose: one of `PURPOSES`.
        day: the delivery day.
        gate: when it is due, such as D-1T10:00.
        series: whose name does not stand in the id.
        by: who says it, where several may be asked the same.

    >>> ledger_id("issue", "2024-05-01", "D-1T10:00", "north")
    'issue-20240501-35d3c80473a9a1d3a5e98ccaab77579c'
    """
    words = "\n".join([purpose, str(day), gate, series, by])
    return f"{purpose}-{str(day).replace('-', '')}-{hashlib.sha256(words.encode()).hexdigest()[:32]}"


def purpose_of(id: str) -> str | None:
    """The purpose that an id tells; None of an answer to somebody's question.

    >>> purpose_of("backfill-20240501-80f46e0d"), purpose_of("0012ab")
    ('backfill', None)
    """
    purpose = id.partition("-")[0]
    return purpose if purpose in PURPOSES else None
