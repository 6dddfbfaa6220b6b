"""Leaving out: how a recipe does on a series, or on a period, that it did not learn from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pandas as pd

from forecast import calendars
from forecast.backtest import Plan, WalkProgress, walk
from forecast.errors import DataError, NotEnoughHistory
from forecast.recipe import Recipe, Task
from forecast.search.folds import part, reaches
from forecast.tables import Demand, Series
from forecast.training import Fitted, fit

LEARNED_LATER = "NOT as-of-correct: data after the period trained the model; a sensitivity, no forecast record"
FitFunction = Callable[[Demand, Recipe, Task], Fitted]
Moments = tuple[pd.Timestamp, pd.Timestamp]


@dataclass(frozen=True, eq=False)
class LeftOut:
    """Forecasts of parts by models that did not learn from them.

    Attributes:
        table: unique_id, ds, cutoff, y, model, mean, q*, as `backtest.walk` writes it.
        parts: what was left out, one after the other.
        as_of_correct: every forecast came from data known at its cutoff, weights included.
        label: what a report says beside the figures.
    """

    table: pd.DataFrame
    parts: list[str]
    as_of_correct: bool
    label: str


class _Counted:
    """One part's walk tells of itself; who listens counts parts."""

    def __init__(self, listener: WalkProgress | None, model: str, parts: int) -> None:
        self.listener, self.model, self.parts, self.done = listener, model, parts, 0

    def fold(self, model: str, done: int, folds: int) -> None:
        if done == folds:
            self.done += 1
            if self.listener is not None:
                self.listener.fold(self.model, self.done, self.parts)


def leave_one_series_out(
    demand: Demand, recipe: Recipe, task: Task, plan: Plan, *, refit: str | int = "never",
    progress: WalkProgress | None = None, fit_function: FitFunction = fit,
) -> LeftOut:  # fmt: skip
    """Each series, forecast by a model that learned from the others only, and only up to its fold's first cutoff.

    The forecast reads the series' own history at each cutoff, as a new meter's would be read: zero-shot.

    Args:
        demand: two series or more.
        recipe, task: what learns and what it is asked.
        plan, refit: as in `backtest.walk`.
        progress: told after every series.
        fit_function: what trains.

    Raises:
        DataError: there is one series only.
    """
    names = [one.unique_id for one in demand.series]
    if len(names) < 2:
        raise DataError(f"{len(names)} series", "two or more to leave one out", "leave out a period instead")
    counted = _Counted(progress, recipe.name, len(names))
    tables = []
    for name in names:
        others = demand.select([other for other in names if other != name])
        fits = {recipe.name: partial(_fit_others, others=others, recipe=recipe, task=task, fit_function=fit_function)}
        tables.append(walk(demand.select([name]), fits, plan, refit=refit, progress=counted).table)
    return LeftOut(pd.concat(tables, ignore_index=True), names, True, "each series by a model that never saw it")


def _fit_others(known: Demand, *, others: Demand, recipe: Recipe, task: Task, fit_function: FitFunction) -> Fitted:
    """`known` says only until when; what is learned from are the others."""
    assert known.known_until is not None
    return fit_function(others.as_of(known.known_until), recipe, task)


def leave_one_period_out(
    demand: Demand, recipe: Recipe, task: Task, plan: Plan, *, progress: WalkProgress | None = None,
    fit_function: FitFunction = fit,
) -> LeftOut:  # fmt: skip
    """Each civil quarter of the plan, forecast by a model that learned from all the rest, before AND after it.

    Around the quarter an embargo as long as a window (the features' reach and the horizon) is left out, too. Not
    as-of-correct: the weights know what came later. It shows how much the result depends on one period.

    Args:
        demand: the whole table.
        recipe, task: what learns and what it is asked. Name the task's moments ("1d"): with "any" only the stretch
            before the quarter can hold out days to calibrate on.
        plan: the moments; each belongs to the civil quarter of its day in the first series' zone.
        progress: told after every quarter.
        fit_function: what trains.

    Raises:
        NotEnoughHistory: a quarter with its embargo leaves nothing to learn from.
    """
    local = calendars.local_parts(plan.cutoffs, demand.series[0].zone)
    quarters = pd.Series(local.date_ordinal).map(pd.Timestamp.fromordinal).dt.to_period("Q")
    embargo = pd.Timedelta(days=recipe.features.reach_days) + task.horizon * demand.step
    blocks = {str(quarter): np.asarray(group.index) for quarter, group in quarters.groupby(quarters)}
    counted = _Counted(progress, recipe.name, len(blocks))
    tables = []
    for quarter, places in blocks.items():
        mine = part(plan, places)
        begin, end = _around(mine, quarter, demand)
        rest = without(demand, begin - embargo, end + embargo)
        fits = {recipe.name: partial(_fit_rest, rest=rest, recipe=recipe, task=task, fit_function=fit_function)}
        tables.append(walk(demand, fits, mine, progress=counted).table)
    return LeftOut(pd.concat(tables, ignore_index=True), list(blocks), False, LEARNED_LATER)


def _fit_rest(_: Demand, *, rest: Demand, recipe: Recipe, task: Task, fit_function: FitFunction) -> Fitted:
    return fit_function(rest, recipe, task)


def _around(plan: Plan, quarter: str, demand: Demand) -> Moments:
    """The civil quarter, and whatever the plan's forecasts report beyond it."""
    zone, period = demand.series[0].zone, pd.Period(quarter, freq="Q")
    begin, end = (
        calendars.delivery_day(day.date(), zone)[0].tz_convert("UTC")
        for day in (period.start_time, (period + 1).start_time)
    )
    first, last = reaches(plan, demand.step)
    return min(begin, first), max(end, last)


def without(demand: Demand, begin: pd.Timestamp, end: pd.Timestamp) -> Demand:
    """The table without the periods that overlap [begin, end): of each series the piece before and the piece after.

    Two pieces and not a gap: no window spans the cut, so none has a context that was blanked.

    Raises:
        NotEnoughHistory: no piece is left.
    """
    pieces = [piece for one in demand.series for piece in _pieces(demand, one, begin, end)]
    if not pieces:
        raise NotEnoughHistory(f"nothing outside {begin:%Y-%m-%d} to {end:%Y-%m-%d}", "data before or after it")
    return replace(demand, series=tuple(pieces))


def _pieces(demand: Demand, one: Series, begin: pd.Timestamp, end: pd.Timestamp) -> list[Series]:
    step = demand.step.value
    before = int(np.clip((begin.value - one.start.value) // step, 0, len(one)))
    after = int(np.clip(-((one.start.value - end.value) // step), 0, len(one)))
    pieces = [
        _cut(demand, one, one.unique_id, 0, before),
        _cut(demand, one, f"{one.unique_id} (after)", after, len(one)),
    ]
    return [piece for piece in pieces if len(piece)]


def _cut(demand: Demand, one: Series, name: str, first: int, stop: int) -> Series:
    available_T = one.available_at_T[first:stop] if one.available_at_T is not None else None
    return replace(
        one, unique_id=name, start=one.start + first * demand.step, values_TC=one.values_TC[first:stop],
        available_at_T=available_T, first_row=one.first_row + first,
    )  # fmt: skip
