"""How a baseline is learned."""

from __future__ import annotations

from forecast.baselines import QuantileTrees, SeasonalNaive
from forecast.features import Features, Inputs
from forecast.forecaster import Model
from forecast.recipe import RidgeModel, SeasonalNaiveModel, TreesModel
from forecast.training.ridge import LEARNED, learn_ridge
from forecast.windows import WindowSet, spread

Baseline = RidgeModel | SeasonalNaiveModel | TreesModel


def learn_baseline(config: Baseline, features: Features, windows: WindowSet, levels: tuple[float, ...]) -> Model:
    """One fit on these windows."""
    match config:
        case SeasonalNaiveModel():
            return SeasonalNaive.fit(config, features, some_inputs(features, windows, LEARNED), levels)
        case RidgeModel():
            return learn_ridge(config, features, windows, levels).whole
        case TreesModel():
            return QuantileTrees.fit(config, features, some_inputs(features, windows, LEARNED), levels)


def some_inputs(features: Features, windows: WindowSet, most: int) -> Inputs:
    """At most `most` windows, evenly spread over all."""
    return features.inputs(windows, features.clock(windows), spread(0, len(windows), most))
