"""One as-of read per block: what the store knew of its series, as a model reads it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from sqlalchemy import Connection

from forecast.calendars import is_day_clock
from forecast.fallback import HISTORY_DAYS
from forecast.forecaster import ForecasterSpec
from forecast.issuing.due import Block
from forecast.store import catalogue
from forecast.store.catalogue import TARGET, Entry
from forecast.store.knowledge import cells_of_rows, demand_of_entries
from forecast.store.reading import Wish, read_rows
from forecast.tables import Columns, Demand, output_factor, power_unit
from forecast.tables.cells import Cells, chosen

SECOND = 1_000_000_000


@dataclass(frozen=True)
class Span:
    """What is read.

    Attributes:
        cutoff: nothing that became known later counts, on the clock of the series.
        moment: nor what was not known at this moment.
        first, last: periods that start between them (seconds), on the clock of the series.
        steps: from the cutoff to the end of the day.
    """

    cutoff: pd.Timestamp
    moment: pd.Timestamp
    first: int
    last: int
    steps: int

    @classmethod
    def of(cls, block: Block, spec: ForecasterSpec | None, now: pd.Timestamp) -> Span:
        """What can touch the forecast of a block, by a model or by the rungs below."""
        cutoff, end, now = block.inside(block.cutoff), block.inside(block.end), block.inside(now)
        steps = max(1, int((end - cutoff) / block.step))
        per_day = max(1, int(pd.Timedelta(days=1) / block.step))
        # A day more, for civil days of 25 hours.
        back = max(HISTORY_DAYS * per_day, spec.reach(steps) if spec is not None else 0) + per_day
        first = cutoff - back * block.step
        return cls(cutoff, min(cutoff, now), int(first.value // SECOND), int(end.value // SECOND) - 1, steps)

    def since(self, days: int, step: pd.Timedelta) -> Span:
        """The same from so many days before the cutoff, in steps that begin where they began."""
        per_day = max(1, int(pd.Timedelta(days=1) / step))
        return replace(self, first=int((self.cutoff - (days + 1) * per_day * step).value // SECOND))


def reads(spec: ForecasterSpec, block: Block) -> bool:
    """Whether a model reads series of this step, power and clock."""
    same = spec.step == block.step and power_unit(spec.unit) == power_unit(block.unit)
    return same and is_day_clock(spec.zone) == is_day_clock(block.zone)


def table_of(
    connection: Connection, place: str, entries: Mapping[str, Entry], columns: Columns, unit: str, span: Span
) -> Demand:  # fmt: skip
    """What was known of some series at the moment.

    Args:
        connection: of a reader.
        place: the store's address, for reports.
        entries: the series, in the order of their names; of one step.
        columns: what the model reads; a covariate that the store does not know has no values.
        unit: of the answers.
        span: the moments.

    Raises:
        DataError: stamps are off a series' clock.
        StoreError: the store does not answer.
    """
    stored = catalogue.variables(connection)
    places = {one.number: place for place, one in enumerate(entries.values())}
    until = int(span.moment.value // SECOND)
    wishes = [
        Wish(list(places), stored[name][0] if name in stored else -1, until, span.first, span.last)
        for name in columns.dynamic
    ]
    step = pd.Timedelta(seconds=next(iter(entries.values())).step_seconds)
    factors = {TARGET: output_factor(unit, step)}
    cells = {
        name: cells_of_rows(rows, places, factors.get(name, 1.0))
        for name, rows in zip(columns.dynamic, read_rows(connection, wishes), strict=True)
    }
    cells[TARGET] = _with_blanks(cells, list(entries.values()), span)
    demand = demand_of_entries(entries, cells, columns=columns, unit=unit, source=place, forecast_only=True)
    return demand.as_of(span.moment)


def _with_blanks(cells: Mapping[str, Cells], entries: Sequence[Entry], span: Span) -> Cells:
    """A missing value of y for every series of which nothing at all is known, so that it has a place in the table."""
    y, empty_S = cells[TARGET], np.ones(len(entries), dtype=bool)
    for one in cells.values():
        empty_S[np.unique(one.series_N)] = False
    places = np.flatnonzero(empty_S)
    if not len(places):
        return y
    step = entries[0].step_seconds
    rule = step + max(one.delay_seconds for one in entries)
    anchor_B = np.array([entries[place].anchor or 0 for place in places.tolist()], dtype=np.int64)
    ds_B = (anchor_B + (span.moment.value // SECOND - rule - anchor_B) // step * step) * SECOND
    blank = Cells(places, ds_B, ds_B + rule * SECOND, np.full(len(places), np.nan))
    fields = ("series_N", "ds_N", "available_N", "value_N")
    whole = Cells(*(np.concatenate([getattr(one, name) for one in (y, blank)]) for name in fields))
    return chosen(whole, np.argsort(whole.series_N, kind="stable"))


def heard(spec: ForecasterSpec, block: Block, entries: Mapping[str, Entry]) -> list[str]:
    """The series that a model's networks listen to beside those of a block, as far as the store has their like."""
    if not spec.listens:
        return []
    asked, alike = set(block.names), (block.step_seconds, block.unit)
    there = [name for name in spec.series if name in entries and name not in asked]
    return [name for name in there if (entries[name].step_seconds, str(entries[name].info.unit)) == alike]
