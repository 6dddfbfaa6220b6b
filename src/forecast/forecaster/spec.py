"""`ForecasterSpec`: everything about a trained forecaster that is not a weight."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any, Literal, Self

import pandas as pd
from pydantic import BaseModel, ConfigDict

from forecast.calendars import PREFIX
from forecast.calibration import Calibration
from forecast.fallback.profile import Profile
from forecast.features import Features, FeatureState
from forecast.forecaster.correction import Correction
from forecast.forecaster.days import MAX_HORIZON_DAYS
from forecast.recipe import NetworkModel, Recipe, Task
from forecast.tables import Columns, Demand
from forecast.tables.demand import DAY
from forecast.tables.extended import without


class ForecasterSpec(BaseModel):
    """What a forecaster is, where it comes from and what it needs; the `forecaster.json` of its folder.

    Attributes:
        recipe, task: how it was made and for what.
        model: the fitted model's own settings (shapes, names), beside its arrays.
        past, known, static: the covariates it reads.
        step_seconds: length of a period.
        unit: the source's unit.
        zone: civil zone of its series (the first one's, where they differ).
        country: whose public holidays its calendar marks.
        countries: those of its series that have a country of their own.
        delay_seconds: how late values arrived in training.
        series: the series it was trained on.
        features: hinges and flags learned from the training part.
        model_kind: the kind of the fitted model; a network that corrects a ridge is "residual".
        calibration: learned on the validation part.
        correction: how the errors of the last days correct a forecast, learned there, too; None where they do not.
        trained_from, trained_until: the span whose values it has seen (UTC); the cutoff of its training table.
        data_digest: SHA-256 of that table.
        seasonal_scale: per series, mean |y - y a week before| of the training part in the source's unit, for
            scaled errors.
        weather: "actual (optimistic)" when covariates known ahead were measured, not forecast; else how they came.
        profile: the average week of its series, for answers when the model itself cannot; older models have none.
        made_with: versions of the libraries.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[2] = 2
    recipe: Recipe
    task: Task
    model: dict[str, object]
    model_kind: str
    past: tuple[str, ...]
    known: tuple[str, ...]
    static: tuple[str, ...]
    step_seconds: int
    unit: str
    zone: str
    country: str | None
    countries: dict[str, str] = {}
    delay_seconds: int
    series: tuple[str, ...]
    features: FeatureState
    calibration: Calibration
    correction: Correction | None = None
    trained_from: str
    trained_until: str
    data_digest: str
    seasonal_scale: dict[str, float | None]
    weather: str = "none"
    profile: Profile | None = None
    made_with: dict[str, str] = {}

    @property
    def name(self) -> str:
        """The recipe's name."""
        return self.recipe.name

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy with some fields changed; what was worked out from the old ones is not taken along."""
        copied = super().model_copy(update=update, deep=deep)
        for name in set(copied.__dict__) - set(type(self).model_fields):
            del copied.__dict__[name]
        return copied

    @cached_property
    def step(self) -> pd.Timedelta:
        """Length of a period."""
        return pd.Timedelta(seconds=self.step_seconds)

    @cached_property
    def steps_per_day(self) -> int:
        """Periods in 24 hours."""
        return max(1, int(DAY // self.step.value))

    @cached_property
    def delay(self) -> pd.Timedelta:
        """How late values arrived in training."""
        return pd.Timedelta(seconds=self.delay_seconds)

    @cached_property
    def farthest(self) -> pd.Timedelta:
        """How long before a cutoff something can touch any forecast; a day more, for civil days of 25 hours."""
        day = self.steps_per_day
        return pd.Timedelta((self.reach(MAX_HORIZON_DAYS * day) + day) * self.step)

    @cached_property
    def columns(self) -> Columns:
        """The covariates it reads."""
        return Columns(self.past, self.known, self.static)

    @cached_property
    def events(self) -> tuple[str, ...]:
        """The names of the events that it learned: of its known-ahead columns that are called after one."""
        return tuple(name.removeprefix(PREFIX) for name in self.known if name.startswith(PREFIX))

    def as_learned(self, demand: Demand) -> Demand:
        """The demand without events that were not learned, with the learned holidays where it does not say whose."""
        unlearned = [name for name in demand.columns.known if name.startswith(PREFIX) and name not in self.known]
        demand = without(demand, unlearned) if unlearned else demand
        demand = demand if (demand.country or self.country) == demand.country else replace(demand, country=self.country)
        if demand.country != self.country:
            return demand
        told = {one.unique_id: one.country for one in demand.series if one.country is not None}
        return demand.with_countries({**self.countries, **told}) if self.countries or told else demand

    @cached_property
    def learned_until(self) -> pd.Timestamp:
        """`trained_until` as a stamp (UTC)."""
        return pd.Timestamp(self.trained_until)

    @cached_property
    def only_networks(self) -> bool:
        """Whether all of its members are networks, which scale each window by themselves."""
        return all(isinstance(one, NetworkModel) for one in self.recipe.members)

    @property
    def starts_from_static(self) -> bool:
        """Whether static columns tell it the level of a series of which nothing is known yet."""
        return bool(self.static) and self.only_networks

    @property
    def learned_by_networks(self) -> tuple[str, ...] | None:
        """The series that its networks learned from; None where it has no network."""
        return self.series if any(isinstance(one, NetworkModel) for one in self.recipe.members) else None

    @cached_property
    def listens(self) -> bool:
        """Whether networks of it hear what the other series that they learned from are doing."""
        listening = any(isinstance(one, NetworkModel) and one.network.neighbours for one in self.recipe.members)
        return listening and len(self.series) > 1

    @cached_property
    def context(self) -> int:
        """L, steps of history that it sees."""
        return self.recipe.context_steps(self.step)

    @cached_property
    def scales(self) -> dict[str, float]:
        """`seasonal_scale` of the series that have one, as `metrics.score` takes it."""
        return {name: scale for name, scale in self.seasonal_scale.items() if scale is not None}

    @cached_property
    def column_reader(self) -> Features:
        """Its features, as fitted."""
        return Features(self.recipe.features, self.features, self.columns, self.context)

    def reach(self, horizon: int) -> int:
        """Steps before the cutoff that can touch a forecast of `horizon` steps."""
        # One day more: across an autumn change so many civil days are an hour longer.
        earlier = (self.correction.config.days + 1) * self.steps_per_day if self.correction is not None else 0
        return self.column_reader.reach(self.steps_per_day, horizon) + earlier
