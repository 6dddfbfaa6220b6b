"""Peers that the same command runs: other people's methods on our columns, cutoffs and calibration."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd

from forecast.backtest import Plan, WalkProgress, walk
from forecast.errors import DeclarationError
from forecast.features import Features, Inputs
from forecast.forecaster import Model
from forecast.protocols.boosting import ALPHA, Boosted
from forecast.protocols.stepridge import StepRidge
from forecast.recipe import Recipe, RidgeModel, Task, TreesModel
from forecast.tables import Demand
from forecast.training import Fitted, TrainingReport
from forecast.training.baseline import some_inputs
from forecast.training.calibrating import learn_lessons
from forecast.training.fitting import spec_of, taught
from forecast.training.span import Span

LEARNED = 8000
_TREES = TreesModel(iterations=400, rate=0.05, leaves=31, min_leaf=40)
BESIDE = {
    recipe.name: recipe
    for recipe in (
        Recipe(name="lightgbm", description="LightGBM, direct, one model for all series.", model=_TREES),
        Recipe(name="ridge_lightgbm", description="A ridge per step, LightGBM on what it leaves.", model=_TREES),
        Recipe(
            name="ridge_step",
            description="A ridge per series and step of the horizon.",
            model=RidgeModel(alphas=(ALPHA,)),
        ),
    )
}
PER_SERIES = ("ridge_step",)
"""Peers that learn every series alone."""


def walk_beside(
    name: str, demand: Demand, plan: Plan, task: Task, *, refit: str | int = "never", workers: int = 1, seed: int = 0,
    progress: WalkProgress | None = None,
) -> pd.DataFrame:  # fmt: skip
    """A peer's walk: the table of `backtest.walk`.

    Raises:
        DeclarationError: there is no such peer. RecipeError: what it needs is not installed.
    """
    if name not in BESIDE:
        raise DeclarationError(f"no peer '{name}'", f"one of {', '.join(BESIDE)}")
    learn = partial(fit_beside, name=name, task=task, seed=seed)
    parts = [demand.select([one.unique_id]) for one in demand.series] if name in PER_SERIES else [demand]
    walks = [walk(part, {name: learn}, plan, refit=refit, workers=workers, progress=progress) for part in parts]
    return pd.concat([walked.table for walked in walks], ignore_index=True)


def fit_beside(demand: Demand, *, name: str, task: Task, seed: int = 0) -> Fitted:
    """A peer learned on everything that the table shows, its intervals calibrated on the held-out end as ours are.

    Raises:
        NotEnoughHistory: nothing can be held out.
        RecipeError: what it needs is not installed.
    """
    recipe = BESIDE[name]
    span = Span(demand, recipe, task)
    early = demand.as_of(span.split)
    features, final = span.features(early), span.features(demand)
    judged = _learn(recipe, features, some_inputs(features, span.windows(features, early), LEARNED), seed)
    lessons = learn_lessons(spec_of(span, judged, features), judged, span)
    model = _learn(recipe, final, some_inputs(final, span.windows(final, demand), LEARNED), seed)
    return Fitted(taught(spec_of(span, model, final), model, lessons), TrainingReport())


def _learn(recipe: Recipe, features: Features, inputs: Inputs, seed: int) -> Model:
    # A window without any known y has no level to be relative to: its megawatts would drown all others.
    inputs = inputs.only(np.any(inputs.past_mask_BLP[:, :, 0] > 0, axis=1))
    if isinstance(recipe.model, TreesModel):
        on_ridge = recipe.name == "ridge_lightgbm"
        return Boosted.fit(recipe.model, features, inputs, recipe.quantiles, seed=seed, on_ridge=on_ridge)
    assert isinstance(recipe.model, RidgeModel)
    return StepRidge.fit(recipe.model, features, inputs, recipe.quantiles)
