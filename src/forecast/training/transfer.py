"""Fine-tuning: a trained network goes on learning, on newer data or on a series that it never saw."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
import torch

from forecast.errors import DataError, NotEnoughHistory, RecipeError
from forecast.features import Features
from forecast.forecaster import Forecaster, ForecasterSpec
from forecast.networks.gradients import name_gradients
from forecast.networks.network import DemandNetwork
from forecast.networks.runtime import NetworkRuntime, prepare_torch
from forecast.recipe import NetworkModel, Recipe, TrainingConfig
from forecast.tables import Demand
from forecast.tables.units import power_unit
from forecast.training.calibrating import learn_lessons
from forecast.training.device import device_of
from forecast.training.feed import Feed
from forecast.training.fitting import Fitted, TrainingReport, spec_of, taught
from forecast.training.learn import SCALED_ON, gradients
from forecast.training.loop import Loop
from forecast.training.progress import Progress, Silent
from forecast.training.span import Span
from forecast.windows import WindowSet

Part = Literal["encoder", "decoder", "highway", "outlook", "neighbours", "head"]
Scaling = Literal["auto", "keep", "refit"]
FOLDER = "fine-tune"


def fine_tune(
    forecaster: Forecaster,
    demand: Demand,
    *,
    epochs: int,
    rate: float,
    freeze: Sequence[Part] = (),
    scaling: Scaling = "auto",
    checkpoint: Path | None = None,
    progress: Progress | None = None,
) -> Fitted:
    """Continues a trained network on a table with the same columns; everything else is as the recipe says.

    The last `validation_share` of the table stops it and calibrates the intervals; where no epoch beats the weights
    that it began with, those are kept (`best_epoch` 0). Then, where the recipe refits, it continues once more from the
    same weights on the whole table. Features keep their hinges and flags. A table too short to hold anything out is
    learned whole, and the calibration stays.

    Args:
        forecaster: a trained network.
        demand: newer data of its series, or other series; usually `demand.as_of(cutoff)`.
        epochs: passes at the most.
        rate: peak learning rate, usually a tenth of the recipe's.
        freeze: parts whose weights stay.
        scaling: "keep" the network's level and scale, or "refit" them on the table; "auto" keeps them for series that
            the forecaster was trained on. The columns' standardisation always stays: the weights speak its units.
        checkpoint: folder for checkpoints; a run that was killed goes on from there, to the same bits.
        progress: told after every epoch of the stages "fine-tune" and "refit".

    Raises:
        RecipeError: the forecaster is no network, or lacks a part to freeze, or nothing is left to learn.
        DataError: the table has other columns or another step.
        NotEnoughHistory: no window of context + horizon steps is known.
        NonFiniteLoss: loss or weights stopped being numbers.
    """
    began = time.monotonic()
    _check_table(forecaster.spec, demand)
    recipe = _recipe(forecaster, epochs, rate)
    tuning = _Tuning(forecaster, demand, recipe, tuple(freeze), _refits(forecaster.spec, demand, scaling), checkpoint)
    prepare_torch()
    torch.set_num_threads(tuning.config.threads)
    return tuning.run(progress or Silent(), began)


@dataclass(frozen=True)
class _Tuning:
    """One fine-tuning: where it begins, on what, and what may move."""

    forecaster: Forecaster
    demand: Demand
    recipe: Recipe
    freeze: tuple[Part, ...]
    refit_level: bool
    checkpoint: Path | None

    @property
    def config(self) -> TrainingConfig:
        assert isinstance(self.recipe.model, NetworkModel)
        return self.recipe.model.training

    def run(self, progress: Progress, began: float) -> Fitted:
        spec = self.forecaster.spec
        features, span = spec.column_reader, Span(self.demand, self.recipe, spec.task)
        train, held_out = _windows(span, features, self.demand)
        loop = self._loop(features, train, held_out, self.config)
        self._go(loop, FOLDER, self.config.epochs, progress)
        history, best_epoch = [{"stage": FOLDER, **row} for row in loop.notes["history"]], int(loop.notes["best_epoch"])
        judged, used = _runtime(loop), loop
        if held_out is not None and self.config.final == "refit" and best_epoch > 0:
            chosen = self.config.model_copy(update={"epochs": best_epoch})
            used = self._loop(features, span.windows(features, self.demand), None, chosen)
            self._go(used, "refit", best_epoch, progress)
            history += [{"stage": "refit", **row} for row in used.notes["history"]]
        norms = gradients(used.network, used.feed)
        report = TrainingReport(
            history=history, best_epoch=best_epoch, seconds=time.monotonic() - began, gradient_by_lag=norms,
            gradient_health=name_gradients(norms), windows=len(used.feed.windows),
        )  # fmt: skip
        model, told = _runtime(used), self._spec(span, features, judged)
        if held_out is None:
            return Fitted(replace(self.forecaster, spec=told, model=model), report)
        return Fitted(taught(told, model, learn_lessons(told, judged, span)), report)

    def _spec(self, span: Span, features: Features, model: NetworkRuntime) -> ForecasterSpec:
        """The fresh spec of this table, and what the forecaster was and had seen before."""
        before, now = self.forecaster.spec, spec_of(span, model, features)
        told: dict[str, Any] = {
            "calibration": before.calibration,
            "correction": before.correction,
            "series": tuple(dict.fromkeys((*before.series, *now.series))),
            "trained_from": min(before.trained_from, now.trained_from, key=pd.Timestamp),
            "trained_until": max(before.trained_until, now.trained_until, key=pd.Timestamp),
            "seasonal_scale": before.seasonal_scale | now.seasonal_scale,
        }
        return now.model_copy(update=told)

    def _loop(self, features: Features, train: WindowSet, held_out: WindowSet | None, config: TrainingConfig) -> Loop:
        model = self.forecaster.model
        arrays = model.arrays()
        network = NetworkRuntime.restore(model.settings(), arrays).network
        if self.refit_level:
            network.scaling.refit_level([inputs for inputs, _, _ in Feed.of(features, train).spread(SCALED_ON, 512)])
            arrays = {name: array for name, array in arrays.items() if not name.startswith("scaling.")}
        freeze_parts(network, self.freeze)
        device = device_of(config)
        validation = Feed.of(features, held_out, device) if held_out is not None else None
        return Loop(network.to(device), Feed.of(features, train, device), config, validation, device, start=arrays)

    def _go(self, loop: Loop, stage: str, until: int, progress: Progress) -> None:
        path = self.checkpoint / f"{stage}.safetensors" if self.checkpoint is not None else None
        loop.run(stage, until, progress, path, self._key())

    def _key(self) -> str:
        """What a checkpoint belongs to: the weights it began with, recipe, task, data and what may move."""
        told = [self.recipe.model_dump_json(), self.forecaster.spec.task.model_dump_json(), self.demand.digest]
        total = hashlib.sha256(json.dumps([*told, self.freeze, self.refit_level]).encode())
        for name, array in sorted(self.forecaster.model.arrays().items()):
            total.update(name.encode() + np.ascontiguousarray(array).tobytes())
        return total.hexdigest()


def freeze_parts(network: DemandNetwork, parts: Sequence[str]) -> None:
    """Lets the weights of these parts stay as they are.

    Raises:
        RecipeError: the network has no such part, or nothing would be left to learn.
    """
    offered = [name for name in get_args(Part) if getattr(network, name) is not None]
    for part in parts:
        if part not in offered:
            raise RecipeError(f"freeze of '{part}'", f"parts of this network: {', '.join(offered)}", "correct freeze")
        getattr(network, part).requires_grad_(False)
    if not any(weight.requires_grad for weight in network.parameters()):
        raise RecipeError("freeze of every part", "at least one part that learns", "leave one out of freeze")


def _check_table(spec: ForecasterSpec, demand: Demand) -> None:
    if demand.columns != spec.columns:
        raise DataError(
            f"covariates past {demand.columns.past}, known {demand.columns.known}, static {demand.columns.static}",
            f"past {spec.past}, known {spec.known}, static {spec.static} as model '{spec.name}' was trained on",
            "declare the same columns in the same order, or train a new model",
        )
    if demand.step != spec.step:
        raise DataError(
            f"a step of {demand.step}", f"the {spec.step} that model '{spec.name}' was trained on", "resample the table"
        )


def _recipe(forecaster: Forecaster, epochs: int, rate: float) -> Recipe:
    recipe = forecaster.spec.recipe
    if not isinstance(recipe.model, NetworkModel) or not isinstance(forecaster.model, NetworkRuntime):
        raise RecipeError(f"fine-tuning of '{recipe.name}' ({recipe.model.kind})", "a network", "train it anew instead")
    if epochs < 1 or not 0 < rate < np.inf:
        raise RecipeError(
            f"fine-tuning with epochs = {epochs}, rate = {rate}", "epochs from 1 and a finite rate above 0"
        )
    training = recipe.model.training.model_copy(update={"epochs": epochs, "rate": rate, "pretrain": None})
    return recipe.model_copy(update={"model": recipe.model.model_copy(update={"training": training})})


def _refits(spec: ForecasterSpec, demand: Demand, scaling: Scaling) -> bool:
    if scaling != "auto":
        return scaling == "refit"
    known = {one.unique_id for one in demand.series} <= set(spec.series)
    return not known or power_unit(demand.unit) != power_unit(spec.unit)


def _windows(span: Span, features: Features, demand: Demand) -> tuple[WindowSet, WindowSet | None]:
    """The windows to learn from and those that stop it; all and none where a table is too short."""
    try:
        train = span.windows(features, demand.as_of(span.split))
        return train, span.windows(features, demand, since=span.split)
    except NotEnoughHistory:
        return span.windows(features, demand), None


def _runtime(loop: Loop) -> NetworkRuntime:
    return NetworkRuntime(loop.network.to("cpu").eval())
