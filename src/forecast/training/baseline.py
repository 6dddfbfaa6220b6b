"""How a baseline is learned, and how its intervals are made honest."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import numpy.typing as npt

from forecast.baselines import HourlyRidge, QuantileTrees, SeasonalNaive
from forecast.calibration import Calibration, window_scale
from forecast.features import Features, Inputs
from forecast.features.civil import HOURS
from forecast.forecaster import Model
from forecast.recipe import Recipe, RidgeModel, SeasonalNaiveModel, TreesModel
from forecast.windows import WindowSet

LEARNED, CALIBRATED = 4000, 3000
FOLDS, FOLD_NS = 5, 7 * 24 * 3600 * 10**9

Floats = npt.NDArray[np.float32]


def learn_baseline(
    recipe: Recipe, early: tuple[Features, WindowSet, WindowSet | None], whole: tuple[Features, WindowSet]
) -> tuple[Model, Calibration]:
    """Learns a baseline on the whole span and calibrates it on errors that it made where it had not learned.

    The seasonal naive learns nothing, so all its errors count; the ridge is cheap, so every week is forecast once by a
    ridge that did not see it; the trees are judged on the held-out end of the span.
    """
    features, train, held_out = early
    everything = some_inputs(*whole, LEARNED)
    model = fit_baseline(recipe, whole[0], everything)
    match recipe.model:
        case SeasonalNaiveModel():
            return model, calibrate(model, everything, recipe.quantiles)
        case RidgeModel():
            said_BHQ = _out_of_fold(recipe, *whole, everything)
            return model, calibrate(model, everything, recipe.quantiles, said_BHQ)
    if held_out is None:
        return model, Calibration.none(recipe.quantiles)
    judged = fit_baseline(recipe, features, some_inputs(features, train, LEARNED))
    return model, calibrate(judged, some_inputs(features, held_out, CALIBRATED), recipe.quantiles)


def fit_baseline(recipe: Recipe, features: Features, inputs: Inputs) -> Model:
    """One fit on these windows."""
    match recipe.model:
        case SeasonalNaiveModel():
            return SeasonalNaive.fit(recipe.model, features, inputs, recipe.quantiles)
        case RidgeModel():
            return HourlyRidge.fit(recipe.model, features, inputs, recipe.quantiles)
        case TreesModel():
            return QuantileTrees.fit(recipe.model, features, inputs, recipe.quantiles)
    raise AssertionError(f"no baseline {recipe.model.kind}")


def some_inputs(features: Features, windows: WindowSet, most: int) -> Inputs:
    """At most `most` windows, evenly spread over all."""
    return features.inputs(windows, features.clock(windows), _spread(windows, most))


def calibrate(model: Model, inputs: Inputs, levels: tuple[float, ...], said_BHQ: Floats | None = None) -> Calibration:
    """The calibration of these windows' errors; `said_BHQ` where somebody else than the model said them."""
    return Calibration.fit(
        model.quantiles(inputs) if said_BHQ is None else said_BHQ, inputs.target_BH, inputs.target_mask_BH > 0,
        inputs.future_BHF[:, :, :HOURS].argmax(2),
        window_scale(inputs.past_BLP[:, :, 0], inputs.past_mask_BLP[:, :, 0]), levels,
    )  # fmt: skip


def _out_of_fold(recipe: Recipe, features: Features, windows: WindowSet, inputs: Inputs) -> Floats:
    """Each week's quantiles from a fit on the other four of five weeks, whole weeks interleaved."""
    _, _, cutoff_B = windows.origins.at(_spread(windows, LEARNED), windows.demand)
    fold_B = (cutoff_B // FOLD_NS) % FOLDS
    said_BHQ = np.zeros((*inputs.target_BH.shape, len(recipe.quantiles)), dtype=np.float32)
    for fold in np.unique(fold_B):
        mine_B = fold_B == fold
        others = _pick(inputs, ~mine_B) if not mine_B.all() else inputs
        said_BHQ[mine_B] = fit_baseline(recipe, features, others).quantiles(_pick(inputs, mine_B))
    return said_BHQ


def _spread(windows: WindowSet, most: int) -> npt.NDArray[np.int64]:
    return np.unique(np.linspace(0, len(windows) - 1, min(most, len(windows))).astype(np.int64))


def _pick(inputs: Inputs, chosen_B: npt.NDArray[np.bool_]) -> Inputs:
    """Some windows of a batch."""
    return Inputs(**{one.name: getattr(inputs, one.name)[chosen_B] for one in fields(inputs)})
