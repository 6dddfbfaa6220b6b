"""What was measured on one civil day and a week before, of many series at once.

S series, P periods of the day.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from sqlalchemy import Connection

from forecast.calendars import days_before
from forecast.monitoring.realised import WEEKS
from forecast.monitoring.said import Asked
from forecast.store import catalogue
from forecast.store.catalogue import TARGET
from forecast.store.reading import Rows, Wish, read_rows

Doubles = npt.NDArray[np.float64]
SECOND = 1_000_000_000


def measured_of_day(
    connection: Connection, numbers: Sequence[int], asked: Asked, cutoffs: Mapping[int, int]
) -> tuple[Doubles, Doubles]:
    """Demand [S, P] as it is known now, and the naive [S, P]: the same local hour a week before, else two.

    Args:
        connection: of a reader.
        numbers: of the series.
        asked: the day.
        cutoffs: by number; the naive knows what was known then. A series without one has none.
    """
    stamps = pd.DatetimeIndex(asked.ds_P * SECOND, tz="UTC")
    before = [days_before(stamps, days, asked.zone).as_unit("ns").asi8 // SECOND for days in reversed(WEEKS)]
    first = int(min(np.min(before), asked.ds_P[0]))
    variable = catalogue.variables(connection).get(TARGET)
    if variable is None:
        return np.full((len(numbers), len(stamps)), np.nan), np.full((len(numbers), len(stamps)), np.nan)
    # Three short stretches, few enough to be read as they come.
    spans = [(int(ds_P.min()), int(ds_P.max())) for ds_P in (*before, asked.ds_P)]
    wishes = [Wish(list(numbers), variable[0], first=begin, last=end) for begin, end in spans]
    table = _Table(read_rows(connection, wishes), numbers, first, asked)
    then = np.array([cutoffs.get(number, first - 1) for number in numbers], dtype=np.int64)
    known_ST = table.known(then)
    naive_SP = np.full((len(numbers), len(stamps)), np.nan)
    for ds_P in before:
        week_SP = table.at(known_ST, ds_P)
        naive_SP = np.where(np.isfinite(week_SP), week_SP, naive_SP)
    return table.at(table.known(None), asked.ds_P), naive_SP


class _Table:
    """Values of some series on their common clock, by what was known when."""

    def __init__(self, parts: Sequence[Rows], numbers: Sequence[int], first: int, asked: Asked) -> None:
        places = {number: place for place, number in enumerate(numbers)}
        series_N, self._ds_N, self._available_N, self._value_N = (
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("series_N", "ds_N", "available_N", "value_N")
        )
        distinct_U, at_N = np.unique(series_N, return_inverse=True)
        self._series_N = np.array([places[int(one)] for one in distinct_U], dtype=np.int64)[at_N]
        self._step, self._phase = asked.step, int(asked.ds_P[0]) % asked.step
        self._first = first - (first - self._phase) % asked.step
        self._column_N = (self._ds_N - self._first) // asked.step
        self._shape = (len(numbers), int(asked.ds_P[-1] - self._first) // asked.step + 1)

    def known(self, until_S: npt.NDArray[np.int64] | None) -> Doubles:
        """Newest versions [S, T]; those that were known at a moment of each series."""
        kept_N = slice(None) if until_S is None else self._available_N <= until_S[self._series_N]
        known_ST = np.full(self._shape, np.nan)
        # Versions stand oldest first, and of several the last one is written.
        known_ST[self._series_N[kept_N], self._column_N[kept_N]] = self._value_N[kept_N]
        return known_ST

    def at(self, known_ST: Doubles, ds_P: npt.NDArray[np.int64]) -> Doubles:
        """The values [S, P] of some periods, NaN where none is on the clock."""
        column_P = (ds_P - self._first) // self._step
        on_P = ((ds_P - self._phase) % self._step == 0) & (column_P >= 0) & (column_P < self._shape[1])
        found_SP = np.full((len(known_ST), len(ds_P)), np.nan)
        found_SP[:, on_P] = known_ST[:, column_P[on_P]]
        return found_SP
