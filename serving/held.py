"""`Held`: the recent history of one series, every version of it, as it was read from the store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from sqlalchemy import Connection, func, select

from forecast.store import catalogue
from forecast.store.catalogue import TARGET, Entry
from forecast.store.reading import Rows, Wish, read_rows
from forecast.store.schema import OBSERVATION
from forecast.store.tokens import Tokens
from forecast.tables import output_factor
from serving.stamps import SECOND

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Values:
    """The versions of one column, N of them, by period, moment and revision.

    Attributes:
        ds_N, available_N: UTC nanoseconds.
        value_N: as stored; `y` as mean power.
    """

    ds_N: Ints
    available_N: Ints
    value_N: npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Held:
    """What the store holds of one series between two moments.

    Attributes:
        entry: what is known of it.
        token, state: of the store and of its knowledge, when it was last seen to be right; see `Tokens`.
        newest: start of the newest period of which the store holds a y, whenever it became known (seconds).
        first, last: only periods that start from `first` to `last` were read (seconds).
        columns: by name; a column that the store does not know has no values.
    """

    entry: Entry
    token: int
    state: tuple[int, int]
    newest: int | None
    first: int
    last: int
    columns: Mapping[str, Values]

    @property
    def size(self) -> int:
        """Bytes, roughly."""
        return 512 + sum(24 * len(one.ds_N) for one in self.columns.values())

    def covers(self, first: int, last: int, columns: Sequence[str]) -> bool:
        """Whether it holds what would be read of these periods."""
        return self.first <= first and last <= self.last and all(name in self.columns for name in columns)

    def end(self, until: int) -> int | None:
        """`last_known` of it at a moment (UTC nanoseconds), in nanoseconds; None where only the store can tell."""
        y = self.columns.get(TARGET)
        if y is None or self.newest is None or self.last < self.newest:
            return None
        known_N = y.available_N <= until
        if not known_N.any():
            return None
        ds = int(y.ds_N[known_N].max())
        rule = ds + (self.entry.step_seconds + self.entry.delay_seconds) * SECOND
        return max(rule, int(y.available_N[known_N & (y.ds_N == ds)].min()))


def last_known(connection: Connection, entries: Sequence[Entry], until: int) -> int | None:
    """When the newest value of any series became known, of those that were known at a moment (seconds)."""
    table = OBSERVATION.c
    number = catalogue.variables(connection).get(TARGET, (-1, ""))[0]
    ends = []
    for one in entries:
        mine = (table.series_id == one.number, table.variable_id == number, table.available_at <= until)
        ds = connection.execute(select(func.max(table.ds)).where(*mine)).scalar()
        if ds is not None:
            since = connection.execute(select(func.min(table.available_at)).where(*mine, table.ds == ds)).scalar_one()
            ends.append(max(ds + one.step_seconds + one.delay_seconds, since))
    return max(ends, default=None)


def read_held(
    connection: Connection, entries: Mapping[str, Entry], now: Tokens, first: int, last: int, columns: Sequence[str]
) -> dict[str, Held]:
    """Reads some series.

    Args:
        connection: of a reader.
        entries: the series by name.
        now: their tokens, read by the same connection.
        first, last: the periods wanted (seconds).
        columns: `y` and covariates.
    """
    stored = catalogue.variables(connection)
    numbers = [one.number for one in entries.values()]
    measured = stored.get(TARGET, (-1, ""))[0]
    wishes = [Wish(numbers, stored[name][0] if name in stored else -1, None, first, last) for name in columns]
    told = dict(zip(columns, read_rows(connection, wishes), strict=True))
    return {
        name: Held(
            entry, now.any, now.state(entry.number), _newest(connection, entry, measured), first, last,
            _columns(entry, told),
        )
        for name, entry in entries.items()
    }  # fmt: skip


def _newest(connection: Connection, entry: Entry, variable: int) -> int | None:
    table = OBSERVATION.c
    mine = (table.series_id == entry.number, table.variable_id == variable)
    return connection.execute(select(func.max(table.ds)).where(*mine)).scalar()


def _columns(entry: Entry, told: Mapping[str, Rows]) -> dict[str, Values]:
    factor = output_factor(str(entry.info.unit), pd.Timedelta(seconds=entry.step_seconds))
    return {name: _values(rows, entry, factor if name == TARGET else 1.0) for name, rows in told.items()}


def _values(rows: Rows, entry: Entry, factor: float) -> Values:
    """The rows of one series; rows lie side by side, series by series."""
    begin, end = np.searchsorted(rows.series_N, [entry.number, entry.number + 1])
    part = slice(int(begin), int(end))
    return Values(rows.ds_N[part] * SECOND, rows.available_N[part] * SECOND, rows.value_N[part] / factor)
