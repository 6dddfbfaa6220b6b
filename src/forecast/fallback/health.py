"""`Health`: how much of what a model reads is there, series by series."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pandas as pd

from forecast.fallback.absurd import believed, without_absurd
from forecast.fallback.known import Bools, Doubles, Ints, Known
from forecast.fallback.plausible import plausible
from forecast.fallback.stuck import least_equal, stuck_rows, without_stuck
from forecast.fallback.whole import whole
from forecast.quality import Limits
from forecast.tables import Demand


@dataclass(frozen=True, eq=False)
class Health:
    """What is wrong with the newest knowledge of some series; one number per series, in the table's order.

    Attributes:
        names: the series.
        late_S: periods at the end that are due by the delay rule and have no known value.
        context_S: share of the context's due values that are known; 0 where none is.
        day_S: the same of the last day that is due.
        stuck_S: known values at the end that show a stuck meter; 0 where it moves.
        ahead_S: share of the horizon's periods for which every known-ahead column is given.
        absurd_S: known values of the context that cannot be true, by their size.
        largest_S: the largest size [mean power] that is believed; see `absurd`.
        least_S, most_S: what can be believed of the series next; infinite where too little is known.
        in_order: whether nothing is missing, stuck or untrue, as was seen at a glance; False says nothing.
    """

    names: tuple[str, ...]
    late_S: Ints
    context_S: Doubles
    day_S: Doubles
    stuck_S: Ints
    ahead_S: Doubles
    absurd_S: Ints
    largest_S: Doubles
    least_S: Doubles
    most_S: Doubles
    in_order: bool = False

    @classmethod
    def of(
        cls, demand: Demand, cutoff: pd.Timestamp, *, context: int, horizon: int, limits: Limits | None = None
    ) -> Health:  # fmt: skip
        """Health at a cutoff; of one series in order in some ten microseconds, else in a hundred.

        Args:
            demand: the history, and future rows with what is known ahead.
            cutoff: aware.
            context: periods that the model sees.
            horizon: periods that it is asked for.
            limits: from where on a meter counts as stuck.
        """
        limits = limits or Limits()
        least = least_equal(limits, demand.step.value)
        plain = whole(demand, cutoff, context=context, horizon=horizon, least=least)
        if plain is not None:
            return cls._in_order(demand, *plain)
        known = Known.of(demand, cutoff, context)
        largest_S = believed(known.y_SL, known.day)
        with np.errstate(invalid="ignore"):
            absurd_S = (np.abs(known.y_SL) > largest_S[:, None]).sum(1)
        seen_SL = np.isfinite(known.y_SL)
        newest_S = np.where(seen_SL.any(1), context - seen_SL[:, ::-1].argmax(1), 0)
        return cls(
            known.names, np.maximum(known.due_S - newest_S, 0),
            _share(seen_SL, known.due_S, context), _share(seen_SL, known.due_S, known.day),
            stuck_rows(demand, cutoff, known, limits), _ahead(demand, known, horizon),
            absurd_S, largest_S, *plausible(known.y_SL, known.day),
        )  # fmt: skip

    @classmethod
    def _in_order(cls, demand: Demand, largest_S: Doubles, least_S: Doubles, most_S: Doubles) -> Health:
        """Of series of which nothing is missing, stuck or untrue."""
        names = tuple(one.unique_id for one in demand.series)
        none_S, all_S = np.zeros(len(names), dtype=np.int64), np.ones(len(names))
        return cls(names, none_S, all_S, all_S, none_S, all_S, none_S, largest_S, least_S, most_S, in_order=True)

    @property
    def well(self) -> bool:
        """Whether nothing at all is missing."""
        wrong = self.late_S.any() or self.stuck_S.any() or self.absurd_S.any()
        return not wrong and bool((self.ahead_S == 1).all())

    @property
    def stuck(self) -> dict[str, int]:
        """The stuck meters, and how many of their last values are."""
        return {self.names[row]: int(self.stuck_S[row]) for row in np.flatnonzero(self.stuck_S)}

    @property
    def absurd(self) -> dict[str, int]:
        """The series with readings that cannot be true, and how many."""
        return {self.names[row]: int(self.absurd_S[row]) for row in np.flatnonzero(self.absurd_S)}


def examined(
    demand: Demand, cutoff: pd.Timestamp, *, context: int, horizon: int, limits: Limits | None = None
) -> tuple[Demand, Health]:  # fmt: skip
    """The table without what stuck meters said and what cannot be true, and the health of the rest.

    The health names what was taken away (`stuck`, `absurd`); where that is nothing, the table is the one given.

    Args:
        demand, cutoff, context, horizon, limits: as of `Health.of`.
    """
    look = partial(Health.of, context=context, horizon=horizon, limits=limits)
    health = first = look(demand, cutoff)
    if first.in_order:
        return demand, first
    if first.absurd:
        largest = dict(zip(first.names, first.largest_S.tolist(), strict=True))
        demand = without_absurd(demand, cutoff, {name: largest[name] for name in first.absurd})
        health = look(demand, cutoff)
    stuck_S = health.stuck_S
    if health.stuck:
        demand = without_stuck(demand, cutoff, health.stuck)
        health = look(demand, cutoff)
    return demand, replace(health, stuck_S=stuck_S, absurd_S=first.absurd_S)


def _share(seen_SL: Bools, due_S: Ints, last: int) -> Doubles:
    """Share of the `last` columns before `due_S` that are seen."""
    length = seen_SL.shape[1]
    if (due_S == due_S[0]).all():
        part_SN = seen_SL[:, max(0, int(due_S[0]) - last) : int(due_S[0])]
        return np.asarray(part_SN.mean(1)) if part_SN.shape[1] else np.zeros(len(seen_SL))
    column_L = np.arange(length)
    wanted_SL = (column_L < due_S[:, None]) & (column_L >= due_S[:, None] - last)
    return np.asarray((seen_SL & wanted_SL).sum(1) / np.maximum(wanted_SL.sum(1), 1))


def _ahead(demand: Demand, known: Known, horizon: int) -> Doubles:
    """Share of the horizon's rows in which no known-ahead column is missing."""
    if not demand.columns.known:
        return np.ones(len(known.names))
    width, share_S = len(demand.columns.observed), np.zeros(len(known.names))
    rows = (known.first_S - demand.starts_S) // known.step
    for place, (one, row) in enumerate(zip(demand.series, rows.tolist(), strict=True)):
        given_NK = np.isfinite(one.values_TC[max(row, 0) : max(row + horizon, 0), width:])
        share_S[place] = given_NK.all(1).sum() / horizon
    return share_S
