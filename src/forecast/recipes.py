"""Named recipes: Python values that flows and the command line share."""

from __future__ import annotations

from pathlib import Path

from forecast.errors import RecipeError
from forecast.networks.configs import (
    AttentionConfig,
    AttentionDecoderConfig,
    DirectConfig,
    NetworkConfig,
    RecurrentConfig,
    RecurrentDecoderConfig,
    TransformerConfig,
)
from forecast.recipe import NetworkModel, Recipe, RidgeModel, SeasonalNaiveModel, TrainingConfig, TreesModel

_LEARNING = TrainingConfig()

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
RIDGE = Recipe(name="ridge", description="One ridge per local hour, hinges and same-hour lags.", model=RidgeModel())
TREES = Recipe(name="trees", description="Histogram gradient boosting, quantile loss.", model=TreesModel())


def _recurrent(kind: str, description: str) -> Recipe:
    network = NetworkConfig(
        encoder=RecurrentConfig(kind=kind, width=48),
        decoder=DirectConfig(width=160, dropout=0.2),
        dropout=0.1,
    )
    return Recipe(name=kind, description=description, model=NetworkModel(network=network, training=_LEARNING))


RNN = _recurrent("rnn", "Plain recurrent encoder of the last week, hourly highway, perceptron per step.")
LSTM = _recurrent("lstm", "LSTM encoder of the last week, hourly highway, perceptron per step.")
GRU = _recurrent("gru", "GRU encoder of the last week, hourly highway, perceptron per step.")
ATTENTION = Recipe(
    name="attention",
    description="GRU sequence to sequence: a decoder over the horizon that attends to the last week, hourly highway.",
    model=NetworkModel(
        network=NetworkConfig(
            encoder=RecurrentConfig(kind="gru", width=48),
            decoder=RecurrentDecoderConfig(
                cell="gru", width=48, bidirectional=True, attention=AttentionConfig(heads=4), dropout=0.1
            ),
            dropout=0.1,
        ),
        training=_LEARNING,
    ),
)
TRANSFORMER = Recipe(
    name="transformer",
    description="Transformer encoder-decoder with causal self- and cross-attention, hourly highway.",
    model=NetworkModel(
        network=NetworkConfig(
            encoder=TransformerConfig(width=48, heads=4, layers=2, dropout=0.1),
            decoder=AttentionDecoderConfig(width=48, heads=4, layers=1, causal_self_attention=True, dropout=0.1),
            dropout=0.1,
        ),
        training=_LEARNING,
    ),
)
DEFAULT = LSTM.model_copy(update={"name": "default", "description": f"What an unknown series gets. {LSTM.description}"})

_NETWORKS = (DEFAULT, RNN, LSTM, GRU, ATTENTION, TRANSFORMER)
_BASELINES = (RIDGE, TREES, SEASONAL_NAIVE_DAY, SEASONAL_NAIVE_WEEK)
RECIPES = {recipe.name: recipe for recipe in (*_NETWORKS, *_BASELINES)}


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
