"""`Recipe`: every knob of one training run, frozen; and `Task`, what the forecaster will be asked."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

import pandas as pd
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from forecast.clock import duration, zone
from forecast.errors import DeclarationError, RecipeError
from forecast.networks.configs import switched
from forecast.recipe.misfits import misfits
from forecast.recipe.models import (
    LARGEST_SEED,
    EnsembleModel,
    FeatureConfig,
    Model,
    NetworkModel,
    RidgeModel,
    SeasonalNaiveModel,
    TrainingConfig,
    TreesModel,
)
from forecast.tables.forecast import LEVELS

WeatherShown = Literal["vintages", "actuals", "resampled"]
QualityTreatment = Literal["keep", "mask"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class CorrectionConfig(_Frozen):
    """How a forecast learns from the errors that its model made on the days before.

    Attributes:
        days: how many earlier days are forecast again, each from its own cutoff, to see their errors.
        day_half_life: half-life in days of the weight of a day's mean error.
        hour_half_life: half-life in days of the weight of a step's remaining error.
    """

    days: int = Field(14, ge=2, le=60)
    day_half_life: float = Field(1.0, gt=0)
    hour_half_life: float = Field(5.0, gt=0)


class Recipe(_Frozen):
    """Every knob of one training run.

    Attributes:
        name: how runs, tables and the registry call it.
        description: one line for people who compare.
        model: the network or baseline.
        features: the columns it reads.
        context: history that a network sees, as a duration ("7d").
        quantiles: the levels it forecasts; 0.5 must be one.
        weather: what training shows of covariates known ahead that have versions: "vintages", each window those that
            its cutoff knew; "actuals", what came true; "resampled", that with the errors of other days' forecasts
            added. Judging and forecasting always read vintages.
        quality: whether what the rules of data quality find in the training table is kept, or masked and not learned.
        correction: whether, and how, the errors of the last days correct a forecast and widen or narrow its intervals.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9_-]*$")
    description: str = ""
    model: Model
    features: FeatureConfig = FeatureConfig()
    context: str = "7d"
    quantiles: tuple[float, ...] = LEVELS
    weather: WeatherShown = "vintages"
    quality: QualityTreatment = "keep"
    correction: Annotated[CorrectionConfig | None, BeforeValidator(switched)] = None

    @model_validator(mode="after")
    def _consistent(self) -> Recipe:
        if 0.5 not in self.quantiles or list(self.quantiles) != sorted(set(self.quantiles)):
            raise ValueError(f"quantiles {self.quantiles} must ascend and hold 0.5")
        if not all(0 < level < 1 for level in self.quantiles):
            raise ValueError(f"quantiles {self.quantiles} must lie between 0 and 1")
        try:
            length = duration(self.context, "context")
        except DeclarationError as error:
            raise RecipeError(error.found, "a number and its unit, such as 7d or 48h", error.do) from None
        if length <= pd.Timedelta(0):
            raise ValueError(f"context {self.context} must be longer than nothing")
        if length > pd.Timedelta(days=self.features.reach_days):
            raise ValueError(f"context {self.context} is longer than reach_days {self.features.reach_days}")
        return self

    @property
    def members(self) -> tuple[SeasonalNaiveModel | RidgeModel | TreesModel | NetworkModel, ...]:
        """The models that are learned one by one: an ensemble's members, or the model itself."""
        return self.model.members if isinstance(self.model, EnsembleModel) else (self.model,)

    @property
    def trainings(self) -> tuple[TrainingConfig, ...]:
        """How its networks learn; none for a baseline."""
        return tuple(one.training for one in self.members if isinstance(one, NetworkModel))

    def seeded(self, seed: int) -> Recipe:
        """The recipe with the seeds of all its networks counted on from `seed`.

        Raises:
            RecipeError: a seed below 0, or one from which the members count beyond the largest.
        """
        largest = LARGEST_SEED - len(self.members) + 1
        if not 0 <= seed <= largest:
            raise RecipeError(f"seed {seed} for {len(self.members)} models", f"0 to {largest}", "choose another seed")

        def member(one: Any, number: int) -> Any:
            if not isinstance(one, NetworkModel):
                return one
            return one.model_copy(update={"training": one.training.model_copy(update={"seed": seed + number})})

        if isinstance(self.model, EnsembleModel):
            members = tuple(member(one, number) for number, one in enumerate(self.model.members))
            return self.model_copy(update={"model": self.model.model_copy(update={"members": members})})
        return self.model_copy(update={"model": member(self.model, 0)})

    def context_steps(self, step: pd.Timedelta) -> int:
        """The context in periods of a length.

        Raises:
            RecipeError: it is shorter than one period.
        """
        steps = int(duration(self.context, "context") / step)
        if steps < 1:
            raise RecipeError(
                f"context {self.context} of recipe '{self.name}', on steps of {step}", "a context of at least one step",
                "set a longer context, or use a table with shorter steps",
            )  # fmt: skip
        return steps

    @classmethod
    def from_toml(cls, path: Path) -> Recipe:
        """A user's own recipe: a TOML file of the same fields.

        Raises:
            RecipeError: the file is missing, not TOML, or holds unknown or contradicting fields.
        """
        try:
            tree = tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise RecipeError(f"recipe file {path} cannot be read ({error.strerror})", "a TOML file") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise RecipeError(f"recipe file {path} is not TOML ({error})", "fields as in docs/choosing.md") from error
        try:
            return cls.model_validate(tree)
        except RecipeError as error:
            raise RecipeError(f"recipe file {path}: {error.found}", error.expected, error.do) from error
        except ValidationError as error:
            raise RecipeError(
                f"recipe file {path} does not fit ({misfits(error, tree, cls)})", "fields as in docs/choosing.md",
                "correct the file",
            ) from error  # fmt: skip


class Task(_Frozen):
    """What a forecaster will be asked: how far, and at which moments.

    Attributes:
        horizon: steps from the first period at or after the cutoff to the last one.
        every: at which moments forecasts are issued: "any", "1d" (civil midnights), "delivery-day", or a duration.
        gate: when a delivery day's forecast is due ("D-1T10:00").
        clock: the clock of these moments ("-06:00"), where it is not that of the (first) series.

    Raises:
        RecipeError: a horizon under one step, or a gate without delivery days.
        DeclarationError: a clock that does not exist.
    """

    horizon: int
    every: str = "any"
    gate: str | None = None
    clock: str | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Task:
        if self.horizon < 1:
            raise RecipeError(f"a horizon of {self.horizon} steps", "1 or more", "correct --horizon")
        if self.clock is not None:
            zone(self.clock)
        if self.gate is not None and self.every != "delivery-day":
            raise RecipeError(
                f"the gate {self.gate} with every {self.every}",
                "every delivery-day",
                "leave out the gate, or change --every",
            )
        return self
