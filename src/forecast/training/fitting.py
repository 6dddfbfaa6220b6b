"""`fit`: table + recipe + task -> `Forecaster`. Nothing after the table's `known_until` is ever read."""

from __future__ import annotations

import hashlib
import platform
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from forecast.calibration import Calibration
from forecast.errors import NotEnoughHistory
from forecast.fallback import Profile
from forecast.features import Features
from forecast.forecaster import Ensemble, Forecaster, ForecasterSpec, Model
from forecast.metrics import seasonal_scale
from forecast.recipe import NetworkModel, Recipe, Task
from forecast.tables import Demand
from forecast.training.baseline import learn_baseline
from forecast.training.calibrating import Lessons, learn_lessons, no_lessons
from forecast.training.learn import LearnedMember, NetworkLearning, Parts
from forecast.training.progress import Progress, Silent
from forecast.training.span import Span
from forecast.training.threads import begin_worker

OPTIMISTIC = "actual (optimistic)"
VINTAGES = {
    "vintages": "vintages",
    "actuals": "vintages, learned from actuals",
    "resampled": "vintages, learned from actuals with resampled forecast errors",
}
"""What is said of weather that was forecast, by what training was shown of it."""


@dataclass(frozen=True)
class TrainingReport:
    """How a training went.

    Attributes:
        history: per epoch: stage, epoch, train_loss, validation_loss, rate; and, in an ensemble, the member.
        best_epoch: the epoch whose averaged weights were kept, of the first network; 0 for a baseline.
        seconds: wall time.
        gradient_by_lag: mean gradient norm by encoder step, newest first, of the first network; empty for a baseline.
        gradient_health: "healthy", "vanishing", "exploding" (the worst of all members), or "" for a baseline.
        windows: training windows at hand.
    """

    history: list[dict[str, Any]] = field(default_factory=list)
    best_epoch: int = 0
    seconds: float = 0.0
    gradient_by_lag: list[float] = field(default_factory=list)
    gradient_health: str = ""
    windows: int = 0

    @classmethod
    def of(cls, members: list[LearnedMember], began: float, windows: int) -> TrainingReport:
        """The report of all members together."""
        networks = [one for one in members if one.history]
        several = len(members) > 1
        history = [
            {"member": number, **row} if several else row for number, one in enumerate(members) for row in one.history
        ]
        health = [one.gradient_health for one in networks]
        return cls(
            history, networks[0].best_epoch if networks else 0, time.monotonic() - began,
            networks[0].gradient_by_lag if networks else [],
            next((word for word in ("exploding", "vanishing", "healthy") if word in health), ""), windows,
        )  # fmt: skip


@dataclass(frozen=True, eq=False)
class Fitted:
    """A trained forecaster and how it was trained."""

    forecaster: Forecaster
    report: TrainingReport


