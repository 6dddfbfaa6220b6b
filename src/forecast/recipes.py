"""Named recipes: Python values that flows and the command line share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from forecast.errors import RecipeError
from forecast.networks.configs import (
    AttentionConfig,
    AttentionDecoderConfig,
    ConvolutionConfig,
    DirectConfig,
    EncoderConfig,
    NetworkConfig,
    NoEncoderConfig,
    RecurrentConfig,
    RecurrentDecoderConfig,
    SameHourConfig,
    TransformerConfig,
)
from forecast.recipe import (
    CorrectionConfig,
    EnsembleModel,
    NetworkModel,
    QualityTreatment,
    Recipe,
    RidgeModel,
    SeasonalNaiveModel,
    TrainingConfig,
    TreesModel,
)

_LEARNING = TrainingConfig(epochs=40, blind_share=0.5, stopping="never", windows_per_epoch=12_288, steps_per_epoch=64)
_ERRORS_SEEN = CorrectionConfig()

SEASONAL_NAIVE_DAY = Recipe(
    name="seasonal_naive_day",
    description="The same hour of the last known day.",
    model=SeasonalNaiveModel(season="day"),
)
SEASONAL_NAIVE_WEEK = Recipe(
    name="seasonal_naive_week",
    description="The same hour of the last known week.",
    model=SeasonalNaiveModel(season="week"),
)
RIDGE = Recipe(
    name="ridge",
    description="One ridge per local hour, hinges and same-hour lags.",
    model=RidgeModel(),
    correction=_ERRORS_SEEN,
)
TREES = Recipe(name="trees", description="Histogram gradient boosting, quantile loss.", model=TreesModel())


def _alone(name: str, description: str, model: NetworkModel) -> Recipe:
    return Recipe(name=name, description=description, model=model, correction=_ERRORS_SEEN)


def _learned(network: NetworkConfig, **how: Any) -> NetworkModel:
    return NetworkModel(network=network, training=_LEARNING, **how)


def _per_step(encoder: EncoderConfig, patch: str = "auto", look: SameHourConfig | None = None) -> NetworkConfig:
    """An encoder of the last week and one perceptron for every step ahead."""
    decoder = DirectConfig(width=160, dropout=0.2, same_hour=look)
    return NetworkConfig(encoder=encoder, decoder=decoder, dropout=0.1, patch=patch)


_LSTM = _per_step(RecurrentConfig(kind="lstm", width=48), "6h")
_GRU = _per_step(RecurrentConfig(kind="gru", width=48), "6h")
_ATTENTION = _per_step(NoEncoderConfig(width=48), look=SameHourConfig())
_SEQ2SEQ = NetworkConfig(
    encoder=RecurrentConfig(kind="gru", width=48),
    decoder=RecurrentDecoderConfig(
        cell="gru", width=48, bidirectional=True, attention=AttentionConfig(heads=4), dropout=0.1
    ),
    dropout=0.1,
    patch="3h",
)
_TRANSFORMER = NetworkConfig(
    encoder=TransformerConfig(width=48, heads=4, layers=2, dropout=0.1),
    decoder=AttentionDecoderConfig(width=48, heads=4, layers=1, causal_self_attention=True, dropout=0.1),
    dropout=0.1,
)

RNN = _alone(
    "rnn", "Plain recurrent encoder of the last week, hourly highway, perceptron per step.",
    _learned(_per_step(RecurrentConfig(kind="rnn", width=48), "6h")),
)  # fmt: skip
LSTM = _alone("lstm", "LSTM encoder of the last week, hourly highway, perceptron per step.", _learned(_LSTM))
GRU = _alone("gru", "GRU encoder of the last week, hourly highway, perceptron per step.", _learned(_GRU))
ATTENTION = _alone(
    "attention", "Each step ahead attends to its own hour of the last week; perceptron per step, hourly highway.",
    _learned(_ATTENTION),
)  # fmt: skip
SEQ2SEQ = _alone(
    "seq2seq",
    "GRU sequence to sequence: a decoder over the horizon that attends to the last week, hourly highway.",
    _learned(_SEQ2SEQ),
)
TRANSFORMER = _alone(
    "transformer", "Transformer encoder-decoder with causal self- and cross-attention, hourly highway.",
    _learned(_TRANSFORMER),
)  # fmt: skip
CONVOLUTION = _alone(
    "convolution", "Causal dilated convolutions over the last week, hourly highway, perceptron per step.",
    _learned(_per_step(ConvolutionConfig(width=48, layers=7, kernel=3, dropout=0.1))),
)  # fmt: skip

_ON_RIDGE = RidgeModel()
DEFAULT = Recipe(
    name="default",
    description="What an unknown series gets: LSTM, GRU, attention, two networks on a ridge, and the ridge, averaged.",
    model=EnsembleModel(
        members=(
            _learned(_LSTM),
            _learned(_GRU),
            _learned(_ATTENTION),
            _learned(_LSTM, residual_on=_ON_RIDGE),
            _learned(_ATTENTION, residual_on=_ON_RIDGE),
            _ON_RIDGE,
        )
    ),
    correction=_ERRORS_SEEN,
).seeded(0)

_NETWORKS = (RNN, LSTM, GRU, ATTENTION, SEQ2SEQ, TRANSFORMER, CONVOLUTION)
_BASELINES = (RIDGE, TREES, SEASONAL_NAIVE_DAY, SEASONAL_NAIVE_WEEK)
RECIPES = {recipe.name: recipe for recipe in (DEFAULT, *_NETWORKS, *_BASELINES)}


def treated(recipe: Recipe, quality: QualityTreatment) -> Recipe:
    """The recipe with what quality finds masked, where that is wanted or its own file says so."""
    return recipe if quality == "keep" else recipe.model_copy(update={"quality": quality})


def named(name: str) -> Recipe:
    """A named recipe, or the recipe of a TOML file.

    Raises:
        RecipeError: neither a name nor a file.

    >>> named("lstm").model.kind
    'network'
    """
    if name in RECIPES:
        return RECIPES[name]
    if name.endswith(".toml"):
        return Recipe.from_toml(Path(name))
    raise RecipeError(f"no recipe '{name}'", f"one of {', '.join(RECIPES)}, or a TOML file", "see docs/choosing.md")
