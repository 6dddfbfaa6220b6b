"""`Alarm`: one breach, found by monitoring; a retraining answers it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

import pandas as pd
from sqlalchemy import Connection, insert, select, update

from forecast import clock
from forecast.errors import StoreError
from forecast.store import catalogue
from forecast.store.schema import ALARM, SERIES

EVERYBODY = "all"
"""In an id, in place of a series' number."""


@dataclass(frozen=True)
class Alarm:
    """A breach.

    Attributes:
        unique_id: the series; None: all of them together.
        kind: what broke, such as level.
        day: the civil day on which it began, such as 2024-05-01.
        detail: the figures that say so.
        id: under which it is found again; the store gives it.
        at: when it was raised (UTC).
        answered_by: what answered it, such as the id of a retraining; None: nothing yet.
    """

    unique_id: str | None
    kind: str
    day: str
    detail: Mapping[str, Any] = field(default_factory=dict)
    id: str = ""
    at: pd.Timestamp | None = None
    answered_by: str | None = None


def raise_alarms(connection: Connection, alarms: Sequence[Alarm]) -> list[Alarm]:
    """Writes alarms within the writer's transaction; returns those that were new, as they stand there.

    There is one of every series, kind and first day: raised again it is no news.

    Raises:
        StoreError: a series is not registered, or a day is none.
    """
    entries = catalogue.entries(connection, {one.unique_id for one in alarms if one.unique_id is not None})
    told = {_number(one, entries): one for one in alarms}
    now = pd.Timestamp(int(clock.now().timestamp()), unit="s", tz="UTC")
    known = set(connection.execute(select(ALARM.c.id).where(ALARM.c.day.in_({one.day for one in alarms}))).scalars())
    fresh = {id: one for id, one in told.items() if id not in known}
    if fresh:
        connection.execute(insert(ALARM), [_row(id, one, entries, int(now.timestamp())) for id, one in fresh.items()])
    return [replace(one, id=id, at=now, answered_by=None) for id, one in fresh.items()]


def alarms(
    connection: Connection, *, unanswered: bool = False, series: str | None = None, kind: str | None = None,
    first: str | None = None, last: str | None = None,
) -> list[Alarm]:  # fmt: skip
    """Alarms by first day and id: those of a series, of a kind, of the days from `first` to `last`."""
    wanted = select(ALARM, SERIES.c.unique_id).outerjoin(SERIES, SERIES.c.id == ALARM.c.series_id)
    if unanswered:
        wanted = wanted.where(ALARM.c.answered_by.is_(None))
    if series is not None:
        wanted = wanted.where(SERIES.c.unique_id == series)
    if kind is not None:
        wanted = wanted.where(ALARM.c.kind == kind)
    if first is not None:
        wanted = wanted.where(ALARM.c.day >= first)
    if last is not None:
        wanted = wanted.where(ALARM.c.day <= last)
    found = [_alarm(row) for row in connection.execute(wanted)]
    return sorted(found, key=lambda one: (one.day, one.id))


def answer_alarms(connection: Connection, ids: Iterable[str], by: str) -> int:
    """Notes within the writer's transaction what answers some alarms; the first answer stays. Returns how many."""
    if not by:
        raise StoreError("an answer to alarms without a name", "what answers, such as the id of a retraining")
    wanted = [ALARM.c.id == id for id in ids]
    return sum(
        connection.execute(update(ALARM).where(one, ALARM.c.answered_by.is_(None)).values(answered_by=by)).rowcount
        for one in wanted
    )


def _number(one: Alarm, entries: Mapping[str, catalogue.Entry]) -> str:
    """The id of an alarm; no name of a series stands in it."""
    try:
        date.fromisoformat(one.day)
    except ValueError:
        raise StoreError(f"the day '{one.day}' of an alarm is no date", "a day such as 2024-05-01") from None
    if one.unique_id is None:
        return f"{EVERYBODY}-{one.kind}-{one.day}"
    if one.unique_id not in entries:
        raise StoreError(f"an alarm of '{one.unique_id}'", "a series that the store holds")
    return f"{entries[one.unique_id].number}-{one.kind}-{one.day}"


def _row(id: str, one: Alarm, entries: Mapping[str, catalogue.Entry], at: int) -> dict[str, Any]:
    number = None if one.unique_id is None else entries[one.unique_id].number
    text = json.dumps(one.detail, ensure_ascii=False, allow_nan=False)
    return {"id": id, "series_id": number, "kind": one.kind, "day": one.day, "at": at, "detail": text}


def _alarm(row: Any) -> Alarm:
    at = pd.Timestamp(row.at, unit="s", tz="UTC")
    return Alarm(row.unique_id, row.kind, row.day, json.loads(row.detail), row.id, at, row.answered_by)