def fit(
    demand: Demand,
    recipe: Recipe,
    task: Task,
    *,
    checkpoint: Path | None = None,
    progress: Progress | None = None,
    processes: int = 1,
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
        processes: members of an ensemble that learn side by side, each in a fresh process; the result is the same.

    Raises:
        NotEnoughHistory: no window of context + horizon steps is known.
        NonFiniteLoss: loss or weights stopped being numbers.
    """
    began = time.monotonic()
    span = Span(demand, recipe, task)
    parts = parts_of(span)
    members = _members(span, parts, checkpoint, progress or Silent(), processes)
    # Members learn from the same spans, so either all of them were refitted on the whole or what was kept answers.
    used = parts.final if members[0].refitted else parts.features
    model, judged = together([one.model for one in members]), _judged(members)
    spec = spec_of(span, model, used)
    lessons = no_lessons(spec)
    if judged is not None:
        lessons = learn_lessons(spec_of(span, judged, parts.features), judged, span)
    return Fitted(taught(spec, model, lessons), TrainingReport.of(members, began, len(parts.whole)))


def taught(spec: ForecasterSpec, model: Model, lessons: Lessons) -> Forecaster:
    """The forecaster with what held-out forecasts taught."""
    update = {"calibration": lessons.calibration, "correction": lessons.correction}
    return Forecaster(spec.model_copy(update=update), model, lessons.ranks_DH)


def parts_of(span: Span) -> Parts:
    """The early part, what is held out, and the whole."""
    final = span.features(span.demand)
    whole = span.windows(final, span.demand)
    early = span.demand.as_of(span.split)
    try:
        features = span.features(early)
        train = span.windows(features, early)
        held_out = span.windows(features, span.demand, since=span.split)
    except NotEnoughHistory:
        # Too short to hold anything out: learn from all of it, and promise no calibrated interval.
        features, train, held_out = final, whole, None
    return Parts(features, train, held_out, final, whole, span.recipe.quantiles)


def together(models: list[Model]) -> Model:
    """One model, or several as an ensemble."""
    return models[0] if len(models) == 1 else Ensemble(tuple(models))


def learn_member(span: Span, parts: Parts, number: int, checkpoint: Path | None, progress: Progress) -> LearnedMember:
    """Learns one member of the recipe: judged on the early part, then on the whole."""
    model = span.recipe.members[number]
    if isinstance(model, NetworkModel):
        return NetworkLearning(model, parts, checkpoint, key_of(span, number), progress).run()
    answering = learn_baseline(model, parts.final, parts.whole, parts.levels)
    if parts.held_out is None:
        return LearnedMember(answering, None)
    progress.epoch("learn", 1, 1, {})
    return LearnedMember(answering, learn_baseline(model, parts.features, parts.train, parts.levels))


def _members(
    span: Span, parts: Parts, checkpoint: Path | None, progress: Progress, processes: int
) -> list[LearnedMember]:
    count = len(span.recipe.members)
    folders = [
        checkpoint / f"member-{number}" if checkpoint is not None and count > 1 else checkpoint
        for number in range(count)
    ]
    if processes <= 1 or count == 1:
        return [learn_member(span, parts, number, folders[number], progress) for number in range(count)]
    context = get_context("spawn")
    with ProcessPoolExecutor(min(processes, count), mp_context=context, initializer=begin_worker) as pool:
        told = (span.given, span.recipe, span.task)
        futures = {pool.submit(_elsewhere, *told, number, folders[number]): number for number in range(count)}
        learned: dict[int, LearnedMember] = {}
        for future in as_completed(futures):
            learned[futures[future]] = future.result()
            progress.epoch("members", len(learned), count, {})
    return [learned[number] for number in range(count)]


def _elsewhere(demand: Demand, recipe: Recipe, task: Task, number: int, checkpoint: Path | None) -> LearnedMember:
    """One member in a process of its own, where parts are made again."""
    span = Span(demand, recipe, task)
    return learn_member(span, parts_of(span), number, checkpoint, Silent())


def _judged(members: list[LearnedMember]) -> Model | None:
    judged = [one.judged for one in members if one.judged is not None]
    return together(judged) if len(judged) == len(members) else None


def key_of(span: Span, number: int) -> str:
    """What a checkpoint belongs to: recipe, member, task and data."""
    text = span.recipe.model_dump_json() + str(number) + span.task.model_dump_json() + span.demand.digest
    return hashlib.sha256(text.encode()).hexdigest()


def spec_of(span: Span, model: Model, features: Features) -> ForecasterSpec:
    """Everything about a model of this span that is no weight; not yet calibrated."""
    demand, recipe = span.demand, span.recipe
    week = 7 * demand.steps_per_day
    scales = {one.unique_id: seasonal_scale(demand.observed(one), week) * demand.output_factor for one in demand.series}
    return ForecasterSpec(
        recipe=recipe,
        task=span.task,
        model=model.settings(),
        model_kind=model.kind,
        past=demand.columns.past,
        known=demand.columns.known,
        static=demand.columns.static,
        step_seconds=int(demand.step.total_seconds()),
        unit=demand.unit,
        zone=demand.series[0].zone,
        country=demand.country,
        countries={one.unique_id: one.country for one in demand.series if one.country is not None},
        delay_seconds=int(demand.delay.total_seconds()),
        series=tuple(one.unique_id for one in demand.series),
        features=features.state,
        calibration=Calibration.none(recipe.quantiles),
        trained_from=span.begin.isoformat(),
        trained_until=span.end.isoformat(),
        data_digest=demand.digest,
        seasonal_scale={name: float(scale) if np.isfinite(scale) else None for name, scale in scales.items()},
        weather=weather_label(demand, recipe, features),
        profile=Profile.of(demand),
        made_with={"python": platform.python_version()}
        | {name: version(name) for name in ("torch", "numpy", "scikit-learn")},
    )


def weather_label(demand: Demand, recipe: Recipe, features: Features) -> str:
    """How the covariates known ahead came: measured (one is enough), or forecast, and what training saw of that."""
    # Neither a flag nor somebody's forecast of the demand is weather.
    weather = set(demand.columns.known) - {*features.state.binary, *features.state.like_demand}
    if weather - set(demand.versions):
        return OPTIMISTIC
    return VINTAGES[recipe.weather] if weather else "none"
