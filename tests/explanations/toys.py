"""Recipes that train in a second, and models whose explanation is known on paper."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import pandas as pd

from forecast.explanations import Explanation
from forecast.features import Inputs
from forecast.forecaster import Forecaster
from forecast.forecaster.models import Floats, Model
from forecast.networks.configs import (
    AttentionConfig,
    AttentionDecoderConfig,
    NetworkConfig,
    RecurrentConfig,
    RecurrentDecoderConfig,
    TransformerConfig,
)
from forecast.recipe import NetworkModel, Recipe, TrainingConfig, TreesModel
from forecast.recipes import named
from tests.builders import TINY, utc

CUTOFF = utc("2024-03-15T06:00")
QUICK = TrainingConfig(epochs=1, windows_per_epoch=64, final="keep")


def _network(name: str, network: NetworkConfig) -> Recipe:
    return Recipe(name=name, context="2d", model=NetworkModel(network=network, training=QUICK))


RECIPES = {
    "tiny": TINY,
    "looking": _network(
        "looking",
        NetworkConfig(
            encoder=RecurrentConfig(kind="lstm", width=6),
            decoder=RecurrentDecoderConfig(width=8, attention=AttentionConfig(heads=2)),
        ),
    ),
    "transformer": _network(
        "transformer",
        NetworkConfig(
            encoder=TransformerConfig(width=8, layers=1, heads=2), decoder=AttentionDecoderConfig(width=8, heads=2),
            patch=3,
        ),
    ),
    "ridge": named("ridge").model_copy(update={"correction": None}),
    "corrected": named("ridge"),
    "trees": Recipe(name="small-trees", model=TreesModel(iterations=3)),
    "naive": named("seasonal_naive_week"),
}  # fmt: skip


@dataclass(frozen=True)
class Toy:
    """A model that is one function of the inputs, [B, H]; the same at every level."""

    said: Callable[[Inputs], Floats]
    kind = "toy"

    def quantiles(self, inputs: Inputs) -> Floats:
        return np.asarray(np.repeat(self.said(inputs)[:, :, None], 9, axis=2))

    def arrays(self) -> dict[str, Any]:
        return {}

    def settings(self) -> dict[str, object]:
        return {}

    @classmethod
    def restore(cls, settings: Mapping[str, object], arrays: dict[str, Any]) -> Self:
        raise NotImplementedError


@dataclass(frozen=True)
class Mean(Toy):
    """An ensemble: the mean of its members."""

    members: tuple[Model, ...] = ()
    kind = "ensemble"

    def quantiles(self, inputs: Inputs) -> Floats:
        return np.asarray(np.mean([member.quantiles(inputs) for member in self.members], axis=0))


@dataclass(frozen=True)
class Shifted(Toy):
    """A network that learned on what another model leaves over, here a constant; it is fed other inputs, too."""

    learned: Model | None = None
    kind = "residual"

    def quantiles(self, inputs: Inputs) -> Floats:
        assert self.learned is not None
        return self.learned.quantiles(replace(inputs, past_BLP=inputs.past_BLP + np.float32(50))) + np.float32(7)


@dataclass(frozen=True, eq=False)
class Corrected(Forecaster):
    """A forecaster that adds three to whatever its model says."""

    def predict(self, *arguments: Any, **options: Any) -> Any:
        said = super().predict(*arguments, **options)
        numbers = [name for name in said.frame.columns if name == "mean" or name.startswith("q0.")]
        return replace(said, frame=said.frame.assign(**{name: said.frame[name] + 3.0 for name in numbers}))


def with_model(forecaster: Forecaster, model: Model) -> Forecaster:
    """The same forecaster around another model."""
    return replace(forecaster, model=model)


def nothing(inputs: Inputs) -> Floats:
    return np.zeros(inputs.future_BHF.shape[:2], np.float32)


def total(explanation: Explanation) -> np.ndarray:
    """Baseline and all groups."""
    return np.asarray(explanation.baseline_H + np.sum(list(explanation.groups.values()), axis=0))


def step_at(place: int) -> pd.Timestamp:
    """Start of a step ahead of the cutoff."""
    return CUTOFF + place * pd.Timedelta("1h")
