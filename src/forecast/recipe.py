"""`Recipe`: every knob of one training run, frozen; and `Task`, what the forecaster will be asked."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Literal

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from forecast.errors import RecipeError
from forecast.networks.configs import NetworkConfig
from forecast.tables.forecast import LEVELS


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FeatureConfig(_Frozen):
    """Which columns a recipe reads.

    Attributes:
        reach_days: days of history that columns may look back into.
        same_hour_days: same-hour lags, the most recent known days.
        similar_days: mean of the last days of the same type.
        recent: the last hours and the levels of the last days.
        knots: hinges per numeric covariate that is known ahead, evenly spread between its 2 % and 99 % quantiles.
    """

    reach_days: int = Field(17, ge=1, le=60)
    same_hour_days: int = Field(7, ge=1, le=28)
    similar_days: bool = True
    recent: bool = True
    knots: int = Field(7, ge=0, le=32)


class TrainingConfig(_Frozen):
    """How a network learns.

    Attributes:
        epochs: passes at the most.
        windows_per_epoch: windows drawn at the most in one pass.
        batch: windows per step.
        rate: peak learning rate.
        schedule: how the rate moves: one cycle, cosine decay, or constant.
        optimiser: the rule of a step.
        weight_decay: lambda of lambda * ||w||^2, decoupled for adamw.
        momentum: of sgd and rmsprop.
        clip: largest gradient norm.
        averaging: decay of the exponential average of weights that is kept; 0 keeps the raw weights.
        patience: epochs without a better validation loss before stopping.
        validation_share: share of the span, at its end, that stops training and calibrates; never learned from before.
        final: "refit" learns once more on the whole span for the chosen number of epochs, "keep" does not.
        seed: of weights, order and dropout.
        device: auto, cpu or cuda.
        precision: fp32, or bf16 autocast.
        compile: torch.compile.
        threads: of the process while it learns; more than one rarely pays for networks of this size.
    """

    epochs: int = Field(30, ge=1)
    windows_per_epoch: int = Field(4096, ge=1)
    batch: int = Field(32, ge=1)
    rate: float = Field(3e-3, gt=0)
    schedule: Literal["one-cycle", "cosine", "constant"] = "one-cycle"
    optimiser: Literal["adamw", "adam", "rmsprop", "sgd"] = "adamw"
    weight_decay: float = Field(2e-2, ge=0)
    momentum: float = Field(0.9, ge=0, lt=1)
    clip: float = Field(1.0, gt=0)
    averaging: float = Field(0.99, ge=0, lt=1)
    patience: int = Field(10, ge=1)
    validation_share: float = Field(0.2, gt=0, lt=0.5)
    final: Literal["refit", "keep"] = "refit"
    seed: int = 0
    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Literal["fp32", "bf16"] = "fp32"
    compile: bool = False
    threads: int = Field(1, ge=1)


class NetworkModel(_Frozen):
    """A neural network of `forecast.networks`."""

    kind: Literal["network"] = "network"
    network: NetworkConfig
    training: TrainingConfig = TrainingConfig()


class SeasonalNaiveModel(_Frozen):
    """The same hour of yesterday or of last week, the last one that is known."""

    kind: Literal["seasonal_naive"] = "seasonal_naive"
    season: Literal["day", "week"] = "week"


class RidgeModel(_Frozen):
    """One ridge regression per local hour on standardised, clipped columns."""

    kind: Literal["ridge"] = "ridge"
    alpha: float = Field(10.0, gt=0)


class TreesModel(_Frozen):
    """scikit-learn's histogram gradient boosting, one model per quantile."""

    kind: Literal["trees"] = "trees"
    iterations: int = Field(150, ge=1)
    rate: float = Field(0.06, gt=0)
    leaves: int = Field(31, ge=2)
    min_leaf: int = Field(40, ge=1)
    levels: tuple[float, ...] = (0.1, 0.5, 0.9)

    @model_validator(mode="after")
    def _ascending(self) -> TreesModel:
        if (
            not self.levels
            or list(self.levels) != sorted(set(self.levels))
            or not 0 < self.levels[0] <= self.levels[-1] < 1
        ):
            raise RecipeError(
                f"tree levels {self.levels}", "levels that ascend between 0 and 1", "correct model.levels"
            )
        return self


Model = Annotated[NetworkModel | SeasonalNaiveModel | RidgeModel | TreesModel, Field(discriminator="kind")]


class Recipe(_Frozen):
    """Every knob of one training run.

    Attributes:
        name: how runs, tables and the registry call it.
        description: one line for people who compare.
        model: the network or baseline.
        features: the columns it reads.
        context: history that a network sees, as a duration ("7d").
        quantiles: the levels it forecasts; 0.5 must be one.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9_-]*$")
    description: str = ""
    model: Model
    features: FeatureConfig = FeatureConfig()
    context: str = "7d"
    quantiles: tuple[float, ...] = LEVELS

    @model_validator(mode="after")
    def _consistent(self) -> Recipe:
        if 0.5 not in self.quantiles or list(self.quantiles) != sorted(set(self.quantiles)):
            raise ValueError(f"quantiles {self.quantiles} must ascend and hold 0.5")
        if not all(0 < level < 1 for level in self.quantiles):
            raise ValueError(f"quantiles {self.quantiles} must lie between 0 and 1")
        try:
            length = pd.Timedelta(self.context)
        except ValueError:
            length = pd.NaT
        if pd.isna(length):
            raise ValueError(f"context '{self.context}' is not a duration such as 7d")
        if length <= pd.Timedelta(0):
            raise ValueError(f"context {self.context} must be longer than nothing")
        if length > pd.Timedelta(days=self.features.reach_days):
            raise ValueError(f"context {self.context} is longer than reach_days {self.features.reach_days}")
        return self

    def context_steps(self, step: pd.Timedelta) -> int:
        """The context in periods of a length."""
        return max(1, int(pd.Timedelta(self.context) / step))

    @classmethod
    def from_toml(cls, path: Path) -> Recipe:
        """A user's own recipe: a TOML file of the same fields.

        Raises:
            RecipeError: the file is missing, not TOML, or holds unknown or contradicting fields.
        """
        try:
            return cls.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
        except OSError as error:
            raise RecipeError(f"recipe file {path} cannot be read ({error.strerror})", "a TOML file") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise RecipeError(f"recipe file {path} is not TOML ({error})", "fields as in docs/choosing.md") from error
        except ValidationError as error:
            told = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'recipe'}: {e['msg']}" for e in error.errors()[:5])
            raise RecipeError(f"recipe file {path} does not fit ({told})", "the fields of Recipe") from error


class Task(_Frozen):
    """What a forecaster will be asked: how far, and at which moments.

    Attributes:
        horizon: steps from the first period at or after the cutoff to the last one.
        every: at which moments forecasts are issued: "any", "1d" (civil midnights), "delivery-day", or a duration.
        gate: when a delivery day's forecast is due ("D-1T10:00").

    Raises:
        RecipeError: a horizon under one step, or a gate without delivery days.
    """

    horizon: int
    every: str = "any"
    gate: str | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Task:
        if self.horizon < 1:
            raise RecipeError(f"a horizon of {self.horizon} steps", "1 or more", "correct --horizon")
        if self.gate is not None and self.every != "delivery-day":
            raise RecipeError(
                f"the gate {self.gate} with every {self.every}",
                "every delivery-day",
                "leave out the gate, or change --every",
            )
        return self
