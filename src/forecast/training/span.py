"""The span that a training may learn from: its split, and its windows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from forecast import calendars
from forecast.errors import NotEnoughHistory
from forecast.features import Features, fit_features
from forecast.quality import cleaned
from forecast.recipe import Recipe, Task
from forecast.tables import Demand
from forecast.windows import Origins, WindowSet, origins_every, training_origins_at

HELD_OUT = 0.2


def held_out_share(recipe: Recipe) -> float:
    """Share of a span, at its end, that the members of a recipe do not learn from at first."""
    return max((one.validation_share for one in recipe.trainings), default=HELD_OUT)


class Span:
    """The training span, its split, and its windows."""

    def __init__(self, demand: Demand, recipe: Recipe, task: Task) -> None:
        self.given, self.recipe, self.task = demand, recipe, task
        # Nothing known later than the table's moment tells what is wrong in it.
        self.demand = demand = cleaned(demand) if recipe.quality == "mask" else demand
        self.context = recipe.context_steps(demand.step)
        self.begin = min(one.start for one in demand.series)
        self.end = demand.known_until if demand.known_until is not None else demand.last_known_end()
        share = held_out_share(recipe)
        lived = demand.last_known_end() - self.begin
        needed = (self.context + task.horizon) * demand.step
        if lived < needed:
            raise NotEnoughHistory(
                f"{int(lived / demand.step)} known steps of {demand.step}",
                f"at least {self.context + task.horizon} (context {self.context} + horizon {task.horizon})",
                "add history, shorten the horizon, or choose a recipe with a shorter context",
            )
        split = demand.last_known_end() - share * lived
        # Whole periods before the split: a validation origin starts a period.
        self.split = self.begin + np.floor((split - self.begin) / demand.step) * demand.step

    def features(self, demand: Demand) -> Features:
        """Features fitted on what a table shows."""
        return fit_features(self.recipe.features, demand, self.context)

    def windows(self, features: Features, demand: Demand, since: pd.Timestamp | None = None) -> WindowSet:
        """Windows of a table at the task's moments; those from `since` on are judged, so they read vintages."""
        origins = self._origins(demand, since)
        weather = self.recipe.weather if since is None else "vintages"
        return replace(features.window_set(demand, origins, self.task.horizon), weather=weather)

    def moments(self, since: pd.Timestamp | None = None) -> pd.DatetimeIndex:
        """The task's moments from `since` on whose first period is known; for a task at any moment, every six hours."""
        zone = self.task.clock or self.demand.series[0].zone
        first, last = since if since is not None else self.begin, self.demand.last_known_end()
        days = [moment.tz_convert("UTC").strftime("%Y-%m-%d") for moment in (first, last)]
        every = "6h" if self.task.every == "any" else self.task.every
        moments = calendars.cutoffs(days[0], days[1], every, zone, self.task.gate)
        return moments[(moments >= first) & (moments < last)]

    def _origins(self, demand: Demand, since: pd.Timestamp | None) -> Origins:
        context, horizon = self._context_rows(since), self.task.horizon
        if self.task.every == "any":
            return origins_every(demand, context=context, horizon=horizon)
        moments = self.moments(since)
        return training_origins_at(demand, moments, context=context if since is None else 0, horizon=horizon)

    def _context_rows(self, since: pd.Timestamp | None) -> int:
        return self.context if since is None else max(self.context, int((since - self.begin) / self.demand.step))
