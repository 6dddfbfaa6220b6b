"""What a retraining does: which recipes, which weeks, which moments."""

from __future__ import annotations

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, model_validator

from forecast import clock
from forecast.backtest import Plan
from forecast.calendars import moment_inside
from forecast.errors import NotEnoughHistory, RecipeError
from forecast.recipe import QualityTreatment, Recipe, Task
from forecast.recipes import named, treated
from forecast.tables import Demand

REFERENCE = "seasonal_naive_week"


class RetrainingPlan(BaseModel):
    """What a retraining does.

    Attributes:
        recipes: the candidates; the weekly seasonal naive always stands beside them.
        weeks: the walk covers the last weeks of the data.
        every, gate, horizon, refit: the walk's moments, as on the command line.
        warm: a fold goes on from the fold before, instead of learning anew; only where there are several.
        until: learn and walk only with what was known at this stamp (aware); all of it where None.
        quality: "mask": what quality finds wrong is neither learned nor scored.
        train_every: at which moments networks are trained; the walk's where None.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    recipes: tuple[str, ...] = ("lstm", "gru", "attention", "ridge")
    weeks: int = Field(4, ge=1)
    every: str = "1d"
    gate: str | None = None
    horizon: int | None = Field(None, ge=1)
    refit: str | int = "never"
    warm: bool = False
    until: str | None = None
    train_every: str | None = None
    quality: QualityTreatment = "keep"

    @model_validator(mode="after")
    def _warm_refits(self) -> RetrainingPlan:
        if self.warm and self.refit == "never":
            raise ValueError("warm asks for a refit, monthly or after a number of cutoffs, and refit is never")
        return self

    @property
    def candidates(self) -> tuple[str, ...]:
        """The recipes and the reference."""
        return tuple(dict.fromkeys([*self.recipes, REFERENCE]))

    @property
    def refits(self) -> str:
        """When the walk learns again and how, as titles say it: "monthly, warm"."""
        return f"{self.refit}, warm" if self.warm else str(self.refit)

    @property
    def chosen(self) -> dict[str, Recipe]:
        """The candidates' recipes by name; raises RecipeError where one cannot be built or two share a name."""
        by_name = {one.name: treated(one, self.quality) for one in map(named, self.candidates)}
        if len(by_name) < len(self.candidates):
            raise RecipeError(f"two of {', '.join(self.candidates)} have one name", "a name for each", "rename one")
        return by_name

    def known(self, demand: Demand) -> Demand:
        """The table as the retraining may see it."""
        if self.until is None:
            return demand
        return demand.as_of(moment_inside(pd.Timestamp(self.until), demand.series[0].zone))

    def walk_plan(self, demand: Demand) -> Plan:
        """The cutoffs of the last weeks, each with its whole horizon measured."""
        known, one = self.known(demand), demand.series[0]
        end = known.last_known_end() - known.delay
        # Civil days are counted without a zone: one that the clock shortens is a day too.
        last = (end.tz_convert(clock.zone(one.zone)).tz_localize(None) - pd.Timedelta(days=1)).normalize()
        first = last - pd.Timedelta(days=7 * self.weeks - 1)
        plan = Plan.of(
            str(first.date()), str(last.date()), self.every, one.zone, demand.step, horizon=self.horizon, gate=self.gate
        )  # fmt: skip
        measured = plan.measured_until(end, demand.step)
        if measured.cutoffs.empty:
            raise NotEnoughHistory(f"no forecast issued since {first.date()} is measured to its end", "one at least")
        return measured

    def task(self, demand: Demand) -> Task:
        """What the forecasters are trained for."""
        gate = self.gate if self.train_every is None else None
        return Task(horizon=self.walk_plan(demand).horizon, every=self.train_every or self.every, gate=gate)
