"""How a network is learned: once to choose its epoch, then, where the recipe says so, once more on the whole span."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from forecast.features import Features
from forecast.features.civil import HOURS
from forecast.networks.configs import NetworkShape
from forecast.networks.gradients import gradient_by_lag, name_gradients
from forecast.networks.network import DemandNetwork, build
from forecast.networks.runtime import NetworkRuntime, prepare_torch
from forecast.recipe import NetworkModel, Recipe, Task, TrainingConfig
from forecast.training.loop import Feed, Loop
from forecast.training.progress import Progress
from forecast.windows import WindowSet

SCALED_ON = 2048


@dataclass
class LearnedNetwork:
    """The network that answers, the one that was judged, and how they came about.

    Attributes:
        model: the one that answers.
        judged: the one that learned from the early part only; its errors on the late part calibrate.
        refitted: whether the two differ.
    """

    model: NetworkRuntime
    judged: NetworkRuntime
    refitted: bool
    history: list[dict[str, Any]]
    best_epoch: int
    gradient_by_lag: list[float]
    gradient_health: str


def learn_network(
    recipe: Recipe,
    task: Task,
    early: tuple[Features, WindowSet, WindowSet | None],
    whole: tuple[Features, WindowSet],
    checkpoint: Path | None,
    key: str,
    progress: Progress,
) -> LearnedNetwork:
    """Learns on the early windows, chooses the epoch on the held-out ones, and learns again on the whole span."""
    prepare_torch()
    assert isinstance(recipe.model, NetworkModel)
    config = recipe.model.training
    torch.set_num_threads(config.threads)
    device = _device(config)
    features, train, held_out = early
    validation = Feed.of(features, held_out, device) if held_out is not None else None
    loop = _loop(recipe, task, features, Feed.of(features, train, device), config, validation, device)
    loop.run("learn", config.epochs, progress, _file(checkpoint, "learn"), key)
    history = [{"stage": "learn", **row} for row in loop.notes["history"]]
    judged, best_epoch = loop.network, int(loop.notes["best_epoch"])
    network, feed, refitted = judged, loop.feed, held_out is not None and config.final == "refit"
    if refitted:
        # The schedule is fitted to the chosen epochs, so that the second run also ends with a low rate.
        chosen = config.model_copy(update={"epochs": best_epoch})
        again = _loop(recipe, task, whole[0], Feed.of(*whole, device), chosen, None, device)
        again.run("refit", best_epoch, progress, _file(checkpoint, "refit"), key)
        history += [{"stage": "refit", **row} for row in again.notes["history"]]
        network, feed = again.network, again.feed
    norms = _gradients(network, feed)
    return LearnedNetwork(
        _runtime(network), _runtime(judged), refitted, history, best_epoch, norms, name_gradients(norms)
    )  # fmt: skip


def network_shape(recipe: Recipe, task: Task, features: Features, windows: WindowSet) -> NetworkShape:
    """The sides of the arrays that these features give."""
    demand = windows.demand
    return NetworkShape(
        past_columns=len(features.past_names),
        future_columns=len(features.future_names),
        static_columns=len(features.columns.static),
        context=features.context,
        horizon=task.horizon,
        quantiles=recipe.quantiles,
        past_load_columns=tuple(np.flatnonzero(features.past_load_columns).tolist()),
        future_load_columns=tuple(np.flatnonzero(features.future_load_columns).tolist()),
        hour_columns=(0, HOURS),
        level_steps=7 * demand.steps_per_day,
        steps_per_hour=max(1, demand.steps_per_day // 24),
    )


def _loop(
    recipe: Recipe, task: Task, features: Features, feed: Feed, config: TrainingConfig, validation: Feed | None,
    device: str,
) -> Loop:  # fmt: skip
    assert isinstance(recipe.model, NetworkModel)
    network = build(recipe.model.network, network_shape(recipe, task, features, feed.windows), config.seed)
    network.scaling.fit(
        [inputs for inputs, _, _ in Feed(feed.features, feed.windows, feed.clock).spread(SCALED_ON, 512)]
    )
    return Loop(network.to(device), feed, config, validation, device)


def _gradients(network: DemandNetwork, feed: Feed) -> list[float]:
    inputs, target_BH, mask_BH = next(feed.spread(64, 64))
    return [float(norm) for norm in gradient_by_lag(network, (*inputs, target_BH, mask_BH))]


def _runtime(network: DemandNetwork) -> NetworkRuntime:
    return NetworkRuntime(network.to("cpu").eval())


def _device(config: TrainingConfig) -> str:
    if config.device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return config.device


def _file(folder: Path | None, stage: str) -> Path | None:
    return folder / f"{stage}.safetensors" if folder is not None else None
