"""`Known`: the demand of some series that is known at a cutoff, side by side.

S series, L periods before the first that is forecast, H periods from there on.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from forecast.tables import Demand, Series
from forecast.tables.demand import DAY

Doubles = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Known:
    """The last periods of each series, aligned to the first one that is forecast.

    Attributes:
        names, zones: of the series; the zone may be a day clock.
        step: length of a period [nanoseconds].
        first_S: START of the first period at or after the cutoff (UTC nanoseconds, on the table's clock).
        y_SL: mean power; the last column is the period before `first_S`; NaN where missing or not known.
        due_S: how many columns, from the left, hold values that should be known by the delay rule.
    """

    names: tuple[str, ...]
    zones: tuple[str, ...]
    step: int
    first_S: Ints
    y_SL: Doubles
    due_S: Ints

    @classmethod
    def of(cls, demand: Demand, cutoff: pd.Timestamp, length: int) -> Known:
        """What a table knows of its series at a cutoff.

        Args:
            demand: the history.
            cutoff: aware.
            length: L, periods before the first forecast.
        """
        if demand.versions:
            demand = demand.as_of(cutoff)
        moment = cutoff.value if demand.known_until is None else min(cutoff.value, demand.known_until.value)
        step, starts_S = demand.step.value, demand.starts_S
        origin_S = -((starts_S - cutoff.value) // step)
        due_S = (moment - starts_S - demand.delay.value) // step
        y_SL = np.full((len(demand.series), length), np.nan)
        for row, (one, origin, due) in enumerate(zip(demand.series, origin_S.tolist(), due_S.tolist(), strict=True)):
            first, last = max(0, origin - length), min(origin, len(one))
            if first < last:
                y_SL[row, length - origin + first : length - origin + last] = _known(one, demand, first, last, due,
                                                                                     moment)  # fmt: skip
        return cls(
            tuple(one.unique_id for one in demand.series), tuple(one.zone for one in demand.series), step,
            starts_S + origin_S * step, y_SL, np.clip(length - origin_S + due_S, 0, length),
        )  # fmt: skip

    @property
    def day(self) -> int:
        """Periods of a day, at least one."""
        return max(1, round(DAY / self.step))

    def only(self, chosen_S: Bools) -> Known:
        """Some of the series."""
        places = np.flatnonzero(chosen_S)
        return replace(
            self,
            names=tuple(self.names[place] for place in places), zones=tuple(self.zones[place] for place in places),
            first_S=self.first_S[places], y_SL=self.y_SL[places], due_S=self.due_S[places],
        )  # fmt: skip

    def stamps(self, row: int, first: int, last: int) -> Ints:
        """START of the periods `first` to `last` (exclusive) of a series, counted from its first forecast period."""
        return np.asarray(self.first_S[row] + np.arange(first, last) * self.step)

    def clocks(self) -> list[tuple[int, Ints]]:
        """Series that share a zone and a phase: one row of each such group, and all of its rows."""
        groups: dict[tuple[str, int], list[int]] = {}
        for row, (zone, first) in enumerate(zip(self.zones, self.first_S.tolist(), strict=True)):
            groups.setdefault((zone, first), []).append(row)
        return [(rows[0], np.array(rows)) for rows in groups.values()]


def _known(one: Series, demand: Demand, first: int, last: int, due: int, moment: int) -> npt.NDArray[np.float32]:
    """Rows [first, last) of a series' y, NaN where not known at the moment."""
    y = one.values_TC[first:last, 0]
    if "y" in demand.versions:
        return y
    if one.available_at_T is not None:
        return np.where(one.available_at_T[first:last] <= moment, y, np.float32(np.nan))
    if due < last:
        y = y.copy()
        y[max(0, due - first) :] = np.nan
    return y
