"""What a recipe is made of: columns, networks and how they learn, baselines, ensembles."""

from __future__ import annotations

from itertools import pairwise
from math import inf
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from forecast.errors import RecipeError
from forecast.networks.configs import NetworkConfig, switched

LARGEST_SEED = 2**31 - 1
"""Of a recipe: what every generator of random numbers takes."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FeatureConfig(_Frozen):
    """Which columns a recipe reads.

    Attributes:
        reach_days: days of history that columns may look back into.
        same_hour_days: same-hour lags, the most recent known days.
        similar_days: mean of the last days of the same type.
        recent: the last hours and the levels of the last days.
        knots: hinges per numeric covariate, evenly spread between its 2 % and 99 % quantiles.

    Raises:
        RecipeError: lags beyond `reach_days`, which no forecast would ever see.
    """

    reach_days: int = Field(17, ge=1, le=60)
    same_hour_days: int = Field(7, ge=1, le=28)
    similar_days: bool = True
    recent: bool = True
    knots: int = Field(7, ge=0, le=32)

    @model_validator(mode="after")
    def _within_reach(self) -> Self:
        if self.same_hour_days > self.reach_days:
            raise RecipeError(
                f"same_hour_days {self.same_hour_days} with reach_days {self.reach_days}",
                "lags within the days that columns may look back into",
                "raise features.reach_days or lower features.same_hour_days",
            )
        return self


class PretrainingConfig(_Frozen):
    """Masked pre-training: parts of the window's load are hidden and the encoder learns to say them.

    Attributes:
        epochs: passes before the training proper.
        share: share of the context that is hidden, about.
        span: encoder steps (hours, unless `patch` joins more) of one hidden stretch.
        loss: squared error, or the pinball loss of the median; in units of the window's scale.
    """

    epochs: int = Field(5, ge=1)
    share: float = Field(0.25, gt=0, lt=1)
    span: int = Field(24, ge=1)
    loss: Literal["squared", "pinball"] = "squared"


class TrainingConfig(_Frozen):
    """How a network learns.

    Attributes:
        epochs: passes at the most.
        blind_share: share of the epochs that are made where nothing but the calendar is known ahead: there is less to
            learn, and more that could be learned by heart.
        windows_per_epoch: windows drawn at the most in one pass.
        windows_per_series: and no more than so many times the number of series.
        batch: windows per step, at the least.
        steps_per_epoch: steps of one pass at the most; where there are more windows, each step takes more of them.
        rate: peak learning rate.
        schedule: how the rate moves: one cycle, cosine decay, or constant.
        optimiser: the rule of a step.
        weight_decay: lambda of lambda * ||w||^2, decoupled for adamw.
        momentum: of sgd (None: 0.9) and rmsprop (None: 0; 0.9 steps ten times as far).
        clip: largest gradient norm.
        averaging: decay of the exponential average of weights that is kept; 0 keeps the raw weights.
        stopping: "early" keeps the epoch with the lowest validation loss, "never" makes all epochs and keeps the last.
        patience: epochs without a better validation loss before stopping.
        validation_share: share of the span, at its end, that stops training and calibrates; never learned from before.
        final: "refit" learns once more on the whole span for the chosen number of epochs, "keep" does not.
        seed: of weights, order and dropout.
        device: auto, cpu or cuda.
        precision: fp32, or bf16 autocast.
        compile: torch.compile.
        threads: of the process while it learns; more than one rarely pays for networks of this size.
        unseen: share of training windows whose own load is hidden, so that a meter without history is learned, too.
        pretrain: masked pre-training of the encoder before it learns to forecast; None leaves it out.
    """

    epochs: int = Field(30, ge=1)
    blind_share: float = Field(1.0, gt=0, le=1)
    windows_per_epoch: int = Field(4096, ge=1)
    windows_per_series: int = Field(8192, ge=1)
    batch: int = Field(32, ge=1)
    steps_per_epoch: int = Field(128, ge=1)
    rate: float = Field(3e-3, gt=0, allow_inf_nan=False)
    schedule: Literal["one-cycle", "cosine", "constant"] = "one-cycle"
    optimiser: Literal["adamw", "adam", "rmsprop", "sgd"] = "adamw"
    weight_decay: float = Field(2e-2, ge=0)
    momentum: float | None = Field(None, ge=0, lt=1)
    clip: float = Field(1.0, gt=0)
    averaging: float = Field(0.99, ge=0, lt=1)
    stopping: Literal["early", "never"] = "early"
    patience: int = Field(10, ge=1)
    validation_share: float = Field(0.2, gt=0, lt=0.5)
    final: Literal["refit", "keep"] = "refit"
    seed: int = Field(0, ge=0, le=LARGEST_SEED)
    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Literal["fp32", "bf16"] = "fp32"
    compile: bool = False
    threads: int = Field(1, ge=1, le=256)
    unseen: float = Field(0.0, ge=0, lt=1)
    pretrain: Annotated[PretrainingConfig | None, BeforeValidator(switched)] = None


class SeasonalNaiveModel(_Frozen):
    """The same hour of yesterday or of last week, the last one that is known."""

    kind: Literal["seasonal_naive"] = "seasonal_naive"
    season: Literal["day", "week"] = "week"


class RidgeModel(_Frozen):
    """One ridge regression per local hour on standardised, clipped columns.

    Attributes:
        alphas: penalties on the squared weights, of which the one with the smallest squared error on weeks left out is
            taken; a single one is fixed.
        per_series: weights of its own for each of several series that has enough history.
        own_alphas: penalties on how far a series' own weights lie from those of all together, chosen alike per series.
    """

    kind: Literal["ridge"] = "ridge"
    alphas: tuple[float, ...] = (3.0, 10.0, 30.0, 100.0, 300.0, 1000.0)
    per_series: bool = True
    own_alphas: tuple[float, ...] = (10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0, 10000.0)

    @model_validator(mode="before")
    @classmethod
    def _one_penalty(cls, given: Any) -> Any:
        """What was stored before penalties were chosen names a single one, `alpha`."""
        if isinstance(given, dict) and "alpha" in given and "alphas" not in given:
            others = {name: value for name, value in given.items() if name != "alpha"}
            return {**others, "alphas": (given["alpha"],)}
        return given

    @model_validator(mode="after")
    def _ascending(self) -> RidgeModel:
        for name, penalties in (("alphas", self.alphas), ("own_alphas", self.own_alphas)):
            if not penalties or not all(low < high for low, high in pairwise((0.0, *penalties, inf))):
                raise RecipeError(
                    f"ridge penalties {name} = {penalties}", "one or more finite numbers above 0 that ascend",
                    f"correct model.{name}",
                )  # fmt: skip
        return self

    @property
    def alpha(self) -> float:
        """The penalty where none can be chosen: the middle one, of two the lower."""
        return self.alphas[(len(self.alphas) - 1) // 2]


class NetworkModel(_Frozen):
    """A neural network of `forecast.networks`.

    Attributes:
        network: what it is made of.
        training: how it learns.
        residual_on: a ridge whose forecast the network corrects; while it learns, each week's ridge has not seen that
            week. None lets the network forecast by itself.
    """

    kind: Literal["network"] = "network"
    network: NetworkConfig
    training: TrainingConfig = TrainingConfig()
    residual_on: Annotated[RidgeModel | None, BeforeValidator(switched)] = None


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


Member = Annotated[NetworkModel | RidgeModel | TreesModel, Field(discriminator="kind")]


class EnsembleModel(_Frozen):
    """Several models averaged by quantile (Lichtendahl et al. 2013); all read the same columns.

    Attributes:
        members: two or more; equal ones differ by their seeds.
    """

    kind: Literal["ensemble"] = "ensemble"
    members: tuple[Member, ...] = Field(min_length=2, max_length=64)


Model = Annotated[
    NetworkModel | SeasonalNaiveModel | RidgeModel | TreesModel | EnsembleModel, Field(discriminator="kind")
]
