"""`refresh`: a trained forecaster goes on with newer data, at a fraction of the cost of a new training."""

from __future__ import annotations

import time

import pandas as pd

from forecast.errors import RecipeError
from forecast.forecaster import Ensemble, Forecaster, Model
from forecast.forecaster.residual import Residual
from forecast.networks.shape import NetworkShape
from forecast.recipe import NetworkModel
from forecast.tables import Demand
from forecast.training.baseline import learn_baseline
from forecast.training.calibrating import newer_lessons
from forecast.training.fitting import Fitted, TrainingReport, key_of, spec_of, taught, together
from forecast.training.learn import LearnedMember, NetworkLearning, Parts
from forecast.training.progress import Progress, Silent
from forecast.training.span import Span

EPOCHS, RATE_SHARE = 3, 1 / 3


def refresh(
    forecaster: Forecaster, demand: Demand, *, epochs: int = EPOCHS, rate_share: float = RATE_SHARE,
    progress: Progress | None = None,
) -> Fitted:  # fmt: skip
    """Networks go on from their weights over all data so far, baselines are learned anew, columns and scaling stay.

    What the forecaster said since it was trained is compared with what happened, and its intervals learn from that.

    Args:
        forecaster: trained on the same series and columns.
        demand: the longer table, usually `demand.as_of(now)`.
        epochs: passes of each network.
        rate_share: of the recipe's peak learning rate.
        progress: told after every epoch.

    Raises:
        RecipeError: no epoch, or no rate.
        NotEnoughHistory: no window of context + horizon steps is known.
        NonFiniteLoss: loss or weights stopped being numbers.
    """
    if epochs < 1 or not rate_share > 0:
        raise RecipeError(f"refresh with {epochs} epochs at {rate_share} of the rate", "1 or more, above 0")
    began, spec = time.monotonic(), forecaster.spec
    span = Span(demand, spec.recipe, spec.task)
    reader = spec.column_reader
    whole = span.windows(reader, demand)
    parts = Parts(reader, whole, None, reader, whole, spec.recipe.quantiles)
    models = forecaster.model.members if isinstance(forecaster.model, Ensemble) else (forecaster.model,)
    members = [
        _member(span, parts, number, model, (epochs, rate_share), progress or Silent())
        for number, model in enumerate(models)
    ]
    model = together([one.model for one in members])
    lessons = newer_lessons(forecaster, demand, span.moments(pd.Timestamp(spec.trained_until)))
    return Fitted(taught(spec_of(span, model, reader), model, lessons), TrainingReport.of(members, began, len(whole)))


def refresh_fitted(fitted: Fitted, demand: Demand) -> Fitted:
    """`refresh` as `backtest.walk` calls it; a function of this module, so that workers can be sent it."""
    return refresh(fitted.forecaster, demand)


def _member(
    span: Span, parts: Parts, number: int, model: Model, how: tuple[int, float], progress: Progress
) -> LearnedMember:
    config = span.recipe.members[number]
    if not isinstance(config, NetworkModel):
        return LearnedMember(learn_baseline(config, parts.final, parts.whole, parts.levels), None)
    epochs, share = how
    training = config.training.model_copy(
        update={"epochs": epochs, "rate": config.training.rate * share, "pretrain": None}
    )
    network = model.network if isinstance(model, Residual) else model
    learning = NetworkLearning(
        config.model_copy(update={"training": training}), parts, None, key_of(span, number), progress,
        NetworkShape.model_validate(network.settings()["shape"]),
    )  # fmt: skip
    return learning.refresh(network.arrays())
