"""`Block`: some series whose forecast of a day is due at the same moment, few enough to be in memory together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import pandas as pd
from sqlalchemy import func, select

from forecast import clock
from forecast.calendars import civil_date, delivery_day, gate_cutoff, moment_inside, moment_outside, parse_gate
from forecast.errors import DataError, RequestError
from forecast.store import Store
from forecast.store.catalogue import Entry
from forecast.store.purposes import BACKFILL, ISSUE, ledger_id
from forecast.store.schema import SERIES

EARLIEST = pd.Timedelta(hours=12)
"""So long before its gate at the most a forecast is issued: what is issued is not said again with newer data."""


@dataclass(frozen=True)
class Question:
    """What is to be said.

    Attributes:
        day: the delivery day, in each series' own zone.
        gate: when it is due, such as D-1T10:00.
        purpose: `issue`, or `backfill` for a day that has begun.
        by: which version is asked, where that belongs to the question; empty: whoever reigns.

    Raises:
        DataError, DeclarationError: the day is none, or the gate cannot be read.
    """

    day: str
    gate: str
    purpose: str = ISSUE
    by: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "day", civil_date(self.day).isoformat())
        object.__setattr__(self, "gate", str(parse_gate(self.gate)))

    def id(self, series: str, purpose: str | None = None) -> str:
        """Under which the ledger holds the answer."""
        return ledger_id(purpose or self.purpose, self.day, self.gate, series, self.by)


@dataclass(frozen=True)
class Block:
    """Series of one zone, step, unit and delay.

    Attributes:
        question: what is to be said of each.
        names: the series.
        zone: their zone, which may be a day clock; moments below are as it was lived.
        step_seconds, unit: of the series.
        cutoff: the gate's moment (UTC).
        start, end: first instants of the day and of the next (UTC).
    """

    question: Question
    names: tuple[str, ...]
    zone: str
    step_seconds: int
    unit: str
    cutoff: pd.Timestamp
    start: pd.Timestamp
    end: pd.Timestamp

    @property
    def step(self) -> pd.Timedelta:
        """Length of a period."""
        return pd.Timedelta(seconds=self.step_seconds)

    def inside(self, moment: pd.Timestamp) -> pd.Timestamp:
        """A moment on the clock of the series."""
        return moment_inside(moment, self.zone)


@dataclass(frozen=True)
class Plan:
    """What is due of a question now.

    Attributes:
        blocks: to be answered.
        early: zones whose gate is not near yet, and when it is (UTC).
        skipped: zones of which nothing can be said for this day, and why.
    """

    blocks: tuple[Block, ...]
    early: Mapping[str, pd.Timestamp]
    skipped: Mapping[str, str]

    @property
    def series(self) -> int:
        """In all blocks."""
        return sum(len(one.names) for one in self.blocks)


def day_due(gate: str, zone: str, now: pd.Timestamp) -> date:
    """The delivery day whose gate falls on the civil day that it is now in a zone.

    >>> day_due("D-1T10:00", "Europe/Lisbon", pd.Timestamp("2024-04-30T09:50Z"))
    datetime.date(2024, 5, 1)
    """
    today = civil_date(now.tz_convert(clock.zone(clock.lived_zone(zone))))
    return today + timedelta(days=parse_gate(gate).days_before)


def zone_of_most(store: Store) -> str | None:
    """The zone in which most series with values live; None where there is none."""
    told = select(SERIES.c.zone, func.count()).where(SERIES.c.anchor.is_not(None)).group_by(SERIES.c.zone)
    with store.snapshot() as connection:
        counts = {zone or "UTC": count for zone, count in connection.execute(told)}
    return min(counts, key=lambda zone: (-counts[zone], zone), default=None)


def blocks_of(question: Question, entries: Mapping[str, Entry], batch: int, now: pd.Timestamp) -> Plan:
    """Which series are due, in blocks.

    Args:
        question: what is to be said.
        entries: the series.
        batch: series in a block at the most.
        now: what the time is.

    Raises:
        RequestError: the day of an issue is over, or that of a backfill has not begun.
    """
    blocks: list[Block] = []
    early: dict[str, pd.Timestamp] = {}
    skipped: dict[str, str] = {}
    for (zone, step_seconds, unit), names in _alike(entries):
        lived = clock.lived_zone(zone)
        try:
            start, end = delivery_day(question.day, lived)
            cutoff = moment_outside(gate_cutoff(question.day, question.gate, zone), zone)
        except DataError as error:
            skipped[lived] = str(error)
            continue
        _check_time(question, lived, start, end, now)
        if question.purpose == ISSUE and cutoff - now > EARLIEST:
            early[lived] = cutoff
            continue
        parts = [tuple(names[begin : begin + batch]) for begin in range(0, len(names), batch)]
        blocks += [Block(question, part, zone, step_seconds, unit, cutoff, start, end) for part in parts]
    return Plan(tuple(blocks), early, skipped)


def _alike(entries: Mapping[str, Entry]) -> Iterator[tuple[tuple[str, int, str], Sequence[str]]]:
    """Names of the series that fit one table: of one zone, step, unit and delay."""
    groups: dict[tuple[str, int, str, int], list[str]] = {}
    for name, one in entries.items():
        key = one.info.zone or "UTC", one.step_seconds, str(one.info.unit), one.delay_seconds
        groups.setdefault(key, []).append(name)
    for (zone, step_seconds, unit, _), names in groups.items():
        yield (zone, step_seconds, unit), names


def _check_time(question: Question, zone: str, start: pd.Timestamp, end: pd.Timestamp, now: pd.Timestamp) -> None:
    if question.purpose == ISSUE and end <= now:
        raise RequestError(
            f"the day {question.day} in {zone} was over at {end:%Y-%m-%dT%H:%MZ}", "a day that is still to come",
            "say what would have been forecast with flows.backfill",
        )  # fmt: skip
    if question.purpose == BACKFILL and start > now:
        raise RequestError(
            f"the day {question.day} in {zone} begins at {start:%Y-%m-%dT%H:%MZ}", "a day that has begun",
            "forecast it with flows.issue",
        )  # fmt: skip
