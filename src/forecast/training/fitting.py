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
import pandas as pd

from forecast import calendars
from forecast.baselines import HourlyRidge, QuantileTrees, SeasonalNaive
from forecast.calibration import Calibration, window_scale
from forecast.errors import NotEnoughHistory
from forecast.features import Features, Inputs, fit_features
from forecast.features.civil import HOURS
from forecast.forecaster import Forecaster, ForecasterSpec, Model
from forecast.metrics import seasonal_scale
from forecast.recipe import NetworkModel, Recipe, RidgeModel, SeasonalNaiveModel, Task, TreesModel
from forecast.tables import Demand
from forecast.training.learn import LearnedNetwork, learn_network
from forecast.training.progress import Progress, Silent
from forecast.windows import Origins, WindowSet, origins_every, training_origins_at

BASELINE_WINDOWS = 4000
CALIBRATION_WINDOWS = 3000
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
    span = _Span(demand, recipe, task)
    learned = _learn(span, recipe, checkpoint, progress or Silent())
    spec = _spec(span, recipe, task, learned)
    report = TrainingReport(
        learned.history, learned.best_epoch, time.monotonic() - began, learned.gradient_by_lag, learned.gradient_health,
        len(span.windows(span.features(demand), demand)),
    )  # fmt: skip
    return Fitted(Forecaster(spec, learned.model), report)


@dataclass
class _Learned:
    """What either kind of learning hands over."""

    model: Model
    features: Features
    calibration: Calibration
    history: list[dict[str, Any]] = field(default_factory=list)
    best_epoch: int = 0
    gradient_by_lag: list[float] = field(default_factory=list)
    gradient_health: str = ""


class _Span:
    """The training span, its split, and its windows."""

    def __init__(self, demand: Demand, recipe: Recipe, task: Task) -> None:
        self.demand, self.recipe, self.task = demand, recipe, task
        self.context = recipe.context_steps(demand.step)
        self.begin = min(one.start for one in demand.series)
        self.end = demand.known_until if demand.known_until is not None else demand.last_known_end()
        share = recipe.model.training.validation_share if isinstance(recipe.model, NetworkModel) else 0.12
        lived = demand.last_known_end() - self.begin
        needed = (self.context + task.horizon) * demand.step
        if lived < needed:
            raise NotEnoughHistory(
                f"{int(lived / demand.step)} known steps of {demand.step}",
                f"at least {self.context + task.horizon} (context {self.context} + horizon {task.horizon})",
                "add history, shorten the horizon, or choose a recipe with a shorter context",
            )
        split = demand.last_known_end() - share * lived
        # Whole periods before the split: a validation origin starts a period.
        self.split = self.begin + np.floor((split - self.begin) / demand.step) * demand.step

    def features(self, demand: Demand) -> Features:
        """Features fitted on what a table shows."""
        return fit_features(self.recipe.features, demand, self.context)

    def windows(self, features: Features, demand: Demand, since: pd.Timestamp | None = None) -> WindowSet:
        """Windows of a table at the task's moments, from `since` on."""
        origins = self._origins(demand, since)
        return features.window_set(demand, origins, self.task.horizon)

    def _origins(self, demand: Demand, since: pd.Timestamp | None) -> Origins:
        context, horizon = self._context_rows(since), self.task.horizon
        if self.task.every == "any":
            return origins_every(demand, context=context, horizon=horizon)
        zone = demand.series[0].zone
        first = since if since is not None else self.begin
        days = [moment.tz_convert("UTC").strftime("%Y-%m-%d") for moment in (first, demand.last_known_end())]
        moments = calendars.cutoffs(days[0], days[1], self.task.every, zone, self.task.gate)
        if since is not None:
            moments = moments[moments >= since]
        return training_origins_at(demand, moments, context=context if since is None else 0, horizon=horizon)

    def _context_rows(self, since: pd.Timestamp | None) -> int:
        return self.context if since is None else max(self.context, int((since - self.begin) / self.demand.step))


def _learn(span: _Span, recipe: Recipe, checkpoint: Path | None, progress: Progress) -> _Learned:
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
        calibration = _calibrate(learned.judged, features, held_out, recipe)
        used = final if learned.refitted else features
        return _Learned(
            learned.model, used, calibration, learned.history, learned.best_epoch, learned.gradient_by_lag,
            learned.gradient_health,
        )  # fmt: skip
    judged = _fit_baseline(recipe, features, train)
    calibration = _calibrate(judged, features, held_out, recipe)
    progress.epoch("learn", 1, 1, {})
    return _Learned(_fit_baseline(recipe, final, whole), final, calibration)


def _fit_baseline(recipe: Recipe, features: Features, windows: WindowSet) -> Model:
    inputs = _some(features, windows, BASELINE_WINDOWS)
    match recipe.model:
        case SeasonalNaiveModel():
            return SeasonalNaive.fit(recipe.model, features, inputs, recipe.quantiles)
        case RidgeModel():
            return HourlyRidge.fit(recipe.model, features, inputs, recipe.quantiles)
        case TreesModel():
            return QuantileTrees.fit(recipe.model, features, inputs, recipe.quantiles)
    raise AssertionError(f"no baseline {recipe.model.kind}")


def _some(features: Features, windows: WindowSet, most: int) -> Inputs:
    """At most `most` windows, evenly spread over all."""
    index_B = np.unique(np.linspace(0, len(windows) - 1, min(most, len(windows))).astype(np.int64))
    return features.inputs(windows, features.clock(windows), index_B)


def _calibrate(model: Model, features: Features, held_out: WindowSet | None, recipe: Recipe) -> Calibration:
    if held_out is None:
        return Calibration.none(recipe.quantiles)
    inputs = _some(features, held_out, CALIBRATION_WINDOWS)
    return Calibration.fit(
        model.quantiles(inputs), inputs.target_BH, inputs.target_mask_BH > 0,
        inputs.future_BHF[:, :, :HOURS].argmax(2),
        window_scale(inputs.past_BLP[:, :, 0], inputs.past_mask_BLP[:, :, 0]), recipe.quantiles,
    )  # fmt: skip


def _key(span: _Span, recipe: Recipe) -> str:
    """What a checkpoint belongs to: recipe, task and data."""
    text = recipe.model_dump_json() + span.task.model_dump_json() + span.demand.digest
    return hashlib.sha256(text.encode()).hexdigest()


def _spec(span: _Span, recipe: Recipe, task: Task, learned: _Learned) -> ForecasterSpec:
    demand = span.demand
    scales = {one.unique_id: seasonal_scale(demand.observed(one), 7 * demand.steps_per_day) for one in demand.series}
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
        weather=OPTIMISTIC if demand.columns.known else "none",
        made_with={"python": platform.python_version()} | {name: version(name) for name in ("torch", "numpy", "scikit-learn")},
    )
