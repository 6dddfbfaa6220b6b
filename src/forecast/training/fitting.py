"""`fit`: table + recipe + task -> `Forecaster`. Nothing after the table's `known_until` is ever read."""

from __future__ import annotations

import hashlib
import platform
import time
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from forecast.calibration import Calibration
from forecast.errors import NotEnoughHistory
from forecast.features import Features
from forecast.forecaster import Forecaster, ForecasterSpec, Model
from forecast.metrics import seasonal_scale
from forecast.recipe import NetworkModel, Recipe, Task
from forecast.tables import Demand
from forecast.training.baseline import CALIBRATED, LEARNED, calibrate, learn_baseline, some_inputs
from forecast.training.learn import LearnedNetwork, learn_network
from forecast.training.progress import Progress, Silent
from forecast.training.span import Span

OPTIMISTIC = "actual (optimistic)"


@dataclass(frozen=True)
class TrainingReport:
    """How a training went.

    Attributes:
        history: per epoch: stage, epoch, train_loss, validation_loss, rate.
        best_epoch: the epoch whose averaged weights were kept; 0 for a baseline.
        seconds: wall time.
        gradient_by_lag: mean gradient norm by encoder step, newest first; empty for a baseline.
        gradient_health: "healthy", "vanishing", "exploding", or "" for a baseline.
        windows: training windows at hand.
    """

    history: list[dict[str, Any]] = field(default_factory=list)
    best_epoch: int = 0
    seconds: float = 0.0
    gradient_by_lag: list[float] = field(default_factory=list)
    gradient_health: str = ""
    windows: int = 0


@dataclass(frozen=True, eq=False)
class Fitted:
    """A trained forecaster and how it was trained."""

    forecaster: Forecaster
    report: TrainingReport


def fit(
    demand: Demand, recipe: Recipe, task: Task, *, checkpoint: Path | None = None, progress: Progress | None = None
) -> Fitted:
    """Trains one recipe on everything that the table shows.

    The last `validation_share` of the span stops the training and calibrates the intervals; nothing is learned from it
    before. Then, unless the recipe keeps that network, the same recipe learns once more on the whole span.

    Args:
        demand: the training table, usually `demand.as_of(cutoff)`.
        recipe: every knob.
        task: what the forecaster will be asked.
        checkpoint: folder for checkpoints; a run that was killed goes on from there, to the same bits.
        progress: told after every epoch.

    Raises:
        NotEnoughHistory: no window of context + horizon steps is known.
        NonFiniteLoss: loss or weights stopped being numbers.
    """
    began = time.monotonic()
    span = Span(demand, recipe, task)
    learned = _learn(span, recipe, checkpoint, progress or Silent())
    spec = _spec(span, recipe, task, learned)
    report = TrainingReport(
        learned.history, learned.best_epoch, time.monotonic() - began, learned.gradient_by_lag, learned.gradient_health,
        learned.windows,
    )  # fmt: skip
    return Fitted(Forecaster(spec, learned.model), report)


@dataclass
class _Learned:
    """What either kind of learning hands over."""

    model: Model
    features: Features
    calibration: Calibration
    windows: int
    history: list[dict[str, Any]] = field(default_factory=list)
    best_epoch: int = 0
    gradient_by_lag: list[float] = field(default_factory=list)
    gradient_health: str = ""


def _learn(span: Span, recipe: Recipe, checkpoint: Path | None, progress: Progress) -> _Learned:
    early = span.demand.as_of(span.split)
    try:
        features = span.features(early)
        train = span.windows(features, early)
        held_out = span.windows(features, span.demand, since=span.split)
    except NotEnoughHistory:
        # Too short to hold anything out: learn from all of it, and promise no calibrated interval.
        features = span.features(span.demand)
        train, held_out = span.windows(features, span.demand), None
    final = span.features(span.demand)
    whole = span.windows(final, span.demand)
    if isinstance(recipe.model, NetworkModel):
        learned: LearnedNetwork = learn_network(
            recipe, span.task, (features, train, held_out), (final, whole), checkpoint, _key(span, recipe), progress
        )
        calibration = Calibration.none(recipe.quantiles)
        if held_out is not None:
            calibration = calibrate(learned.judged, some_inputs(features, held_out, CALIBRATED), recipe.quantiles)
        used = final if learned.refitted else features
        return _Learned(
            learned.model, used, calibration, len(whole), learned.history, learned.best_epoch, learned.gradient_by_lag,
            learned.gradient_health,
        )  # fmt: skip
    progress.epoch("learn", 1, 1, {})
    model, calibration = learn_baseline(recipe, (features, train, held_out), (final, whole))
    return _Learned(model, final, calibration, min(len(whole), LEARNED))


def _key(span: Span, recipe: Recipe) -> str:
    """What a checkpoint belongs to: recipe, task and data."""
    text = recipe.model_dump_json() + span.task.model_dump_json() + span.demand.digest
    return hashlib.sha256(text.encode()).hexdigest()


def _spec(span: Span, recipe: Recipe, task: Task, learned: _Learned) -> ForecasterSpec:
    demand = span.demand
    week = 7 * demand.steps_per_day
    scales = {one.unique_id: seasonal_scale(demand.observed(one), week) * demand.output_factor for one in demand.series}
    return ForecasterSpec(
        recipe=recipe,
        task=task,
        model=learned.model.settings(),
        past=demand.columns.past,
        known=demand.columns.known,
        static=demand.columns.static,
        step_seconds=int(demand.step.total_seconds()),
        unit=demand.unit,
        zone=demand.series[0].zone,
        country=demand.country,
        delay_seconds=int(demand.delay.total_seconds()),
        series=tuple(one.unique_id for one in demand.series),
        features=learned.features.state,
        calibration=learned.calibration,
        trained_from=span.begin.isoformat(),
        trained_until=span.end.isoformat(),
        data_digest=demand.digest,
        seasonal_scale={name: float(scale) if np.isfinite(scale) else None for name, scale in scales.items()},
        weather=OPTIMISTIC if set(demand.columns.known) - set(learned.features.state.binary) else "none",
        made_with={"python": platform.python_version()}
        | {name: version(name) for name in ("torch", "numpy", "scikit-learn")},
    )
