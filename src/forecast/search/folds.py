"""The inner folds: the last stretches of what is known, and what a forecast of them is worth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
import pandas as pd

from forecast import calendars
from forecast.backtest import Plan
from forecast.errors import DataError, DeclarationError, NotEnoughHistory
from forecast.metrics import score, seasonal_scale
from forecast.recipe import Task
from forecast.tables import Demand

Loss = Literal["pinball", "mae"]
FIGURES: dict[str, str] = {"pinball": "scaled_pinball", "mae": "mase"}
SHARE, LONGEST_DAYS = 0.1, 91
LEAST = 1e-12
DAY = pd.Timedelta(days=1)
NOTHING = pd.Timedelta(0)


def inner_folds(
    demand: Demand, task: Task, folds: int, days: int | None = None, *, context: pd.Timedelta = NOTHING
) -> list[Plan]:
    """Walks over the last `folds` stretches of `days` civil days, oldest first; each ends where the next begins.

    Args:
        demand: what is known, usually `demand.as_of(cutoff)`: no fold reaches beyond it.
        task: horizon and moments; "any" is judged at civil midnights.
        folds: how many.
        days: length of a fold; a tenth of the known span, at most 91 days, where None.
        context: history that a recipe needs before the first fold, beside a horizon to learn from.

    Raises:
        NotEnoughHistory: the folds reach back too far, or no moment of them has a measured horizon.
    """
    if folds < 1:
        raise DeclarationError(f"{folds} folds", "1 or more", "correct --folds")
    if days is not None and days < 1:
        raise DeclarationError(f"folds of {days} days", "1 day or more", "correct --fold-days")
    zone, step = demand.series[0].zone, demand.step
    end = _measured_until(demand)
    begin = min(one.start for one in demand.series)
    length = days if days is not None else max(1, min(int(SHARE * ((end - begin) / DAY)), LONGEST_DAYS))
    _check_reach((end - begin) / DAY, folds, length, (2 * task.horizon * step + context) / DAY)
    first = end - (folds * length + task.horizon * step / DAY + 3) * DAY
    every = "1d" if task.every == "any" else task.every
    start, last = (moment.tz_convert(zone_of(demand)).strftime("%Y-%m-%d") for moment in (max(first, begin), end))
    horizon = None if every == "delivery-day" else task.horizon
    whole = Plan.of(start, last, every, zone, step, horizon=horizon, gate=task.gate).measured_until(end, step)
    if not len(whole.cutoffs):
        raise NotEnoughHistory("no inner fold", "some days with a whole horizon measured", "add history")
    day_K = np.asarray(calendars.local_parts(whole.cutoffs, zone).date_ordinal)
    fold_K = folds - 1 - (day_K.max() - day_K) // length
    plans = [part(whole, np.flatnonzero(fold_K == fold)) for fold in range(folds)]
    measured = [plan for plan in plans if len(plan.cutoffs) and _is_measured(demand, plan)]
    if not measured:
        raise NotEnoughHistory("no inner fold holds a measured period", "measured values to score", "add history")
    return measured


def _check_reach(span: float, folds: int, length: int, beside: float) -> None:
    """Raises NotEnoughHistory where folds of `length` days, and days `beside` them, exceed the span in days."""
    needed = folds * length + beside
    if needed > span:
        raise NotEnoughHistory(
            f"{folds} inner folds x {length} days, with {beside:.1f} days to forecast and to learn from, make "
            f"{needed:.1f} days, and {span:.1f} are known",
            "folds within the known span", "lower --folds or --fold-days, or add history",
        )  # fmt: skip


def part(plan: Plan, places: np.ndarray) -> Plan:
    """Some of a plan's cutoffs, with their spans."""
    spans = [plan.spans[place] for place in places] if plan.spans is not None else None
    return Plan(plan.cutoffs[places], spans, plan.horizon)


def reaches(plan: Plan, step: pd.Timedelta) -> tuple[pd.Timestamp, pd.Timestamp]:
    """From the first cutoff to the end of the last period that the plan reports."""
    if plan.spans is not None:
        return plan.cutoffs[0], max(last for _, last in plan.spans)
    return plan.cutoffs[0], plan.cutoffs[-1] + plan.horizon * step


def zone_of(demand: Demand) -> object:
    """The civil clock of the first series, which a walk's days follow."""
    from forecast import clock

    return clock.zone(demand.series[0].zone)


def scales_of(demand: Demand) -> dict[str, float]:
    """What each series' errors are divided by: the weekly naive's error, else the spread of what is known."""
    scales = {}
    for one in demand.series:
        y_T = demand.observed(one)
        scale = seasonal_scale(y_T, 7 * demand.steps_per_day)
        known_T = y_T[np.isfinite(y_T)]
        if not (np.isfinite(scale) and scale > 0):
            scale = float(known_T.std()) if len(known_T) else 1.0
        scales[one.unique_id] = (float(scale) or 1.0) * demand.output_factor
    return scales


def judged(table: pd.DataFrame, scales: Mapping[str, float], zones: Mapping[str, str], loss: Loss) -> float:
    """The scaled loss of a walk's table of one model; series count alike, whatever their size.

    Raises:
        DataError: nothing in it was measured.
    """
    value = float(score(table, scales=scales, zones=zones)[FIGURES[loss]].iloc[0])
    if not np.isfinite(value):
        raise DataError("a fold without a score", "measured values and finite forecasts", "choose other folds")
    return value


def geometric_mean(scores: list[float]) -> float:
    """One heat wave of twice the usual error weighs as much as one mild fold of half of it."""
    return float(np.exp(np.mean(np.log(np.maximum(scores, LEAST)))))


def _measured_until(demand: Demand) -> pd.Timestamp:
    """End of the last period whose y is shown."""
    ends = []
    for one in demand.series:
        rows = np.flatnonzero(np.isfinite(demand.observed(one)))
        if len(rows):
            ends.append(one.start + (int(rows[-1]) + 1) * demand.step)
    if not ends:
        raise NotEnoughHistory("no value of y is known", "at least one", "check the cutoff and the file")
    return max(ends)


def _is_measured(demand: Demand, plan: Plan) -> bool:
    begin, end = reaches(plan, demand.step)
    for one in demand.series:
        stamps = demand.stamps(one)
        inside_T = (stamps >= begin) & (stamps < end)
        if np.isfinite(demand.observed(one)[inside_T]).any():
            return True
    return False
