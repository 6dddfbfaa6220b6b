"""Which flow is done for which key: a second run for the same delivery day is told from the first."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
from sqlalchemy import Connection, insert, select

from forecast import clock
from forecast.errors import StoreError
from forecast.store.schema import RUN


@dataclass(frozen=True)
class Done:
    """A run that came to its end.

    Attributes:
        flow: its name, such as issue.
        key: what it was done for, such as the delivery day 2024-05-01.
        at: when it ended (UTC).
        detail: what it did.
    """

    flow: str
    key: str
    at: pd.Timestamp
    detail: Mapping[str, Any]


def done(connection: Connection, flow: str, key: str) -> Done | None:
    """The mark of a run, None where there is none."""
    row = connection.execute(select(RUN).where(RUN.c.flow == flow, RUN.c.key == key)).first()
    if row is None:
        return None
    return Done(row.flow, row.key, pd.Timestamp(row.at, unit="s", tz="UTC"), json.loads(row.detail))


def mark_done(connection: Connection, flow: str, key: str, detail: Mapping[str, Any]) -> Done:
    """Marks a run within the writer's transaction, unless it is marked; returns the mark that stands.

    Raises:
        StoreError: flow or key is empty, or the detail cannot be written as JSON.
    """
    if not flow or not key:
        raise StoreError(f"a run of '{flow}' with the key '{key}'", "both told")
    if (before := done(connection, flow, key)) is not None:
        return before
    try:
        text = json.dumps(detail, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise StoreError(f"what a run of {flow} did cannot be kept ({error})", "numbers, texts, lists") from error
    values = {"flow": flow, "key": key, "at": int(clock.now().timestamp()), "detail": text}
    connection.execute(insert(RUN).values(values))
    told = done(connection, flow, key)
    assert told is not None
    return told


def last_done(connection: Connection, flow: str) -> Done | None:
    """The newest mark of a flow, None where it has none."""
    newest = select(RUN.c.key).where(RUN.c.flow == flow).order_by(RUN.c.at.desc(), RUN.c.key.desc()).limit(1)
    key = connection.execute(newest).scalar()
    return None if key is None else done(connection, flow, key)


def done_keys(connection: Connection, flow: str, first: str | None, last: str | None) -> list[str]:
    """The keys that a flow is done for, ascending; those from `first` to `last` only, as texts are compared."""
    wanted = select(RUN.c.key).where(RUN.c.flow == flow)
    keys = connection.execute(wanted).scalars()
    return sorted(key for key in keys if (first is None or key >= first) and (last is None or key <= last))
